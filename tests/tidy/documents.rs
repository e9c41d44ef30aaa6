//! Pages that must agree with the code or with each other.

use crate::check;
use crate::tree::{files, is_test, read};

/// Longer, and nobody reads it.
const ARCHITECTURE_LINES_MAX: usize = 250;

#[test]
fn cross_reads_the_same_file_under_both_names() {
    assert!(read("Cross.toml") == read("cross.toml"), "Cross.toml and cross.toml differ: copy one over the other");
}

#[test]
fn the_gate_runs_the_readme_s_test_command() {
    let command = test_command(&read("README.md")).expect("README.md has a line that begins with `cargo test`");
    check(&not_run(&command, &read(".ci/run"), &read("xtask/src/check.rs")));
}

#[test]
fn contributing_names_the_packages_that_the_gate_installs() {
    let page = read("CONTRIBUTING.md");
    let named = named_packages(&page).expect("CONTRIBUTING.md has one `apt-get install ...` in backticks");
    assert_eq!(named, gate_packages(&read(".ci/run")), "CONTRIBUTING.md (left) and .ci/run (right) differ");
}

#[test]
fn notice_names_everything_that_came_from_elsewhere() {
    check(&unnamed(&read("NOTICE"), &files()));
}

#[test]
fn the_map_is_short_and_names_what_exists() {
    let map = read("ARCHITECTURE.md");
    let lines = map.lines().count();
    assert!(lines <= ARCHITECTURE_LINES_MAX, "ARCHITECTURE.md has {lines} lines: {ARCHITECTURE_LINES_MAX} at most");
    check(&missing_paths("ARCHITECTURE.md", &map, &files()));
}

#[test]
fn the_other_pages_name_what_exists() {
    for page in ["README.md", "CONTRIBUTING.md", "RELEASE-CHECKLIST.md", "docs/glossary.md"] {
        check(&missing_paths(page, &read(page), &files()));
    }
}

#[test]
fn the_code_names_pages_that_exist() {
    let files = files();
    let mut complaints = Vec::new();
    for path in files.iter().filter(|path| names_pages(path)) {
        complaints.extend(missing_pages(path, &read(path), &files));
    }
    check(&complaints);
}

#[test]
fn every_measured_number_has_its_command() {
    check(&without_command(&read("README.md")));
}

fn test_command(readme: &str) -> Option<String> {
    readme.lines().map(str::trim).find(|line| line.starts_with("cargo test")).map(str::to_owned)
}

/// The gate must have the command as a line of its own, and `cargo xtask check` the same words.
fn not_run(command: &str, gate: &str, check: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    if !gate.lines().any(|line| line.trim().trim_start_matches("step tests ") == command) {
        complaints.push(format!(".ci/run does not run README's `{command}`"));
    }
    let words: Vec<String> = command.split(' ').skip(1).map(|word| format!("\"{word}\"")).collect();
    if !check.contains(&format!("[{}]", words.join(", "))) {
        complaints.push(format!("xtask/src/check.rs does not run README's `{command}`"));
    }
    complaints
}

/// Networks, pictures, clips and fonts that `notice` does not name. What tests carry was made for them.
fn unnamed(notice: &str, files: &[String]) -> Vec<String> {
    let ends = [".safetensors", ".tflite", ".onnx", ".gguf", ".png", ".jpg", ".mjpeg", ".y4m", ".ttf", ".otf"];
    let foreign = files.iter().filter(|path| ends.iter().any(|end| path.ends_with(end)) && !is_test(path));
    let unnamed = foreign.filter(|path| !notice.lines().any(|line| line == path.as_str()));
    unnamed.map(|path| format!("{path}: NOTICE does not say where it comes from and under which licence")).collect()
}

/// The packages behind `apt-get install` in backticks, sorted.
fn named_packages(page: &str) -> Option<Vec<&str>> {
    let mut quoted = page.split('`').skip(1).step_by(2);
    let packages = quoted.find_map(|text| text.strip_prefix("apt-get install "))?;
    let mut packages: Vec<&str> = packages.split_whitespace().collect();
    packages.sort_unstable();
    Some(packages)
}

/// The packages of the gate's `needs=(thing:package ...)`, sorted.
fn gate_packages(gate: &str) -> Vec<&str> {
    let list = gate.split_once("needs=(").and_then(|(_, rest)| rest.split_once(')')).map_or("", |(list, _)| list);
    let mut packages: Vec<&str> =
        list.split_whitespace().filter_map(|need| need.split_once(':')).map(|pair| pair.1).collect();
    packages.sort_unstable();
    packages
}

