//! `clawdbot doctor` as its users meet it: the real program, its exit code, its JSON, and a broker of somebody else's.

use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::daemon::{PATIENCE, free_port, mosquitto};

/// Runs it on an empty board, so that nothing of this machine counts, with the configuration `text`.
fn doctor(folder: &Path, text: &str, more: &[&str]) -> Output {
    let (board, file) = (folder.join("board"), folder.join("clawdbot.toml"));
    std::fs::create_dir_all(&board).unwrap();
    std::fs::write(&file, text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_clawdbot"));
    command.args(["doctor", "--root"]).arg(&board).arg("--config").arg(&file).args(more);
    command.stdin(Stdio::null()).output().unwrap()
}

/// Verdict and text of the one finding of `check`.
fn finding(output: &Output, check: &str) -> (String, String) {
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    let found = report["findings"].as_array().unwrap().iter().find(|finding| finding["check"] == check).unwrap();
    let text = |key: &str| found[key].as_str().unwrap().to_owned();
    (text("verdict"), text("seen"))
}

#[test]
fn a_board_without_a_problem_is_exit_code_0_and_one_with_is_1() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let fine = format!("[mqtt]\nlisten = \"127.0.0.1:{port}\"\n");
    let output = doctor(folder.path(), &fine, &[]);
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{text}\n{errors}");
    assert!(text.contains("unknown  temperature") && text.contains("0 problem"), "{text}");
    let output = doctor(folder.path(), &format!("[mqtt]\nhost = \"127.0.0.1\"\nport = {port}\n"), &["--json"]);
    assert_eq!(output.status.code(), Some(1));
    let (verdict, seen) = finding(&output, "broker");
    assert!(verdict == "problem" && seen.contains("nothing listens"), "{seen}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("broker"));
}

#[test]
fn a_bad_configuration_is_a_finding() {
    let folder = tempfile::tempdir().unwrap();
    let output = doctor(folder.path(), "[mqtt]\nprot = 1\n", &["--json"]);
    assert_eq!(output.status.code(), Some(1));
    let (verdict, seen) = finding(&output, "configuration");
    assert!(verdict == "problem" && seen.contains("mqtt.prot"), "{seen}");
}

#[test]
fn a_real_broker_says_whether_it_knows_us() {
    let folder = tempfile::tempdir().unwrap();
    let (passwords, file, port) = (folder.path().join("passwords"), folder.path().join("mosquitto.conf"), free_port());
    // Root's Mosquitto would become the user `mosquitto`, who may not read in here.
    let config =
        format!("listener {port} 127.0.0.1\nallow_anonymous false\nuser root\npassword_file {}\n", passwords.display());
    std::fs::write(&file, config).unwrap();
    // It comes with the broker; where that is missing, the next lines say so.
    drop(Command::new("mosquitto_passwd").args(["-b", "-c"]).arg(&passwords).args(["bob", "secret"]).status());
    let Some(_broker) = mosquitto(&["-c", file.to_str().unwrap()]) else { return };
    let begin = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(begin.elapsed() < PATIENCE, "mosquitto does not come up");
        std::thread::sleep(Duration::from_millis(10));
    }
    let login = |password: &str| {
        let mqtt = format!("host = \"127.0.0.1\"\nport = {port}\nusername = \"bob\"\npassword = \"{password}\"");
        finding(&doctor(folder.path(), &format!("[mqtt]\n{mqtt}\n"), &["--json"]), "broker")
    };
    let (verdict, seen) = login("secret");
    assert!(verdict == "ok" && seen.contains("takes us with its login"), "{seen}");
    let (verdict, seen) = login("wrong");
    assert!(verdict == "problem" && seen.contains("turns our login away"), "{seen}");
}
