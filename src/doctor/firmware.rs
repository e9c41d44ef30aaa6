//! What only the Raspberry Pi's firmware knows, asked through its own program `vcgencmd`, where that is installed.

use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use super::machine::Machine;

/// Where Raspberry Pi OS keeps it.
const PROGRAM: &str = "/usr/bin/vcgencmd";
/// A firmware whose mailbox is dead never answers: so long it is waited for ...
const PATIENCE: Duration = Duration::from_secs(2);
/// ... with a look so often.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// The answer to `words`, one line; `None` when there is no such program, no permission or no answer.
pub(super) fn ask(machine: &Machine<'_>, words: &[&str]) -> Option<String> {
    let mut command = Command::new(machine.root.join(PROGRAM));
    let child = command.args(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
    let output = answered(child)?.wait_with_output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}

/// The child when it has ended by itself; else it is ended.
fn answered(mut child: Child) -> Option<Child> {
    for _ in 0..PATIENCE.as_millis() / LOOK_EVERY.as_millis() {
        match child.try_wait() {
            Ok(Some(_)) => return Some(child),
            Ok(None) => sleep(LOOK_EVERY),
            Err(_) => break,
        }
    }
    // It may have ended in between, and then there is nothing to end.
    drop(child.kill());
    drop(child.wait());
    None
}

/// The number behind `name`'s equals sign: `EXT5V_V volt(24)=5.15213000V` gives 5.15213.
pub(super) fn value(answer: &str, name: &str) -> Option<f64> {
    let line = answer.lines().map(str::trim).find(|line| line.starts_with(name))?;
    let (_, value) = line.split_once('=')?;
    value.trim_end_matches(|letter: char| letter.is_ascii_alphabetic()).parse().ok()
}

#[cfg(test)]
mod tests;
