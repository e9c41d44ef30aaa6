//! What `benches/peers/nets/make.py` made: its `manifest.json`.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// A network.
#[derive(Clone, Debug)]
pub(super) struct Net {
    /// Its name.
    pub(super) name: String,
    /// Multiply-accumulates of an inference.
    pub(super) multiplications: f64,
    /// The file of which ours is made.
    pub(super) source: PathBuf,
    /// What `clawdbot convert` must be told about it.
    pub(super) convert: Vec<String>,
    /// The peers' files.
    pub(super) forms: Vec<Form>,
}

/// A file that a peer can run.
#[derive(Clone, Debug)]
pub(super) struct Form {
    /// litert, ort, ncnn or tract.
    pub(super) peer: String,
    /// fp32, int8, ...
    pub(super) form: String,
}

/// Reads the manifest.
///
/// # Errors
/// When it is missing or not as make.py writes it.
pub(super) fn read(path: &Path) -> Result<Vec<Net>, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    parse(&text).ok_or_else(|| format!("{} is not as benches/peers/nets/make.py writes it: remove it", path.display()))
}

fn parse(text: &str) -> Option<Vec<Net>> {
    let whole: Value = serde_json::from_str(text).ok()?;
    whole["nets"].as_array()?.iter().map(net).collect()
}

fn net(value: &Value) -> Option<Net> {
    let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
    let form = |value: &Value| Some(Form { peer: text(&value["peer"])?, form: text(&value["form"])? });
    Some(Net {
        name: text(&value["name"])?,
        multiplications: value["multiplications"].as_f64()?,
        source: PathBuf::from(text(&value["source"])?),
        convert: value["convert"].as_array()?.iter().map(text).collect::<Option<_>>()?,
        forms: value["forms"].as_array()?.iter().map(form).collect::<Option<_>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_read() {
        let text = r#"{"nets": [{"name": "a", "multiplications": 3e6, "shape": [2, 2, 3], "source": "/a.tflite",
            "convert": ["--mean", "0"], "forms": [{"peer": "ort", "form": "fp32", "file": "/a.onnx"}]}]}"#;
        let nets = parse(text).unwrap();
        assert_eq!((nets[0].name.as_str(), nets[0].convert.len(), nets[0].forms[0].form.as_str()), ("a", 2, "fp32"));
        assert!(parse(&text.replace("source", "sauce")).is_none());
    }
}
