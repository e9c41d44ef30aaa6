//! `cargo xtask kernels --counts`: instructions of one call of each kernel on the shapes of real networks, and of whole
//! networks, against the recorded ones. Counted under qemu, so they are the same on any machine; another compiler may give
//! others. As x86 they say little of time, but see when a helper does not become part of its loop any more, and results
//! go through memory.
//!
//! One over its core's tolerance more than recorded fails, as does a call that the record lacks. `--record` writes
//! `benches/record/kernel-counts.json` anew, and the table in `docs/reference/kernels.md`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::Outcome;
use crate::counts::{build_plugin, count_under};
use crate::process::{self, repository_root};

#[cfg(test)]
mod tests;

/// Where the counts are kept.
const RECORD: &str = "benches/record/kernel-counts.json";
/// The page with the table of them.
const PAGE: &str = "docs/reference/kernels.md";
/// How the table begins.
const HEAD: &str = "| call | products | cortex-a72 | a product | cortex-a76 | a product | avx2 | a product |\n\
                    |---|---|---|---|---|---|---|---|\n";
/// What is counted as: Arm cores without and with dot products, and an x86 processor with AVX2.
const CORES: [Core; 3] = [
    Core { name: "cortex-a72", machine: &ARM, cpu: "cortex-a72", tolerance: 0.01 },
    Core { name: "cortex-a76", machine: &ARM, cpu: "cortex-a76", tolerance: 0.01 },
    // All that qemu can be, of which the kernels use no more. Kernels that are not assembly changed by up to 8.5 % when another one
    // did; loops that were not unrolled any more took 34 and 174 % more.
    Core { name: "avx2", machine: &X86, cpu: "max", tolerance: 0.1 },
];
const ARM: Machine = Machine {
    target: super::TARGET,
    linker: ("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", "aarch64-linux-gnu-gcc"),
    qemu: ["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu"],
};
const X86: Machine = Machine {
    target: "x86_64-unknown-linux-gnu",
    linker: ("CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER", "x86_64-linux-gnu-gcc"),
    qemu: ["qemu-x86_64", "-L", "/"],
};

/// What is counted as.
struct Core {
    name: &'static str,
    machine: &'static Machine,
    /// Its name for qemu.
    cpu: &'static str,
    /// Share by which a count may grow.
    tolerance: f64,
}

/// An architecture: how it is built for, and what runs it.
struct Machine {
    target: &'static str,
    linker: (&'static str, &'static str),
    qemu: [&'static str; 3],
}

/// What is kept.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    command: String,
    rustc: String,
    calls: Vec<Call>,
}

/// One call, or one inference by a network's kernels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Call {
    name: String,
    /// Multiplications, without what pads channels.
    products: u64,
    /// By core.
    instructions: BTreeMap<String, u64>,
}

/// Counts, and compares or records.
pub(super) fn run(record: bool) -> Outcome {
    let programs = CORES.iter().map(|core| core.machine.build()).collect::<Result<Vec<PathBuf>, String>>()?;
    let folder = tempfile::tempdir().map_err(|error| format!("cannot create a temporary folder: {error}"))?;
    let plugin = build_plugin(folder.path())?;
    let calls = count_all(calls(CORES[0].machine, &programs[0])?, &|call, at, repeats| {
        let (core, program) = (&CORES[at], &programs[at]);
        let words = [program.display().to_string(), call.to_owned(), repeats.to_string()];
        let report = folder.path().join(format!("{call}-{}-{repeats}.txt", core.name).replace(['/', ' '], "-"));
        Ok(count_under(core.qemu(), &plugin, &report, words.to_vec())?.total())
    })?;
    let rustc = process::output(&mut process::command("rustc", &["--version"]))?.trim().to_owned();
    let found = Record { command: "cargo xtask kernels --counts --record".to_owned(), rustc, calls };
    print!("{}", table(&found));
    if record { write(&found) } else { compare(&read(&repository_root().join(RECORD))?, &found) }
}

impl Machine {
    /// Builds the program with the calls, in a folder of its own: a release that is being built elsewhere would keep it waiting.
    fn build(&self) -> Result<PathBuf, String> {
        let folder = process::target_directory().join("counts");
        let arguments =
            ["build", "--quiet", "--release", "--locked", "--package", "clawdbot-kernels", "--example", "cases"];
        let mut command = process::cargo(&arguments);
        command.args(["--target", self.target, "--target-dir"]).arg(&folder).env(self.linker.0, self.linker.1);
        process::run(&mut command)?;
        Ok(folder.join(self.target).join("release/examples/cases"))
    }

    fn qemu(&self) -> Command {
        let [qemu, arguments @ ..] = self.qemu;
        process::command(qemu, &arguments)
    }
}

impl Core {
    fn qemu(&self) -> Command {
        let mut command = self.machine.qemu();
        command.args(["-cpu", self.cpu]);
        command
    }
}