/// Paths in backticks that lead nowhere. A word counts as a path when it has a `/` and begins like one of ours.
fn missing_paths(page: &str, text: &str, files: &[String]) -> Vec<String> {
    let tops =
        ["src/", "crates/", "kernels/", "xtask/", "tests/", "assets/", "docs/", "deploy/", "systemd/", "benches/"];
    let quoted = text.split('`').skip(1).step_by(2);
    let paths =
        quoted.filter(|word| tops.iter().any(|top| word.starts_with(top)) && !word.contains([' ', '<', '*', '{']));
    let exists = |path: &str| {
        let folder = format!("{}/", path.trim_end_matches('/'));
        files.iter().any(|file| file == path || file.starts_with(&folder))
    };
    paths.filter(|path| !exists(path)).map(|path| format!("{page}: `{path}` does not exist")).collect()
}

fn names_pages(path: &str) -> bool {
    let text = [".rs", ".toml", ".md", ".service", ".conf", "Dockerfile"].iter().any(|end| path.ends_with(end));
    text && path != "tests/tidy/documents.rs"
}

/// Names of pages under `docs/`, wherever they stand in a text, that lead nowhere.
fn missing_pages(path: &str, text: &str, files: &[String]) -> Vec<String> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || "/._-".contains(letter);
    let words = text.split(|letter: char| !is_part(letter));
    let pages = words.filter(|word| word.starts_with("docs/") && word.ends_with(".md"));
    let missing = pages.filter(|page| !files.iter().any(|file| file == page));
    missing.map(|page| format!("{path}: `{page}` does not exist")).collect()
}

/// Rows of the tables under `## Measured` whose last cell holds no command.
fn without_command(readme: &str) -> Vec<String> {
    let section = readme.split("\n## ").find(|section| section.starts_with("Measured")).unwrap_or_default();
    let rows = section.lines().filter(|line| line.starts_with('|') && !line.starts_with("|-")).skip(1);
    let bare = rows.filter(|row| row.trim_end_matches('|').rsplit('|').next().is_none_or(|cell| !cell.contains('`')));
    bare.map(|row| format!("README.md: a number without its command: {row}")).collect()
}

#[test]
fn a_gate_that_runs_something_else_is_a_complaint() {
    let check = "&[\"test\", \"--workspace\", \"--locked\"]";
    let command = "cargo test --workspace --locked";
    assert!(not_run(command, "set -e\nstep tests cargo test --workspace --locked\n", check).is_empty());
    assert_eq!(not_run(command, "cargo test --workspace --locked --release", check).len(), 1);
    assert_eq!(not_run(command, command, "&[\"test\"]").len(), 1);
    assert_eq!(test_command("x\n    cargo test --locked\n").as_deref(), Some("cargo test --locked"));
}

#[test]
fn a_picture_without_an_origin_is_a_complaint() {
    let files = ["assets/a.png", "assets/b.png", "src/x/tests/c.png", "src/x.rs"].map(str::to_owned);
    assert_eq!(unnamed("assets/a.png\n    Mine.\n", &files).len(), 1);
}

#[test]
fn packages_are_read_from_both_places() {
    assert_eq!(named_packages("On Debian: `apt-get install git\ngcc`, then"), Some(vec!["gcc", "git"]));
    assert_eq!(gate_packages("x\nneeds=(\n    cc:gcc\n    git:git\n)\n"), ["gcc", "git"]);
    assert_eq!(gate_packages("nothing"), Vec::<&str>::new());
}

#[test]
fn a_path_that_leads_nowhere_is_a_complaint() {
    let files = ["src/app.rs".to_owned()];
    assert!(missing_paths("x", "see `src/app.rs`, `src/`, `src` and `src/<room>.rs`", &files).is_empty());
    assert_eq!(missing_paths("x", "see `src/attic.rs`", &files).len(), 1);
}

#[test]
fn a_page_that_was_never_written_is_a_complaint() {
    let files = ["docs/guide/a.md".to_owned()];
    assert!(missing_pages("x.rs", "//! See `docs/guide/a.md`, and docs/guide/.", &files).is_empty());
    assert_eq!(missing_pages("x.rs", "//! See (docs/guide/b.md).", &files), ["x.rs: `docs/guide/b.md` does not exist"]);
}

#[test]
fn a_bare_number_is_a_complaint() {
    let readme = "# x\n\n## Measured\n\n| what | how much | command |\n|--|--|--|\n| a | 1 | `x` |\n| b | 2 | |\n\n## y\n| c |\n";
    assert_eq!(without_command(readme).len(), 1);
}
