//! What a folder says about text: the tokenizer, the chat template, and the tokens that begin and end.

use std::path::Path;

use clawdbot_nn::metadata::language::{SpecialTokens, TOKENIZER_BYTES_MAX};
use serde_json::{Map, Value};

use super::{Config, JSON_BYTES_MAX, json, text};
use crate::language::LanguageError;

/// What a folder says about text.
pub(super) struct Text {
    pub(super) tokenizer: Option<String>,
    pub(super) chat_template: Option<String>,
    pub(super) tokens: SpecialTokens,
}

/// Reads it; `config` is the model's description.
pub(super) fn read(folder: &Path, config: &Map<String, Value>) -> Result<Text, LanguageError> {
    let tokenizer = text(folder, "tokenizer.json", TOKENIZER_BYTES_MAX as u64)?.map(|text| compact(&text));
    let parsed: Value = match &tokenizer {
        None => Value::Null,
        Some(text) => serde_json::from_str(text).map_err(|error| LanguageError::File {
            file: folder.join("tokenizer.json").display().to_string(),
            reason: format!("it is not JSON ({error})"),
        })?,
    };
    let said = json(folder, "tokenizer_config.json")?.unwrap_or_default();
    let generation = json(folder, "generation_config.json")?.unwrap_or_default();
    let named = |field: &str| token_text(said.get(field)?).and_then(|text| id_of(&parsed, text));
    let mut stops = Vec::new();
    let lists = [&generation, config].map(|object| ids(object.get("eos_token_id")));
    for id in named("eos_token").into_iter().chain(lists.into_iter().flatten()) {
        if !stops.contains(&id) {
            stops.push(id);
        }
    }
    let begin = named("bos_token").or_else(|| ids(config.get("bos_token_id")).first().copied());
    let added = Config::new(&said).flag("add_bos_token")?;
    let add_begin = begin.is_some_and(|id| added.unwrap_or_else(|| begins_with(&parsed, id)));
    let vocabulary = Config::new(config).count("vocab_size")?;
    let within = |id: u32| usize::try_from(id).is_ok_and(|id| id < vocabulary);
    // Some configurations name tokens that the model has not; they can never come.
    stops.retain(|&id| within(id));
    let begin = begin.filter(|&id| within(id));
    let tokens = SpecialTokens { begin, add_begin: add_begin && begin.is_some(), stops };
    Ok(Text { tokenizer, chat_template: template(folder, &said)?, tokens })
}

/// JSON without the white space between its parts: a vocabulary is mostly that when it comes indented.
pub(in crate::language) fn compact(json: &str) -> String {
    let mut compact = String::with_capacity(json.len());
    let (mut quoted, mut escaped) = (false, false);
    for letter in json.chars() {
        if quoted || !matches!(letter, ' ' | '\n' | '\r' | '\t') {
            compact.push(letter);
        }
        quoted = quoted != (letter == '"' && !escaped);
        escaped = quoted && letter == '\\' && !escaped;
    }
    compact
}

/// A token given as a text, or as an object with one.
fn token_text(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| value.get("content")?.as_str())
}

fn id_of(tokenizer: &Value, text: &str) -> Option<u32> {
    let added = tokenizer.get("added_tokens")?.as_array()?;
    let found = added.iter().find(|token| token.get("content").and_then(Value::as_str) == Some(text));
    let id = found.and_then(|token| token.get("id")).or_else(|| tokenizer.get("model")?.get("vocab")?.get(text));
    u32::try_from(id?.as_u64()?).ok()
}

/// One id or a list of them.
fn ids(value: Option<&Value>) -> Vec<u32> {
    let id = |value: &Value| u32::try_from(value.as_u64()?).ok();
    match value {
        Some(Value::Array(list)) => list.iter().filter_map(id).collect(),
        Some(value) => id(value).into_iter().collect(),
        None => Vec::new(),
    }
}

/// Whether the tokenizer itself puts the token `id` before every text.
fn begins_with(tokenizer: &Value, id: u32) -> bool {
    let Some(post) = tokenizer.get("post_processor") else { return false };
    let steps = post.get("processors").and_then(Value::as_array);
    let steps: Vec<&Value> = steps.map_or_else(|| vec![post], |steps| steps.iter().collect());
    steps.into_iter().any(|step| {
        let first = step.get("single").and_then(|single| single.get(0)?.get("SpecialToken")?.get("id")?.as_str());
        first.is_some_and(|text| id_of(tokenizer, text) == Some(id))
    })
}

/// The chat template: a file of its own, or a field, one or several of which `default` counts.
fn template(folder: &Path, said: &Map<String, Value>) -> Result<Option<String>, LanguageError> {
    if let Some(template) = text(folder, "chat_template.jinja", JSON_BYTES_MAX)? {
        return Ok(Some(template));
    }
    let other = json(folder, "chat_template.json")?.unwrap_or_default();
    let field = said.get("chat_template").or_else(|| other.get("chat_template"));
    Ok(match field {
        Some(Value::Array(list)) => {
            let default = list.iter().find(|entry| entry.get("name").and_then(Value::as_str) == Some("default"));
            default.and_then(|entry| entry.get("template")?.as_str()).map(str::to_owned)
        }
        field => field.and_then(Value::as_str).map(str::to_owned),
    })
}
