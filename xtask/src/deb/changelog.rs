//! Debian's changelog out of `changes/`: a file a change, a folder a released version (`changes/README.md`).

use std::cmp::Reverse;
use std::fs;
use std::path::Path;

use super::release::{Release, date};

/// Who signs an entry.
pub(super) const MAINTAINER: &str = "The clawdbot developers <clawdbot@example.org>";
/// A line of Debian's changelog is no longer.
const COLUMNS: usize = 80;
/// A change that needs more letters is two, or belongs into a guide.
const LETTERS_MAX: usize = 400;
/// In a released version's folder: the file with its date.
const RELEASED: &str = "released";

/// One change, as a user reads it.
#[derive(Debug, PartialEq, Eq)]
struct Change {
    number: u32,
    text: String,
}

/// The changelog of `folder` (`changes/`), newest version first. What has no version yet is told under `release`.
pub(super) fn text(folder: &Path, release: &Release) -> Result<String, String> {
    let mut sections = Vec::new();
    let unreleased = changes(folder)?;
    if !unreleased.is_empty() {
        sections.push(section(&release.version, &format!("@{}", release.epoch), &unreleased)?);
    }
    for version in versions(folder)? {
        let inside = folder.join(&version);
        let time = fs::read_to_string(inside.join(RELEASED))
            .map_err(|error| format!("changes/{version}/{RELEASED} with the release's date: {error}"))?;
        sections.push(section(&version, time.trim(), &changes(&inside)?)?);
    }
    if sections.is_empty() {
        return Err("changes/ tells of nothing; changes/README.md says how".to_owned());
    }
    Ok(sections.join("\n"))
}

/// What `version` tells of, by number: the changes in its folder, or before that those which have none yet.
pub(crate) fn newest(folder: &Path, version: &str) -> Result<Vec<String>, String> {
    let released = folder.join(version);
    let told = changes(if released.is_dir() { &released } else { folder })?;
    Ok(told.into_iter().map(|change| change.text).collect())
}

/// Every change in `folder` by number; two of one number, as branches make them, by name.
fn changes(folder: &Path) -> Result<Vec<Change>, String> {
    let mut changes = Vec::new();
    for name in names(folder)? {
        if name == "README.md" || !name.ends_with(".md") {
            continue;
        }
        let text =
            fs::read_to_string(folder.join(&name)).map_err(|error| format!("cannot read changes/{name}: {error}"))?;
        changes.push(change(&name, &text).map_err(|reason| format!("changes/{name}: {reason}"))?);
    }
    changes.sort_by_key(|change| change.number);
    Ok(changes)
}

/// A fragment's number from its name, and its text in one line.
fn change(name: &str, text: &str) -> Result<Change, String> {
    let number = name.split_once('-').and_then(|(number, _)| number.parse().ok());
    let number = number.ok_or("the name is not NUMBER-what-it-is.md")?;
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = words.join(" ");
    if text.is_empty() || text.starts_with(['#', '-', '*']) || !text.ends_with('.') {
        return Err("is not one paragraph of plain sentences".to_owned());
    }
    if text.chars().count() > LETTERS_MAX {
        return Err(format!("is longer than {LETTERS_MAX} letters: what matters to a user is shorter"));
    }
    Ok(Change { number, text })
}

/// The released versions, newest first.
fn versions(folder: &Path) -> Result<Vec<String>, String> {
    let mut versions: Vec<String> = names(folder)?.into_iter().filter(|name| folder.join(name).is_dir()).collect();
    versions.sort_by_key(|version| {
        let numbers: Vec<u32> = version.split('.').map(|number| number.parse().unwrap_or_default()).collect();
        Reverse(numbers)
    });
    Ok(versions)
}

fn names(folder: &Path) -> Result<Vec<String>, String> {
    let entries = fs::read_dir(folder).map_err(|error| format!("cannot list {}: {error}", folder.display()))?;
    let mut names: Vec<String> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    Ok(names)
}

fn section(version: &str, time: &str, changes: &[Change]) -> Result<String, String> {
    let mut text = format!("clawdbot ({version}) unstable; urgency=medium\n\n");
    for change in changes {
        text += &bullet(&change.text);
    }
    text += &format!("\n -- {MAINTAINER}  {}\n", date(time, "+%a, %d %b %Y %T %z")?);
    Ok(text)
}

/// `  * ` and the text, wrapped.
fn bullet(text: &str) -> String {
    let mut lines = String::new();
    let mut line = "  *".to_owned();
    for word in text.split(' ') {
        if line.chars().count() + 1 + word.chars().count() > COLUMNS {
            lines += &format!("{line}\n");
            line = "   ".to_owned();
        }
        line = format!("{line} {word}");
    }
    lines + &line + "\n"
}

#[cfg(test)]
mod tests;
