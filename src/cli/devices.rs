//! `clawdbot devices`: what this machine has, and whether it can be used; and a try at a camera.

mod capture;

use std::path::PathBuf;

use clap::Args;
use clawdbot_flow::rooted::Root;
use clawdbot_kernels::isa::Isa;
use serde_json::{Value, json};

use super::{Failure, print};
use crate::sources::{board, sensor};

/// What may be said to `devices`.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
    /// Catch some frames from this camera instead, and tell how that went: a path under /dev, or `auto`.
    #[arg(long, value_name = "CAMERA")]
    capture: Option<String>,
    #[command(flatten)]
    wish: capture::Wish,
    /// Where the tree of the board begins.
    #[arg(long, hide = true, default_value = "/")]
    root: PathBuf,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    if let Some(camera) = &arguments.capture {
        return capture::run(camera, &arguments.wish, arguments.json);
    }
    let report = report(&Root::new(&arguments.root));
    if arguments.json { print(&report.to_string()) } else { print(text(&report).trim_end()) }
}

fn report(root: &Root) -> Value {
    json!({
        "board": {
            "model": board::model(root),
            "cpu_features": board::cpu_features(root),
            "kernels": Isa::detect().name(),
        },
        "cameras": cameras(root),
        "sensors": sensor::list(root).iter().map(sensor_report).collect::<Vec<_>>(),
        "accelerators": board::accelerator::find(root)
            .iter()
            .map(|found| json!({ "kind": found.kind, "path": found.path, "driver": found.driver }))
            .collect::<Vec<_>>(),
    })
}

#[cfg(feature = "v4l2")]
fn cameras(root: &Root) -> Vec<Value> {
    crate::sources::camera::v4l2::nodes::find(root)
        .iter()
        .map(|found| {
            json!({
                "device": found.best_name(),
                "node": found.path,
                "names": found.names,
                "card": found.card(),
                "driver": found.driver(),
                "bus": found.bus(),
                "formats": found.formats.iter().map(|format| format.name()).collect::<Vec<_>>(),
                "usable": found.unusable.is_none(),
                "reason": found.unusable,
            })
        })
        .collect()
}

/// A build without V4L2 knows no cameras.
#[cfg(not(feature = "v4l2"))]
fn cameras(_root: &Root) -> Vec<Value> {
    Vec::new()
}

fn sensor_report(listed: &sensor::Listed) -> Value {
    let (source, name, channel) = match &listed.kind {
        sensor::Kind::Hwmon { chip, channel } => ("hwmon", chip, channel),
        sensor::Kind::Iio { device, channel } => ("iio", device, channel),
    };
    json!({
        "source": source,
        "name": name,
        "channel": channel,
        "value": listed.value.as_ref().ok(),
        "unit": listed.unit,
        "reason": listed.value.as_ref().err(),
    })
}

/// The report for people.
fn text(report: &Value) -> String {
    let string = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut lines = vec![
        format!("board: {}", report["board"]["model"].as_str().unwrap_or("does not say what it is")),
        format!("kernels: {}", string(&report["board"]["kernels"])),
    ];
    let mut section = |title: &str, none: &str, entries: Vec<String>| {
        lines.push(String::new());
        lines.push(if entries.is_empty() { format!("{title}: {none}") } else { format!("{title}:") });
        lines.extend(entries.into_iter().map(|entry| format!("  {entry}")));
    };
    let cameras = report["cameras"].as_array().map(Vec::as_slice).unwrap_or_default();
    let (usable, passed): (Vec<&Value>, Vec<&Value>) =
        cameras.iter().partition(|camera| camera["usable"].as_bool() == Some(true));
    let formats = |camera: &Value| {
        let formats = camera["formats"].as_array().map(Vec::as_slice).unwrap_or_default();
        formats.iter().map(string).collect::<Vec<_>>().join(", ")
    };
    let line =
        |camera: &&Value| format!("{}  {} ({})", string(&camera["device"]), string(&camera["card"]), formats(camera));
    section("cameras", "none that can be used; plug a USB camera in", usable.iter().map(line).collect());
    let line = |camera: &&Value| format!("{}  {}", string(&camera["device"]), string(&camera["reason"]));
    section("passed over", "nothing", passed.iter().map(line).collect());
    let line = |sensor: &Value| {
        let value = match sensor["value"].as_f64() {
            Some(value) => format!("{value} {}", string(&sensor["unit"])),
            None => string(&sensor["reason"]),
        };
        format!(
            "{} {} {}: {}",
            string(&sensor["source"]),
            string(&sensor["name"]),
            string(&sensor["channel"]),
            value.trim_end()
        )
    };
    let sensors = report["sensors"].as_array().map(Vec::as_slice).unwrap_or_default();
    section("sensors", "none", sensors.iter().map(line).collect());
    let line = |found: &Value| {
        let driver = found["driver"].as_str().map_or_else(String::new, |driver| format!(" ({driver})"));
        format!("{}: {}{driver}", string(&found["kind"]), string(&found["path"]))
    };
    let found = report["accelerators"].as_array().map(Vec::as_slice).unwrap_or_default();
    section("accelerators (clawdbot computes on the processor)", "none", found.iter().map(line).collect());
    lines.join("\n")
}

#[cfg(test)]
mod tests;
