//! `cargo xtask scaling [BUNDLE]`: what one, two and four cores of a Raspberry Pi 4 would make of a network, by a model, since
//! no such board is at hand.
//!
//! What is counted: the instructions of each layer, and the cache lines that it moves between the first cache, the shared
//! second one and memory, by `xtask/qemu/cachesim.c` under qemu. What is assumed: [`model`]. Prints and writes
//! `benches/record/<machine>/<date>-<commit>-scaling.json`.

mod model;
#[cfg(test)]
mod tests;

use std::path::Path;

use serde_json::{Value, json};

use crate::Outcome;
use crate::process;
use crate::{cross, record};
use model::{Bound, CORTEX_A72, Cost, Layer};

/// As developers see it.
const USAGE: &str = "usage: cargo xtask scaling [BUNDLE] (the bundled default without one)";
/// Threads that are looked at; the first is what the others are held against.
const THREADS: [usize; 3] = [1, 2, 4];
/// Layers to name.
const SHOWN: usize = 12;

/// Counts, models, prints, records.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let bundle = match arguments {
        [] => None,
        [bundle] if !bundle.starts_with('-') => Some(bundle.as_str()),
        _ => return Err(USAGE.to_owned()),
    };
    let binary = cross::build_foreign()?;
    let folder = tempfile::tempdir().map_err(|error| format!("cannot create a temporary folder: {error}"))?;
    let plugin = folder.path().join("cachesim.so");
    let mut compile = process::command("cc", &["-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o"]);
    process::run(compile.arg(&plugin).arg("xtask/qemu/cachesim.c"))?;
    let (name, layers) = observe(&binary, &plugin, &folder.path().join("marks"), bundle)?;

    let totals: Vec<(usize, Total)> = THREADS.iter().map(|&threads| (threads, Total::of(&layers, threads))).collect();
    print(&name, &layers, &totals);
    let command = format!("cargo xtask scaling {}", bundle.unwrap_or_default());
    record::write(
        "scaling",
        &json!({
            "command": command.trim_end(),
            "network": name,
            "core": CORTEX_A72.json(),
            "totals": totals.iter().map(|(threads, total)| total.json(*threads)).collect::<Vec<_>>(),
            "layers": layers.iter().map(Layer::json).collect::<Vec<_>>(),
        }),
    )
}

/// Runs the network once, watched; answers its name and layers.
fn observe(binary: &Path, plugin: &Path, marks: &Path, bundle: Option<&str>) -> Result<(String, Vec<Layer>), String> {
    let mut command =
        process::command("qemu-aarch64", &["-L", "/usr/aarch64-linux-gnu", "-cpu", "cortex-a72", "-plugin"]);
    command.arg(plugin).args(["-d", "plugin", "-D"]).arg(marks).arg(binary).env_remove("CLAWDBOT_ISA");
    command.args(["bench", "vision", "--runs", "1", "--layers", "--no-ceilings", "--json"]);
    if let Some(bundle) = bundle {
        command.args(["--model", bundle]);
    }
    println!("running the network under qemu with simulated caches: about a minute");
    let answer: Value = serde_json::from_str(&process::output(&mut command)?)
        .map_err(|error| format!("`{}` answered no JSON: {error}", process::shown(&command)))?;
    let text = std::fs::read_to_string(marks).map_err(|error| format!("{}: {error}", marks.display()))?;
    let layers = join(&answer, &text).ok_or_else(|| {
        format!("{} and the answer of `{}` do not fit each other", marks.display(), process::shown(&command))
    })?;
    Ok((answer["model"].as_str().unwrap_or("?").to_owned(), layers))
}

/// The layers of a report with what the plugin counted for each: the marks before the last are its last run's, one before
/// the first layer, then two between each and the next.
fn join(answer: &Value, marks: &str) -> Option<Vec<Layer>> {
    let numbers = |line: &str| -> Option<[u64; 5]> {
        let words: Option<Vec<u64>> = line.strip_prefix("mark ")?.split(' ').map(|word| word.parse().ok()).collect();
        words?.try_into().ok()
    };
    let marks: Vec<[u64; 5]> = marks.lines().map(numbers).collect::<Option<_>>()?;
    let layers = answer["layers"].as_array()?;
    let run = marks.get(marks.len().checked_sub(2 + 2 * layers.len())?..marks.len() - 1)?;
    let layer = |(index, layer): (usize, &Value)| {
        let (before, after) = (run[2 * index], run[2 * index + 1]);
        let counted: [u64; 5] = std::array::from_fn(|at| after[at] - before[at]);
        Layer::new(layer, counted)
    };
    layers.iter().enumerate().map(layer).collect()
}

/// A network on so many threads.
struct Total {
    seconds: f64,
    /// Seconds of the layers that each limit binds.
    bound: Vec<(Bound, f64)>,
}

impl Total {
    fn of(layers: &[Layer], threads: usize) -> Self {
        let costs: Vec<Cost> = layers.iter().map(|layer| CORTEX_A72.cost(layer, threads)).collect();
        let of = |bound: Bound| costs.iter().filter(|cost| cost.bound == bound).map(|cost| cost.seconds).sum();
        Self {
            seconds: costs.iter().map(|cost| cost.seconds).sum(),
            bound: Bound::ALL.iter().map(|&bound| (bound, of(bound))).collect(),
        }
    }

    fn json(&self, threads: usize) -> Value {
        let bound: serde_json::Map<String, Value> =
            self.bound.iter().map(|(bound, seconds)| (bound.name().to_owned(), json!(1e3 * seconds))).collect();
        json!({ "threads": threads, "ms": 1e3 * self.seconds, "ms_bound_by": bound })
    }
}

fn print(name: &str, layers: &[Layer], totals: &[(usize, Total)]) {
    println!("\n{name} on a {}, by the model", CORTEX_A72.name);
    println!("threads       ms  of one thread   ms of the layers that each limit binds");
    let alone = totals[0].1.seconds;
    for (threads, total) in totals {
        let bound: Vec<String> = total
            .bound
            .iter()
            .filter(|(_, seconds)| *seconds > 0.0)
            .map(|(bound, seconds)| format!("{} {:.1}", bound.name(), 1e3 * seconds))
            .collect();
        println!("{threads:>7} {:>8.1} {:>14.3}   {}", 1e3 * total.seconds, total.seconds / alone, bound.join(", "));
    }
    let most = THREADS[THREADS.len() - 1];
    let mut slowest: Vec<(&Layer, Cost)> = layers.iter().map(|layer| (layer, CORTEX_A72.cost(layer, most))).collect();
    slowest.sort_by(|left, right| right.1.seconds.total_cmp(&left.1.seconds));
    println!(
        "\nslowest layers on {most} threads\n      ms  bound by      M instr  KiB L1<->L2  KiB L2<->memory  layer"
    );
    for (layer, cost) in slowest.iter().take(SHOWN) {
        println!(
            "{:>8.3}  {:<12} {:>8.2} {:>12} {:>16}  {} {:?}",
            1e3 * cost.seconds,
            cost.bound.name(),
            layer.instructions as f64 / 1e6,
            layer.near_bytes / 1024,
            layer.far_bytes / 1024,
            layer.kind,
            layer.shape
        );
    }
    let sum = |bytes: fn(&Layer) -> u64| layers.iter().map(bytes).sum::<u64>() as f64 / 1e6;
    println!(
        "\n{:.1} M instructions, {:.1} MB between the first and second caches, {:.1} MB to and from memory",
        sum(|layer| layer.instructions),
        sum(|layer| layer.near_bytes),
        sum(|layer| layer.far_bytes)
    );
}
