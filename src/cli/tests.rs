//! What the pages for users show must be understood: every command by clap, every configuration by `check-config`.

use std::path::Path;

use clap::Parser as _;
use clawdbot_flow::rooted::Root;

use super::Cli;
use crate::config::{Config, Environment, Secrets};

fn page(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name)).unwrap()
}

/// Every guide, by its path below `docs/`.
fn guides() -> Vec<String> {
    let folder = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guide")).unwrap();
    folder.map(|entry| format!("guide/{}", entry.unwrap().file_name().into_string().unwrap())).collect()
}

/// The page's code blocks: their language, and their text with continued lines joined.
fn blocks(page: &str) -> Vec<(&str, String)> {
    let blocks = page.split("```").skip(1).step_by(2);
    blocks
        .filter_map(|block| block.split_once('\n'))
        .map(|(language, text)| (language, text.replace("\\\n", " ")))
        .collect()
}

/// Lines of the page's code blocks that call us.
fn commands(page: &str) -> Vec<String> {
    let lines: Vec<String> =
        blocks(page).iter().flat_map(|(_, text)| text.lines()).map(|line| ours(line).to_owned()).collect();
    lines.into_iter().filter(|line| line.starts_with("clawdbot ")).collect()
}

/// The same of what stands in backticks in its prose.
fn quoted(page: &str) -> Vec<String> {
    let prose = page.split("```").step_by(2).collect::<String>();
    let quoted = prose.split('`').skip(1).step_by(2).map(|text| ours(text).to_owned()).collect::<Vec<String>>();
    quoted.into_iter().filter(|text| text.starts_with("clawdbot ") && !text.contains('\n')).collect()
}

fn ours(line: &str) -> &str {
    line.trim().trim_start_matches("sudo ").trim_start_matches("docker exec clawdbot ")
}

/// The words of a command as a shell would cut them, up to a pipe or `&`.
fn words(command: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for letter in command.chars() {
        match (quote, letter) {
            (Some(open), letter) if letter == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, '|' | '&' | '#') if word.is_none() => return words,
            (None, letter) if letter.is_whitespace() => words.extend(word.take()),
            (_, letter) => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

fn check(page: &str, commands: &[String]) {
    for command in commands {
        if let Err(error) = Cli::try_parse_from(words(command)) {
            panic!("docs/{page}: `{command}`: {error}");
        }
    }
}

#[test]
fn every_command_of_every_guide_is_one() {
    let mut guides = guides();
    guides.push("reference/pull.md".to_owned());
    let count = |guide: &String| {
        let commands = commands(&page(guide));
        check(guide, &commands);
        commands.len()
    };
    let all: usize = guides.iter().map(count).sum();
    assert!(guides.len() >= 5 && all >= 20, "{all} commands in {guides:?}");
}

#[test]
fn every_command_of_these_pages_is_one_in_prose_too() {
    for name in ["guide/troubleshooting.md", "reference/doctor.md"] {
        let page = page(name);
        let commands = [commands(&page), quoted(&page)].concat();
        assert!(commands.len() > 3, "{commands:?}");
        check(name, &commands);
    }
}

#[test]
fn the_configuration_of_the_language_model_s_guide_is_one() {
    let page = page("guide/own-language-model.md");
    let blocks = blocks(&page);
    let shown: Vec<&String> = blocks.iter().filter(|(language, _)| *language == "toml").map(|(_, text)| text).collect();
    let [text] = shown[..] else { panic!("{shown:?}") };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clawdbot.toml");
    std::fs::write(&path, text).unwrap();
    let load = || Config::load(Some(&path), &Environment::default(), &Root::default(), Secrets::Probe);
    assert_eq!(load().unwrap().llm.unwrap().tasks.len(), 1);
    std::fs::write(&path, text.replace("labels", "lables")).unwrap();
    assert!(load().is_err());
}

#[test]
fn a_command_that_is_none_is_seen() {
    let shown = "a `clawdbot x` b\n```\nsudo clawdbot y \\\n  z\nls\n```\n";
    assert_eq!((commands(shown), quoted(shown)), (vec!["clawdbot y    z".to_owned()], vec!["clawdbot x".to_owned()]));
    assert_eq!(words("a 'b \"c' \"\" d\"e f\" | g"), ["a", "b \"c", "", "de f"]);
    assert!(Cli::try_parse_from(words("clawdbot doctor --cure")).is_err());
}
