//! `cargo xtask memory-llm [7b] [3b] [convert]`: several instances of a language model in a small board's memory, at full size, with
//! invented weights (`made-up-llm`), inside a control group that gives no more.
//!
//! *7b*: two programs, each answering with the same 7B-shaped bundle, in 8 GB. *3b*: the daemon with a camera and a 3B-shaped
//! model whose task asks every second, and a second program answering with the same bundle, in 4 GB. *convert*: a 7B-shaped model
//! is converted in 4 GB, killed with SIGKILL in the middle, and gone on with. Prints and writes
//! `benches/record/<machine>/<date>-<commit>-memory-llm.json`. Needs root, a release build and some minutes.

mod conversion;
mod room;

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use clawdbot_nn::metadata::language::Precision;
use serde_json::{Value, json};

use crate::made_up::{Shape, bundle};
use crate::process::{self, repository_root, target_directory};
use crate::{Outcome, record};
use room::Room;

const USAGE: &str = "usage: cargo xtask memory-llm [7b] [3b] [convert]";
/// Tokens that each answer has.
const TOKENS: &str = "24";
/// How often a process is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Answers of the daemon's task that are waited for.
const RESULTS: usize = 3;

/// What one process used at most, in bytes.
#[derive(Clone, Copy, Debug, Default)]
struct Process {
    /// All resident pages.
    resident: u64,
    /// The same, shared pages divided by who shares them.
    proportional: u64,
    /// What it has taken for itself: pages of no file, which no other process shares and the kernel cannot drop.
    anonymous: u64,
}

/// Runs what was asked for.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    if let Some(unknown) = arguments.iter().find(|argument| !["7b", "3b", "convert"].contains(&argument.as_str())) {
        return Err(format!("does not understand {unknown:?}\n{USAGE}"));
    }
    let wanted = |name: &str| arguments.is_empty() || arguments.iter().any(|argument| argument == name);
    process::run(&mut process::cargo(&["build", "--release", "--locked", "-p", "clawdbot"]))?;
    let program = target_directory().join("release/clawdbot");
    let mut scenes = Vec::new();
    if wanted("7b") {
        scenes.push(two_programs(&program)?);
    }
    if wanted("3b") {
        scenes.push(beside_a_camera(&program)?);
    }
    if wanted("convert") {
        scenes.push(conversion::convert(&program)?);
    }
    record::write(
        "memory-llm",
        &json!({ "command": format!("cargo xtask memory-llm {}", arguments.join(" ")).trim_end(), "scenes": scenes }),
    )
}

/// Two programs with one 7B-shaped bundle in 8 GB.
fn two_programs(program: &Path) -> Result<Value, String> {
    const BYTES: u64 = 8_000_000_000;
    let model = made("7b")?;
    let room = Room::new("7b", BYTES)?;
    println!("two 7B-shaped instances in {} GB", BYTES / 1_000_000_000);
    let first = generate(&room, program, &model)?;
    let second = generate(&room, program, &model)?;
    let (answers, processes) = watch(vec![first, second])?;
    report("two 7B in 8 GB", BYTES, &room, &answers, &processes)
}

