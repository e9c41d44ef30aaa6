//! `cargo xtask peers vision`: our networks beside those of onnxruntime, ncnn, LiteRT and tract, taking turns in one run so
//! that all meet the same machine. Prints a table and the bars, writes
//! `benches/record/<machine>/<date>-<commit>-peers-vision.json`.
//!
//! `cargo xtask peers llm` does the same with language models and llama.cpp ([`language`]).
//!
//! Everything that it installs and makes lies in `target/peers` ([`workshop`]). With `--aarch64` it counts the guest
//! instructions of an inference under qemu instead ([`guest`]), of ours and of the peers' aarch64 wheels.

mod bars;
mod contestant;
mod guest;
mod language;
mod manifest;
mod options;
mod pin;
mod rounds;
mod table;
mod workshop;

use serde_json::json;

use crate::Outcome;
use crate::record;
use options::Options;
use rounds::Measurement;
use workshop::Workshop;

/// Compares.
pub(crate) fn run_peers(arguments: &[String]) -> Outcome {
    if let Some((what, rest)) = arguments.split_first()
        && what == "llm"
    {
        return language::run(rest);
    }
    let options = Options::parse(arguments)?;
    let workshop = Workshop::prepare(&options)?;
    if options.aarch64 {
        return guest::run(&options, &workshop);
    }
    let (mut results, mut complaints) = (Vec::new(), Vec::new());
    for net in workshop.nets() {
        for &threads in &options.threads {
            let (of_net, complained) = rounds::run(net, threads, &options, &workshop);
            table::print(&net.name, threads, &of_net);
            results.extend(of_net);
            complaints.extend(complained);
        }
    }
    let verdicts = bars::judge(&results);
    bars::print(&verdicts);
    record::write(
        "peers-vision",
        &json!({
            "command": format!("cargo xtask peers {}", arguments.join(" ")),
            "packages": workshop.packages(),
            "rounds": options.rounds,
            "results": results.iter().map(Measurement::json).collect::<Vec<_>>(),
            "bars": verdicts.iter().map(bars::Verdict::json).collect::<Vec<_>>(),
            "complaints": complaints,
        }),
    )?;
    if complaints.is_empty() {
        Ok(())
    } else {
        Err(format!("not all of it can be believed:\n  {}", complaints.join("\n  ")))
    }
}
