//! What is built for size: never what computes, and never the root package.

use crate::check;
use crate::tree::root;

/// Complaints about levels of optimisation in the release profile of our own packages. Thin LTO optimises every crate again at
/// the root's level: `opt-level = "s"` there halved the speed of the kernels, which are a crate of their own
/// (benches/record: 2026-11-29-398ccee1b1-peers-llm.json).
fn slowed_down(manifest: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut section = "";
    for line in manifest.lines() {
        if line.starts_with('[') {
            section = line;
        }
        let is_ours = section == "[profile.release]" || section.starts_with("[profile.release.package.clawdbot");
        if is_ours && line.starts_with("opt-level") {
            complaints.push(format!("Cargo.toml: {section} {line}: this slows the kernels down"));
        }
    }
    complaints
}

#[test]
fn nothing_of_ours_is_built_for_size() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    assert!(manifest.contains("\n[profile.release]\n"), "the profile has another name, and this test sees nothing");
    check(&slowed_down(&manifest));
}

#[test]
fn a_root_for_size_is_seen() {
    for section in ["[profile.release]", "[profile.release.package.clawdbot]", "[profile.release.package.clawdbot-llm]"]
    {
        assert_eq!(slowed_down(&format!("{section}\nopt-level = \"s\"\n")).len(), 1, "{section}");
    }
    assert!(
        slowed_down("[profile.release]\nlto = \"fat\"\n[profile.release.package.toml]\nopt-level = \"s\"\n").is_empty()
    );
}
