//! How long files and functions may be, and that every module says what it is for.

use crate::check;
use crate::source::code_only;
use crate::tree::{files, is_test, root, sources};

/// No file is longer, save those below.
const FILE_LINES_MAX: usize = 600;
/// Longer files, with their length when they were let in and why: they may shrink, not grow.
const LONG_FILES: &[(&str, usize, &str)] = &[("crates/v4l2-sys/src/bindings.rs", 3218, "bindgen's output, checked in")];
/// No function is longer, from its `fn` to its closing brace, save those below.
const FUNCTION_LINES_MAX: usize = 70;
/// Longer functions, with file, name and length: they may shrink, not grow. Nothing is split by force.
const LONG_FUNCTIONS: &[(&str, &str, usize)] = &[];
/// No file in the repository is larger: history keeps it for ever.
const BLOB_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// What the bundled default (network and clip) may weigh together.
const DEFAULT_BYTES_MAX: u64 = 9_000_000;

#[test]
fn every_module_opens_with_what_it_is_for() {
    check(&without_documentation(&sources()));
}

#[test]
fn no_file_is_too_long() {
    check(&long_files(&sources(), LONG_FILES));
}

#[test]
fn no_function_is_too_long() {
    check(&long_functions(&sources(), LONG_FUNCTIONS));
}

#[test]
fn no_blob_is_too_large() {
    let size = |path: &String| root().join(path).metadata().map_or(0, |metadata| metadata.len());
    let large = files().into_iter().filter(|path| size(path) > BLOB_BYTES_MAX);
    check(&large.map(|path| format!("{path}: larger than {BLOB_BYTES_MAX} bytes")).collect::<Vec<_>>());

    let is_default = |path: &String| path.starts_with("assets/") && !path.ends_with(".png");
    let default: u64 = files().iter().filter(|path| is_default(path)).map(size).sum();
    assert!(default < DEFAULT_BYTES_MAX, "assets/: network and clip have {default} bytes together");
}

/// A file of tests is explained by what it tests; every other module explains itself.
fn without_documentation(sources: &[(String, String)]) -> Vec<String> {
    let silent = sources
        .iter()
        .filter(|(path, text)| !is_test(path) && !path.ends_with("/bindings.rs") && !text.starts_with("//!"));
    silent.map(|(path, _)| format!("{path}: does not open with `//!`: say what the module is for")).collect()
}

fn long_files(sources: &[(String, String)], listed: &[(&str, usize, &str)]) -> Vec<String> {
    let mut complaints = Vec::new();
    for (path, text) in sources {
        let lines = text.lines().count();
        let allowed = listed.iter().find(|(known, ..)| known == path).map_or(FILE_LINES_MAX, |entry| entry.1);
        if lines > allowed {
            complaints.push(format!("{path}: {lines} lines, but {allowed} are the most: split it by what it holds"));
        }
    }
    for (known, ..) in listed {
        let lines = sources.iter().find(|(path, _)| path == known).map_or(0, |(_, text)| text.lines().count());
        if lines <= FILE_LINES_MAX {
            complaints.push(format!("{known}: short enough now; take it off tests/tidy/sizes.rs"));
        }
    }
    complaints
}

fn long_functions(sources: &[(String, String)], listed: &[(&str, &str, usize)]) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut seen = vec![0_usize; listed.len()];
    for (path, text) in sources {
        for (name, lines) in functions(&code_only(text)) {
            let entry = listed.iter().position(|(file, function, _)| file == path && *function == name);
            if let Some(entry) = entry {
                seen[entry] = seen[entry].max(lines);
            }
            let allowed = entry.map_or(FUNCTION_LINES_MAX, |entry| listed[entry].2);
            if lines > allowed {
                complaints.push(format!("{path}: fn {name} has {lines} lines, but {allowed} are the most"));
            }
        }
    }
    for ((file, name, allowed), lines) in listed.iter().zip(seen) {
        if lines < *allowed {
            complaints.push(format!("{file}: fn {name} has {lines} lines now: bring tests/tidy/sizes.rs down to that"));
        }
    }
    complaints
}

/// Name and length in lines of every function with a body in `code`, which has no comments and strings.
fn functions(code: &str) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_') {
            continue;
        }
        let name: String =
            code[at + 3..].chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
        if let (false, Some(length)) = (name.is_empty(), body_end(&code[at..])) {
            found.push((name, code[at..at + length].lines().count()));
        }
    }
    found
}

/// Where the function at the start of `code` ends, behind its closing brace; `None` for a declaration.
fn body_end(code: &str) -> Option<usize> {
    let mut inside = 0_usize;
    let mut depth = 0_usize;
    for (at, letter) in code.char_indices() {
        match letter {
            '(' | '[' if depth == 0 => inside += 1,
            ')' | ']' if depth == 0 => inside = inside.checked_sub(1)?,
            ';' if depth == 0 && inside == 0 => return None,
            '{' => depth += 1,
            '}' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 && inside == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
fn file(path: &str, text: &str) -> (String, String) {
    (path.to_owned(), text.to_owned())
}

#[test]
fn a_silent_module_is_a_complaint() {
    let sources = [file("src/a.rs", "fn f() {}"), file("src/b.rs", "//! B.\n"), file("src/b/tests.rs", "fn t() {}")];
    assert_eq!(without_documentation(&sources).len(), 1);
}

#[test]
fn a_long_file_is_a_complaint_and_so_is_a_stale_exception() {
    let long = [file("a.rs", &"x\n".repeat(601)), file("b.rs", "x\n")];
    assert_eq!(long_files(&long, &[]).len(), 1);
    assert!(long_files(&long, &[("a.rs", 601, "")]).is_empty());
    assert_eq!(long_files(&long, &[("a.rs", 600, "")]).len(), 1);
    assert_eq!(long_files(&long, &[("a.rs", 601, ""), ("b.rs", 700, "")]).len(), 1);
}

#[test]
fn a_long_function_is_a_complaint_and_a_shrunk_exception_too() {
    let body = "    x();\n".repeat(70);
    let long = [file("a.rs", &format!("fn short() {{}}\npub fn long(a: [u8; 3]) -> u8\nwhere\n{{\n{body}}}\n"))];
    assert_eq!(functions(&long[0].1), [("short".to_owned(), 1), ("long".to_owned(), 74)]);
    assert_eq!(long_functions(&long, &[]).len(), 1);
    assert!(long_functions(&long, &[("a.rs", "long", 74)]).is_empty());
    assert_eq!(long_functions(&long, &[("a.rs", "long", 80)]).len(), 1);
}

#[test]
fn declarations_and_pointers_are_no_functions_with_a_body() {
    assert!(functions("trait T { fn f(&self); }\nstruct S { run: fn(u8) -> u8 }").is_empty());
}
