//! `cargo xtask regions`: what looking at parts of a picture finds, against looking at all of it, run for run; recorded.
//!
//! `cargo xtask regions --counts` counts what deciding where to look costs on a Cortex-A72, in instructions, and records that.
//! The pictures, the clips and the network lie in ../shared/data, which is not part of the repository.

use std::path::Path;

use serde_json::{Value, json};

use crate::Outcome;
use crate::counts;
use crate::process::{cargo, command, output, repository_root, run, target_directory};
use crate::record;

/// The network, below the data folder.
const NETWORK: &str = "detect/yolox-nano/yolox_nano_416.onnx";
/// The clips, below the data folder.
const CLIPS: &[&str] = &["video/person-cam.mjpeg", "video/street.mjpeg", "video/classroom.mjpeg"];
/// Format, width, height, moving squares.
const PICTURES: &[(&str, u32, u32, u32)] = &[
    ("yuyv", 640, 480, 0),
    ("yuyv", 640, 480, 8),
    ("nv12", 640, 480, 0),
    ("jpeg", 640, 480, 0),
    ("nv12", 1920, 1080, 0),
    ("nv12", 1920, 1080, 8),
    ("jpeg", 1920, 1080, 0),
];
const TARGET: &str = "aarch64-unknown-linux-gnu";

/// Runs what the arguments ask for.
pub(crate) fn run_regions(arguments: &[String]) -> Outcome {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        [] => recall(),
        ["--counts"] => cost(),
        _ => Err("usage: cargo xtask regions [--counts]".to_owned()),
    }
}

fn recall() -> Outcome {
    let data = repository_root().join("../shared/data");
    if !data.join("coco-open").is_dir() {
        return Err(format!("{} is not there; the pictures may not be part of the repository", data.display()));
    }
    // It is not time that is measured, and what computes is optimised in every profile.
    run(&mut cargo(&["build", "--locked"]))?;
    let program = target_directory().join("debug/clawdbot").to_string_lossy().into_owned();
    let path = |name: &str| data.join(name).to_string_lossy().into_owned();
    let bundle = |precision: &str| {
        let bundle =
            target_directory().join(format!("regions-{precision}.claw.safetensors")).to_string_lossy().into_owned();
        let (network, labels, pictures) = (path(NETWORK), path("coco-open/coco80.names"), path("coco-open/train"));
        let mut words = vec!["convert", &network, "-o", &bundle, "--precision", precision, "--labels", &labels];
        words.extend(["--input-convention", "yolox-0.1.1"]);
        if precision != "f16" {
            words.extend(["--calibrate", &pictures]);
        }
        output(&mut command(&program, &words)).map(|_| bundle)
    };
    let (model, judge) = (bundle("int8")?, bundle("f16")?);
    let (annotations, images) = (path("coco-open/instances_val.json"), path("coco-open/val"));
    let mut words = vec!["eval", "regions", "--json", "--model", &model, "--judge", &judge];
    words.extend(["--annotations", &annotations, "--images", &images]);
    let clips: Vec<String> = CLIPS.iter().map(|clip| path(clip)).collect();
    for clip in &clips {
        words.extend(["--clip", clip]);
    }
    let text = output(&mut command(&program, &words))?;
    let answer: Value = serde_json::from_str(&text).map_err(|error| format!("not JSON ({error}): {text}"))?;
    print_table(&answer)?;
    record::write("regions", &json!({"command": "cargo xtask regions", "network": NETWORK, "results": answer}))
}

fn print_table(answer: &Value) -> Outcome {
    let rows = answer["rows"].as_array().filter(|rows| !rows.is_empty()).ok_or("no rows")?;
    let number = |value: &Value| value.as_f64().map_or_else(|| "  -  ".to_owned(), |number| format!("{number:.3}"));
    println!("| scene | arm | runs | small | far | all | precision | this frame: far | all | precision |");
    println!("|--|--|--|--|--|--|--|--|--|--|");
    for row in rows {
        let (figures, text) = (&row["figures"], |name: &str| row[name].as_str().unwrap_or_default());
        let (tracked, fresh) = (&figures["tracked"], &figures["fresh"]);
        let cells = [
            &figures["runs_per_frame"],
            &tracked["recall"]["small"],
            &tracked["recall"]["far"],
            &tracked["recall"]["all"],
            &tracked["precision"],
            &fresh["recall"]["far"],
            &fresh["recall"]["all"],
            &fresh["precision"],
        ];
        println!("| {} | {} | {} |", text("scene"), text("arm"), cells.map(number).join(" | "));
    }
    Ok(())
}

fn cost() -> Outcome {
    let words =
        ["build", "--release", "--locked", "--target", TARGET, "--package", "clawdbot-vision", "--example", "motion"];
    run(cargo(&words)
        .env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", "aarch64-linux-gnu-gcc")
        .env("CC_aarch64_unknown_linux_gnu", "aarch64-linux-gnu-gcc"))?;
    let program = target_directory().join(TARGET).join("release/examples/motion");
    let folder = tempfile::tempdir().map_err(|error| format!("cannot create a temporary folder: {error}"))?;
    let plugin = counts::build_plugin(folder.path())?;
    println!("| pictures | moving squares | motion, instructions | regions, instructions |\n|--|--|--|--|");
    let mut results = Vec::new();
    for &(format, width, height, squares) in PICTURES {
        let once = |part: &str| {
            let of = |runs: u32| count(&program, &plugin, folder.path(), (format, width, height, squares), runs, part);
            Ok::<u64, String>(of(20)?.saturating_sub(of(10)?) / 10)
        };
        let (motion, regions) = (once("clawdbot_vision::motion::")?, once("clawdbot_vision::regions::")?);
        if motion == 0 {
            return Err("nothing counted of clawdbot_vision::motion; were its functions renamed?".to_owned());
        }
        println!("| {format} {width}x{height} | {squares} | {motion} | {regions} |");
        results.push(json!({
            "format": format, "width": width, "height": height, "squares": squares, "motion": motion, "regions": regions,
        }));
    }
    record::write(
        "motion-counts",
        &json!({"command": "cargo xtask regions --counts", "core": "cortex-a72", "results": results}),
    )
}

/// Instructions in the functions of `part` during `runs` pictures.
fn count(
    program: &Path,
    plugin: &Path,
    folder: &Path,
    (format, width, height, squares): (&str, u32, u32, u32),
    runs: u32,
    part: &str,
) -> Result<u64, String> {
    let numbers = [width, height, squares, runs].map(|number| number.to_string());
    let words = [program.display().to_string(), format.to_owned()].into_iter().chain(numbers);
    let counts = counts::count("cortex-a72", plugin, &folder.join("counts.txt"), words.collect())?;
    Ok(counts.of(part))
}
