//! How often a classifier's best guess, or one of its five best, is right.

use std::collections::HashMap;

use serde::Serialize;

#[cfg(test)]
mod tests;

/// How many guesses the wider figure allows.
pub const WIDE: usize = 5;

/// Why there is nothing to compare with.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TruthError {
    /// A line that is no pair.
    #[error("line {line} of the truth is `{text}`; each line must be a picture's file name, a tab and its label")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What stands there.
        text: String,
    },
    /// A label that the model does not know.
    #[error("`{picture}` is said to show \"{label}\", which is no label of the model; it has {known}")]
    UnknownLabel {
        /// The picture.
        picture: String,
        /// What it should show.
        label: String,
        /// The first labels of the model.
        known: String,
    },
    /// A file name that leads elsewhere.
    #[error("line {line} of the truth names `{name}`, which leads out of the folder of pictures; use plain names")]
    FileName {
        /// Counted from 1.
        line: usize,
        /// The name.
        name: String,
    },
    /// No pictures.
    #[error("there is no picture to compare; give some")]
    Nothing,
}

/// A picture and what it shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labelled {
    /// Relative to the folder of pictures.
    pub picture: String,
    /// Index into the model's labels.
    pub label: u16,
}

/// Reads lines of a file name, a tab and a label; empty lines count for nothing.
///
/// # Errors
/// When a line is none, a label is unknown, or there is no line.
pub fn parse_truth(text: &str, labels: &[String]) -> Result<Vec<Labelled>, TruthError> {
    let mut pairs = Vec::new();
    for (line, text) in (1..).zip(text.lines()).filter(|(_, text)| !text.trim().is_empty()) {
        let pair = text.split_once('\t').map(|(picture, label)| (picture.trim().to_owned(), label.trim().to_owned()));
        let pair = pair.ok_or_else(|| TruthError::Line { line, text: text.to_owned() })?;
        if !crate::coco::stays_inside(&pair.0) {
            return Err(TruthError::FileName { line, name: pair.0 });
        }
        pairs.push(pair);
    }
    resolve(pairs, labels)
}

/// Pairs of file names and label names as the model counts its labels; a name is known whatever its case.
///
/// # Errors
/// When a label is unknown, or there is no pair.
pub fn resolve(pairs: Vec<(String, String)>, labels: &[String]) -> Result<Vec<Labelled>, TruthError> {
    let mut index: HashMap<String, u16> = HashMap::new();
    for (at, label) in (0_u16..).zip(labels) {
        // Of two labels of one name (ImageNet has some) the first is meant.
        index.entry(label.to_lowercase()).or_insert(at);
    }
    if pairs.is_empty() {
        return Err(TruthError::Nothing);
    }
    let known = || {
        let shown = labels.iter().take(10).map(String::as_str).collect::<Vec<_>>().join(", ");
        if labels.len() > 10 { format!("{shown} and {} more", labels.len() - 10) } else { shown }
    };
    pairs
        .into_iter()
        .map(|(picture, label)| match index.get(&label.to_lowercase()) {
            Some(&label) => Ok(Labelled { picture, label }),
            None => Err(TruthError::UnknownLabel { picture, label, known: known() }),
        })
        .collect()
}

/// What came out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TopK {
    /// Pictures that were looked at.
    pub pictures: usize,
    /// Of these, how often the first guess was right.
    pub first: usize,
    /// How often one of the first five was.
    pub wide: usize,
}

impl TopK {
    /// Takes a picture in: its label, and the model's guesses, best first.
    pub fn add(&mut self, label: u16, guesses: impl IntoIterator<Item = u16>) {
        let place = guesses.into_iter().take(WIDE).position(|guess| guess == label);
        self.pictures += 1;
        self.first += usize::from(place == Some(0));
        self.wide += usize::from(place.is_some());
    }

    /// `count` of all pictures as a share; 0 of none.
    #[must_use]
    pub fn share(&self, count: usize) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "nobody has 2^52 pictures")]
        let share = count as f64 / self.pictures.max(1) as f64;
        share
    }
}
