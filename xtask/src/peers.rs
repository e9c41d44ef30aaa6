//! `cargo xtask peers`: our inference beside LiteRT's on one model, interleaved in rounds so that both meet the same
//! machine, at one and two threads. Prints a table and writes `benches/record/<machine>/<date>-<commit>-peers.json`.
//!
//! LiteRT comes from PyPI by version into `target/peers/venv`; its driver is `benches/peers/litert.py`.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use serde_json::{Value, json};

use crate::Outcome;
use crate::process::{cargo, command, output, repository_root, run, target_directory};
use crate::record;

/// What is installed, by version: figures of another version are other figures.
const PACKAGES: [&str; 4] =
    ["ai-edge-litert==2.3.0", "ai-edge-quantizer==0.10.0", "flatbuffers==25.12.19", "numpy==2.4.6"];

/// Rounds of the interleaved measurement.
const ROUNDS: usize = 5;
/// Inferences a round of every form but the scalar one.
const RUNS: usize = 30;
/// Inferences a round of the scalar form, which takes some fifty times as long.
const RUNS_SCALAR: usize = 2;

/// Compares on MODEL.tflite (LiteRT) and BUNDLE (ours, made from it).
pub(crate) fn run_peers(arguments: &[String]) -> Outcome {
    let [model, bundle] = arguments else {
        return Err(
            "usage: cargo xtask peers MODEL.tflite BUNDLE (the bundle that `clawdbot convert` made of it)".into()
        );
    };
    let work = target_directory().join("peers");
    let python = environment(&work)?;
    run(&mut cargo(&["build", "--release", "--locked"]))?;
    let mut report = Vec::new();
    for threads in [1, 2] {
        let mut litert = LiteRt::start(&python, model, &work, threads)?;
        let mut best: BTreeMap<String, (f64, f64)> = BTreeMap::new();
        for round in 1..=ROUNDS {
            eprintln!("{threads} thread(s), round {round} of {ROUNDS}");
            for (name, (least, median)) in litert.round()?.into_iter().chain(ours(bundle, threads)?) {
                let entry = best.entry(name).or_insert((f64::INFINITY, f64::INFINITY));
                *entry = (entry.0.min(least), entry.1.min(median));
            }
        }
        println!("\n{threads} thread(s)               min ms   median ms");
        for (name, (least, median)) in &best {
            println!("  {name:<24} {least:>9.2}   {median:>9.2}");
            report.push(json!({"form": name, "threads": threads, "min_ms": least, "median_ms": median}));
        }
    }
    record::write(
        "peers",
        &json!({
            "command": format!("cargo xtask peers {model} {bundle}"),
            "packages": PACKAGES,
            "rounds": ROUNDS,
            "runs_a_round": RUNS,
            "results": report,
        }),
    )
}

/// Makes the private Python environment, once.
fn environment(work: &Path) -> Result<PathBuf, String> {
    let python = work.join("venv/bin/python");
    if !python.exists() {
        std::fs::create_dir_all(work).map_err(|error| format!("cannot make {}: {error}", work.display()))?;
        let venv = work.join("venv").to_string_lossy().into_owned();
        run(&mut command("python3", &["-m", "venv", &venv]))?;
        let mut install = vec!["-m", "pip", "install", "--quiet"];
        install.extend(PACKAGES);
        run(&mut command(&python.to_string_lossy(), &install))?;
    }
    Ok(python)
}

/// The forms by name: least and median milliseconds of one round.
type Round = Vec<(String, (f64, f64))>;

/// One round of ours, on each instruction set.
fn ours(bundle: &str, threads: usize) -> Result<Round, String> {
    [("avx2", RUNS), ("scalar", RUNS_SCALAR)]
        .into_iter()
        .map(|(isa, runs)| {
            let program = target_directory().join("release/clawdbot");
            let (threads, runs) = (threads.to_string(), runs.to_string());
            let arguments = ["bench", "vision", "--model", bundle, "--threads", &threads, "--runs", &runs, "--json"];
            let text = output(command(&program.to_string_lossy(), &arguments).env("CLAWDBOT_ISA", isa))?;
            let answer = parse(&text)?;
            Ok((format!("clawdbot_{isa}"), times(&answer)?))
        })
        .collect()
}

/// The driver process.
struct LiteRt {
    child: Child,
    rounds: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl LiteRt {
    fn start(python: &Path, model: &str, work: &Path, threads: usize) -> Result<Self, String> {
        let script = repository_root().join("benches/peers/litert.py");
        let mut child = command(&python.to_string_lossy(), &[])
            .arg(script)
            .arg(model)
            .arg(work)
            .args([threads.to_string(), RUNS.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot start {}: {error}", python.display()))?;
        let (Some(rounds), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("the peer's pipes are missing".into());
        };
        let mut peer = Self { child, rounds, answers: BufReader::new(answers) };
        // The quantizer prints its own progress before the driver is ready.
        while !peer.line()?.starts_with("{\"ready\"") {}
        Ok(peer)
    }

    fn line(&mut self) -> Result<String, String> {
        let mut line = String::new();
        match self.answers.read_line(&mut line) {
            Ok(0) => Err("benches/peers/litert.py ended early; its own output above says why".into()),
            Ok(_) => Ok(line),
            Err(error) => Err(format!("cannot read from benches/peers/litert.py: {error}")),
        }
    }

    fn round(&mut self) -> Result<Round, String> {
        self.rounds.write_all(b"\n").map_err(|error| format!("benches/peers/litert.py takes no round: {error}"))?;
        let answer = parse(&self.line()?)?;
        let forms = answer.as_object().ok_or("benches/peers/litert.py printed no object")?;
        forms.iter().map(|(name, form)| Ok((name.clone(), times(form)?))).collect()
    }
}

impl Drop for LiteRt {
    fn drop(&mut self) {
        // It would end by itself at the end of its input; waiting for that could hang behind a stuck interpreter.
        if let Err(error) = self.child.kill().and_then(|()| self.child.wait().map(drop)) {
            eprintln!("xtask peers: LiteRT's driver did not end: {error}");
        }
    }
}

fn parse(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("not JSON ({error}): {text}"))
}

fn times(form: &Value) -> Result<(f64, f64), String> {
    let number = |key: &str| form[key].as_f64().ok_or_else(|| format!("no number {key:?} in {form}"));
    Ok((number("min_ms")?, number("median_ms")?))
}
