//! `cargo xtask accuracy`: what INT8 costs. Evaluates the bundled detector and the same network in FP16 on the pictures of
//! `coco-open` (../shared/data, not part of the repository) and records both.

use serde_json::{Value, json};

use crate::Outcome;
use crate::process::{cargo, command, output, refuse_arguments, repository_root, run, target_directory};
use crate::record;

/// The network that the bundled detector was made from, below the data folder.
const SOURCE: &str = "detect/ssd-mobilenet-v2-oid/ssd_mobilenetv2_oidv4_fp16.tflite";

/// Evaluates both forms on both splits.
pub(crate) fn run_accuracy(arguments: &[String]) -> Outcome {
    refuse_arguments(arguments)?;
    let data = repository_root().join("../shared/data");
    if !data.join("coco-open").is_dir() {
        return Err(format!("{} is not there; the pictures may not be part of the repository", data.display()));
    }
    run(&mut cargo(&["build", "--release", "--locked"]))?;
    let program = target_directory().join("release/clawdbot").to_string_lossy().into_owned();
    let f16 = target_directory().join("accuracy-f16.claw.safetensors").to_string_lossy().into_owned();
    let source = data.join(SOURCE).to_string_lossy().into_owned();
    output(&mut command(&program, &["convert", &source, "-o", &f16, "--precision", "f16"]))?;
    let bundled = "assets/ssd-mobilenet-v2-oid.claw.safetensors";

    println!("form     split   person AP / AP50   mean AP / AP50   recall");
    let mut results = Vec::new();
    for (form, bundle) in [("f16", f16.as_str()), ("bundled", bundled)] {
        for split in ["val", "train"] {
            let annotations = data.join(format!("coco-open/instances_{split}.json")).to_string_lossy().into_owned();
            let images = data.join(format!("coco-open/{split}")).to_string_lossy().into_owned();
            let arguments =
                ["eval", "detect", "--json", "--model", bundle, "--annotations", &annotations, "--images", &images];
            let text = output(&mut command(&program, &arguments))?;
            let answer: Value = serde_json::from_str(&text).map_err(|error| format!("not JSON ({error}): {text}"))?;
            let person = person(&answer).ok_or_else(|| format!("no figures of persons in {text}"))?;
            println!(
                "{form:<8} {split:<6} {} / {}      {} / {}    {}",
                figure(person, "average_precision"),
                figure(person, "average_precision_50"),
                figure(&answer["mean"], "average_precision"),
                figure(&answer["mean"], "average_precision_50"),
                figure(&answer["mean"], "recall"),
            );
            results.push(json!({"form": form, "split": split, "person": person, "mean": answer["mean"]}));
        }
    }
    record::write("accuracy", &json!({"command": "cargo xtask accuracy", "results": results}))
}

/// The figures of the category "person".
fn person(answer: &Value) -> Option<&Value> {
    let person = answer["categories"].as_array()?.iter().find(|category| category["name"] == "person")?;
    Some(&person["figures"])
}

fn figure(figures: &Value, name: &str) -> String {
    figures[name].as_f64().map_or_else(|| "  -  ".to_owned(), |figure| format!("{figure:.4}"))
}
