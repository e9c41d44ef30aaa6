//! Guest instructions of a token of SmolLM2-135M on Arm cores, of ours and of the peer's aarch64 builds, under qemu with
//! `xtask/qemu/insncount.c`: the difference of a long and a short run of one thread. Deterministic, so load does not matter.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use clawdbot_nn::metadata::language::Precision;
use serde_json::{Value, json};

use super::build::Build;
use super::models::{Makers, Model};
use super::options::Options;
use super::pairs::{Task, check_signs};
use super::peer::{self, Peer};
use super::{bars, our_words, their_words};
use crate::counts::{self, Counts};
use crate::process::{command, shown};
use crate::{Outcome, cross, record};

/// Cores, and the peer's build for each.
const CORES: [(&str, Build); 2] = [("cortex-a72", Build::Armv8), ("cortex-a76", Build::DotProduct)];
/// Plays any core for programs that nobody counts.
const QEMU: [&str; 5] = ["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu", "-cpu", "cortex-a72"];
/// Positions between which tokens are counted, whole passes, and those with `--quick`.
const POSITIONS: [usize; 2] = [32, 96];
const POSITIONS_QUICK: [usize; 2] = [4, 8];
/// Tokens of a pass over the prompt, on both sides.
const PASS: usize = 32;

/// Instructions a token of both sides.
pub(super) struct Count {
    pub(super) core: &'static str,
    pub(super) precision: &'static str,
    pub(super) task: Task,
    pub(super) ours: f64,
    pub(super) theirs: f64,
}

impl Count {
    fn json(&self) -> Value {
        json!({ "core": self.core, "precision": self.precision, "task": self.task.name(), "ours": self.ours, "peer": self.theirs })
    }
}

/// Counts, prints and records.
pub(super) fn run(options: &Options) -> Outcome {
    let peer = Peer::prepare(&[CORES[0].1, CORES[1].1])?;
    let binary = cross::build_foreign()?;
    let folder = peer.folder().join("guest");
    super::make_folder(&folder)?;
    let plugin = counts::build_plugin(&folder)?;
    // The emulated programs make their files too, so that nothing need be built for this machine.
    let emulated = |program: &Path| {
        [&QEMU[..], &[&program.display().to_string()]].concat().iter().map(ToString::to_string).collect()
    };
    let makers = Makers { convert: emulated(&binary), quantise: emulated(&peer.driver(CORES[0].1)) };
    let positions = if options.quick { POSITIONS_QUICK } else { POSITIONS };
    let mut results = Vec::new();
    for &precision in &options.precisions {
        let model = Model::make("135m", precision, &makers, peer.folder())?;
        for (core, build) in CORES {
            let guest = Guest { core, build, plugin: &plugin, folder: &folder, positions };
            let [ours, theirs] =
                [words(&binary, our_words(&model, 1, PASS)), words(&peer.driver(build), their_words(&model, 1, PASS))];
            for task in [Task::Decode, Task::Prefill] {
                let [ours, theirs] = guest.count(task, [&ours, &theirs])?;
                let result = Count { core, precision: precision.name(), task, ours, theirs };
                println!(
                    "{core} {} {:<8} ours {:>7.2} M instructions a token, llama.cpp ({}) {:>7.2} M: {:.3}",
                    result.precision,
                    task.name(),
                    ours / 1e6,
                    build.name(),
                    theirs / 1e6,
                    ours / theirs
                );
                results.push(result);
            }
        }
    }
    let verdicts = bars::of_counts(&results);
    bars::print(&verdicts);
    if options.quick {
        println!("--quick: too few positions for the bars; nothing is recorded");
        return Ok(());
    }
    let precisions: Vec<&str> = options.precisions.iter().copied().map(Precision::name).collect();
    record::write(
        "peers-llm-guest",
        &json!({
            "command": format!("cargo xtask peers llm --aarch64 --precision {}", precisions.join(",")),
            "peer": peer::VERSION,
            "model": "SmolLM2-135M",
            "positions": positions,
            "pass": PASS,
            "results": results.iter().map(Count::json).collect::<Vec<_>>(),
            "bars": verdicts.iter().map(bars::Verdict::json).collect::<Vec<_>>(),
        }),
    )
}

