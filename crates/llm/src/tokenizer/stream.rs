//! Tokens become text one by one, though a letter may need several of them.

use super::Tokenizer;

/// The text of one answer so far. Bytes that do not make a whole letter yet are held back; bytes that can never become one
/// show as U+FFFD, as in the reference: one for each maximal stretch (byte-level files) or for each byte (byte fallback).
/// One difference to the latter's reference: there, one bad byte spoils the whole letters beside it that also came as
/// bytes, which a stream has shown already.
#[derive(Debug, Clone)]
pub struct TextDecoder {
    held: Vec<u8>,
    with_control: bool,
    /// How many letters may still be taken off the start.
    strip: usize,
}

impl TextDecoder {
    /// For a new text; with or without the spellings of control tokens.
    #[must_use]
    pub fn new(tokenizer: &Tokenizer, with_control: bool) -> Self {
        Self { held: Vec::with_capacity(256), with_control, strip: tokenizer.spelling().strip.1 }
    }

    /// Appends to `text` what is sure after the token `id`. Ids without a token add nothing.
    pub fn push(&mut self, tokenizer: &Tokenizer, id: u32, text: &mut String) {
        if tokenizer.is_control(id) && !self.with_control {
            return;
        }
        self.held.extend_from_slice(tokenizer.bytes(id));
        let mut done = 0;
        loop {
            let error = match std::str::from_utf8(&self.held[done..]) {
                Ok(valid) => {
                    append(text, valid, &mut self.strip, tokenizer.spelling().strip.0);
                    done = self.held.len();
                    break;
                }
                Err(error) => error,
            };
            let (valid, rest) = self.held[done..].split_at(error.valid_up_to());
            let valid = std::str::from_utf8(valid).unwrap_or_default();
            append(text, valid, &mut self.strip, tokenizer.spelling().strip.0);
            done = self.held.len() - rest.len();
            let Some(bad) = error.error_len() else {
                break;
            };
            self.replace(tokenizer, bad, text);
            done += bad;
        }
        self.held.drain(..done);
    }

    /// The text has ended: bytes that still wait for others show as U+FFFD.
    pub fn finish(&mut self, tokenizer: &Tokenizer, text: &mut String) {
        if !self.held.is_empty() {
            self.replace(tokenizer, self.held.len(), text);
            self.held.clear();
        }
    }

    fn replace(&mut self, tokenizer: &Tokenizer, bytes: usize, text: &mut String) {
        let count = if tokenizer.spelling().by_byte { bytes } else { 1 };
        text.extend(std::iter::repeat_n(char::REPLACEMENT_CHARACTER, count));
        self.strip = 0;
    }
}

/// Appends `piece` without what is to be taken off the start of the text.
fn append(text: &mut String, piece: &str, strip: &mut usize, letter: char) {
    let mut rest = piece;
    while *strip > 0 && !rest.is_empty() {
        match rest.strip_prefix(letter) {
            Some(shorter) => {
                rest = shorter;
                *strip -= 1;
            }
            None => *strip = 0,
        }
    }
    text.push_str(rest);
}
