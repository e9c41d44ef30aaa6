//! What the binary carries beside code. `NOTICE` tells people the same.

use serde_json::{Value, json};

use super::{hashes, licences};
use crate::bundle_default::origin;
use crate::process::repository_root;
use crate::release::sums;

/// The bundled detector.
const MODEL: &str = "assets/ssd-mobilenet-v2-oid.claw.safetensors";

/// A file that was made of others' works.
struct Other {
    path: &'static str,
    /// CycloneDX's name for what it is.
    kind: &'static str,
    licence: &'static str,
    made_of: &'static str,
}

const OTHERS: &[Other] = &[
    Other {
        path: "assets/clip.mjpeg",
        kind: "data",
        licence: "CC0-1.0",
        made_of: "pictures of NASA, Stéfan van der Walt and Rachel Michetti, public domain and CC0 1.0",
    },
    Other {
        path: "crates/vision/fonts/Roboto-Medium.subset.ttf",
        kind: "file",
        licence: "Apache-2.0",
        made_of: "Roboto Medium of Google Inc., cut down",
    },
];

/// Each as a component.
pub(super) fn components() -> Result<Vec<Value>, String> {
    let mut components = vec![model()?];
    for Other { path, kind, licence, made_of } in OTHERS {
        components.push(json!({
            "type": kind, "bom-ref": path, "name": path, "licenses": licences(licence),
            "hashes": hashes(&sums::sum(&repository_root().join(path))?),
            "pedigree": { "notes": format!("made of {made_of}") },
        }));
    }
    Ok(components)
}

/// The detector and the network that it was converted from, as its bundle says.
fn model() -> Result<Value, String> {
    let path = repository_root().join(MODEL);
    let bundle = clawdbot_nn::bundle::Bundle::open(&path).map_err(|error| error.to_string())?;
    let origin = bundle.origin();
    let package = origin::MODEL_PACKAGE.replacen('@', "%40", 1);
    Ok(json!({
        "type": "machine-learning-model", "bom-ref": MODEL, "name": origin.name, "licenses": licences(&origin.licence),
        "hashes": hashes(&sums::sum(&path)?),
        "pedigree": {
            "ancestors": [{
                "type": "machine-learning-model", "name": origin.source_file, "licenses": licences(&origin.licence),
                "hashes": hashes(&origin.source_sha256),
                "properties": [
                    { "name": "clawdbot:package", "value": format!("pkg:npm/{package}") },
                    { "name": "clawdbot:inside", "value": origin::MODEL_PACKED_IN },
                ],
            }],
            "notes": "converted to INT8 by `clawdbot convert`",
        },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_says_whence_it_comes() {
        let model = model().unwrap();
        assert_eq!(model["licenses"][0]["expression"], "Apache-2.0");
        let ancestor = &model["pedigree"]["ancestors"][0];
        assert_eq!(ancestor["hashes"][0]["content"].as_str().map(str::len), Some(64));
        assert!(ancestor["properties"][0]["value"].as_str().unwrap().starts_with("pkg:npm/%40mediapipe/objectron@"));
    }

    #[test]
    fn everything_that_notice_says_is_in_the_binary_is_told() {
        let notice = std::fs::read_to_string(repository_root().join("NOTICE")).unwrap();
        let listed: Vec<&str> = OTHERS.iter().map(|other| other.path).chain([MODEL]).collect();
        // The pictures come along in the repository alone; the bindings are code of a crate, and in the list of those.
        let elsewhere = ["assets/pictures/", "crates/v4l2-sys/"];
        let files = notice.lines().filter(|line| !line.contains(' ') && line.contains('/'));
        for file in files.filter(|file| !elsewhere.iter().any(|begin| file.starts_with(begin))) {
            assert!(listed.contains(&file), "{file}");
        }
        for path in listed {
            assert!(notice.lines().any(|line| line == path), "{path}");
        }
    }
}
