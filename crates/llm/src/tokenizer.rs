//! From text to tokens and back, by a model's own `tokenizer.json`.
//!
//! | | meaning |
//! |---|---|
//! | token | a number below the model's vocabulary; it spells some bytes, not always whole letters |
//! | control token | an added token that is more than white space: it means something to the model beyond its spelling |
//! | trusted, foreign | whether the spelling of a control token is one, see [`marking`](crate::marking) |
//!
//! Encoding is done by the `tokenizers` crate, so it agrees with the reference. That crate makes control tokens of their
//! spelling wherever it stands, and some vocabularies hold it as an ordinary piece too. Therefore the inner tokenizer never
//! learns the true spelling: each control token is renamed, in the added tokens, the vocabulary and the merges alike, to a
//! *veil* that nobody can write (merges that would build the true spelling are dropped), and only where the spelling
//! stands in trusted text is it replaced by the veil. One pass over the whole text then does as the reference does, also
//! for what depends on neighbours (stripped white space, words at the start).
//!
//! All added tokens are treated so, not only those that the file calls special: `<think>` and `<tool_call>` are not
//! special in files that mean them so. Foreign text with such a spelling costs a few more tokens than in the reference.
//!
//! Models: BPE by bytes (GPT-2 and its heirs) or by characters with byte fallback (SentencePiece files as converted).
//! Others are refused by name. Decoding is our own: a table of bytes for each token ([`spelling`]), see [`TextDecoder`].
//!
//! Time to encode is near linear in the text: n log n in its longest word. Regular expressions of the file run on an
//! engine that gives up after a million steps back; what is left of the text is then one word.

mod file;
mod inner;
mod spelling;
mod stream;

use std::collections::HashMap;

use aho_corasick::{AhoCorasick, MatchKind};

use crate::marking::{MARKED_CHARACTERS_MAX, MarkedText, Marking, veil};
use file::File;
use spelling::Spelling;
pub use stream::TextDecoder;

#[cfg(test)]
mod tests;

/// Text to encode at once, in bytes: far beyond every context, and what bounds memory (about 100 bytes a byte).
pub const TEXT_BYTES_MAX: usize = 4 << 20;

/// What is wrong with a tokenizer or a text for it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenizerError {
    /// Not JSON, or not of this shape.
    #[error("tokenizer.json cannot be read: {0}; fetch the model again")]
    Syntax(String),
    /// Something that this program does not do.
    #[error(
        "the tokenizer's {part} is {name}, which is not supported; choose a model with a byte-level or SentencePiece BPE"
    )]
    Unsupported {
        /// Model, normalizer, pre-tokenizer, decoder or post-processor.
        part: &'static str,
        /// As the file calls it.
        name: String,
    },
    /// The tokenizer has more tokens than the network.
    #[error(
        "the tokenizer gives token {token:?} the id {id}, but the model has {vocabulary} tokens: they do not belong together"
    )]
    OutOfVocabulary {
        /// How it is spelt.
        token: String,
        /// Its id.
        id: u32,
        /// Tokens of the model.
        vocabulary: usize,
    },
    /// Added twice under two ids, or without a spelling.
    #[error("the tokenizer's added token {token:?} (id {id}) {reason}; fetch the model again")]
    Added {
        /// How it is spelt.
        token: String,
        /// Its id.
        id: u32,
        /// What is wrong.
        reason: String,
    },
    /// A merge of something that is no token.
    #[error(
        "the tokenizer's merge {number} joins {left:?} and {right:?}, but {missing:?} is no token; fetch the model again"
    )]
    Merge {
        /// From 0.
        number: usize,
        /// First half.
        left: String,
        /// Second half.
        right: String,
        /// Which of the three is missing.
        missing: String,
    },
    /// A part that is supported but not in this form.
    #[error("the tokenizer's {part} cannot be used: {reason}; fetch the model again")]
    Part {
        /// Which.
        part: &'static str,
        /// Why.
        reason: String,
    },
    /// More than [`TEXT_BYTES_MAX`].
    #[error("the text has {0} bytes, but {TEXT_BYTES_MAX} are the most that are encoded at once; shorten it")]
    TooLong(usize),
    /// The text cannot be spelt with this vocabulary.
    #[error("the text cannot be encoded: {0}")]
    Encode(String),
}

/// A model's tokenizer.
#[derive(Debug)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    marking: Marking,
    /// Spellings of all control tokens; the number of a match is that of its veil.
    search: AhoCorasick,
    /// True spelling to id, of control tokens.
    control: HashMap<String, u32>,
    spelling: Spelling,
    before: Vec<u32>,
    after: Vec<u32>,
}

