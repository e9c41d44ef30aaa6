//! Answers that hold to a JSON Schema: which tokens may be next, and which must.
//!
//! The `llguidance` crate walks schema and vocabulary side by side; this module gives it our tokens, bounds it, and names
//! what is wrong with a schema. Where the schema leaves no choice (keys, punctuation) the tokens are [forced]: the model
//! needs no turn for each, they are fed as one batch.
//!
//! The answer is compact JSON without white space between its parts, so that a small model cannot lose itself in it. Of
//! JSON Schema 2020-12 the crate knows what it calls supported; a keyword that it does not know is an error, not ignored.
//! References must begin with `#/`.
//!
//! Control tokens are never part of an answer, save the ends: those are allowed where the answer may end and nowhere else.
//!
//! Unlike the rest of this crate the walk allocates for each token. The crate reads a clock for its statistics; no result
//! depends on it. Bounds: [`SCHEMA_BYTES_MAX`], and its own for states, grammar and work a token.
//!
//! [forced]: Constraint::forced

use std::sync::Arc;

use llguidance::api::TopLevelGrammar;
use llguidance::earley::SlicedBiasComputer;
use llguidance::toktrie::{InferenceCapabilities, TokRxInfo, TokTrie, TokenizerEnv};
use llguidance::{Matcher, ParserFactory};
use serde_json::{Value, json};

use crate::sampler::mask::TokenMask;
use crate::tokenizer::Tokenizer;

#[cfg(test)]
mod tests;

/// Text of a schema at most, in bytes.
pub const SCHEMA_BYTES_MAX: usize = 256 << 10;
/// Tokens that the crate's trie can number.
const VOCABULARY_MAX: usize = (1 << 24) - 2;
/// A longer token is left out: no JSON needs it.
const TOKEN_BYTES_MAX: usize = 255;

/// What is wrong with a schema, a vocabulary or an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConstraintError {
    /// Not JSON.
    #[error("the schema is not JSON: {0}; correct it")]
    Syntax(String),
    /// JSON, but not an object (or `true`).
    #[error("the schema is {0}, but a JSON Schema is an object; correct it")]
    NoSchema(&'static str),
    /// More than [`SCHEMA_BYTES_MAX`].
    #[error("the schema has {0} bytes, but {SCHEMA_BYTES_MAX} are the most; shorten it")]
    TooLong(usize),
    /// It cannot be compiled: a keyword of the wrong kind or unknown to the crate, nothing that satisfies it, too large.
    #[error("the schema cannot be used: {0}; correct it or leave the keyword out")]
    Schema(String),
    /// The vocabulary cannot be walked.
    #[error("answers of this model cannot be constrained: {0}")]
    Vocabulary(String),
    /// A token that the schema does not allow was accepted, or the walk hit a bound.
    #[error("the answer cannot be continued by the schema: {0}; simplify the schema")]
    Answer(String),
}

/// Makes constraints for one model. Holds a trie of its vocabulary: some tens of megabytes at 128 thousand tokens.
pub struct Constrainer {
    factory: ParserFactory,
    vocabulary: usize,
}

/// One answer's walk through its schema.
pub struct Constraint {
    matcher: Matcher,
}

impl Constrainer {
    /// For a model of `vocabulary` tokens whose answers end by one of `ends`.
    ///
    /// # Errors
    /// When there is no end, an end is beyond the vocabulary, or the vocabulary is too large.
    pub fn new(tokenizer: Arc<Tokenizer>, vocabulary: usize, ends: &[u32]) -> Result<Self, ConstraintError> {
        let refused = |reason: String| ConstraintError::Vocabulary(reason);
        let size = u32::try_from(vocabulary.min(VOCABULARY_MAX)).unwrap_or(u32::MAX);
        if vocabulary > VOCABULARY_MAX {
            return Err(refused(format!("it has {vocabulary} tokens, but {VOCABULARY_MAX} are the most")));
        }
        let Some(&end) = ends.first() else {
            return Err(refused("it has no token that ends an answer".to_owned()));
        };
        if let Some(beyond) = ends.iter().find(|end| **end >= size) {
            return Err(refused(format!("its end {beyond} is none of its {vocabulary} tokens")));
        }
        let words: Vec<Vec<u8>> = (0..size).map(|id| word(&tokenizer, id)).collect();
        let trie = TokTrie::from(&TokRxInfo::new(size, end), &words).with_eos_tokens(ends);
        let canonical = spells_alone(&tokenizer);
        let environment: Arc<dyn TokenizerEnv + Sync> = Arc::new(Vocabulary { tokenizer, trie, canonical });
        let abilities = InferenceCapabilities { ff_tokens: canonical, ..InferenceCapabilities::default() };
        let factory = ParserFactory::new(&environment, abilities, &SlicedBiasComputer::json_slices());
        let mut factory = factory.map_err(|error| refused(error.to_string()))?;
        factory.quiet();
        factory.limits_mut().verbose_errors = false;
        Ok(Self { factory, vocabulary })
    }

