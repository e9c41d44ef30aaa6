//! Stop strings over streamed text: an answer ends where one of them does, though it arrive in pieces.
//!
//! The rule does not depend on how the text is cut: the stop string that is complete first ends the answer; of several
//! that are complete at the same character, the longest. What stands before it is released, it itself is not. Text that
//! may still become a stop string is held back until the next characters decide.
//!
//! Cost a character: the lengths of all stop strings together. Memory: the longest stop string and one piece.

#[cfg(test)]
mod tests;

/// Stop strings at most: each costs a comparison a character.
pub const STOP_STRINGS_MAX: usize = 16;
/// Bytes of a stop string at most: so much text may be held back.
pub const STOP_STRING_BYTES_MAX: usize = 256;

/// Why a list of stop strings is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StopError {
    /// More than [`STOP_STRINGS_MAX`].
    #[error("{0} stop strings, but {STOP_STRINGS_MAX} are the most; leave some out")]
    TooMany(usize),
    /// It would end every answer before its first character.
    #[error("stop string {0} (from 0) is empty and would end every answer at once; leave it out")]
    Empty(usize),
    /// Longer than [`STOP_STRING_BYTES_MAX`].
    #[error("stop string {index} (from 0) has {bytes} bytes, but {STOP_STRING_BYTES_MAX} are the most; shorten it")]
    TooLong {
        /// Its place in the list.
        index: usize,
        /// Its length.
        bytes: usize,
    },
}

/// What became of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// No stop string is complete yet.
    Continues,
    /// The stop string of this place in the list is complete: the answer has ended.
    Stopped(usize),
}

/// Watches one answer.
#[derive(Debug, Clone)]
pub struct StopScanner {
    strings: Vec<String>,
    held: String,
    stopped: Option<usize>,
}

impl StopScanner {
    /// A scanner for a new answer. An empty list is legal: then nothing is ever held back.
    ///
    /// # Errors
    /// When a string is empty or too long, or there are too many.
    pub fn new(strings: Vec<String>) -> Result<Self, StopError> {
        if strings.len() > STOP_STRINGS_MAX {
            return Err(StopError::TooMany(strings.len()));
        }
        for (index, string) in strings.iter().enumerate() {
            match string.len() {
                0 => return Err(StopError::Empty(index)),
                bytes if bytes > STOP_STRING_BYTES_MAX => return Err(StopError::TooLong { index, bytes }),
                _ => {}
            }
        }
        let held = String::with_capacity(2 * STOP_STRING_BYTES_MAX);
        Ok(Self { strings, held, stopped: None })
    }

    /// Takes the next piece of the answer and appends to `released` what can no longer be part of a stop string. After a
    /// stop nothing is taken any more.
    pub fn push(&mut self, piece: &str, released: &mut String) -> Outcome {
        if let Some(index) = self.stopped {
            return Outcome::Stopped(index);
        }
        for letter in piece.chars() {
            self.held.push(letter);
            if let Some(index) = self.complete() {
                released.push_str(&self.held[..self.held.len() - self.strings[index].len()]);
                self.held.clear();
                self.stopped = Some(index);
                return Outcome::Stopped(index);
            }
        }
        let free = self.held.len() - self.undecided();
        released.push_str(&self.held[..free]);
        self.held.drain(..free);
        Outcome::Continues
    }

    /// The answer has ended by itself: what was held back is no stop string any more.
    pub fn finish(&mut self, released: &mut String) {
        released.push_str(&self.held);
        self.held.clear();
    }

    /// The longest stop string that ends where the held text ends; the first in the list if there are two alike.
    fn complete(&self) -> Option<usize> {
        let ending = self.strings.iter().enumerate().filter(|(_, string)| self.held.ends_with(string.as_str()));
        ending.rev().max_by_key(|(_, string)| string.len()).map(|(index, _)| index)
    }

    /// Bytes at the end of the held text that begin a stop string.
    fn undecided(&self) -> usize {
        let begins = |end: &str| self.strings.iter().any(|string| string.starts_with(end));
        let starts = self.held.char_indices().map(|(at, _)| at);
        starts.map(|at| &self.held[at..]).find(|end| begins(end)).map_or(0, str::len)
    }
}