impl Tokenizer {
    /// Reads the text of a `tokenizer.json` for a model of `vocabulary` tokens.
    ///
    /// # Errors
    /// When it is no such file, needs what is not supported, contradicts itself or has ids beyond the vocabulary.
    pub fn new(json: &str, vocabulary: usize) -> Result<Self, TokenizerError> {
        let file: File = serde_json::from_str(json).map_err(|error| TokenizerError::Syntax(error.to_string()))?;
        file.check(vocabulary)?;
        let spelling = Spelling::new(&file)?;
        let (before, after) = file.frame(vocabulary)?;
        let control: Vec<&str> = file.control().map(|token| token.content.as_str()).collect();
        let marking = Marking::new(control.iter().copied()).map_err(|found| TokenizerError::Part {
            part: "added tokens",
            reason: format!("they use {found} different characters, but {MARKED_CHARACTERS_MAX} are the most"),
        })?;
        let search = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&control);
        let search =
            search.map_err(|error| TokenizerError::Part { part: "added tokens", reason: error.to_string() })?;
        let control = file.control().map(|token| (token.content.clone(), token.id)).collect();
        let inner = inner::build(file)?;
        Ok(Self { inner, marking, search, control, spelling, before, after })
    }

    /// Which characters of foreign text are marked for this tokenizer.
    #[must_use]
    pub fn marking(&self) -> &Marking {
        &self.marking
    }

    /// Tokens of trusted text: control tokens are recognised.
    ///
    /// # Errors
    /// When the text is too long or has characters that the vocabulary cannot spell.
    pub fn encode_trusted(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        let mut marked = MarkedText::default();
        marked.push_trusted(&self.marking, text);
        self.encode(&marked)
    }

    /// Tokens of foreign text: no control token among them, whatever it says.
    ///
    /// # Errors
    /// As [`encode_trusted`](Self::encode_trusted).
    pub fn encode_foreign(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        let mut marked = MarkedText::default();
        marked.push_foreign(&self.marking, text);
        self.encode(&marked)
    }

    /// Tokens of text of both kinds. `text` must come from [this marking](Self::marking).
    ///
    /// # Errors
    /// As [`encode_trusted`](Self::encode_trusted).
    pub fn encode(&self, text: &MarkedText) -> Result<Vec<u32>, TokenizerError> {
        // Marks are of up to four bytes; the limit is for the text without them.
        let bytes: usize = text.as_str().chars().map(|letter| self.marking.original(letter).len_utf8()).sum();
        if bytes > TEXT_BYTES_MAX {
            return Err(TokenizerError::TooLong(bytes));
        }
        let encoded = self.inner.encode_fast(self.veiled(text.as_str()), false);
        let encoded = encoded.map_err(|error| TokenizerError::Encode(error.to_string()))?;
        Ok(encoded.get_ids().to_vec())
    }

    /// The tokens that the file wants before and after a whole text that no template frames (most often BOS and nothing).
    #[must_use]
    pub fn frame(&self) -> (&[u32], &[u32]) {
        (&self.before, &self.after)
    }

    /// The id of a control token by its spelling, say `<|im_end|>`.
    #[must_use]
    pub fn control_id(&self, spelling: &str) -> Option<u32> {
        self.control.get(spelling).copied()
    }

    /// Whether `id` is a control token.
    #[must_use]
    pub fn is_control(&self, id: u32) -> bool {
        self.spelling.is_control(id)
    }

    /// The bytes that a token spells; none for ids that have no token.
    #[must_use]
    pub fn bytes(&self, id: u32) -> &[u8] {
        self.spelling.bytes(id)
    }

    /// Tokens that have a spelling or may have one: ids are below.
    #[must_use]
    pub fn ids_end(&self) -> usize {
        self.spelling.len()
    }

    /// The text of `ids`; with or without the spellings of control tokens.
    #[must_use]
    pub fn decode(&self, ids: &[u32], with_control: bool) -> String {
        let mut decoder = TextDecoder::new(self, with_control);
        let mut text = String::new();
        ids.iter().for_each(|&id| decoder.push(self, id, &mut text));
        decoder.finish(self, &mut text);
        text
    }

    pub(crate) fn spelling(&self) -> &Spelling {
        &self.spelling
    }

    /// What the inner tokenizer gets: veils for control tokens, originals for twins.
    fn veiled(&self, marked: &str) -> String {
        let mut veiled = String::with_capacity(marked.len());
        let mut done = 0;
        for found in self.search.find_iter(marked) {
            veiled.extend(marked[done..found.start()].chars().map(|letter| self.marking.original(letter)));
            veiled.push_str(&veil(found.pattern().as_usize()));
            done = found.end();
        }
        veiled.extend(marked[done..].chars().map(|letter| self.marking.original(letter)));
        veiled
    }
}
