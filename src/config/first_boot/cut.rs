//! Where `[board]` stands in the text.

use std::ops::Range;

use toml::de::DeValue;

/// From the line of the section's header to the line of the next one; `None` when it has no header of its own.
/// `name` is where its name begins.
pub(super) fn range(text: &str, name: usize, section: &DeValue<'_>) -> Option<Range<usize>> {
    let DeValue::Table(keys) = section else { return None };
    let start = text[..name].rfind('\n').map_or(0, |at| at + 1);
    let before = text[start..name].trim_start_matches('\u{feff}').trim_start();
    // `[board]`, and neither `board.hostname = ..`, `board = {..}` nor `[[board]]`.
    if before.trim_end() != "[" {
        return None;
    }
    let values: Vec<Range<usize>> = keys.iter().map(|(_, value)| value.span()).collect();
    let first_line = text[start..].find('\n').map_or(text.len(), |at| start + at + 1);
    let mut at = first_line;
    // Comments right above the next header are about that one.
    let mut comments = None;
    for line in text[first_line..].split_inclusive('\n') {
        let code = line.trim_start();
        let bracket = at + (line.len() - code.len());
        // A line of a value may begin with a bracket too.
        let is_inside = values.iter().any(|value| value.contains(&bracket));
        if code.starts_with('[') && !is_inside {
            return Some(start..comments.unwrap_or(at));
        }
        comments = code.starts_with('#').then(|| comments.unwrap_or(at));
        at += line.len();
    }
    Some(start..text.len())
}
