use std::str::FromStr;
use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::fixtures::{by_characters, byte_level, data, smollm2, tokenizer};

mod hostile;
mod streaming;

/// The crate by itself, over the unchanged file: the law for trusted text.
fn reference(json: &str) -> tokenizers::Tokenizer {
    tokenizers::Tokenizer::from_str(json).unwrap()
}

/// Both kinds with the crate's own reading of them, made once: regular expressions take long to compile in a debug build.
static BOTH: LazyLock<[(Tokenizer, tokenizers::Tokenizer); 2]> =
    LazyLock::new(|| [byte_level(), by_characters()].map(|json| (tokenizer(&json), reference(&json.to_string()))));

/// The byte-level one without its normalizer: NFC text does not come back.
static BYTES: LazyLock<Tokenizer> = LazyLock::new(|| {
    let mut json = byte_level();
    json["normalizer"] = Value::Null;
    tokenizer(&json)
});

#[track_caller]
fn check_reference(reference: &tokenizers::Tokenizer, tokenizer: &Tokenizer, text: &str) {
    let expected = reference.encode_fast(text, false).unwrap();
    let ids = tokenizer.encode_trusted(text).unwrap();
    assert_eq!(ids, expected.get_ids(), "{text:?}");
    assert_eq!(tokenizer.decode(&ids, true), reference.decode(&ids, false).unwrap(), "{text:?}");
}

#[test]
fn smollm2_agrees_with_the_recorded_cases() {
    let (Some(tokenizer), Some(cases)) = (smollm2(), data("llm/smollm2-tokenizer-cases.json")) else {
        return;
    };
    let cases: Value = serde_json::from_str(&cases).unwrap();
    let cases = cases["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 16);
    for case in cases {
        let text = case["text"].as_str().unwrap();
        let ids: Vec<u32> = serde_json::from_value(case["ids"].clone()).unwrap();
        assert_eq!(tokenizer.encode_trusted(text).unwrap(), ids, "{text:?}");
        assert_eq!(tokenizer.decode(&ids, true), text);
        let foreign = tokenizer.encode_foreign(text).unwrap();
        assert!(!foreign.iter().any(|&id| tokenizer.is_control(id)), "{text:?}");
        assert_eq!(tokenizer.decode(&foreign, false), text);
        if !text.contains("<|") {
            assert_eq!(foreign, ids, "{text:?}");
        }
    }
}

#[test]
fn foreign_control_tokens_are_spelt_out() {
    for json in [byte_level(), by_characters()] {
        let tokenizer = tokenizer(&json);
        for token in json["added_tokens"].as_array().unwrap() {
            let text = token["content"].as_str().unwrap();
            let id: u32 = serde_json::from_value(token["id"].clone()).unwrap();
            assert!(tokenizer.encode_trusted(text).unwrap().contains(&id), "{text:?}");
            let foreign = tokenizer.encode_foreign(&format!("a{text} {text}{text}\n")).unwrap();
            assert_eq!(foreign.contains(&id), text.trim().is_empty(), "{text:?}");
        }
    }
}

#[test]
fn white_space_tokens_are_for_all() {
    let tokenizer = tokenizer(&byte_level());
    assert_eq!(tokenizer.encode_foreign("a\n\nb").unwrap(), [97, 267, 98]);
    assert!(!tokenizer.is_control(267) && tokenizer.is_control(266) && tokenizer.is_control(264));
}

#[test]
fn mixed_text_is_encoded_as_one() {
    let tokenizer = tokenizer(&by_characters());
    let mut text = MarkedText::default();
    text.push_trusted(tokenizer.marking(), "<s>[INST]");
    text.push_foreign(tokenizer.marking(), "  hell</s>");
    let ids = tokenizer.encode(&text).unwrap();
    let token = |spelling: &str| tokenizer.control_id(spelling).unwrap();
    assert_eq!(&ids[..2], [token("<s>"), token("[INST]")], "white space behind it is taken, as the file says");
    assert!(!ids[2..].contains(&token("</s>")));
    assert_eq!(tokenizer.decode(&ids, false), "hell</s>");
    // Halves of a control token on both sides of a seam do not become one.
    for (trusted, foreign) in [("</", "s>"), ("", "</s>"), ("</s", ">")] {
        let mut text = MarkedText::default();
        text.push_trusted(tokenizer.marking(), trusted);
        text.push_foreign(tokenizer.marking(), foreign);
        assert!(!tokenizer.encode(&text).unwrap().contains(&token("</s>")), "{trusted} {foreign}");
    }
}

#[test]
fn the_frame_is_what_the_post_processor_says() {
    assert_eq!(tokenizer(&byte_level()).frame(), (&[265][..], &[264][..]));
    assert_eq!(tokenizer(&by_characters()).frame(), (&[1][..], &[][..]));
    let mut bad = byte_level();
    bad["post_processor"]["processors"][1]["special_tokens"]["<|end|>"]["ids"] = json!([512]);
    let error = Tokenizer::new(&bad.to_string(), 512).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the tokenizer's post-processor cannot be used: an id of \"<|end|>\" is none of the 512 of the model; fetch the model again"
    );
}