fn words(program: &Path, rest: Vec<String>) -> Vec<String> {
    [program.display().to_string()].into_iter().chain(rest).collect()
}

/// What plays a core.
struct Guest<'a> {
    core: &'static str,
    /// The peer's for it.
    build: Build,
    plugin: &'a PathBuf,
    folder: &'a Path,
    positions: [usize; 2],
}

impl Guest<'_> {
    /// Instructions a token of each program. All runs at once: a count does not depend on what else runs.
    fn count(&self, task: Task, programs: [&[String]; 2]) -> Result<[f64; 2], String> {
        let mut started = Vec::new();
        for program in programs {
            for tokens in self.positions {
                started.push((program, self.start(task, tokens, program, started.len())?));
            }
        }
        let (mut totals, mut said) = (Vec::new(), Vec::new());
        for (program, (child, report)) in started {
            let output = child.wait_with_output().map_err(|error| error.to_string())?;
            if !output.status.success() {
                return Err(format!("`{}` as {} ended with {}", program.join(" "), self.core, output.status));
            }
            let text = std::fs::read_to_string(&report).map_err(|error| format!("{}: {error}", report.display()))?;
            let counts = Counts::parse(&text).ok_or_else(|| {
                format!("{} holds no counts; it must be Debian's dynamic qemu-user", report.display())
            })?;
            totals.push(counts.total());
            let output = String::from_utf8_lossy(&output.stdout).into_owned();
            said.push(serde_json::from_str::<Value>(output.lines().next().unwrap_or_default()).unwrap_or_default());
        }
        check_signs(&said[0], said[2]["system"].as_str().unwrap_or_default(), self.build)?;
        let (ours, theirs) = totals.split_at(2);
        Ok([per_token(self.positions, ours)?, per_token(self.positions, theirs)?])
    }

    fn start(&self, task: Task, tokens: usize, program: &[String], number: usize) -> Result<(Child, PathBuf), String> {
        let request = self.folder.join(format!("request-{tokens}"));
        let line = if task == Task::Prefill { format!("{tokens} 0\n") } else { format!("0 {tokens}\n") };
        std::fs::write(&request, line).map_err(|error| format!("{}: {error}", request.display()))?;
        let input = std::fs::File::open(&request).map_err(|error| format!("{}: {error}", request.display()))?;
        let report = self.folder.join(format!("count-{number}.txt"));
        if report.exists() {
            // The last run's must not pass for this one's.
            std::fs::remove_file(&report).map_err(|error| format!("{}: {error}", report.display()))?;
        }
        let mut command = command("qemu-aarch64", &["-L", "/usr/aarch64-linux-gnu", "-cpu", self.core, "-plugin"]);
        command.arg(self.plugin).args(["-d", "plugin", "-D"]).arg(&report).args(program).env_remove("CLAWDBOT_ISA");
        command.stdin(input).stdout(Stdio::piped());
        let child = command.spawn().map_err(|error| {
            format!("`{}` cannot be started: {error}; CONTRIBUTING.md lists what to install", shown(&command))
        })?;
        Ok((child, report))
    }
}

/// What each token between the two positions cost.
fn per_token(positions: [usize; 2], totals: &[u64]) -> Result<f64, String> {
    match *totals {
        [less, more] if more > less => Ok((more - less) as f64 / (positions[1] - positions[0]) as f64),
        _ => Err(format!("{totals:?} instructions for {positions:?} tokens: more tokens must cost more")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_a_difference() {
        assert!((per_token([32, 96], &[1000, 7400]).unwrap() - 100.0).abs() < 1e-9);
        assert!(per_token([32, 96], &[1000, 1000]).is_err() && per_token([32, 96], &[1]).is_err());
    }
}
