//! `cargo xtask ...` on the pages: every command that a page names exists, with its options, and CONTRIBUTING.md names all.

use crate::check;
use crate::tree::{files, read};

/// Pages whose commands people type.
fn is_page(path: &str) -> bool {
    path.ends_with(".md") && !path.starts_with("changes/") && !path.starts_with("docs/decisions/")
}

#[test]
fn pages_name_commands_that_exist() {
    let files = files();
    let names = subcommands(&read("xtask/src/main.rs"));
    let sources: Vec<String> = files
        .iter()
        .filter(|path| path.starts_with("xtask/src/") && path.ends_with(".rs"))
        .map(|path| read(path))
        .collect();
    let mut complaints = Vec::new();
    for path in files.iter().filter(|path| is_page(path)) {
        complaints.extend(unknown(path, &read(path), &names, &sources.concat()));
    }
    check(&complaints);
}

#[test]
fn contributing_names_every_command() {
    let page = read("CONTRIBUTING.md");
    let named: Vec<&str> = commands(&page).into_iter().filter_map(|words| words.first().copied()).collect();
    let names = subcommands(&read("xtask/src/main.rs"));
    let missing = names.iter().filter(|name| !named.contains(&name.as_str()));
    check(&missing.map(|name| format!("CONTRIBUTING.md does not name `cargo xtask {name}`")).collect::<Vec<_>>());
}

#[test]
fn the_release_checklist_is_read() {
    let commands = read("RELEASE-CHECKLIST.md");
    assert!(self::commands(&commands).len() >= 10, "the checklist's commands are not found");
}

/// The names in lines such as `Subcommand { name: "check", ...`.
fn subcommands(main: &str) -> Vec<String> {
    let entries = main.split("Subcommand { name: \"").skip(1);
    entries.filter_map(|entry| entry.split('"').next().map(str::to_owned)).collect()
}

/// The words behind each `cargo xtask`, up to the end of the line, the quote, or a comment.
fn commands(page: &str) -> Vec<Vec<&str>> {
    let rest = page.split("cargo xtask").skip(1);
    let lines = rest.map(|rest| rest.split(['\n', '`', '#', '|', '&', ';']).next().unwrap_or_default());
    let words = lines.map(|line| line.split_whitespace().collect::<Vec<_>>());
    words.filter(|words| words.first().is_some_and(|word| !word.starts_with(['<', '.']))).collect()
}

/// Commands and options of a page that xtask does not know. An option is known when its name stands in quotes in a source.
fn unknown(page: &str, text: &str, names: &[String], sources: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    for words in commands(text) {
        let shown = words.join(" ");
        let clean = |word: &str| word.trim_end_matches([',', '.', ':', ')']).to_owned();
        if !names.contains(&clean(words[0])) {
            complaints.push(format!("{page}: there is no `cargo xtask {shown}`"));
        }
        let options = words.iter().filter(|word| word.starts_with("--")).map(|word| clean(word));
        for option in options.filter(|option| !sources.contains(&format!("\"{option}\""))) {
            complaints.push(format!("{page}: xtask does not know {option} of `cargo xtask {shown}`"));
        }
    }
    complaints
}

#[test]
fn a_command_or_option_that_does_not_exist_is_a_complaint() {
    let names = subcommands(r#"Subcommand { name: "deb", summary: "x" }, Subcommand { name: "vm", summary: "y" }"#);
    assert_eq!(names, ["deb", "vm"]);
    let find = |page: &str| unknown("x.md", page, &names, r#"match name { "--arch" => 1 }"#);
    assert!(find("`cargo xtask deb --arch arm64`, then\ncargo xtask vm # boots it\n").is_empty());
    assert_eq!(find("run `cargo xtask debian`").len(), 1);
    assert_eq!(find("cargo xtask deb --fast now").len(), 1);
}
