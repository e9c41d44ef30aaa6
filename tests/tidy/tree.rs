//! The repository's files, as they lie on the disk.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders that are no part of the project, wherever they lie.
const SKIPPED: [&str; 3] = [".git", "target", "node_modules"];

/// The repository's root folder.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The text of a file below the root; a missing one is a failed test that names it.
#[track_caller]
pub(crate) fn read(path: &str) -> String {
    match fs::read_to_string(root().join(path)) {
        Ok(text) => text,
        Err(error) => panic!("cannot read {path}: {error}"),
    }
}

/// Every file below the root, with `/` between the parts of its path, sorted.
pub(crate) fn files() -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root().join(&folder)).expect("a folder that can be listed").flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = folder.join(&name);
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && !SKIPPED.contains(&name.as_str()) => folders.push(path),
                Ok(kind) if kind.is_file() => found.push(path.to_string_lossy().replace('\\', "/")),
                _ => {}
            }
        }
    }
    found.sort();
    found
}

/// Every Rust file: its path and its text.
pub(crate) fn sources() -> Vec<(String, String)> {
    let rust = files().into_iter().filter(|path| Path::new(path).extension().is_some_and(|found| found == "rs"));
    rust.map(|path| (path.clone(), read(&path))).collect()
}

/// Whether the file is a test, by its name or its folder: what it may do is wider.
pub(crate) fn is_test(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/") || path.starts_with("tests/")
}

#[test]
fn tests_are_known_by_their_place() {
    assert!(is_test("src/mqtt/topics/tests.rs") && is_test("src/a/tests/b.rs") && is_test("tests/it/main.rs"));
    assert!(!is_test("src/mqtt/topics.rs") && !is_test("src/contests.rs"));
}

#[test]
fn the_tree_holds_this_file_and_no_built_one() {
    let files = files();
    assert!(files.iter().any(|path| path == "tests/tidy/tree.rs"));
    assert!(!files.iter().any(|path| path.starts_with("target/") || path.starts_with(".git/")));
}
