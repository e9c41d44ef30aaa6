//! `clawdbot health` beside a daemon: while it runs, once it was killed, and once it has parted.

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::daemon::{CLIP, Daemon, PATIENCE, start, terminate};

fn health(runtime: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clawdbot"));
    command.args(["health", "--json"]).env("RUNTIME_DIRECTORY", runtime).output().unwrap()
}

/// Starts a daemon and waits for its first sign of life; the sign.
fn start_well(runtime: &Path) -> (Daemon, Value) {
    let daemon = start(CLIP, &[("RUNTIME_DIRECTORY", runtime)]);
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        let output = health(runtime);
        if output.status.success() {
            return (daemon, serde_json::from_slice(&output.stdout).unwrap());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("the daemon gave no sign of life within {PATIENCE:?}");
}

/// The answer's reason, and that the exit code and standard error agree with it.
fn reason(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["ok"], false);
    let reason = answer["reason"].as_str().unwrap().to_owned();
    assert!(String::from_utf8_lossy(&output.stderr).contains(&reason), "{output:?}");
    reason
}

#[test]
fn health_follows_the_daemon_through_its_life() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = folder.path();
    assert!(reason(&health(runtime)).contains("no daemon runs"));

    let (killed, answer) = start_well(runtime);
    assert_eq!(answer["ok"], true);
    let stages = answer["sign"]["stages"].as_array().unwrap();
    assert!(stages.iter().any(|stage| stage["name"] == "camera/clip"), "{answer}");
    drop(killed);
    assert!(reason(&health(runtime)).contains("gone without a farewell"));

    let (mut stopped, _) = start_well(runtime);
    terminate(&mut stopped);
    assert!(reason(&health(runtime)).contains("no daemon runs"));
}
