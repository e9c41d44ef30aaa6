//! One form of a network in a process of its own that runs inferences on request, so that all can take turns.

use std::fmt;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::Outcome;

/// How often is looked whether a contestant still computes, and how many times at most.
const LOOK_EVERY: Duration = Duration::from_millis(20);
const LOOKS_MAX: u32 = 250;

/// Who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    /// litert, ort, ncnn, tract or clawdbot.
    pub(super) who: String,
    /// fp32, int8, ...
    pub(super) form: String,
    /// What it may use: a peer's pin, or our instruction set.
    pub(super) isa: String,
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {} ({})", self.who, self.form, self.isa)
    }
}

/// What one turn took.
#[derive(Clone, Debug)]
pub(super) struct Turn {
    /// Each inference by the wall clock.
    pub(super) wall_ms: Vec<f64>,
    /// Processor time of all threads, a mean inference.
    pub(super) cpu_ms: f64,
}

/// See the module.
pub(super) struct Contestant {
    pub(super) key: Key,
    command: Command,
}

/// A contestant that is ready to run.
pub(super) struct Running {
    pub(super) key: Key,
    /// What it said of itself when it was ready.
    pub(super) said: Value,
    /// Of its answer against the float network's; `None` for ours, which `clawdbot convert` judges.
    pub(super) snr_db: Option<f64>,
    child: Child,
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Contestant {
    /// `command` follows the protocol of `benches/peers/driver.py`.
    pub(super) const fn new(key: Key, command: Command) -> Self {
        Self { key, command }
    }

    /// Starts it; with `samples`, under the sampler of `preload`, which writes there.
    ///
    /// # Errors
    /// When it does not get ready.
    pub(super) fn start(&mut self, sampler: Option<(&Path, &Path)>) -> Result<Running, String> {
        if let Some((preload, samples)) = sampler {
            self.command.env("LD_PRELOAD", preload).env("PEER_SAMPLES", samples);
        }
        let command = self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(|error| format!("{}: cannot be started: {error}", self.key))?;
        let (Some(requests), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(format!("{}: its pipes are missing", self.key));
        };
        let (key, requests, answers) = (self.key.clone(), Some(requests), BufReader::new(answers));
        let mut running = Running { key, said: Value::Null, snr_db: None, child, requests, answers };
        running.said = running.line()?;
        running.snr_db = running.said["snr_db"].as_f64();
        Ok(running)
    }

    /// How to start it by hand, to see what it says.
    pub(super) fn shown(&self) -> String {
        format!("{:?}", self.command)
    }
}

impl Running {
    /// Runs `inferences`.
    ///
    /// # Errors
    /// When it ended, or its answer is no list of times.
    pub(super) fn turn(&mut self, inferences: usize) -> Result<Turn, String> {
        let (times, cpu_ms) = self.ask(&inferences.to_string())?;
        if times.len() != inferences {
            return Err(format!("{}: asked for {inferences} inferences, answered {} times", self.key, times.len()));
        }
        let wall_ms = times.into_iter().map(|nanoseconds| nanoseconds / 1e6).collect();
        Ok(Turn { wall_ms, cpu_ms: cpu_ms / inferences as f64 })
    }

    /// Sends a line, and returns the list of nanoseconds in the answer and the milliseconds of processor time that it cost.
    ///
    /// # Errors
    /// As [`Self::turn`].
    pub(super) fn ask(&mut self, request: &str) -> Result<(Vec<f64>, f64), String> {
        let before = self.cpu_nanoseconds()?;
        let requests = self.requests.as_mut().ok_or_else(|| format!("{}: was ended", self.key))?;
        let sent = requests.write_all(format!("{request}\n").as_bytes());
        sent.map_err(|error| format!("{}: takes no request: {error}", self.key))?;
        let answer = self.line()?;
        let spent = self.cpu_nanoseconds()?.saturating_sub(before);
        let times = answer.as_array().map(|times| times.iter().map(Value::as_f64).collect::<Option<Vec<f64>>>());
        match times.flatten() {
            Some(times) => Ok((times, spent as f64 / 1e6)),
            None => Err(format!("{}: asked for {request:?}, answered {answer}", self.key)),
        }
    }

