//! From a file's vocabulary to a `tokenizer.json`, as the `tokenizers` library reads it, and the tokens that begin and end.

use std::collections::BTreeMap;

use clawdbot_nn::gguf::{Gguf, Value};
use clawdbot_nn::metadata::language::SpecialTokens;
use serde_json::{Map, json};

use super::{bad, bpe, missing, sentencepiece};
use crate::language::LanguageError;

pub(super) const MODEL: &str = "tokenizer.ggml.model";
pub(super) const PRE: &str = "tokenizer.ggml.pre";
pub(super) const TOKENS: &str = "tokenizer.ggml.tokens";
const TYPES: &str = "tokenizer.ggml.token_type";
const BEGIN: &str = "tokenizer.ggml.bos_token_id";
const END: &str = "tokenizer.ggml.eos_token_id";
const END_OF_TURN: &str = "tokenizer.ggml.eot_token_id";
const ADD_BEGIN: &str = "tokenizer.ggml.add_bos_token";
const TEMPLATE: &str = "tokenizer.chat_template";

/// What `tokenizer.ggml.model` says of a model that knows ids alone; llama.cpp has had both words.
const WITHOUT_WORDS: [&str; 2] = ["none", "no_vocab"];

/// Token types by their numbers.
const UNKNOWN: i64 = 2;
const CONTROL: i64 = 3;
const USER_DEFINED: i64 = 4;

/// Control tokens that end an answer wherever they occur; llama.cpp looks for them by name too.
const ENDS: [&str; 8] =
    ["<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|end|>", "<end_of_turn>", "<|endoftext|>", "<|end_of_text|>", "</s>"];

/// What a file says about text.
pub(super) struct Text {
    /// Without one the model takes and gives ids only.
    pub(super) tokenizer: Option<String>,
    pub(super) tokens: SpecialTokens,
    pub(super) chat_template: Option<String>,
}

/// The tokens with their types.
pub(super) struct Vocabulary<'a> {
    pub(super) tokens: &'a [String],
    types: Option<&'a [i64]>,
}

impl<'a> Vocabulary<'a> {
    fn of(gguf: &'a Gguf, rows: usize) -> Result<Self, LanguageError> {
        let tokens = gguf.texts(TOKENS)?.ok_or_else(|| missing(gguf, TOKENS))?;
        if tokens.is_empty() || tokens.len() > rows {
            let reason = format!("{} tokens for an embedding of {rows} rows", tokens.len());
            return Err(bad(gguf, TOKENS, &reason));
        }
        let types = gguf.integers(TYPES)?;
        if types.is_some_and(|types| types.len() != tokens.len()) {
            return Err(bad(gguf, TYPES, "it is not as long as the list of tokens"));
        }
        Ok(Self { tokens, types })
    }

    /// Whether token `id` is one that no text makes.
    pub(super) fn is_special(&self, id: usize) -> bool {
        self.types.is_some_and(|types| matches!(types[id], UNKNOWN | CONTROL))
    }

    /// Whether token `id` is found in texts before they are split.
    fn is_added(&self, id: usize) -> bool {
        self.is_special(id) || self.types.is_some_and(|types| types[id] == USER_DEFINED)
    }

    /// The ids by text; of a text that is there twice the first.
    pub(super) fn ids(&self) -> BTreeMap<&'a str, usize> {
        let mut ids = BTreeMap::new();
        for (id, token) in self.tokens.iter().enumerate() {
            ids.entry(token.as_str()).or_insert(id);
        }
        ids
    }

    /// `vocab` of the file.
    pub(super) fn json(&self) -> Map<String, serde_json::Value> {
        self.ids().into_iter().map(|(token, id)| (token.to_owned(), id.into())).collect()
    }

    fn added(&self) -> Vec<serde_json::Value> {
        let added = self.tokens.iter().enumerate().filter(|&(id, token)| self.is_added(id) && !token.is_empty());
        let line = |(id, token): (usize, &String)| {
            json!({
                "id": id, "content": token, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": self.is_special(id)
            })
        };
        added.map(line).collect()
    }
}

/// Reads it; the embedding has `rows`.
pub(super) fn read(gguf: &Gguf, rows: usize) -> Result<Text, LanguageError> {
    let model = gguf.text(MODEL)?.ok_or_else(|| missing(gguf, MODEL))?;
    if WITHOUT_WORDS.contains(&model) {
        let tokens = special_tokens(gguf, model, &Vocabulary { tokens: &[], types: None }, rows)?;
        return Ok(Text { tokenizer: None, tokens, chat_template: None });
    }
    let vocabulary = Vocabulary::of(gguf, rows)?;
    let mut file = match model {
        "gpt2" => bpe::file(gguf, &vocabulary)?,
        "llama" => sentencepiece::file(gguf, &vocabulary)?,
        other => return Err(bad(gguf, MODEL, &format!("`{other}` is not supported; gpt2 and llama are"))),
    };
    file.insert(String::from("version"), "1.0".into());
    file.insert(String::from("added_tokens"), vocabulary.added().into());
    for unused in ["truncation", "padding", "post_processor"] {
        file.insert(unused.to_owned(), serde_json::Value::Null);
    }
    let tokens = special_tokens(gguf, model, &vocabulary, vocabulary.tokens.len())?;
    let chat_template = gguf.text(TEMPLATE)?.map(str::to_owned);
    Ok(Text { tokenizer: Some(serde_json::Value::Object(file).to_string()), tokens, chat_template })
}

/// Those that begin and end a text; there are `count` tokens.
fn special_tokens(
    gguf: &Gguf,
    model: &str,
    vocabulary: &Vocabulary<'_>,
    count: usize,
) -> Result<SpecialTokens, LanguageError> {
    // -1 stands for none in some files.
    let id = |key: &str| gguf.value(key).and_then(Value::as_count).filter(|&id| id < count);
    let named = ENDS.iter().filter_map(|text| {
        let id = vocabulary.tokens.iter().position(|token| token == text)?;
        vocabulary.is_special(id).then_some(id)
    });
    let mut stops: Vec<u32> = Vec::new();
    for stop in id(END).into_iter().chain(id(END_OF_TURN)).chain(named) {
        let stop = u32::try_from(stop).unwrap_or(u32::MAX);
        if !stops.contains(&stop) {
            stops.push(stop);
        }
    }
    let begin = id(BEGIN).and_then(|id| u32::try_from(id).ok());
    let usual = model == "llama" || bpe::begins(gguf.text(PRE)?);
    let add_begin = begin.is_some() && gguf.flag(ADD_BEGIN)?.unwrap_or(usual);
    Ok(SpecialTokens { begin, add_begin, stops })
}
