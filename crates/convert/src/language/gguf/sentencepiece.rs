//! SentencePiece vocabularies (`llama` in GGUF): pieces with scores, spaces as U+2581, bytes for what no piece has.
//!
//! SentencePiece joins the neighbours whose union has the best score. As BPE that is a list of merges, best first: all ways to
//! cut a piece into two, pieces by falling score.

use clawdbot_nn::gguf::{Gguf, Value as GgufValue};
use serde_json::{Map, Value, json};

use super::tokenizer::Vocabulary;
use super::{bad, missing};
use crate::language::LanguageError;

const SCORES: &str = "tokenizer.ggml.scores";
const SPACE_FIRST: &str = "tokenizer.ggml.add_space_prefix";
const UNKNOWN: &str = "tokenizer.ggml.unknown_token_id";
/// What stands for a space.
const SPACE: &str = "\u{2581}";

/// The parts of `tokenizer.json` that this model decides.
pub(super) fn file(gguf: &Gguf, vocabulary: &Vocabulary<'_>) -> Result<Map<String, Value>, LanguageError> {
    let space_first = gguf.flag(SPACE_FIRST)?.unwrap_or(true);
    let replace = json!({"type": "Replace", "pattern": {"String": " "}, "content": SPACE});
    let normalizer = if space_first {
        json!({"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": SPACE}, replace]})
    } else {
        replace
    };
    let mut decoders = vec![
        json!({"type": "Replace", "pattern": {"String": SPACE}, "content": " "}),
        json!({"type": "ByteFallback"}),
        json!({"type": "Fuse"}),
    ];
    if space_first {
        decoders.push(json!({"type": "Strip", "content": " ", "start": 1, "stop": 0}));
    }
    let unknown = gguf.value(UNKNOWN).and_then(GgufValue::as_count).unwrap_or(0);
    let model = json!({
        "type": "BPE",
        "dropout": null,
        "unk_token": vocabulary.tokens.get(unknown),
        "continuing_subword_prefix": null,
        "end_of_word_suffix": null,
        "fuse_unk": true,
        "byte_fallback": true,
        "ignore_merges": false,
        "vocab": vocabulary.json(),
        "merges": merges(gguf, vocabulary)?,
    });
    let mut file = Map::new();
    file.insert(String::from("normalizer"), normalizer);
    file.insert(String::from("pre_tokenizer"), Value::Null);
    file.insert(String::from("decoder"), json!({"type": "Sequence", "decoders": decoders}));
    file.insert(String::from("model"), model);
    Ok(file)
}

fn merges(gguf: &Gguf, vocabulary: &Vocabulary<'_>) -> Result<Vec<Value>, LanguageError> {
    let scores = match gguf.value(SCORES) {
        Some(GgufValue::Floats(scores)) if scores.len() == vocabulary.tokens.len() => scores,
        Some(_) => return Err(bad(gguf, SCORES, "it is no list of one number for each token")),
        None => return Err(missing(gguf, SCORES)),
    };
    let ids = vocabulary.ids();
    let mut pairs: Vec<(f64, [usize; 2])> = Vec::new();
    for (id, token) in vocabulary.tokens.iter().enumerate().filter(|&(id, _)| !vocabulary.is_special(id)) {
        let start = pairs.len();
        for (at, _) in token.char_indices().skip(1) {
            let (left, right) = token.split_at(at);
            if let (Some(&left), Some(&right)) = (ids.get(left), ids.get(right)) {
                pairs.push((scores[id], [left, right]));
            }
        }
        pairs[start..].sort_by_key(|&(_, parts)| parts);
    }
    // Stable: pieces of one score stay in the order of their ids.
    pairs.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    Ok(pairs.into_iter().map(|(_, parts)| json!(parts.map(|id| &vocabulary.tokens[id]))).collect())
}
