//! A 7B-shaped model is converted in 4 GB, killed in the middle, and gone on with.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Stdio};

use clawdbot_nn::metadata::language::Precision;
use serde_json::{Value, json};

use super::room::Room;
use super::{LOOK_EVERY, Process, forget, made_folder};
use crate::made_up::{Shape, gguf};
use crate::process;

const BYTES: u64 = 4_000_000_000;

/// Converts a Q8_0 file of the shape to INT4 twice: until some of the bundle is written, then to its end.
pub(super) fn convert(program: &Path) -> Result<Value, String> {
    let folder = made_folder()?;
    let (source, bundle) = (folder.join("7b-q8_0.gguf"), folder.join("converted.claw.safetensors"));
    let part = folder.join(".converted.claw.safetensors.part");
    if !source.exists() {
        println!("making {}: some minutes, some gigabytes", source.display());
        let shape = Shape::find("7b").ok_or("no such shape")?;
        let unfinished = source.with_extension("part");
        gguf::write(&unfinished, &shape, Precision::Int8)?;
        std::fs::rename(&unfinished, &source).map_err(|error| format!("{}: {error}", source.display()))?;
    }
    forget(&source);
    for old in [&bundle, &part] {
        drop(std::fs::remove_file(old));
    }
    let room = Room::new("convert", BYTES)?;
    println!("a 7B-shaped model is converted in {} GB", BYTES / 1_000_000_000);
    let log = folder.join("converted.log");
    let start = || {
        let errors = File::create(&log).map_err(|error| format!("{}: {error}", log.display()))?;
        let mut command = room.command(program);
        command.args(["convert", "--precision", "int4", "-o"]).arg(&bundle).arg(&source);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors);
        command.spawn().map_err(|error| format!("cannot start {}: {error}", program.display()))
    };
    let written = || std::fs::metadata(&part).map_or(0, |part| part.len());
    let run = |enough: &dyn Fn() -> bool| {
        watch_until(start()?, enough).map_err(|error| format!("{error}; see {}", log.display()))
    };
    let (first, mut used) = run(&|| written() > BYTES / 2)?;
    if first.is_some() {
        return Err(String::from("the conversion ended before it could be interrupted"));
    }
    let interrupted_at = written();
    println!("  killed with {} MiB written", interrupted_at / (1 << 20));
    let (second, process) = run(&|| false)?;
    used = used.most(process);
    let told = second.ok_or("the second run was not waited for")?;
    let resumed = told.lines().find(|line| line.contains("a run that was interrupted"));
    let resumed = resumed.ok_or_else(|| format!("the second run packed all anew; it said:\n{told}"))?;
    process::run(process::command(&program.display().to_string(), &["inspect", "--verify"]).arg(&bundle))?;
    used.was_seen("7B converted in 4 GB")?;
    let room = room.used();
    println!("  {resumed}");
    println!(
        "  the process: {} MiB its own, {} MiB resident with the files that it maps",
        used.anonymous >> 20,
        used.resident >> 20
    );
    println!("  the group used {} of {} MiB at most, cached files included", room.most >> 20, BYTES >> 20);
    let bundle_bytes = std::fs::metadata(&bundle).map_or(0, |bundle| bundle.len());
    drop(std::fs::remove_file(&bundle));
    Ok(json!({
        "name": "7B converted in 4 GB",
        "limit_bytes": BYTES,
        "used_bytes_max": room.most,
        "limit_met": room.met,
        "process": { "resident_bytes": used.resident, "anonymous_bytes": used.anonymous },
        "interrupted_at_bytes": interrupted_at,
        "bundle_bytes": bundle_bytes,
        "resumed": resumed,
    }))
}

/// Waits until `child` ends and returns what it printed, or kills it once `enough` says so; and what it used.
fn watch_until(mut child: Child, enough: &dyn Fn() -> bool) -> Result<(Option<String>, Process), String> {
    let mut used = Process::default();
    while child.try_wait().map_err(|error| error.to_string())?.is_none() {
        used = used.most(Process::of(child.id()));
        if enough() {
            child.kill().and_then(|()| child.wait()).map_err(|error| error.to_string())?;
            return Ok((None, used));
        }
        std::thread::sleep(LOOK_EVERY);
    }
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(format!("the conversion ended with {}", output.status));
    }
    Ok((Some(String::from_utf8_lossy(&output.stdout).into_owned()), used))
}
