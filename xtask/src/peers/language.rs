//! `cargo xtask peers llm`: our language model beside llama.cpp, the same weights at the same bits, on the same cores, in pairs
//! that take turns. Prints tokens a second and the bars of issue 5, writes
//! `benches/record/<machine>/<date>-<commit>-peers-llm.json`; with `--aarch64` it counts the guest instructions of a token under
//! qemu instead ([`guest`]) and writes `...-peers-llm-guest.json`; with `--perplexity` it compares what rounding costs
//! ([`perplexity`]) and writes `...-peers-llm-perplexity.json`.
//!
//! The peer's source, its builds and all models lie in `~/.cache/clawdbot/peers-llm` ([`peer`], [`models`]): they take an hour
//! and 15 GB, and outlive a `cargo clean`. `--quick` shows in minutes that everything still works, and records nothing.

mod bars;
mod build;
mod guest;
mod models;
pub(super) mod options;
mod pairs;
mod peer;
mod perplexity;
mod start;

use std::path::PathBuf;

use clawdbot_nn::metadata::language::Precision;
use serde_json::json;

use super::contestant::{Contestant, Key};
use super::workshop::{C_LIBRARY_WITHOUT_AVX512, make_folder};
use crate::Outcome;
use crate::process::{cargo, command, run as run_command, target_directory};
use crate::record;
use build::Build;
use models::{Makers, Model};
use options::Options;
use peer::Peer;

/// Positions that both sides take memory for.
const CONTEXT: usize = 1024;
/// Tokens of our passes over a prompt: what the product takes.
const OUR_PASS: usize = 64;
/// Tokens of the peer's: what its own llama-bench takes.
const THEIR_PASS: usize = 512;

/// Compares.
pub(super) fn run(arguments: &[String]) -> Outcome {
    let options = Options::parse(arguments)?;
    if options.aarch64 {
        return guest::run(&options);
    }
    if options.perplexity {
        return perplexity::run(&options);
    }
    let builds = builds();
    let peer = Peer::prepare(&builds)?;
    run_command(&mut cargo(&["build", "--release", "--locked", "--package", "clawdbot"]))?;
    let driver = peer.driver(Build::Avx2);
    let makers =
        Makers { convert: vec![clawdbot().display().to_string()], quantise: vec![driver.display().to_string()] };
    let load_before = load();
    let (mut speeds, mut starts, mut complaints) = (Vec::new(), Vec::new(), Vec::new());
    for &shape in &options.shapes {
        for &precision in &options.precisions {
            let model = Model::make(shape, precision, &makers, peer.folder())?;
            for &build in &builds {
                for &threads in &options.threads {
                    match pairs::measure(&model, build, threads, &options, &peer) {
                        Ok(measured) => speeds.extend(measured),
                        Err(error) => complaints.push(format!("{model}, {threads} thread(s): {error}")),
                    }
                }
            }
            if start::SHAPES.contains(&shape) {
                match start::measure(&model, &options, &peer) {
                    Ok(measured) => starts.push(measured),
                    Err(error) => complaints.push(format!("{model}, start: {error}")),
                }
            }
        }
    }
    let mut verdicts = bars::of_speeds(&speeds);
    verdicts.extend(bars::of_starts(&starts));
    bars::print(&verdicts);
    if !builds.contains(&Build::Native) {
        println!("  not measured: our avx_vnni against the peer's native build; this processor has no AVX-VNNI");
    }
    if options.quick {
        println!("--quick: too short and too few to believe; nothing is recorded");
    } else {
        record::write(
            "peers-llm",
            &json!({
                "command": format!("cargo xtask peers llm {}", arguments.join(" ")).trim_end(),
                "peer": peer::VERSION,
                "rounds": options.rounds,
                "load_average": { "before": load_before, "after": load() },
                "speeds": speeds.iter().map(pairs::Measurement::json).collect::<Vec<_>>(),
                "starts": starts.iter().map(start::Measurement::json).collect::<Vec<_>>(),
                "bars": verdicts.iter().map(bars::Verdict::json).collect::<Vec<_>>(),
                "complaints": complaints,
            }),
        )?;
    }
    if complaints.is_empty() { Ok(()) } else { Err(format!("not all was measured:\n  {}", complaints.join("\n  "))) }
}

/// Those that this processor can tell apart.
fn builds() -> Vec<Build> {
    let native = Build::Native.can_run().then_some(Build::Native);
    [Build::Avx2].into_iter().chain(native).collect()
}

/// Processes that wanted to run, a mean over one, five and fifteen minutes: pairs under load say little.
fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

/// Us, on the processor's first `threads` cores.
fn ours(model: &Model, isa: &str, threads: usize) -> Contestant {
    let key = Key { who: "clawdbot".to_owned(), form: model.precision.name().to_owned(), isa: isa.to_owned() };
    let mut ours = pinned(threads);
    ours.arg(clawdbot()).args(our_words(model, threads, OUR_PASS)).env("CLAWDBOT_ISA", isa);
    Contestant::new(key, ours)
}

/// llama.cpp, on the same.
fn theirs(model: &Model, build: Build, threads: usize, peer: &Peer) -> Contestant {
    let form = if model.precision == Precision::Int4 { "Q4_0" } else { "Q8_0" };
    let key = Key { who: "llama.cpp".to_owned(), form: form.to_owned(), isa: build.name().to_owned() };
    let mut theirs = pinned(threads);
    theirs.arg(peer.driver(build)).args(their_words(model, threads, THEIR_PASS));
    Contestant::new(key, theirs)
}

fn pinned(threads: usize) -> std::process::Command {
    let cores: Vec<String> = (0..threads).map(|core| core.to_string()).collect();
    let mut pinned = command("taskset", &["--cpu-list", &cores.join(",")]);
    pinned.env("GLIBC_TUNABLES", C_LIBRARY_WITHOUT_AVX512);
    pinned
}

/// The program that we measure.
fn clawdbot() -> PathBuf {
    target_directory().join("release/clawdbot")
}

fn our_words(model: &Model, threads: usize, pass: usize) -> Vec<String> {
    let (threads, pass, context) = (threads.to_string(), pass.to_string(), CONTEXT.to_string());
    let words = ["bench", "llm", "--on-request", "--threads", &threads, "--pass", &pass, "--prompt-tokens", &context];
    let model = model.bundle.display().to_string();
    words.into_iter().chain(["--answer-tokens", "0", "--model", &model]).map(ToOwned::to_owned).collect()
}

fn their_words(model: &Model, threads: usize, pass: usize) -> Vec<String> {
    let model = model.gguf.display().to_string();
    let words = ["bench", &model, &threads.to_string(), &CONTEXT.to_string(), &pass.to_string()];
    words.map(ToOwned::to_owned).to_vec()
}
