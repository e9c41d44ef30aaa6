//! The real files that tests read, where they are at hand, and small tokenizers made up for tests.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::tokenizer::Tokenizer;

/// The bytes of a file of `shared/data` beside the repository; `None` (said aloud) where it is missing, unless
/// `CLAWDBOT_REQUIRE_DATA=1` makes that a failure.
#[expect(clippy::disallowed_methods, reason = "tests read files")]
pub(crate) fn data(path: &str) -> Option<String> {
    let path = std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(path);
    match std::fs::read_to_string(&path) {
        Ok(text) => Some(text),
        Err(error) if std::env::var_os("CLAWDBOT_REQUIRE_DATA").is_some_and(|value| value == "1") => {
            panic!("{}: {error}", path.display())
        }
        Err(error) => {
            // Written past the test runner's capture, which shows nothing of a test that passes.
            let notice = format!("SKIPPED: {}: {error}\n", path.display());
            std::io::Write::write_all(&mut std::io::stderr(), notice.as_bytes()).unwrap();
            None
        }
    }
}

/// SmolLM2's tokenizer, read once for all tests.
pub(crate) fn smollm2() -> Option<&'static Tokenizer> {
    static READ: OnceLock<Option<Tokenizer>> = OnceLock::new();
    READ.get_or_init(|| Some(Tokenizer::new(&data("llm/smollm2-tokenizer.json")?, 49_152).unwrap())).as_ref()
}

/// GPT-2's letter of a byte.
fn letter(byte: u8) -> char {
    let others = (0..=u8::MAX).filter(|byte| !matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff));
    match others.clone().position(|other| other == byte) {
        Some(place) => char::from_u32(256 + u32::try_from(place).unwrap()).unwrap(),
        None => char::from(byte),
    }
}

fn added(id: u32, content: &str) -> Value {
    json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
        "special": content.starts_with("<|")})
}

/// A byte-level BPE in the manner of Llama 3: ids 0 to 255 are the bytes, then a few merges, then added tokens, of which
/// one stands in the vocabulary as well (264) and `ignore_merges` would find it.
pub(crate) fn byte_level() -> Value {
    let mut vocabulary: BTreeMap<String, u32> =
        (0..=u8::MAX).map(|byte| (letter(byte).to_string(), byte.into())).collect();
    let merges =
        [("h", "e"), ("l", "l"), ("he", "ll"), ("hell", "o"), ("Ġ", "hello"), ("ð", "Ł"), ("<", "|"), ("Ġ", "Ġ")];
    for (id, (left, right)) in (256..).zip(merges) {
        vocabulary.insert(format!("{left}{right}"), id);
    }
    vocabulary.insert("<|end|>".to_owned(), 264);
    let added_tokens = [
        added(264, "<|end|>"),
        added(265, "<|start|>"),
        added(266, "<think>"),
        added(267, "\n\n"),
        added(268, "｜x｜"),
    ];
    json!({
        "version": "1.0",
        "added_tokens": added_tokens,
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": r"\p{N}{1,3}| ?\p{L}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"},
                "behavior": "Isolated", "invert": false},
            {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false}]},
        "post_processor": {"type": "Sequence", "processors": [
            {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false, "use_regex": true},
            {"type": "TemplateProcessing",
                "single": [{"SpecialToken": {"id": "<|start|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                    {"SpecialToken": {"id": "<|end|>", "type_id": 0}}],
                "pair": [],
                "special_tokens": {"<|start|>": {"id": "<|start|>", "ids": [265], "tokens": ["<|start|>"]},
                    "<|end|>": {"id": "<|end|>", "ids": [264], "tokens": ["<|end|>"]}}}]},
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
        "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": true,
            "vocab": vocabulary, "merges": merges.map(|(left, right)| format!("{left} {right}"))},
    })
}

/// A SentencePiece BPE as converted: spaces as U+2581, byte fallback, and merges that spell out `<s>` and `</s>`, as real
/// conversions have them.
pub(crate) fn by_characters() -> Value {
    let mut tokens: Vec<String> = ["<unk>", "<s>", "</s>"].map(str::to_owned).to_vec();
    tokens.extend((0..=u8::MAX).map(|byte| format!("<0x{byte:02X}>")));
    let pieces = ["▁", "h", "e", "l", "o", "s", "<", ">", "/", "[", "]", "I", "N", "S", "T", "日"];
    tokens.extend(pieces.map(str::to_owned));
    let merges = [
        ("h", "e"),
        ("l", "l"),
        ("▁", "he"),
        ("▁he", "ll"),
        ("<", "s"),
        ("<s", ">"),
        ("<", "/"),
        ("</", "s"),
        ("</s", ">"),
        ("▁", "▁"),
    ];
    let joined = merges.map(|(left, right)| format!("{left}{right}"));
    tokens.extend(joined.into_iter().filter(|joined| !["<s>", "</s>"].contains(&joined.as_str())));
    let end = u32::try_from(tokens.len()).unwrap();
    tokens.push("[INST]".to_owned());
    let vocabulary: BTreeMap<&String, usize> = tokens.iter().zip(0..).collect();
    let mut user = added(end, "[INST]");
    user["rstrip"] = json!(true);
    json!({
        "version": "1.0",
        "added_tokens": [added(0, "<unk>"), added(1, "<s>"), added(2, "</s>"), user],
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"},
            {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
        "pre_tokenizer": null,
        "post_processor": {"type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [], "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}},
        "decoder": {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
            {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
        "model": {"type": "BPE", "dropout": null, "unk_token": "<unk>", "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": true, "byte_fallback": true, "ignore_merges": false,
            "vocab": vocabulary, "merges": merges.map(|(left, right)| [left, right])},
    })
}

/// Reads one of them; ids go up to 511.
pub(crate) fn tokenizer(json: &Value) -> Tokenizer {
    Tokenizer::new(&json.to_string(), 512).unwrap()
}
