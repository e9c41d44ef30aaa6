use std::fs;
use std::path::{Path, PathBuf};

use super::{Arguments, Failure, run};

fn arguments(folder: &Path) -> Arguments {
    for made in ["boot", "root/etc"] {
        fs::create_dir_all(folder.join(made)).unwrap();
    }
    Arguments { boot: folder.join("boot"), root: folder.join("root"), user: "pi".to_owned(), example: false }
}

fn read(path: PathBuf) -> String {
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn a_good_file_is_taken_once() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = arguments(folder.path());
    let text = "[board]\nhostname = 'porch'\n[mqtt]\nhost = 'a'\nusername = 'u'\npassword = 'hunter2'\n[[camera]]\nid = 'front'\n";
    fs::write(arguments.boot.join("clawdbot.toml"), text).unwrap();
    run(&arguments).unwrap();
    assert_eq!(read(arguments.root.join("etc/hostname")), "porch\n");
    assert!(read(arguments.root.join("etc/clawdbot/clawdbot.toml")).contains("hunter2"));
    assert!(!read(arguments.boot.join("clawdbot.imported.toml")).contains("hunter2"));

    fs::write(arguments.root.join("etc/hostname"), "changed\n").unwrap();
    run(&arguments).unwrap();
    assert_eq!(read(arguments.root.join("etc/hostname")), "changed\n", "a second boot takes nothing");
}

#[test]
fn a_bad_file_changes_nothing_and_leaves_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = arguments(folder.path());
    fs::write(arguments.boot.join("clawdbot.toml"), "[board]\nhostname = 'porch'\n[mqtt]\nport = 0\n").unwrap();
    assert!(matches!(run(&arguments), Err(Failure::BadConfiguration(message)) if message.contains("mqtt.port")));
    assert!(read(arguments.boot.join("clawdbot-error.txt")).contains("clawdbot.toml:4: mqtt.port"));
    assert!(!arguments.root.join("etc/hostname").exists());

    fs::write(arguments.boot.join("clawdbot.toml"), "[board]\nhostname = 'porch'\n").unwrap();
    run(&arguments).unwrap();
    assert!(!arguments.boot.join("clawdbot-error.txt").exists());
}

#[test]
fn keys_without_a_user_are_explained_too() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = arguments(folder.path());
    let key = format!("ssh-ed25519 {} me", "A".repeat(68));
    fs::write(arguments.boot.join("clawdbot.toml"), format!("[board]\nssh_keys = ['{key}']\n")).unwrap();
    assert!(matches!(run(&arguments), Err(Failure::Failed(message)) if message.contains("no user pi")));
    assert!(read(arguments.boot.join("clawdbot-error.txt")).contains("no user pi"));
}

#[test]
fn no_file_is_no_failure_and_a_misnamed_one_is() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = arguments(folder.path());
    run(&arguments).unwrap();
    fs::write(arguments.boot.join("clawdbot.toml.txt"), "").unwrap();
    assert!(matches!(run(&arguments), Err(Failure::BadConfiguration(_))));
    assert!(read(arguments.boot.join("clawdbot-error.txt")).contains("clawdbot.toml.txt"));
}
