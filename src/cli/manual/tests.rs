use std::path::{Path, PathBuf};

use super::*;

fn written() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("not/there/yet");
    run(&Arguments { folder: inside.clone() }).unwrap();
    (folder, inside)
}

fn read(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn every_command_that_help_shows_has_a_page_and_no_other() {
    let (_kept, folder) = written();
    let page = read(&folder, "clawdbot.1");
    for command in Cli::command().get_subcommands() {
        let name = format!("clawdbot-{}", command.get_name());
        let is_there = folder.join(format!("{name}.1")).is_file();
        assert_eq!(is_there, !command.is_hide_set(), "{name}");
        assert_eq!(page.contains(&name.replace('-', "\\-")), !command.is_hide_set(), "{name}");
    }
    assert!(folder.join("clawdbot-eval-detect.1").is_file(), "commands of commands have pages too");
}

#[test]
fn a_page_tells_what_help_tells() {
    let (_kept, folder) = written();
    let page = read(&folder, "clawdbot-check-config.1");
    assert!(page.contains("Check a configuration file") && page.contains("\\-\\-json"), "{page}");
}

#[test]
fn every_shell_completes_the_commands() {
    let (_kept, folder) = written();
    for name in ["clawdbot.bash", "clawdbot.fish", "_clawdbot"] {
        assert!(read(&folder, name).contains("check-config"), "{name}");
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_a_failure_that_names_it() {
    let failure = run(&Arguments { folder: PathBuf::from("/proc/nowhere") });
    assert!(matches!(failure, Err(Failure::Failed(message)) if message.contains("/proc/nowhere")));
}
