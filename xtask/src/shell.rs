//! `cargo xtask shell`: shellcheck over every tracked file that is a shell script by its first line.

use crate::Outcome;
use crate::process::{self, repository_root};

/// First lines that make a file a shell script.
const FIRST_LINES: [&[u8]; 3] = [b"#!/usr/bin/env bash", b"#!/bin/bash", b"#!/bin/sh"];

/// Checks every script; a repository without one is an error, since `.ci/run` is one.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    process::refuse_arguments(arguments)?;
    // The gate may run as another user than the one who cloned.
    let tracked = process::output(&mut process::command("git", &["-c", "safe.directory=*", "ls-files"]))?;
    let scripts: Vec<&str> = tracked.lines().filter(|path| is_script(path)).collect();
    if scripts.is_empty() {
        return Err("git lists no shell script, though .ci/run is one: is this a git checkout?".to_owned());
    }
    process::run(process::command("shellcheck", &["--enable=check-set-e-suppressed"]).args(&scripts))?;
    println!("shellcheck: {} clean", scripts.join(" "));
    Ok(())
}

fn is_script(path: &str) -> bool {
    let bytes = std::fs::read(repository_root().join(path)).unwrap_or_default();
    FIRST_LINES.iter().any(|line| bytes.starts_with(line))
}
