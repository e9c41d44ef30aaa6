//! The file on a card's boot partition: the daemon's configuration with one section more, `[board]`, about the machine.
//!
//! The daemon's part is checked by what checks every configuration, at the lines where it stands; `[board]` is held
//! against a table of keys of the same kind. Nothing is taken of a file with a problem.

mod board;
mod cut;
mod secrets;

use std::path::Path;

use clawdbot_flow::rooted::Root;
use toml::de::{DeTable, DeValue};

use super::document::{self, line_of};
use super::key::Section;
use super::problem::{Problem, Problems};
use super::raw::SECTIONS;
use super::{Config, Environment, Secrets, reference};
use crate::first_boot::Settings;

pub(crate) use self::secrets::without_secrets;

/// Reads and checks the file. `root` is the system that will be set up.
///
/// # Errors
/// All problems at once.
pub(crate) fn read(path: &Path, root: &Root) -> Result<Settings, Problems> {
    let text = document::read(path)?;
    // What an environment overrides holds for a process, not for the board.
    let environment = Environment::default();
    let check = |text: &str| Config::of_text(text, Some(path), &environment, root, Secrets::Probe).err();
    let (parsed, errors) = DeTable::parse_recoverable(&text);
    let parsed = parsed.get_ref();
    if !errors.is_empty() {
        // Without its syntax a file has no sections that could be told apart; the check says where it breaks off.
        return Err(check(&text).unwrap_or_else(|| Problems(vec![at(path, 1, "", "this is no TOML".to_owned())])));
    }
    let mut problems = secrets::placeholders(&text, path, parsed);
    let mut settings = Settings::default();
    let mut rest = text.clone();
    let mut daemon = text.clone();
    if let Some((name, value)) = parsed.iter().find(|(name, _)| name.get_ref() == board::SECTION.name) {
        let line = line_of(&text, name.span().start);
        match (value.get_ref(), cut::range(&text, name.span().start, value.get_ref())) {
            (DeValue::Table(keys), Some(range)) => {
                settings = board::settings(&text, path, keys, root, &mut problems);
                // The daemon's lines keep their numbers in messages.
                let breaks = "\n".repeat(text[range.clone()].matches('\n').count());
                rest.replace_range(range.clone(), &breaks);
                daemon.replace_range(range, "");
            }
            _ => problems.push(at(
                path,
                line,
                "board",
                "write [board] on a line of its own, and its keys below".to_owned(),
            )),
        }
    }
    // With [board] alone, the configuration that is there stays.
    if parsed.iter().any(|(name, _)| name.get_ref() != board::SECTION.name) {
        problems.extend(check(&rest).map(|problems| problems.0).unwrap_or_default());
        settings.daemon = Some(format!("{}\n", daemon.trim()));
    }
    if problems.is_empty() { Ok(settings) } else { Err(Problems(problems)) }
}

/// An example to start from: `[board]`, then the daemon's commented default file.
pub(crate) fn example() -> String {
    format!("{}\n{}", reference::board_section(&board::SECTION), reference::default_file())
}

fn at(path: &Path, line: usize, key: &str, message: String) -> Problem {
    Problem { place: Some(format!("{}:{line}", path.display())), key: key.to_owned(), message }
}

/// The section of this name, of the daemon's or `[board]`.
fn section(name: &str) -> Option<&'static Section> {
    SECTIONS.iter().chain([&board::SECTION]).find(|section| section.name == name)
}

#[cfg(test)]
mod tests;
