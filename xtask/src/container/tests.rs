//! What the image's files say agrees, and wrong words are refused.

use super::*;

fn read(path: &str) -> String {
    std::fs::read_to_string(repository_root().join(path)).unwrap()
}

fn parsed(text: &str) -> Result<Vec<(Architecture, PathBuf)>, String> {
    parse(&text.split_whitespace().map(ToOwned::to_owned).collect::<Vec<_>>())
}

#[test]
fn binaries_are_named_by_architecture() {
    let binaries = parsed("--arm64 /bin/sh --amd64 /bin/sh").unwrap();
    let names: Vec<&str> = binaries.iter().map(|(architecture, _)| architecture.name()).collect();
    assert_eq!(names, ["arm64", "amd64"]);
    assert!(parsed("").unwrap().is_empty());
    for wrong in ["--mips /bin/sh", "--arm64", "arm64 /bin/sh", "--arm64 /no/such/file"] {
        assert!(parsed(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn compose_speaks_of_the_image_s_user_and_folders() {
    let (dockerfile, compose) = (read("deploy/docker/Dockerfile"), read("deploy/docker/compose.yaml"));
    assert!(dockerfile.contains("\nUSER 10001\n") && dockerfile.contains("--uid 10001 "));
    assert!(
        compose.contains("/run/clawdbot:uid=10001,gid=10001,mode=0750") && compose.contains("state:/var/lib/clawdbot")
    );
    assert!(dockerfile.contains("STATE_DIRECTORY=/var/lib/clawdbot RUNTIME_DIRECTORY=/run/clawdbot"));
}

#[test]
fn every_variable_of_compose_is_a_key_of_the_configuration() {
    let page = read("docs/reference/config.md");
    let compose = read("deploy/docker/compose.yaml");
    let keys: Vec<String> = compose
        .lines()
        .filter_map(|line| line.trim().strip_prefix("CLAWDBOT__")?.split_once(':'))
        .map(|(key, _)| key.to_ascii_lowercase().replace("__", "."))
        .collect();
    assert_eq!(keys, ["node.name", "mqtt.host"]);
    for key in keys {
        assert!(page.contains(key.split('.').next_back().unwrap()), "docs/reference/config.md knows no {key}");
    }
}

#[test]
fn waiting_ends_with_what_was_missed() {
    let error = wait_for(Duration::ZERO, "Godot", || None::<()>).unwrap_err();
    assert_eq!(error, "Godot did not come within 0 s");
    assert_eq!(wait_for(Duration::ZERO, "x", || Some(7)), Ok(7));
}
