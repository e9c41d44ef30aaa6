//! The tokenizer of the `tokenizers` crate, made from a checked file with its control tokens veiled.

use std::collections::HashMap;

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::normalizers::NormalizerWrapper;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;

use super::TokenizerError;
use super::file::{File, Merge, Model, flattened, kind};
use crate::marking::veil;

/// Normalizers that are known not to fail on any text.
const NORMALIZERS: [&str; 9] =
    ["NFC", "NFD", "NFKC", "NFKD", "Lowercase", "Strip", "StripAccents", "Replace", "Prepend"];
/// And pre-tokenizers.
const PRE_TOKENIZERS: [&str; 7] =
    ["ByteLevel", "Split", "Digits", "Metaspace", "Punctuation", "Whitespace", "WhitespaceSplit"];

/// Builds it. The file has been [checked](File::check).
pub(super) fn build(file: File) -> Result<tokenizers::Tokenizer, TokenizerError> {
    let veils: HashMap<String, String> =
        file.control().enumerate().map(|(number, token)| (token.content.clone(), veil(number))).collect();
    let normalizer: Option<NormalizerWrapper> =
        part(file.normalizer.as_ref(), "normalizer", "normalizers", &NORMALIZERS)?;
    let pre_tokenizer: Option<PreTokenizerWrapper> =
        part(file.pre_tokenizer.as_ref(), "pre-tokenizer", "pretokenizers", &PRE_TOKENIZERS)?;
    // Every added token is in the vocabulary, under its own id, or the crate would choose one.
    let added = file.added_tokens.iter().map(|token| (seen(&veils, &token.content).to_owned(), token.id));
    let added: Vec<_> = added.collect();
    let mut inner = tokenizers::Tokenizer::new(model(file.model, added, &veils)?);
    let failed = |error: tokenizers::Error| TokenizerError::Part { part: "added tokens", reason: error.to_string() };
    inner.with_normalizer(normalizer).map_err(failed)?;
    inner.with_pre_tokenizer(pre_tokenizer);
    let tokens = file.added_tokens.iter().map(|token| tokenizers::AddedToken {
        content: seen(&veils, &token.content).to_owned(),
        single_word: token.single_word,
        lstrip: token.lstrip,
        rstrip: token.rstrip,
        normalized: token.normalized,
        special: token.special,
    });
    inner.add_tokens(tokens).map_err(failed)?;
    Ok(inner)
}

/// What the inner tokenizer knows a spelling as.
fn seen<'a>(veils: &'a HashMap<String, String>, spelling: &'a str) -> &'a str {
    veils.get(spelling).map_or(spelling, String::as_str)
}

fn model(model: Model, added: Vec<(String, u32)>, veils: &HashMap<String, String>) -> Result<BPE, TokenizerError> {
    let Model { vocab, merges, unk_token, fuse_unk, byte_fallback, ignore_merges, .. } = model;
    // Whatever cannot be spelt becomes the unknown token, by its true name: it may be reached from foreign text.
    let stays = |token: &str| !veils.contains_key(token) || unk_token.as_deref() == Some(token);
    let tokens: Vocab = vocab.0.into_iter().filter(|(token, _)| stays(token)).chain(added).collect();
    let is_control = |token: &str| veils.contains_key(token);
    let harmless = |Merge(left, right): &Merge| {
        !is_control(left) && !is_control(right) && !is_control(&[left.as_str(), right.as_str()].concat())
    };
    let merges = merges.into_iter().filter(harmless).map(|Merge(left, right)| (left, right)).collect();
    // No cache: it would stand in thread-local memory that outlives the tokenizer.
    let mut builder = BPE::builder().cache_capacity(0).vocab_and_merges(tokens, merges);
    builder = builder.fuse_unk(fuse_unk.unwrap_or(false)).byte_fallback(byte_fallback.unwrap_or(false));
    builder = builder.ignore_merges(ignore_merges.unwrap_or(false));
    if let Some(unknown) = unk_token {
        builder = builder.unk_token(unknown);
    }
    builder.build().map_err(|error| TokenizerError::Part { part: "model", reason: error.to_string() })
}

/// A part of the crate from its JSON, if all that it consists of is in `known`.
fn part<T: DeserializeOwned>(
    json: Option<&Value>,
    part: &'static str,
    member: &str,
    known: &[&str],
) -> Result<Option<T>, TokenizerError> {
    let parts = flattened(json, member);
    if let Some(other) = parts.iter().map(|part| kind(part)).find(|kind| !known.contains(kind)) {
        return Err(TokenizerError::Unsupported { part, name: other.to_owned() });
    }
    match json {
        Some(json) if !parts.is_empty() => {
            let built = T::deserialize(json);
            built.map(Some).map_err(|error| TokenizerError::Part { part, reason: error.to_string() })
        }
        _ => Ok(None),
    }
}
