//! `cargo xtask cross`: builds the release binary for aarch64 with Debian's cross compiler and proves that it is the same
//! program: it needs no newer glibc than we promise, and on pictures it prints what this machine's build prints (scores to
//! four decimals, boxes to a hundredth of a pixel), on every processor that we name.
//!
//! `--native BINARY` compares with another build for this machine than the release build, with that of the tests for instance:
//! optimised or not, a program finds the same. `--reproducible` builds it twice in two places and wants the same file;
//! `--hermetic` builds it as `cross` would, in a Debian root of its own.

mod dockerfile;
pub(crate) mod glibc;
mod hermetic;
pub(crate) mod reproducible;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::Outcome;
use crate::process::{self, repository_root};

pub(crate) const TARGET: &str = "aarch64-unknown-linux-gnu";
/// Prefix of Debian's cross tools.
pub(crate) const TOOLS: &str = "aarch64-linux-gnu";
/// The oldest glibc that the binary may need: Debian 12 and Raspberry Pi OS "Bookworm".
const GLIBC_MAX: glibc::Version = glibc::Version(2, 36);
/// Processors to run as, and the variant family that each must choose. Without `-cpu` qemu is a processor that nobody
/// has.
const PROCESSORS: &[(&str, &str)] = &[("cortex-a53", "neon"), ("cortex-a72", "neon"), ("cortex-a76", "neon_dotprod")];
/// Detections down to this score are compared: the few that a user sees would prove little.
const THRESHOLD: &str = "0.01";
/// So many must be compared at least, or the comparison says nothing.
const DETECTIONS_MIN: usize = 500;
/// Where the pictures lie, below the repository's root.
const PICTURES: &str = "assets/pictures";

/// Builds, checks and compares; or one of the slower proofs.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        [] => compare_with_native(&build_native()?),
        ["--native", binary] => compare_with_native(&process::absolute(binary)?),
        ["--reproducible"] => reproducible::prove("clawdbot"),
        // A smaller binary of the workspace shows the same in minutes: `xtask`, say.
        ["--reproducible", package] => reproducible::prove(package),
        ["--hermetic"] => hermetic::run(),
        _ => Err(format!(
            "does not know {words:?}\nusage: cargo xtask cross [--native BINARY | --reproducible [PACKAGE] | --hermetic]"
        )),
    }
}

fn compare_with_native(native: &Path) -> Outcome {
    let foreign = build_foreign()?;
    check_glibc(&foreign)?;
    print_stripped_size(&foreign)?;
    let pictures = pictures()?;
    let expected = detections(&mut detect(Command::new(native), &pictures), pictures.len())?;
    println!("this machine: {}", summary(&expected));
    let count = count(&expected);
    if count < DETECTIONS_MIN {
        return Err(format!(
            "only {count} detections to compare, but {DETECTIONS_MIN} are wanted: is the detector sound?"
        ));
    }
    for &(processor, isa) in PROCESSORS {
        check_isa(processor, isa, &foreign)?;
        let found = detections(&mut detect(emulated(processor, &foreign), &pictures), pictures.len())?;
        compare(processor, &expected, &found)?;
        println!("{processor} ({isa}): the same {count} detections, digit for digit");
    }
    Ok(())
}

/// Builds the release binary for aarch64 and answers where it is.
pub(crate) fn build_foreign() -> Result<PathBuf, String> {
    let mut command = process::cargo(&["build", "--release", "--locked", "--target", TARGET, "--package", "clawdbot"]);
    command
        .env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", format!("{TOOLS}-gcc"))
        .env("CC_aarch64_unknown_linux_gnu", format!("{TOOLS}-gcc"))
        .env("AR_aarch64_unknown_linux_gnu", format!("{TOOLS}-ar"));
    process::run(&mut command)?;
    Ok(process::target_directory().join(TARGET).join("release/clawdbot"))
}

fn build_native() -> Result<PathBuf, String> {
    process::run(&mut process::cargo(&["build", "--release", "--locked", "--package", "clawdbot"]))?;
    Ok(process::target_directory().join("release/clawdbot"))
}

fn check_glibc(binary: &Path) -> Outcome {
    let mut command = process::command(&format!("{TOOLS}-readelf"), &["--wide", "--version-info"]);
    accept_glibc(&process::output(command.arg(binary))?)
}