    /// A walk for the text of a JSON Schema.
    ///
    /// # Errors
    /// When it is no schema or cannot be used.
    pub fn constraint(&self, schema: &str) -> Result<Constraint, ConstraintError> {
        if schema.len() > SCHEMA_BYTES_MAX {
            return Err(ConstraintError::TooLong(schema.len()));
        }
        let schema: Value = serde_json::from_str(schema).map_err(|error| ConstraintError::Syntax(error.to_string()))?;
        let mut schema = match schema {
            Value::Object(_) => schema,
            Value::Bool(true) => json!({}),
            Value::Bool(false) => return Err(ConstraintError::NoSchema("false, which nothing satisfies")),
            Value::Null => return Err(ConstraintError::NoSchema("null")),
            Value::Number(_) => return Err(ConstraintError::NoSchema("a number")),
            Value::String(_) => return Err(ConstraintError::NoSchema("a string")),
            Value::Array(_) => return Err(ConstraintError::NoSchema("a list")),
        };
        // Ours alone: a schema must not change how it is read.
        schema["x-guidance"] = json!({"whitespace_flexible": false, "item_separator": ",", "key_separator": ":"});
        let parser = self.factory.create_parser(TopLevelGrammar::from_json_schema(schema));
        let matcher = Matcher::new(parser);
        match matcher.get_error() {
            Some(reason) => Err(ConstraintError::Schema(first_line(&reason))),
            None => Ok(Constraint { matcher }),
        }
    }

    /// A mask of the right size for [`Constraint::allowed`].
    #[must_use]
    pub fn mask(&self) -> TokenMask {
        TokenMask::none(self.vocabulary)
    }
}

impl Constraint {
    /// Sets `mask` to the tokens that may be next; after the answer to those that end it.
    ///
    /// # Errors
    /// When nothing can follow or the walk hits a bound.
    pub fn allowed(&mut self, mask: &mut TokenMask) -> Result<(), ConstraintError> {
        let allowed = self.matcher.compute_mask_or_eos().map_err(|error| answer(&error.to_string()))?;
        mask.set_words(allowed.as_slice());
        Ok(())
    }

    /// Tokens that must come next, in order; not accepted yet. Empty where the model has a choice, after the answer, and
    /// for vocabularies in which a text may be spelt in several ways without one being right.
    #[must_use]
    pub fn forced(&mut self) -> Vec<u32> {
        if self.has_ended() { Vec::new() } else { self.matcher.compute_ff_tokens() }
    }

    /// Goes on by tokens that the model or [`forced`](Self::forced) chose.
    ///
    /// # Errors
    /// When one of them is not allowed; the walk cannot go on then.
    pub fn accept(&mut self, ids: &[u32]) -> Result<(), ConstraintError> {
        self.matcher.consume_tokens(ids).map_err(|error| answer(&error.to_string()))
    }

    /// How many of `ids` (drafts) are allowed in a row. Accepts none.
    ///
    /// # Errors
    /// When the walk hits a bound.
    pub fn allowed_run(&mut self, ids: &[u32]) -> Result<usize, ConstraintError> {
        self.matcher.validate_tokens(ids).map_err(|error| answer(&error.to_string()))
    }

    /// Whether what was accepted is a whole answer, though more may be allowed.
    #[must_use]
    pub fn is_complete(&mut self) -> bool {
        self.has_ended() || self.matcher.is_accepting().unwrap_or(false)
    }

    /// Whether the answer is whole and nothing may follow, or has been ended.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.matcher.is_stopped()
    }
}

impl std::fmt::Debug for Constraint {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Constraint").field("has_ended", &self.has_ended()).finish_non_exhaustive()
    }
}

/// What the trie knows of a token: its bytes, and control tokens behind a byte that no text has.
fn word(tokenizer: &Tokenizer, id: u32) -> Vec<u8> {
    let bytes = tokenizer.bytes(id);
    if bytes.len() >= TOKEN_BYTES_MAX || bytes.first() == Some(&TokTrie::SPECIAL_TOKEN_MARKER) {
        return Vec::new();
    }
    if tokenizer.is_control(id) {
        return [&[TokTrie::SPECIAL_TOKEN_MARKER], bytes].concat();
    }
    bytes.to_vec()
}

/// Whether a text is spelt the same wherever it stands. SentencePiece vocabularies put a space before it instead.
fn spells_alone(tokenizer: &Tokenizer) -> bool {
    let text = "{\"a\": [1, true]}";
    let spelt = |ids: Vec<u32>| ids.iter().flat_map(|&id| tokenizer.bytes(id)).copied().collect::<Vec<u8>>();
    tokenizer.encode_foreign(text).is_ok_and(|ids| spelt(ids) == text.as_bytes())
}

/// Our tokenizer as the crate wants to see it.
struct Vocabulary {
    tokenizer: Arc<Tokenizer>,
    trie: TokTrie,
    canonical: bool,
}

impl TokenizerEnv for Vocabulary {
    fn tok_trie(&self) -> &TokTrie {
        &self.trie
    }

    fn tokenize_bytes(&self, bytes: &[u8]) -> Vec<u32> {
        if !self.canonical {
            return self.trie.greedy_tokenize(bytes);
        }
        let encode = |text: &str| {
            let encoded = self.tokenizer.encode_foreign(text);
            encoded.unwrap_or_else(|_| self.trie.greedy_tokenize(text.as_bytes()))
        };
        self.trie.tokenize_with_greedy_fallback(bytes, encode)
    }

    fn tokenize_is_canonical(&self) -> bool {
        self.canonical
    }
}

fn answer(reason: &str) -> ConstraintError {
    ConstraintError::Answer(first_line(reason))
}

/// The crate's messages carry its state in later lines.
fn first_line(reason: &str) -> String {
    reason.lines().next().unwrap_or_default().chars().take(300).collect()
}