    /// Waits until its threads compute no more: those of llama.cpp look out for more work for 170 ms after an answer (0.3.36 on an AMD
    /// EPYC), on a core that the next turn is another's.
    ///
    /// # Errors
    /// When they never stop.
    pub(super) fn rest(&self) -> Outcome {
        let mut spent = self.cpu_nanoseconds()?;
        for _ in 0..LOOKS_MAX {
            std::thread::sleep(LOOK_EVERY);
            let before = std::mem::replace(&mut spent, self.cpu_nanoseconds()?);
            let is_still = Duration::from_nanos(spent.saturating_sub(before)) < LOOK_EVERY / 20;
            // On a busy machine one that spins may have got no time at all.
            if is_still && !self.wants_to_run()? {
                return Ok(());
            }
        }
        Err(format!("{}: still computes {} s after its answer", self.key, (LOOK_EVERY * LOOKS_MAX).as_secs()))
    }

    /// Its number at the kernel.
    pub(super) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Lets it end by itself, so that it writes what it wants to write.
    ///
    /// # Errors
    /// When it fails.
    pub(super) fn end(mut self) -> Result<(), String> {
        drop(self.requests.take());
        let status = self.child.wait().map_err(|error| format!("{}: {error}", self.key))?;
        if status.success() { Ok(()) } else { Err(format!("{}: ended with {status}", self.key)) }
    }

    fn line(&mut self) -> Result<Value, String> {
        let mut line = String::new();
        match self.answers.read_line(&mut line) {
            Ok(0) => Err(format!("{}: ended early", self.key)),
            Ok(_) => serde_json::from_str(&line).map_err(|error| format!("{}: no JSON ({error}): {line}", self.key)),
            Err(error) => Err(format!("{}: {error}", self.key)),
        }
    }

    /// Processor time of all its threads: the first number of each one's `schedstat` (Linux Documentation/scheduler).
    fn cpu_nanoseconds(&self) -> Result<u64, String> {
        let number = |text: &String| text.split_whitespace().next().and_then(|word| word.parse::<u64>().ok());
        let sum = self.of_threads("schedstat")?.iter().filter_map(number).sum();
        if sum == 0 { Err(format!("{}: this kernel keeps no schedstat", self.key)) } else { Ok(sum) }
    }

    /// Whether one of its threads computes or waits for a core: state R, behind the name in brackets (proc_pid_stat(5)).
    fn wants_to_run(&self) -> Result<bool, String> {
        let runs = |text: &String| text.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('R'));
        Ok(self.of_threads("stat")?.iter().any(runs))
    }

    /// A file of each of its threads.
    fn of_threads(&self, file: &str) -> Result<Vec<String>, String> {
        let folder = format!("/proc/{}/task", self.child.id());
        let tasks = std::fs::read_dir(&folder).map_err(|error| format!("{folder}: {error}"))?;
        // A thread may end between the listing and the look.
        Ok(tasks.flatten().filter_map(|task| std::fs::read_to_string(task.path().join(file)).ok()).collect())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Most end with their input; one that hangs must not outlive us. One that has ended cannot be killed, which is well.
        drop(self.requests.take());
        if let Err(error) = self.child.kill().and_then(|()| self.child.wait().map(drop)) {
            eprintln!("{}: did not end: {error}", self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_begins_when_the_other_has_stopped() {
        let key = Key { who: "sh".to_owned(), form: "x".to_owned(), isa: "y".to_owned() };
        let mut spinning = Command::new("sh");
        let script = "echo '{}'; read x; echo '[1]'; i=0; while [ $i -lt 100000 ]; do i=$((i + 1)); done; read x";
        spinning.args(["-c", script]);
        let mut spinning = Contestant::new(key, spinning).start(None).unwrap();
        spinning.ask("1").unwrap();
        let answered = spinning.cpu_nanoseconds().unwrap();
        spinning.rest().unwrap();
        let rested = spinning.cpu_nanoseconds().unwrap();
        std::thread::sleep(LOOK_EVERY);
        assert!(rested > answered && spinning.cpu_nanoseconds().unwrap() - rested < 1_000_000, "it still spins");
    }
}
