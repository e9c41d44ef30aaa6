//! An answer's text as it grows, token by token, up to its stop strings.

use clawdbot_llm::stop::{Outcome, StopError, StopScanner};
use clawdbot_llm::tokenizer::{TextDecoder, Tokenizer};

/// See the module. What it hands out is whole characters, and never a part of a stop string.
pub(crate) struct AnswerText {
    decoder: TextDecoder,
    stops: StopScanner,
    /// Decoded and not yet past the stop strings.
    piece: String,
    stopped: bool,
}

impl AnswerText {
    /// The text of an answer that ends before any of `stops`.
    ///
    /// # Errors
    /// When a stop string is empty or too long, or there are too many.
    pub(crate) fn new(tokenizer: &Tokenizer, stops: Vec<String>) -> Result<Self, StopError> {
        let (decoder, stops) = (TextDecoder::new(tokenizer, false), StopScanner::new(stops)?);
        Ok(Self { decoder, stops, piece: String::new(), stopped: false })
    }

    /// One more token: what can be told now is appended to `released`. Whether a stop string has ended the answer.
    pub(crate) fn push(&mut self, tokenizer: &Tokenizer, token: u32, released: &mut String) -> bool {
        if !self.stopped {
            self.piece.clear();
            self.decoder.push(tokenizer, token, &mut self.piece);
            self.stopped = matches!(self.stops.push(&self.piece, released), Outcome::Stopped(_));
        }
        self.stopped
    }

    /// The answer has ended: what was held back is appended to `released`.
    pub(crate) fn finish(&mut self, tokenizer: &Tokenizer, released: &mut String) {
        if self.stopped {
            return;
        }
        self.piece.clear();
        self.decoder.finish(tokenizer, &mut self.piece);
        self.stopped = matches!(self.stops.push(&self.piece, released), Outcome::Stopped(_));
        if !self.stopped {
            self.stops.finish(released);
        }
    }
}