/// By what `readelf --version-info` printed.
fn accept_glibc(version_info: &str) -> Outcome {
    let needed = glibc::newest_needed(version_info)?;
    if needed > GLIBC_MAX {
        return Err(format!("the binary needs glibc {needed}, but must run with {GLIBC_MAX}"));
    }
    println!("newest glibc symbol needed: {needed} (allowed: {GLIBC_MAX})");
    Ok(())
}

fn print_stripped_size(binary: &Path) -> Outcome {
    let folder = tempfile::tempdir().map_err(|error| format!("cannot create a temporary folder: {error}"))?;
    let stripped = folder.path().join("clawdbot");
    process::run(process::command(&format!("{TOOLS}-strip"), &["-o"]).arg(&stripped).arg(binary))?;
    let size = std::fs::metadata(&stripped).map_err(|error| format!("cannot look at the stripped binary: {error}"))?;
    println!("stripped size: {} bytes", size.len());
    Ok(())
}

fn pictures() -> Result<Vec<PathBuf>, String> {
    let folder = repository_root().join(PICTURES);
    let entries = std::fs::read_dir(&folder).map_err(|error| format!("cannot list {PICTURES}: {error}"))?;
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    paths.sort();
    Ok(paths)
}

/// A command that runs `binary` as `processor`.
pub(crate) fn emulated(processor: &str, binary: &Path) -> Command {
    let mut command = process::command("qemu-aarch64-static", &["-L", "/usr/aarch64-linux-gnu", "-cpu", processor]);
    command.arg(binary);
    command
}

fn detect(mut program: Command, pictures: &[PathBuf]) -> Command {
    program.args(["detect", "--json", "--threshold", THRESHOLD]).args(pictures).current_dir(repository_root());
    // A forced ISA in the caller's environment would compare something with itself.
    program.env_remove("CLAWDBOT_ISA");
    program
}

/// The kernels must have been chosen for the processor that qemu plays, or the comparison below proves nothing.
fn check_isa(processor: &str, isa: &str, binary: &Path) -> Outcome {
    let mut command = emulated(processor, binary);
    command.args(["kernels", "--json"]).env_remove("CLAWDBOT_ISA");
    let text = process::output(&mut command)?;
    let answer: Value = serde_json::from_str(&text).map_err(|error| format!("`kernels --json`: {error}"))?;
    match answer.get("isa").and_then(Value::as_str) {
        Some(chosen) if chosen == isa => Ok(()),
        chosen => Err(format!("as {processor} the kernels chose {chosen:?}, but {isa:?} is right there")),
    }
}

/// What `detect --json` found: one list a picture, in the order of the pictures.
fn detections(command: &mut Command, pictures: usize) -> Result<Vec<Value>, String> {
    let text = process::output(command)?;
    let found = parse_detections(&text).map_err(|error| format!("`{}`: {error}", process::shown(command)))?;
    if found.len() != pictures {
        let command = process::shown(command);
        return Err(format!("`{command}` answers for {} of {pictures} pictures:\n{text}", found.len()));
    }
    if found.iter().all(|list| list.as_array().is_none_or(Vec::is_empty)) {
        return Err(format!("`{}` found nothing, so there is nothing to compare", process::shown(command)));
    }
    Ok(found)
}

/// Takes the `detections` of every picture out of the answer and leaves times and paths behind.
fn parse_detections(text: &str) -> Result<Vec<Value>, String> {
    let mut lists = Vec::new();
    for answer in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
        collect(&answer.map_err(|error| format!("printed no JSON: {error}"))?, &mut lists);
    }
    Ok(lists)
}

fn collect(value: &Value, lists: &mut Vec<Value>) {
    match value {
        Value::Object(members) => match members.get("detections") {
            Some(list) => lists.push(list.clone()),
            None => members.values().for_each(|member| collect(member, lists)),
        },
        Value::Array(items) => items.iter().for_each(|item| collect(item, lists)),
        _ => {}
    }
}

fn compare(processor: &str, expected: &[Value], found: &[Value]) -> Outcome {
    if expected == found {
        return Ok(());
    }
    Err(format!(
        "{processor} finds something else than this machine:\n  here:  {}\n  there: {}",
        Value::from(expected),
        Value::from(found)
    ))
}

fn summary(lists: &[Value]) -> String {
    format!("{} detections on {} pictures", count(lists), lists.len())
}

/// Detections in all lists.
fn count(lists: &[Value]) -> usize {
    lists.iter().map(|list| list.as_array().map_or(0, Vec::len)).sum()
}

#[cfg(test)]
mod tests;
