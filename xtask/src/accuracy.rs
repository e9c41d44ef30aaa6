//! `cargo xtask accuracy [--net NAME]`: what INT8 costs, and what each thing that the converter does against it is worth.
//!
//! Converts each network in every form (F16, INT8 without any of the means, without one of them at a time, with all, mixed),
//! calibrated on the train pictures of `coco-open` (../shared/data, not part of the repository), evaluates the bundles on
//! val and train, prints `docs/reference/accuracy.md`'s table and records the figures.

#[cfg(test)]
mod tests;

use std::path::Path;

use serde_json::{Value, json};

use crate::Outcome;
use crate::process::{cargo, command, output, repository_root, run, target_directory};
use crate::record;

const USAGE: &str = "usage: cargo xtask accuracy [--net ssd|yolox|nanodet]";

/// A network and what the converter must be told of it.
struct Net {
    name: &'static str,
    /// Below the data folder.
    source: &'static str,
    further: &'static [&'static str],
}

const NETS: &[Net] = &[
    Net { name: "ssd", source: "detect/ssd-mobilenet-v2-oid/ssd_mobilenetv2_oidv4_fp16.tflite", further: &[] },
    Net {
        name: "yolox",
        source: "detect/yolox-nano/yolox_nano_416.onnx",
        further: &["--input-convention", "yolox-0.1.1"],
    },
    Net { name: "nanodet", source: "detect/nanodet-m/nanodet_m_320.onnx", further: &[] },
];

/// What `clawdbot convert --without` knows (`crates/convert/src/means.rs`; a test compares).
const MEANS: &[&str] = &[
    "ranges",
    "zero-points",
    "channel-scales",
    "dense-scales",
    "equalisation",
    "fused-activations",
    "exact-outputs",
    "weight-clipping",
    "compensation",
    "bias-correction",
];
/// The bundle in the repository, made from the first network.
const BUNDLED: &str = "assets/ssd-mobilenet-v2-oid.claw.safetensors";
const SPLITS: [&str; 2] = ["val", "train"];

/// Converts and evaluates everything.
pub(crate) fn run_accuracy(arguments: &[String]) -> Outcome {
    let nets: Vec<&Net> = match arguments {
        [] => NETS.iter().collect(),
        [flag, name] if flag == "--net" && NETS.iter().any(|net| net.name == name) => {
            NETS.iter().filter(|net| net.name == name).collect()
        }
        _ => return Err(format!("does not understand {arguments:?}\n{USAGE}")),
    };
    let data = repository_root().join("../shared/data");
    if !data.join("coco-open").is_dir() {
        return Err(format!("{} is not there; the pictures may not be part of the repository", data.display()));
    }
    // The kernels and the converter are optimised in every profile, and their results are the same in all.
    run(&mut cargo(&["build", "--locked"]))?;
    let bench =
        Bench { program: target_directory().join("debug/clawdbot").to_string_lossy().into_owned(), data: &data };
    let mut results = Vec::new();
    println!("| network | form | val AP | AP50 | recall | train AP | AP50 | recall | worst output, dB |");
    println!("|---|---|---|---|---|---|---|---|---|");
    for net in &nets {
        for (form, words) in forms(net) {
            results.push(bench.row(net, &form, words.as_deref())?);
        }
    }
    let (what, command) = match nets[..] {
        [net] => (format!("accuracy-{}", net.name), format!("cargo xtask accuracy --net {}", net.name)),
        _ => ("accuracy".to_owned(), "cargo xtask accuracy".to_owned()),
    };
    record::write(&what, &json!({"command": command, "results": results}))
}

/// Each form's name and what the converter is told for it; nothing for the bundle that is there already.
fn forms(net: &Net) -> Vec<(String, Option<Vec<String>>)> {
    let words = |words: &[&str]| Some(words.iter().map(ToString::to_string).collect::<Vec<_>>());
    let mut forms = vec![
        ("F16".to_owned(), words(&["--precision", "f16"])),
        ("INT8, naive".to_owned(), words(&["--precision", "int8", "--without", "all"])),
    ];
    for mean in MEANS {
        forms.push((format!("INT8 without {mean}"), words(&["--precision", "int8", "--without", mean])));
    }
    forms.push(("INT8".to_owned(), words(&["--precision", "int8"])));
    forms.push(("mixed".to_owned(), words(&["--precision", "mixed"])));
    if net.name == NETS[0].name {
        forms.push(("bundled".to_owned(), None));
    }
    forms
}

struct Bench<'a> {
    program: String,
    data: &'a Path,
}

impl Bench<'_> {
    /// Makes one form, evaluates it, prints its row.
    fn row(&self, net: &Net, form: &str, words: Option<&[String]>) -> Result<Value, String> {
        let (bundle, outputs) = match words {
            Some(words) => self.convert(net, words)?,
            None => (BUNDLED.to_owned(), Value::Null),
        };
        let mut row = format!("| {} | {form} |", net.name);
        let mut figures = serde_json::Map::new();
        for split in SPLITS {
            let answer = self.evaluate(&bundle, split)?;
            for name in ["average_precision", "average_precision_50", "recall"] {
                row += &format!(" {} |", figure(&answer["mean"], name));
            }
            let person = person(&answer).cloned().unwrap_or(Value::Null);
            figures.insert(split.to_owned(), json!({"mean": answer["mean"], "person": person}));
        }
        let decibels = outputs.as_array().into_iter().flatten().filter_map(|output| output["snr_db"].as_f64());
        let worst = decibels.fold(f64::INFINITY, f64::min);
        println!("{row} {} |", if worst.is_finite() { format!("{worst:.1}") } else { "-".to_owned() });
        Ok(json!({"net": net.name, "form": form, "arguments": words, "figures": figures, "outputs": outputs}))
    }

    /// The bundle's path, and the outputs' noise as the converter tells it.
    fn convert(&self, net: &Net, words: &[String]) -> Result<(String, Value), String> {
        let bundle = target_directory().join(format!("accuracy-{}.claw.safetensors", net.name));
        let bundle = bundle.to_string_lossy().into_owned();
        let [source, train] = [net.source, "coco-open/train"].map(|path| self.path(path));
        let mut arguments = vec!["convert", &source, "-o", &bundle, "--json", "--calibrate", &train];
        arguments.extend(net.further);
        arguments.extend(words.iter().map(String::as_str));
        let answer = parsed(&output(&mut command(&self.program, &arguments))?)?;
        Ok((bundle, answer["report"]["outputs"].clone()))
    }

    fn evaluate(&self, bundle: &str, split: &str) -> Result<Value, String> {
        let [annotations, images] =
            [format!("coco-open/instances_{split}.json"), format!("coco-open/{split}")].map(|path| self.path(&path));
        let files = ["--model", bundle, "--annotations", &annotations, "--images", &images];
        parsed(&output(&mut command(&self.program, &[&["eval", "detect", "--json"][..], &files[..]].concat()))?)
    }

    fn path(&self, below: &str) -> String {
        self.data.join(below).to_string_lossy().into_owned()
    }
}

fn parsed(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("the program did not print JSON ({error}): {text}"))
}

/// The figures of the category "person".
fn person(answer: &Value) -> Option<&Value> {
    let person = answer["categories"].as_array()?.iter().find(|category| category["name"] == "person")?;
    Some(&person["figures"])
}

fn figure(figures: &Value, name: &str) -> String {
    figures[name].as_f64().map_or_else(|| "-".to_owned(), |figure| format!("{figure:.3}"))
}
