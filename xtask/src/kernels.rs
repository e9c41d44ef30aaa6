//! `cargo xtask kernels`: the kernels' tests on every instruction set that we have, natively and under qemu, as a matrix.
//!
//! A run counts only if it exercised each kernel of the instruction sets that its processor is known to have, and none of
//! those that it is known to lack; the tests are told both by `KERNELS_REQUIRE` and `KERNELS_FORBID`.
//!
//! `cargo xtask kernels --counts [--record]` counts their instructions instead: see `floor`.

use std::process::Command;

use crate::Outcome;
use crate::process;

mod floor;
#[cfg(test)]
mod tests;

const TARGET: &str = "aarch64-unknown-linux-gnu";

/// A processor, and what it is known to have and to lack.
struct Processor {
    name: &'static str,
    /// Under qemu, or this machine itself.
    emulated: bool,
    has: &'static [&'static str],
    lacks: &'static [&'static str],
}

const EMULATED: &[Processor] = &[
    Processor {
        name: "cortex-a53",
        emulated: true,
        has: &["scalar", "neon"],
        lacks: &["neon_dotprod", "avx2", "avx_vnni"],
    },
    Processor {
        name: "cortex-a72",
        emulated: true,
        has: &["scalar", "neon"],
        lacks: &["neon_dotprod", "avx2", "avx_vnni"],
    },
    Processor {
        name: "cortex-a76",
        emulated: true,
        has: &["scalar", "neon", "neon_dotprod"],
        lacks: &["avx2", "avx_vnni"],
    },
];

/// What the tests' last line says.
#[derive(Debug, PartialEq, Eq)]
struct Count {
    ran: usize,
    not_runnable: usize,
}

/// Runs what the arguments ask for.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        [] => matrix(),
        ["--counts"] => floor::run(false),
        ["--counts", "--record"] => floor::run(true),
        _ => Err("usage: cargo xtask kernels [--counts [--record]]".to_owned()),
    }
}

/// Runs the matrix and prints it.
fn matrix() -> Outcome {
    let here = this_machine()?;
    let processors: Vec<&Processor> = std::iter::once(&here).chain(EMULATED).collect();
    let mut table = vec![format!("{:<14} {:<28} {:>5} {:>18}", "processor", "exercised", "ran", "not runnable there")];
    let mut failures = Vec::new();
    for (processor, result) in processors.iter().zip(process::side_by_side(&processors, |processor| test(processor))) {
        let line = match result {
            Ok(count) => format!("{:>5} {:>18}", count.ran, count.not_runnable),
            Err(message) => {
                failures.push(format!("{}: {message}", processor.name));
                "FAILED".to_owned()
            }
        };
        table.push(format!("{:<14} {:<28} {line}", processor.name, processor.has.join(" ")));
    }
    println!("\n{}", table.join("\n"));
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\n")) }
}

/// The machine that we are on. What it has is asked of the kernel of the system, not of the code under test.
fn this_machine() -> Result<Processor, String> {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").map_err(|error| format!("/proc/cpuinfo: {error}"))?;
    let flags = |name: &str| {
        let line = cpuinfo.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_whitespace().collect::<Vec<_>>()
    };
    let x86 = flags("flags");
    let avx2 = ["avx2", "fma", "f16c"].iter().all(|flag| x86.contains(flag));
    let arm = flags("Features");
    let (has, lacks): (&[_], &[_]) = match std::env::consts::ARCH {
        "x86_64" if avx2 && x86.contains(&"avx_vnni") => (&["scalar", "avx2", "avx_vnni"], &["neon", "neon_dotprod"]),
        "x86_64" if avx2 => (&["scalar", "avx2"], &["avx_vnni", "neon", "neon_dotprod"]),
        "x86_64" => (&["scalar"], &["avx2", "avx_vnni", "neon", "neon_dotprod"]),
        "aarch64" if arm.contains(&"asimddp") => (&["scalar", "neon", "neon_dotprod"], &["avx2", "avx_vnni"]),
        "aarch64" => (&["scalar", "neon"], &["neon_dotprod", "avx2", "avx_vnni"]),
        other => return Err(format!("there are no kernels for {other}; run this on x86_64 or aarch64")),
    };
    Ok(Processor { name: "this machine", emulated: false, has, lacks })
}

fn test(processor: &Processor) -> Result<Count, String> {
    println!("== {}", processor.name);
    let mut command = process::cargo(&["test", "--quiet", "--locked", "--package", "clawdbot-kernels"]);
    if processor.emulated {
        emulate(&mut command, processor.name);
    }
    command.env("KERNELS_REQUIRE", processor.has.join(",")).env("KERNELS_FORBID", processor.lacks.join(","));
    // Doc tests cannot be run for another target; the unit tests and the walk over the tables are what counts here.
    command.args(["--lib", "--test", "variants"]);
    let text = process::output(&mut command)?;
    count(&text).ok_or_else(|| "the tests printed no count of what they ran".to_owned())
}

fn emulate(command: &mut Command, processor: &str) {
    command.args(["--target", TARGET]);
    command.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", "aarch64-linux-gnu-gcc");
    let runner = format!("qemu-aarch64-static -L /usr/aarch64-linux-gnu -cpu {processor}");
    command.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER", runner);
}

/// `17 ran / 10 not runnable here`, in one of the lines; none when nothing ran.
fn count(text: &str) -> Option<Count> {
    let line = text.lines().rev().find_map(|line| line.strip_suffix(" not runnable here"))?;
    let (ran, not_runnable) = line.split_once(" ran / ")?;
    let count = Count { ran: ran.parse().ok()?, not_runnable: not_runnable.parse().ok()? };
    (count.ran > 0).then_some(count)
}