/// What the program offers, not counted yet.
fn calls(machine: &Machine, program: &Path) -> Result<Vec<Call>, String> {
    let text = process::output(machine.qemu().arg(program))?;
    let call = |line: &str| {
        let (products, name) = line.split_once(' ')?;
        Some(Call { name: name.to_owned(), products: products.parse().ok()?, instructions: BTreeMap::new() })
    };
    let calls: Option<Vec<Call>> = text.lines().map(call).collect();
    calls.filter(|calls| !calls.is_empty()).ok_or_else(|| format!("{} lists no calls", program.display()))
}

/// Counts every call on every one of [`CORES`], named by its place, by `total`, which answers the instructions of a whole run with so
/// many repetitions. Two runs that differ by one repetition differ by one call. As many at a time as there are processors here.
fn count_all(
    mut calls: Vec<Call>,
    total: &(dyn Fn(&str, usize, u32) -> Result<u64, String> + Sync),
) -> Result<Vec<Call>, String> {
    let each: Vec<(usize, usize)> =
        (0..calls.len()).flat_map(|call| (0..CORES.len()).map(move |core| (call, core))).collect();
    let counts = process::side_by_side(&each, |&(call, core)| {
        let name = &calls[call].name;
        Ok::<u64, String>(total(name, core, 2)?.saturating_sub(total(name, core, 1)?))
    });
    for ((call, core), count) in each.into_iter().zip(counts) {
        calls[call].instructions.insert(CORES[core].name.to_owned(), count?);
    }
    Ok(calls)
}

/// Says what is better than kept, and fails where something is worse.
fn compare(kept: &Record, found: &Record) -> Outcome {
    let (better, worse) = differences(kept, found);
    if !better.is_empty() {
        println!("{}\nbetter than recorded; keep it: {}", better.join("\n"), found.command);
    }
    if worse.is_empty() {
        return Ok(());
    }
    let mut message = format!("{}\nif that is meant, record it: {}", worse.join("\n"), found.command);
    if kept.rustc != found.rustc {
        message += &format!("\nrecorded with {}, but this is {}: compilers differ", kept.rustc, found.rustc);
    }
    Err(message)
}

/// A line for each count that is clearly better than kept, and one for each that is clearly worse or has no fellow.
fn differences(kept: &Record, found: &Record) -> (Vec<String>, Vec<String>) {
    let (mut better, mut worse) = (Vec::new(), Vec::new());
    for call in &found.calls {
        let Some(fellow) = kept.calls.iter().find(|fellow| fellow.name == call.name) else {
            worse.push(format!("{}: the record lacks it", call.name));
            continue;
        };
        for Core { name: core, tolerance, .. } in CORES {
            let counts = call.instructions.get(core).zip(fellow.instructions.get(core));
            let Some((&now, &then)) = counts.filter(|(now, then)| **now > 0 && **then > 0) else {
                worse.push(format!("{} on {core}: not counted, or not recorded", call.name));
                continue;
            };
            let change = now as f64 / then as f64 - 1.0;
            let line = format!("{} on {core}: {then} -> {now} instructions ({:+.1} %)", call.name, change * 100.0);
            if change > tolerance {
                worse.push(line);
            } else if change < -tolerance {
                better.push(line);
            }
        }
    }
    let gone = kept.calls.iter().filter(|call| !found.calls.iter().any(|fellow| fellow.name == call.name));
    worse.extend(gone.map(|call| format!("{}: recorded, but there is no such call", call.name)));
    (better, worse)
}

/// The record as a table, in thousands of instructions.
fn table(record: &Record) -> String {
    let mut text = HEAD.to_owned();
    for call in &record.calls {
        text += &format!("| {} | {} |", call.name, call.products);
        for Core { name, .. } in CORES {
            let count = call.instructions.get(name).copied().unwrap_or_default() as f64;
            let share = if call.products > 0 { format!("{:.3}", count / call.products as f64) } else { String::new() };
            text += &format!(" {:.1} | {share} |", count / 1000.0);
        }
        text.push('\n');
    }
    text
}

/// The page with `table` in the place of the one that it has.
fn with_table(page: &str, table: &str) -> Option<String> {
    let start = page.find(HEAD)?;
    let end = page[start..].find("\n\n").map_or(page.len(), |length| start + length + 1);
    Some(format!("{}{table}{}", &page[..start], &page[end..]))
}

fn write(found: &Record) -> Outcome {
    let text = serde_json::to_string_pretty(found).map_err(|error| error.to_string())? + "\n";
    let page_path = repository_root().join(PAGE);
    let page = std::fs::read_to_string(&page_path).map_err(|error| format!("{PAGE}: {error}"))?;
    let page = with_table(&page, &table(found)).ok_or_else(|| format!("{PAGE} has no table that begins {HEAD:?}"))?;
    std::fs::write(repository_root().join(RECORD), text).map_err(|error| format!("cannot write {RECORD}: {error}"))?;
    std::fs::write(page_path, page).map_err(|error| format!("cannot write {PAGE}: {error}"))?;
    println!("\nrecorded in {RECORD} and {PAGE}");
    Ok(())
}

fn read(path: &Path) -> Result<Record, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}; record it anew", path.display()))
}
