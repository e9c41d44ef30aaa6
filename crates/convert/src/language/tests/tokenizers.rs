//! Vocabularies of GGUF files as `tokenizer.json`.

use serde_json::{Value, json};

use super::gguf::writer::File;
use super::{open, path};
use crate::language::huggingface_compact;

#[test]
fn the_tokenizer_made_of_the_gguf_file_is_the_one_that_was_checked() {
    let Some(file) = path("llm/SmolLM2-135M-Instruct.Q4_1.gguf") else { return };
    let made: Value = serde_json::from_str(open(&file).unwrap().tokenizer().unwrap()).unwrap();
    let checked = std::fs::read(path("llm/smollm2-tokenizer.json").unwrap()).unwrap();
    let checked: Value = serde_json::from_slice(&checked).unwrap();
    for part in ["normalizer", "pre_tokenizer", "added_tokens", "model"] {
        assert!(made[part] == checked[part], "`{part}` differs");
    }
}

#[test]
fn white_space_between_parts_goes_and_that_inside_texts_stays() {
    let text = "{\n  \"a b\" : [ 1 , \"x \\\" y\\\\\" ],\t\"\\\\\\\"  \": null }";
    let compact = huggingface_compact(text);
    assert_eq!(compact, "{\"a b\":[1,\"x \\\" y\\\\\"],\"\\\\\\\"  \":null}");
    let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    assert_eq!(parse(text), parse(&compact));
}

/// The tokenizer of the small file with a change, or what is wrong with it.
fn made(change: impl FnOnce(&mut File)) -> Result<(Value, clawdbot_nn::metadata::language::SpecialTokens), String> {
    let mut file = File::small();
    change(&mut file);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("small.gguf");
    std::fs::write(&path, file.bytes()).unwrap();
    let draft = open(&path).map_err(|error| error.to_string())?;
    Ok((serde_json::from_str(draft.tokenizer().unwrap()).unwrap(), draft.language().tokens.clone()))
}

#[test]
fn how_texts_are_split_goes_by_name() {
    let (file, tokens) = made(|_| ()).unwrap();
    assert_eq!(file["pre_tokenizer"]["pretokenizers"][0]["type"], "Split");
    assert_eq!(file["model"]["merges"], json!([["a", "b"], ["ab", "a"]]));
    assert_eq!((file["model"]["ignore_merges"].as_bool(), &file["normalizer"]), (Some(true), &Value::Null));
    assert_eq!((tokens.begin, tokens.add_begin, tokens.stops), (Some(5), true, vec![4]));
    let (file, tokens) = made(|file| {
        file.text("tokenizer.ggml.pre", "qwen2").flag("tokenizer.ggml.add_bos_token", false);
        file.set("tokenizer.ggml.eos_token_id", u32::MAX);
    })
    .unwrap();
    assert_eq!(file["normalizer"]["type"], "NFC");
    assert_eq!((tokens.add_begin, tokens.stops), (false, vec![4]), "the end of a turn is known by its name");
    for name in ["gpt-2", "smollm", "llama3", "deepseek-r1-qwen", "tekken", "gpt-4o"] {
        let change = |file: &mut File| {
            file.text("tokenizer.ggml.pre", name);
        };
        made(change).unwrap();
    }
}

#[test]
fn vocabularies_that_do_not_fit() {
    let check = |expected: &str, change: &dyn Fn(&mut File)| {
        let message = made(|file| change(file)).expect_err(expected);
        assert!(message.contains(expected), "`{message}` does not say `{expected}`");
    };
    check("key `tokenizer.ggml.pre`: `chaos` is not supported; supported: gpt-2", &|file| {
        file.text("tokenizer.ggml.pre", "chaos");
    });
    check("key `tokenizer.ggml.model`: `bert` is not supported; gpt2 and llama are", &|file| {
        file.text("tokenizer.ggml.model", "bert");
    });
    for merge in ["a c", "b a", "ab", " ", "a  b"] {
        let expected = format!("key `tokenizer.ggml.merges`: `{merge}` does not join two tokens to a third");
        check(&expected, &|file| {
            file.texts("tokenizer.ggml.merges", &["a b", merge]);
        });
    }
    check("key `tokenizer.ggml.tokens`: 7 tokens for an embedding of 6 rows", &|file| {
        file.texts("tokenizer.ggml.tokens", &["a", "b", "c", "d", "e", "f", "g"]);
    });
    check("key `tokenizer.ggml.token_type`: it is not as long as the list of tokens", &|file| {
        file.integers("tokenizer.ggml.token_type", &[1]);
    });
    check("key `tokenizer.ggml.scores`: it is missing", &|file| {
        file.text("tokenizer.ggml.model", "llama");
    });
}

#[test]
fn a_file_without_words_gives_a_model_of_ids() {
    for name in ["none", "no_vocab"] {
        let mut file = File::small();
        file.text("tokenizer.ggml.model", name);
        file.without("tokenizer.ggml.tokens");
        file.count("tokenizer.ggml.eos_token_id", 4).set("tokenizer.ggml.eot_token_id", 6);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("small.gguf");
        std::fs::write(&path, file.bytes()).unwrap();
        let draft = open(&path).unwrap();
        assert_eq!(draft.tokenizer(), None);
        assert_eq!(draft.language().tokens.stops, [4], "the embedding has no row 6");
    }
}

#[test]
fn pieces_with_scores_become_merges_by_falling_score() {
    let (file, tokens) = made(|file| {
        file.text("tokenizer.ggml.model", "llama");
        file.texts("tokenizer.ggml.tokens", &["<unk>", "</s>", "a", "b", "ab", "aba"]);
        file.integers("tokenizer.ggml.token_type", &[2, 3, 1, 1, 1, 1]);
        file.numbers("tokenizer.ggml.scores", &[0.0, 0.0, -4.0, -3.0, -2.0, -1.0]);
        file.count("tokenizer.ggml.bos_token_id", 2).count("tokenizer.ggml.eos_token_id", 1);
    })
    .unwrap();
    // aba is ab + a; a + ba is not, since ba is no piece.
    assert_eq!(file["model"]["merges"], json!([["ab", "a"], ["a", "b"]]));
    assert_eq!(
        (file["model"]["byte_fallback"].as_bool(), file["model"]["unk_token"].as_str()),
        (Some(true), Some("<unk>"))
    );
    assert_eq!(file["normalizer"]["normalizers"][0]["prepend"], "\u{2581}");
    assert_eq!(file["added_tokens"].as_array().unwrap().len(), 2);
    assert_eq!((tokens.add_begin, tokens.stops), (true, vec![1]));
}
