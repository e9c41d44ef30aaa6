//! The compressed image and what describes it: sums, and the list that Raspberry Pi Imager reads.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::flavour::Flavour;
use crate::Outcome;
use crate::process;

/// A file's size and sum.
struct Sum {
    bytes: u64,
    sha256: String,
}

/// Writes `IMAGE.xz`, `IMAGE.xz.sha256` and `IMAGE.rpi-imager-manifest` beside the image.
pub(super) fn compress(image: &Path, flavour: Flavour, epoch: u64) -> Outcome {
    let packed = with_end(image, ".xz");
    // Blocks of one size, whatever the number of threads: the same image gives the same file.
    let mut command = process::command("xz", &["--keep", "--force", "--threads=0", "--block-size=64MiB", "-6"]);
    process::run(command.arg(image))?;
    let (plain, small) = (sum(image)?, sum(&packed)?);
    let name = packed.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let date = process::output(&mut process::command("date", &["--utc", &format!("--date=@{epoch}"), "+%F"]))?;
    let list = list(flavour, &name, date.trim(), &plain, &small);
    let manifest = with_end(image, ".rpi-imager-manifest");
    write(&manifest, &format!("{list:#}\n"))?;
    write(&with_end(image, ".xz.sha256"), &format!("{}  {name}\n", small.sha256))?;
    println!(
        "{}: {} bytes of {}\n  sha256 {}\n{}",
        packed.display(),
        small.bytes,
        plain.bytes,
        small.sha256,
        manifest.display()
    );
    Ok(())
}

/// Imager's list with this one image, as its `doc/json-schema/os-list-schema.json` has it.
fn list(flavour: Flavour, name: &str, date: &str, plain: &Sum, small: &Sum) -> Value {
    json!({ "os_list": [{
        "name": "clawdbot",
        "description": match flavour {
            Flavour::Debian => "Cameras and sensors to MQTT. Debian kernel: Pi 3 and 4, USB cameras",
            Flavour::RaspberryPiOs => "Cameras and sensors to MQTT. Raspberry Pi kernel: Pi 3, 4 and 5",
        },
        "url": name,
        "icon": "",
        "website": "https://example.org/clawdbot",
        "release_date": date,
        "extract_size": plain.bytes,
        "extract_sha256": plain.sha256,
        "image_download_size": small.bytes,
        "image_download_sha256": small.sha256,
        "devices": flavour.devices(),
        // The board is set up by clawdbot.toml on the boot partition; Imager's own way would be lost on it.
        "init_format": "none",
    }]})
}

fn sum(path: &Path) -> Result<Sum, String> {
    let failed = |error: io::Error| format!("cannot read {}: {error}", path.display());
    let mut file = File::open(path).map_err(failed)?;
    let mut digest = Sha256::new();
    let bytes = io::copy(&mut file, &mut digest).map_err(failed)?;
    let sha256 = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Sum { bytes, sha256 })
}

fn write(path: &Path, text: &str) -> Outcome {
    fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

fn with_end(image: &Path, end: &str) -> PathBuf {
    let mut name = image.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_has_both_sums_and_sizes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        fs::write(&path, "abc").unwrap();
        let plain = sum(&path).unwrap();
        assert_eq!((plain.bytes, &plain.sha256[..8]), (3, "ba7816bf"));
        let list = list(Flavour::Debian, "x.img.xz", "2026-01-02", &plain, &Sum { bytes: 2, sha256: "ff".to_owned() });
        let entry = &list["os_list"][0];
        assert_eq!((&entry["extract_size"], &entry["image_download_size"]), (&json!(3), &json!(2)));
        assert_eq!(entry["init_format"], json!("none"));
        assert_eq!(with_end(Path::new("/a/b.img"), ".xz"), Path::new("/a/b.img.xz"));
    }
}
