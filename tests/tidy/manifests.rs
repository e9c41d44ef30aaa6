//! What cargo knows: the edges between crates, inherited lints, and the copies of clippy's configuration.

use std::process::Command;

use serde_json::Value;

use crate::check;
use crate::tree::{files, read, root};

/// Every package of the workspace and its floor. A package sees lower floors only; those of one floor do not see each
/// other.
const FLOORS: &[(&str, u8)] = &[
    ("clawdbot", 4),
    ("xtask", 4),
    ("clawdbot-convert", 3),
    ("clawdbot-eval", 3),
    ("clawdbot-llm", 2),
    ("clawdbot-vision", 2),
    ("clawdbot-nn", 1),
    ("clawdbot-flow", 0),
    ("clawdbot-kernels", 0),
    ("v4l2-sys-mit", 0),
];
/// Packages that do no I/O and read no clock: a stricter clippy.toml, and no `unsafe`.
const PURE: &[&str] = &["crates/flow", "crates/llm", "crates/vision"];
/// Manifests that do not inherit the workspace's lints.
const WITHOUT_LINTS: &[(&str, &str)] = &[
    ("benches/peers/tract/Cargo.toml", "a workspace of its own"),
    ("crates/v4l2-sys/Cargo.toml", "machine-made code"),
];
/// The modules of `crates/flow`. A new one needs a decision record, or flow becomes a lumber room.
const FLOW: &[&str] = &[
    "answer",
    "clock",
    "command",
    "counters",
    "detection",
    "event",
    "frame",
    "limits",
    "question",
    "queue",
    "reading",
    "rooted",
];

#[test]
fn crates_see_lower_floors_only() {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let arguments = ["metadata", "--format-version", "1", "--no-deps", "--offline", "--locked"];
    let output = Command::new(cargo).args(arguments).current_dir(root()).output().expect("cargo metadata runs");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON");
    check(&climbing(&metadata));
}

#[test]
fn every_member_inherits_the_lints() {
    let manifests = files().into_iter().filter(|path| path.ends_with("Cargo.toml"));
    let without: Vec<String> = manifests.filter(|path| !inherits_lints(&read(path))).collect();
    let listed: Vec<&str> = WITHOUT_LINTS.iter().map(|(path, _)| *path).collect();
    assert_eq!(without, listed, "manifests without `[lints] workspace = true`");
}

#[test]
fn pure_crates_share_one_strict_clippy_toml() {
    let common = read("clippy.toml");
    let first = read(&format!("{}/clippy.toml", PURE[0]));
    assert_eq!(missing_lines(&common, &first), Vec::<String>::new(), "clippy reads the nearest file only");
    for package in PURE {
        assert_eq!(read(&format!("{package}/clippy.toml")), first, "{package}/clippy.toml is another than the first");
        let library = read(&format!("{package}/src/lib.rs"));
        assert!(library.contains("#![forbid(unsafe_code)]"), "{package}: a pure crate forbids unsafe code");
    }
}

#[test]
fn flow_has_the_listed_modules() {
    assert_eq!(modules(&read("crates/flow/src/lib.rs")), FLOW, "a new module of flow needs a decision record");
}

fn climbing(metadata: &Value) -> Vec<String> {
    let floor = |name: &str| FLOORS.iter().find(|(known, _)| *known == name).map(|(_, floor)| *floor);
    let packages = list(metadata, "packages");
    let mut complaints = Vec::new();
    for package in packages {
        let name = text(package, "name");
        let Some(own) = floor(name) else {
            complaints.push(format!("package {name} has no floor: give it one in tests/tidy/manifests.rs"));
            continue;
        };
        for dependency in list(package, "dependencies") {
            let other = text(dependency, "name");
            if floor(other).is_some_and(|other| other >= own) {
                complaints.push(format!("package {name} depends on {other}, which is not on a lower floor"));
            }
        }
    }
    if packages.is_empty() {
        complaints.push("cargo metadata names no package".to_owned());
    }
    complaints
}

fn list<'a>(value: &'a Value, member: &str) -> &'a [Value] {
    value.get(member).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value.get(member).and_then(Value::as_str).unwrap_or_default()
}

fn inherits_lints(manifest: &str) -> bool {
    manifest.split("[lints]").nth(1).is_some_and(|rest| rest.trim_start().starts_with("workspace = true"))
}

/// The lines of `common` that `copy` lacks; comments do not count.
fn missing_lines(common: &str, copy: &str) -> Vec<String> {
    let wanted = common.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    wanted.filter(|line| !copy.lines().any(|other| other == *line)).map(str::to_owned).collect()
}

fn modules(library: &str) -> Vec<&str> {
    library.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect()
}

#[cfg(test)]
fn metadata(name: &str, dependency: &str) -> Value {
    serde_json::json!({"packages": [{"name": name, "dependencies": [{"name": dependency}, {"name": "serde"}]}]})
}

#[test]
fn an_edge_upwards_or_beside_is_a_complaint() {
    assert_eq!(climbing(&metadata("clawdbot-nn", "clawdbot-vision")).len(), 1);
    assert_eq!(climbing(&metadata("clawdbot-convert", "clawdbot-eval")).len(), 1);
    assert_eq!(climbing(&metadata("clawdbot-attic", "serde")).len(), 1);
    assert!(climbing(&metadata("clawdbot-vision", "clawdbot-nn")).is_empty());
    assert_eq!(climbing(&Value::Null).len(), 1);
}

#[test]
fn lints_that_are_not_inherited_are_seen() {
    assert!(inherits_lints("[package]\n[lints]\nworkspace = true\n"));
    assert!(!inherits_lints("[package]\n[dependencies]\n") && !inherits_lints("[lints]\nrust.x = 1"));
}

#[test]
fn a_line_that_a_copy_lost_is_seen() {
    assert_eq!(missing_lines("# a\nx = 1\ny = 2\n", "x = 1\nz = 3\n"), ["y = 2"]);
}

#[test]
fn modules_are_read_in_order() {
    assert_eq!(modules("//! x\npub mod a;\nmod private;\npub mod b;\n"), ["a", "b"]);
}
