//! A tokenizer for invented models: a token a byte, so that they can be asked and answer, though they mean nothing.

use std::collections::BTreeMap;

use serde_json::json;

/// Joins what is said, line by line.
pub(super) const CHAT_TEMPLATE: &str = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant:";

/// A byte-level BPE without merges, as a `tokenizer.json`.
pub(super) fn tokenizer() -> String {
    let vocabulary: BTreeMap<String, u32> = (0..=u8::MAX).map(|byte| (letter(byte).to_string(), byte.into())).collect();
    let byte_level = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false});
    let tokenizer = json!({
        "version": "1.0",
        "added_tokens": [],
        "normalizer": null,
        "pre_tokenizer": byte_level,
        "post_processor": null,
        "decoder": byte_level,
        "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": vocabulary, "merges": []},
    });
    tokenizer.to_string()
}

/// GPT-2's printable letter of a byte: itself, or the next one from U+0100 on. Source: Radford et al., 2019, `bytes_to_unicode`.
fn letter(byte: u8) -> char {
    let is_plain = |byte: u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    if is_plain(byte) {
        return char::from(byte);
    }
    let before = (0..byte).filter(|&other| !is_plain(other)).count();
    u32::try_from(256 + before).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER)
}