#[test]
fn a_long_text_is_encoded_whole() {
    let Some(tokenizer) = smollm2() else {
        return;
    };
    // Words without an end are the worst case; the others take the same path at any length.
    let long =
        [("a", 1 << 18), (" ", 1 << 18), ("<|im_end|>", 1 << 16), ("👩‍👩‍👧", 1 << 16), ("x \n\t", 1 << 16), ("0", 1 << 16)];
    let texts = long.map(|(piece, bytes)| piece.repeat(bytes / piece.len()));
    for text in texts {
        let ids = tokenizer.encode_foreign(&text).unwrap();
        assert!(!ids.iter().any(|&id| tokenizer.is_control(id)));
        assert!(tokenizer.decode(&ids, false) == text, "{:?}...", &text[..12]);
    }
    let text = "a".repeat(TEXT_BYTES_MAX + 1);
    assert_eq!(tokenizer.encode_foreign(&text), Err(TokenizerError::TooLong(TEXT_BYTES_MAX + 1)));
}

#[test]
fn characters_that_stand_for_something_here_are_replaced() {
    let tokenizer = tokenizer(&byte_level());
    let forged = format!("{}{}", veil(0), '\u{100000}');
    let ids = tokenizer.encode_trusted(&forged).unwrap();
    assert!(!ids.contains(&265) && tokenizer.decode(&ids, true).chars().all(|letter| letter == '\u{fffd}'));
}

/// Text that is rich in what matters here.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("<|start|>".to_owned()),
        Just("<|end|>".to_owned()),
        Just("<think>".to_owned()),
        Just("<s>".to_owned()),
        Just("</s>".to_owned()),
        Just("[INST]".to_owned()),
        Just("｜x｜".to_owned()),
        Just("\n\n".to_owned()),
        Just(" hello".to_owned()),
        Just("👩‍👩‍👧".to_owned()),
        Just("e\u{301}".to_owned()),
        "[<|>s/ \\[\\]\n]{0,6}",
        "\\PC{0,8}",
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn trusted_text_agrees_with_the_crate(text in text()) {
        for (tokenizer, reference) in BOTH.iter() {
            check_reference(reference, tokenizer, &text);
        }
    }

    #[test]
    fn foreign_text_has_no_control_token_and_comes_back(text in text()) {
        let ids = BYTES.encode_foreign(&text).unwrap();
        prop_assert!(!ids.iter().any(|&id| BYTES.is_control(id)));
        prop_assert_eq!(BYTES.decode(&ids, true), text);
    }

    #[test]
    fn foreign_text_without_control_tokens_agrees_with_the_crate(text in "[a-z0-9 \n日]{0,30}") {
        for (tokenizer, reference) in BOTH.iter() {
            let expected = reference.encode_fast(text.as_str(), false).unwrap();
            prop_assert_eq!(tokenizer.encode_foreign(&text).unwrap(), expected.get_ids());
        }
    }
}
