use std::path::PathBuf;

use super::{Arguments, Failure, run};

fn check(text: &str, json: bool) -> Result<(), Failure> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("clawdbot.toml");
    std::fs::write(&file, text).unwrap();
    run(&Arguments { file: Some(file), json, default: false, reference: false })
}

#[test]
fn a_good_file_is_ok() {
    assert!(check("[[camera]]\nid = 'front'", false).is_ok());
    assert!(check("[[camera]]\nid = 'front'", true).is_ok());
}

#[test]
fn a_bad_file_is_a_bad_configuration_with_every_key() {
    let Err(Failure::BadConfiguration(message)) = check("[node]\nnmae = 'x'\n[mqtt]\nport = 0", false) else {
        panic!()
    };
    assert!(
        message.contains("2 errors") && message.contains("node.nmae") && message.contains("mqtt.port"),
        "{message}"
    );
}

#[test]
fn a_missing_file_is_a_bad_configuration() {
    let arguments = Arguments {
        file: Some(PathBuf::from("/nowhere/clawdbot.toml")),
        json: false,
        default: false,
        reference: false,
    };
    assert!(
        matches!(run(&arguments), Err(Failure::BadConfiguration(message)) if message.contains("/nowhere/clawdbot.toml"))
    );
}