/// The daemon with a camera and a 3B-shaped model, and a second program with the same, in 4 GB.
fn beside_a_camera(program: &Path) -> Result<Value, String> {
    const BYTES: u64 = 4_000_000_000;
    let model = made("3b")?;
    let room = Room::new("3b", BYTES)?;
    println!("two 3B-shaped instances and a camera in {} GB", BYTES / 1_000_000_000);
    let folder = tempfile::tempdir().map_err(|error| format!("cannot create a temporary folder: {error}"))?;
    let config = folder.path().join("clawdbot.toml");
    let clip = repository_root().join("assets/clip.mjpeg");
    let text = format!(
        "[node]\nname = \"board\"\n[mqtt]\nlisten = \"127.0.0.1:28831\"\n[[camera]]\nid = \"clip\"\nsource = \"replay\"\npath = {clip:?}\n\
         [llm]\nmodel = {model:?}\ncontext = 2048\nslots = 1\nmax_tokens = {TOKENS}\n\
         [[llm.task]]\nid = \"clock\"\non = \"time\"\nevery_s = 1\ncooldown_s = 0\nprompt = \"What happened?\"\n"
    );
    std::fs::write(&config, text).map_err(|error| format!("{}: {error}", config.display()))?;
    let mut command = room.command(program);
    command.args(["run", "--watch", "--config"]).arg(&config).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut daemon = command.spawn().map_err(|error| format!("cannot start {}: {error}", program.display()))?;
    let lines = BufReader::new(daemon.stdout.take().ok_or("the daemon has no output")?).lines();
    let second = generate(&room, program, &model)?;
    let (mut results, mut fps, mut used, mut beside) = (Vec::new(), Vec::new(), Process::default(), Process::default());
    for line in lines.map_while(Result::ok) {
        used = used.most(Process::of(daemon.id()));
        // It may end before the daemon has answered often enough.
        beside = beside.most(Process::of(second.id()));
        let data = || line.split_once("  ").and_then(|(_, data)| serde_json::from_str::<Value>(data).ok());
        if line.starts_with("llm/clock/result") {
            results.extend(data());
        } else if line.starts_with("stats") {
            fps.extend(data().map(|stats| stats["cameras"]["clip"]["detected_fps"].clone()));
        }
        if results.len() >= RESULTS && fps.len() >= 2 {
            break;
        }
    }
    let watched = watch(vec![second]);
    drop((daemon.kill(), daemon.wait()));
    let (mut answers, mut processes) = watched?;
    if results.len() < RESULTS {
        return Err(format!("the daemon ended after {} answers; was it killed for its memory?", results.len()));
    }
    answers.extend(results);
    processes[0] = processes[0].most(beside);
    processes.push(used);
    let mut scene = report("two 3B and a camera in 4 GB", BYTES, &room, &answers, &processes)?;
    println!("  frames analysed a second, each time that the daemon told: {}", json!(fps));
    scene["detected_fps"] = json!(fps);
    Ok(scene)
}

/// Where what is made once is kept.
fn made_folder() -> Result<PathBuf, String> {
    let folder = target_directory().join("memory-llm");
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(folder)
}

