//! `cargo xtask check`: everything that a developer runs before a commit, in the order in which it fails fastest.

use std::time::Instant;

use crate::Outcome;
use crate::process;
use crate::{shell, units};

/// One thing to check.
struct Step {
    name: &'static str,
    run: fn() -> Outcome,
}

const STEPS: &[Step] = &[
    Step { name: "format", run: format },
    Step { name: "shell scripts", run: || shell::run(&[]) },
    Step { name: "systemd unit", run: || units::run(&[]) },
    Step { name: "clippy", run: clippy },
    Step { name: "tests", run: tests },
    Step { name: "licences and advisories", run: dependencies },
];

/// Runs every step; stops at the first that fails.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    process::refuse_arguments(arguments)?;
    for step in STEPS {
        println!("== {}", step.name);
        #[expect(clippy::disallowed_methods, reason = "a developer's tool may look at the clock")]
        let started = Instant::now();
        (step.run)().map_err(|message| format!("{}: {message}", step.name))?;
        println!("== {}: ok ({:.1} s)", step.name, started.elapsed().as_secs_f64());
    }
    Ok(())
}

fn format() -> Outcome {
    process::run(&mut process::cargo(&["fmt", "--all", "--check"]))
}

fn clippy() -> Outcome {
    process::run(&mut process::cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]))
}

fn tests() -> Outcome {
    process::run(&mut process::cargo(&["test", "--workspace", "--locked"]))
}

/// Licences, sources and advisories. The advisories need the network, and cargo-deny itself is no small thing to install:
/// what could not be checked is said aloud.
fn dependencies() -> Outcome {
    if !process::is_installed("cargo-deny") {
        println!("SKIPPED: cargo-deny is not installed, so licences and advisories were NOT checked");
        println!("         (cargo install cargo-deny --locked)");
        return Ok(());
    }
    process::run(&mut process::cargo(&["deny", "--locked", "check", "bans", "licenses", "sources"]))?;
    if process::run(&mut process::cargo(&["deny", "fetch", "db"])).is_err() {
        println!("SKIPPED: the advisory database cannot be fetched, so advisories were NOT checked");
        return Ok(());
    }
    process::run(&mut process::cargo(&["deny", "--locked", "check", "advisories"]))
}
