use super::*;
use crate::sampler::Random;

#[track_caller]
fn check(change: impl FnOnce(&mut Value), complaint: &str) {
    let mut json = byte_level();
    change(&mut json);
    let error = Tokenizer::new(&json.to_string(), 300).unwrap_err().to_string();
    assert!(error.contains(complaint), "{error}");
}

#[test]
fn what_does_not_fit_is_named() {
    let ids = "the tokenizer gives token \"zz\" the id 300, but the model has 300 tokens: they do not belong together";
    check(|json| json["model"]["vocab"]["zz"] = json!(300), ids);
    check(|json| json["added_tokens"][2]["id"] = json!(4_000_000_000_u32), "<think>\" the id 4000000000");
    check(|json| json["added_tokens"][0]["id"] = json!(270), "\"<|end|>\" (id 270) has also the id 264");
    check(|json| json["added_tokens"][0]["content"] = json!(""), "has no spelling");
    check(|json| json["model"]["vocab"]["k"] = json!(264), "\"<|end|>\" (id 264) shares its id with \"k\"");
    check(|json| json["model"]["merges"][0] = json!("q u"), "merge 0 joins \"q\" and \"u\", but \"qu\" is no token");
    check(|json| json["model"]["merges"][0] = json!(["日", "u"]), "but \"日\" is no token");
    check(|json| json["model"]["merges"][0] = json!("a b c"), "is not of two tokens");
    check(|json| json["model"]["unk_token"] = json!("?unk"), "unk_token \"?unk\" is no token");
}

#[test]
fn what_is_not_supported_is_named() {
    check(|json| json["model"] = json!({"type": "Unigram", "vocab": [["a", 0.5]]}), "model is Unigram, which is not");
    check(|json| json["model"]["end_of_word_suffix"] = json!("</w>"), "BPE with a prefix or suffix");
    check(|json| json["normalizer"] = json!({"type": "Precompiled"}), "normalizer is Precompiled");
    check(|json| json["pre_tokenizer"]["pretokenizers"][1]["type"] = json!("Bert"), "pre-tokenizer is Bert");
    check(|json| json["decoder"] = json!({"type": "CTC"}), "decoder is CTC");
    check(|json| json["decoder"] = Value::Null, "decoder is missing");
    check(|json| json["post_processor"] = json!({"type": "BertProcessing"}), "post-processor is BertProcessing");
}

#[test]
fn what_is_broken_is_named() {
    check(|json| *json = json!([]), "tokenizer.json cannot be read");
    check(|json| json["model"]["vocab"]["a"] = json!(-1), "tokenizer.json cannot be read");
    check(
        |json| json["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = json!("("),
        "the tokenizer's pre-tokenizer",
    );
    assert!(matches!(Tokenizer::new("", 1), Err(TokenizerError::Syntax(_))));
}

#[test]
fn a_regular_expression_that_blows_up_gives_up() {
    let mut json = byte_level();
    json["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = json!(r"(x+x+)+(?=y)\1");
    let tokenizer = tokenizer(&json);
    let text = "x".repeat(5000);
    assert_eq!(tokenizer.decode(&tokenizer.encode_foreign(&text).unwrap(), false), text);
}

/// Flips of one byte, cuts, and doubled stretches: an error or a tokenizer that keeps its promises, never a panic.
#[test]
fn damaged_files_never_panic() {
    let mut random = Random::new(5);
    let mut below = |end: usize| usize::try_from(random.bits() % u64::try_from(end).unwrap()).unwrap();
    let (mut read, mut refused) = (0, 0);
    for json in [byte_level(), by_characters()] {
        let sound = json.to_string().into_bytes();
        for round in 0..200 {
            let mut bytes = sound.clone();
            match round % 8 {
                0 => bytes.truncate(below(sound.len())),
                1 => {
                    let (from, length) = (below(sound.len() - 40), below(40));
                    bytes.splice(from..from, sound[from..from + length].to_vec());
                }
                _ => {
                    let at = below(sound.len());
                    bytes[at] ^= 1 << below(8);
                }
            }
            match Tokenizer::new(&String::from_utf8_lossy(&bytes), 512) {
                Err(error) => refused += usize::from(!error.to_string().is_empty()),
                Ok(tokenizer) => {
                    read += 1;
                    let text = "hello <|start|> <s></s>[INST] 日本 👩‍👩‍👧\r\n\n 12345 <0x0A>";
                    if let Ok(ids) = tokenizer.encode_foreign(text) {
                        assert!(!ids.iter().any(|&id| tokenizer.is_control(id)));
                        assert!(tokenizer.decode(&ids, true).len() < 500);
                    }
                    tokenizer.encode_trusted(text).ok();
                }
            }
        }
    }
    assert!(read > 40 && refused > 40, "{read} read, {refused} refused");
}
