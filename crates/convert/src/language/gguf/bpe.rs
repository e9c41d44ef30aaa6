//! Byte-level BPE (`gpt2` in GGUF): tokens and merges stand in the file, how a text is split before only by name.

use clawdbot_nn::gguf::Gguf;
use serde_json::{Map, Value, json};

use super::tokenizer::{PRE, Vocabulary};
use super::{bad, missing};
use crate::language::LanguageError;

const MERGES: &str = "tokenizer.ggml.merges";

/// A way to split texts.
#[derive(Clone, Copy, Debug)]
struct Splitting {
    /// As llama.cpp calls it; several for one.
    names: &'static [&'static str],
    kind: Kind,
    /// Whether a word that is a token is taken whole, whatever the merges say.
    whole_words: bool,
    /// Whether letters with marks are composed first.
    composed: bool,
    /// Whether texts begin with a token of their own where the file doesn't say.
    begins: bool,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// GPT-2's expression.
    Gpt2,
    /// Every digit alone, then GPT-2's expression.
    Digits,
    /// An expression of its own.
    Expression(&'static str),
}

/// English endings, words with a letter before, so many digits, signs, ends of lines, spaces.
macro_rules! by_words {
    ($digits:literal) => {
        concat!(
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|",
            $digits,
            r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
        )
    };
}

/// Words split where small letters become capital ones.
macro_rules! by_case {
    ($endings:literal, $digits:literal) => {
        concat!(
            r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+",
            $endings,
            r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*",
            $endings,
            "|",
            $digits,
            r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
        )
    };
}

const PLAIN: Splitting = Splitting {
    names: &["gpt-2", "default", "olmo"],
    kind: Kind::Gpt2,
    whole_words: false,
    composed: false,
    begins: false,
};

const SPLITTINGS: [Splitting; 6] = [
    PLAIN,
    Splitting { names: &["smollm", "starcoder", "refact", "command-r", "codeshell"], kind: Kind::Digits, ..PLAIN },
    Splitting {
        names: &["llama-bpe", "llama3", "llama-v3", "falcon3", "smaug-bpe", "dbrx"],
        kind: Kind::Expression(by_words!(r"\p{N}{1,3}")),
        whole_words: true,
        begins: true,
        ..PLAIN
    },
    Splitting {
        names: &["qwen2", "deepseek-r1-qwen"],
        kind: Kind::Expression(by_words!(r"\p{N}")),
        composed: true,
        ..PLAIN
    },
    Splitting {
        names: &["tekken"],
        kind: Kind::Expression(by_case!("", r"\p{N}")),
        whole_words: true,
        begins: true,
        ..PLAIN
    },
    Splitting {
        names: &["gpt-4o"],
        kind: Kind::Expression(by_case!("(?i:'s|'t|'re|'ve|'m|'ll|'d)?", r"\p{N}{1,3}")),
        ..PLAIN
    },
];

fn splitting(name: &str) -> Option<Splitting> {
    SPLITTINGS.into_iter().find(|splitting| splitting.names.contains(&name))
}

/// Whether texts begin with a token of their own where the file doesn't say, by the name of its splitting.
pub(super) fn begins(name: Option<&str>) -> bool {
    name.and_then(splitting).is_some_and(|splitting| splitting.begins)
}

/// The parts of `tokenizer.json` that this model decides.
pub(super) fn file(gguf: &Gguf, vocabulary: &Vocabulary<'_>) -> Result<Map<String, Value>, LanguageError> {
    let name = gguf.text(PRE)?.unwrap_or("default");
    let splitting = splitting(name).ok_or_else(|| {
        let supported: Vec<&str> = SPLITTINGS.iter().flat_map(|splitting| splitting.names).copied().collect();
        bad(gguf, PRE, &format!("`{name}` is not supported; supported: {}", supported.join(", ")))
    })?;
    let byte_level = |use_regex: bool| json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": use_regex});
    let steps = match splitting.kind {
        Kind::Gpt2 => vec![byte_level(true)],
        Kind::Digits => vec![json!({"type": "Digits", "individual_digits": true}), byte_level(true)],
        Kind::Expression(expression) => vec![
            json!({"type": "Split", "pattern": {"Regex": expression}, "behavior": "Isolated", "invert": false}),
            byte_level(false),
        ],
    };
    let model = json!({
        "type": "BPE",
        "dropout": null,
        "unk_token": null,
        "continuing_subword_prefix": null,
        "end_of_word_suffix": null,
        "fuse_unk": false,
        "byte_fallback": false,
        "ignore_merges": splitting.whole_words,
        "vocab": vocabulary.json(),
        "merges": merges(gguf, vocabulary)?,
    });
    let mut file = Map::new();
    file.insert(String::from("normalizer"), if splitting.composed { json!({"type": "NFC"}) } else { Value::Null });
    file.insert(String::from("pre_tokenizer"), json!({"type": "Sequence", "pretokenizers": steps}));
    file.insert(String::from("decoder"), byte_level(true));
    file.insert(String::from("model"), model);
    Ok(file)
}

/// Pairs of tokens whose union is a token too.
fn merges(gguf: &Gguf, vocabulary: &Vocabulary<'_>) -> Result<Vec<Value>, LanguageError> {
    let ids = vocabulary.ids();
    let merges = gguf.texts(MERGES)?.ok_or_else(|| missing(gguf, MERGES))?;
    let mut pairs = Vec::with_capacity(merges.len());
    for merge in merges {
        let sound = |&(left, right): &(&str, &str)| {
            [left, right].into_iter().all(|part| ids.contains_key(part))
                && ids.contains_key(format!("{left}{right}").as_str())
        };
        let Some((left, right)) = merge.split_once(' ').filter(sound) else {
            return Err(bad(gguf, MERGES, &format!("`{merge}` does not join two tokens to a third")));
        };
        pairs.push(json!([left, right]));
    }
    Ok(pairs)
}
