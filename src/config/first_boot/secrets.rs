//! The passwords of a file, by the table of keys: found, replaced, and recognised when they were replaced before.

use std::ops::Range;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::super::document::line_of;
use super::super::key::Kind;
use super::super::problem::Problem;
use super::{at, section};

/// What stands in a secret's place, as often as it takes.
const FILLER: char = '*';

/// The text with every secret replaced, each byte by one; still the same TOML. A text that is no TOML has none.
pub(crate) fn without_secrets(text: &str) -> String {
    let Ok(parsed) = DeTable::parse(text) else { return text.to_owned() };
    let mut changed = text.to_owned();
    for (_, span, _) in secrets(parsed.get_ref()) {
        let inside = span.len().saturating_sub(2);
        changed.replace_range(span, &format!("\"{}\"", FILLER.to_string().repeat(inside)));
    }
    changed
}

/// Secrets that were replaced in a file that was taken before.
pub(super) fn placeholders(text: &str, path: &Path, parsed: &DeTable<'_>) -> Vec<Problem> {
    let is_filler = |value: &str| !value.is_empty() && value.chars().all(|letter| letter == FILLER);
    let message = "these asterisks took the password's place when the file was last used; write the password itself";
    let found = secrets(parsed).into_iter().filter(|(.., value)| is_filler(value));
    found.map(|(key, span, _)| at(path, line_of(text, span.start), &key, message.to_owned())).collect()
}

/// Every secret that is a text: its key, its place with its quotation marks, its value.
fn secrets(parsed: &DeTable<'_>) -> Vec<(String, Range<usize>, String)> {
    let mut found = Vec::new();
    for (name, value) in parsed {
        collect(name.get_ref(), value.get_ref(), &mut found);
    }
    found
}

fn collect(path: &str, value: &DeValue<'_>, found: &mut Vec<(String, Range<usize>, String)>) {
    match value {
        DeValue::Array(entries) => entries.iter().for_each(|entry| collect(path, entry.get_ref(), found)),
        DeValue::Table(keys) => {
            for (name, value) in keys {
                let key = format!("{path}.{}", name.get_ref());
                match value.get_ref() {
                    DeValue::String(text) if is_secret(path, name.get_ref()) => {
                        found.push((key, value.span(), text.to_string()));
                    }
                    inner => collect(&key, inner, found),
                }
            }
        }
        _ => {}
    }
}

fn is_secret(path: &str, name: &str) -> bool {
    let keys = section(path).map_or(&[][..], |section| section.keys);
    keys.iter().any(|key| key.name == name && matches!(key.kind, Kind::Secret))
}