/// The bundle of a shape, made once.
fn made(shape: &str) -> Result<PathBuf, String> {
    let path = made_folder()?.join(format!("{shape}-int4.claw.safetensors"));
    if !path.exists() {
        println!("making {}: some minutes, some gigabytes", path.display());
        let shape = Shape::find(shape).ok_or("no such shape")?;
        let part = path.with_extension("part");
        bundle(&part, &shape, Precision::Int4)?;
        std::fs::rename(&part, &path).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    forget(&path);
    Ok(path)
}

/// Drops a file from the page cache: its pages belong to another group already, and the measured one must read it itself.
fn forget(path: &Path) {
    let forgotten = process::command("dd", &["iflag=nocache", "count=0", "status=none"])
        .arg(format!("if={}", path.display()))
        .status();
    if !forgotten.is_ok_and(|status| status.success()) {
        println!("  {} could not be dropped from the page cache; what the group used is too little", path.display());
    }
}

fn generate(room: &Room, program: &Path, model: &Path) -> Result<Child, String> {
    let mut command = room.command(program);
    command.args([
        "generate",
        "--json",
        "--temperature",
        "0",
        "--context",
        "2048",
        "--max-tokens",
        TOKENS,
        "--threads",
        "1",
    ]);
    command.args(["--prompt", "What happened at the front door this morning?", "--model"]).arg(model);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command.spawn().map_err(|error| format!("cannot start {}: {error}", program.display()))
}

/// Waits for programs that print an answer; the answers, and what each used.
fn watch(mut children: Vec<Child>) -> Result<(Vec<Value>, Vec<Process>), String> {
    let mut used = vec![Process::default(); children.len()];
    loop {
        let mut left = false;
        for (child, used) in children.iter_mut().zip(&mut used) {
            left |= child.try_wait().map_err(|error| error.to_string())?.is_none();
            *used = used.most(Process::of(child.id()));
        }
        if !left {
            break;
        }
        std::thread::sleep(LOOK_EVERY);
    }
    let answer = |child: &mut Child| {
        let status = child.wait().map_err(|error| error.to_string())?;
        if !status.success() {
            return Err(format!("an instance ended with {status}; was it killed for its memory?"));
        }
        let mut text = String::new();
        let mut output = child.stdout.take().ok_or("an instance has no output")?;
        output.read_to_string(&mut text).map_err(|error| error.to_string())?;
        serde_json::from_str(&text).map_err(|error| format!("an instance printed no JSON: {error}"))
    };
    let answers = children.iter_mut().map(answer).collect::<Result<_, _>>()?;
    Ok((answers, used))
}

fn report(name: &str, bytes: u64, room: &Room, answers: &[Value], processes: &[Process]) -> Result<Value, String> {
    let used = room.used();
    let mib = |bytes: u64| bytes / (1 << 20);
    println!("  the group used {} of {} MiB at most and met its limit {} times", mib(used.most), mib(bytes), used.met);
    for process in processes {
        process.was_seen(name)?;
        let Process { resident, proportional, anonymous } = *process;
        println!(
            "  a process: {} MiB resident, {} MiB with shared pages divided, {} MiB its own",
            mib(resident),
            mib(proportional),
            mib(anonymous)
        );
    }
    for answer in answers {
        if answer["answer_tokens"].as_u64().is_none_or(|tokens| tokens == 0) {
            return Err(format!("{name}: an instance did not answer: {answer}"));
        }
        let first = answer["first_token_ms"].as_f64().unwrap_or(f64::NAN);
        println!("  an answer: {} tokens, the first after {first:.0} ms", answer["answer_tokens"]);
    }
    let process = |process: &Process| json!({ "resident_bytes": process.resident, "proportional_bytes": process.proportional, "anonymous_bytes": process.anonymous });
    Ok(json!({
        "name": name,
        "limit_bytes": bytes,
        "used_bytes_max": used.most,
        "limit_met": used.met,
        "processes": processes.iter().map(process).collect::<Vec<_>>(),
        "answers": answers,
    }))
}

impl Process {
    /// What the process `id` uses now; nothing when it has gone.
    fn of(id: u32) -> Self {
        let text = std::fs::read_to_string(format!("/proc/{id}/smaps_rollup")).unwrap_or_default();
        let bytes = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            let kilobytes = line.and_then(|line| line.trim_start_matches(':').split_whitespace().next()?.parse().ok());
            1024 * kilobytes.unwrap_or(0_u64)
        };
        Self { resident: bytes("Rss"), proportional: bytes("Pss:"), anonymous: bytes("Anonymous") }
    }

    fn most(self, other: Self) -> Self {
        Self {
            resident: self.resident.max(other.resident),
            proportional: self.proportional.max(other.proportional),
            anonymous: self.anonymous.max(other.anonymous),
        }
    }

    /// Zeros are no measurement: the process was never looked at while it ran.
    fn was_seen(&self, scene: &str) -> Outcome {
        if self.resident == 0 || self.anonymous == 0 {
            return Err(format!("{scene}: a process ended before its memory was read, so nothing is known of it"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_never_looked_at_is_no_measurement() {
        let here = Process::of(std::process::id());
        here.was_seen("this test").unwrap();
        assert!(here.anonymous <= here.resident);
        let gone = Process { anonymous: 0, ..here };
        assert!(gone.was_seen("a scene").unwrap_err().starts_with("a scene: "));
    }
}
