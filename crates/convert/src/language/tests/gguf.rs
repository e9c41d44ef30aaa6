//! GGUF files: the real one against its reference, and small ones that lie.

pub(super) mod writer;

use std::path::Path;

use clawdbot_nn::metadata::language::{LayerRope, RopeScaling};

use super::forward::{logits, row};
use super::{LanguageTarget, converted, open, path};
use writer::File;

#[test]
fn the_language_model_of_the_shared_data_gives_its_reference_logits() {
    let Some(file) = path("llm/SmolLM2-135M-Instruct.Q4_1.gguf") else { return };
    let reference = std::fs::read(path("llm/smollm2-q4_1-reference.json").unwrap()).unwrap();
    let reference: serde_json::Value = serde_json::from_slice(&reference).unwrap();
    let first = &reference["gens"][0];
    let number = |value: &serde_json::Value| usize::try_from(value.as_u64().unwrap()).unwrap();
    let ids: Vec<usize> = first["prompt_ids"].as_array().unwrap().iter().map(number).collect();
    let bundle = converted(&file, LanguageTarget::F16);
    let found = logits(&bundle, &ids).pop().unwrap();
    for pair in first["first_logits_top8"].as_array().unwrap() {
        let (id, expected) = (number(&pair[0]), pair[1].as_f64().unwrap());
        let difference = (f64::from(found[id]) - expected).abs();
        // F16 keeps 11 bits of each weight; a permutation gone wrong is off by whole numbers.
        assert!(difference < 0.05, "token {id}: {} instead of {expected}", found[id]);
    }
}

#[test]
fn what_a_file_says_is_read() {
    let Some(file) = path("llm/SmolLM2-135M-Instruct.Q4_1.gguf") else { return };
    let draft = open(&file).unwrap();
    let architecture = &draft.language().architecture;
    assert_eq!((architecture.layers.len(), architecture.width, architecture.heads), (30, 576, 9));
    assert_eq!((architecture.kv_heads, architecture.head_dim, architecture.feed_forward), (3, 64, 1536));
    assert_eq!((architecture.vocabulary, architecture.context), (49_152, 8192));
    assert!(architecture.tied_embedding && (architecture.rope.theta - 1e5).abs() < 1.0);
    let tokens = &draft.language().tokens;
    assert_eq!((tokens.begin, tokens.add_begin, &tokens.stops[..]), (Some(1), false, &[2, 0][..]));
    assert!(draft.language().chat_template.as_deref().unwrap().contains("<|im_start|>"));
    assert_eq!(draft.origin().licence, "Apache-2.0");
    assert_eq!(draft.origin().name, "SmolLM2-135M-Instruct.Q4_1");
}

/// The file of a change to the small one, in a folder of its own.
fn written(change: impl FnOnce(&mut File)) -> (tempfile::TempDir, std::path::PathBuf) {
    let mut file = File::small();
    change(&mut file);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("small.gguf");
    std::fs::write(&path, file.bytes()).unwrap();
    (folder, path)
}

#[track_caller]
fn refused(expected: &str, change: impl FnOnce(&mut File)) {
    let (_folder, path) = written(change);
    let message = open(&path).map(|_| ()).expect_err(expected).to_string();
    assert!(message.contains(expected), "`{message}` does not say `{expected}`");
}

fn first_row(path: &Path, rows: [usize; 3]) -> [f32; 3] {
    let bundle = converted(path, LanguageTarget::F16);
    rows.map(|at| row(&bundle, "layers.0.attention.qkv", at)[0])
}

#[test]
fn neighbouring_pairs_become_halves() {
    // Each row of q holds its own number; heads have 8 values, so that 0 1 2 3 | 4 .. are 0 2 4 6 | 1 ...
    let (_folder, path) = written(|_| ());
    assert_eq!(first_row(&path, [1, 4, 9]), [2.0, 1.0, 10.0]);
    let (_folder, path) = written(|file| file.rename("llama", "qwen2"));
    assert_eq!(first_row(&path, [1, 4, 9]), [1.0, 4.0, 9.0]);
    let (_folder, path) = written(|file| {
        file.floats("blk.0.attn_q.bias", &[32], |at| at as f32);
        file.floats("blk.0.attn_k.bias", &[32], |_| 0.0);
        file.floats("blk.0.attn_v.bias", &[32], |_| 0.5);
    });
    let bundle = converted(&path, LanguageTarget::Int8);
    let bias = bundle.floats("layers.0.attention.qkv_bias").unwrap();
    assert_eq!((bias[1], bias[4], bias[95]), (2.0, 1.0, 0.5));
}

#[test]
fn what_keys_say_of_positions() {
    let (_folder, path) = written(|file| {
        file.rename("llama", "mistral3");
        file.text("mistral3.rope.scaling.type", "yarn").number("mistral3.rope.scaling.factor", 16.0);
        file.number("mistral3.rope.scaling.yarn_log_multiplier", 1.0);
        file.count("mistral3.rope.scaling.original_context_length", 16);
        file.number("mistral3.attention.temperature_scale", 0.1);
    });
    let draft = open(&path).unwrap();
    let architecture = &draft.language().architecture;
    let RopeScaling::Yarn { factor, magnitude, original_context, .. } = architecture.rope.scaling else { panic!() };
    assert_eq!((factor, magnitude, original_context), (16.0, 1.0, 16));
    assert_eq!(architecture.attention_temperature.unwrap().original_context, 16);
    let (_folder, path) = written(|file| file.rename("llama", "smollm3"));
    assert_eq!(open(&path).unwrap().language().architecture.layers[0].rope, LayerRope::Global);
    let (_folder, path) = written(|file| file.floats("rope_freqs.weight", &[4], |at| at as f32 + 1.0));
    let scaling = open(&path).unwrap().language().architecture.rope.scaling.clone();
    assert_eq!(scaling, RopeScaling::Factors { factors: vec![1.0, 2.0, 3.0, 4.0] });
}

#[test]
fn files_that_do_not_fit() {
    refused("the architecture `mamba` is not supported; supported: llama, mistral3", |file| {
        file.rename("llama", "mamba");
    });
    refused("tensor `output_norm.weight`: it is missing", |file| file.remove("output_norm.weight"));
    refused("tensor `token_embd.weight`: it is missing", |file| file.remove("token_embd.weight"));
    refused("tensor `blk.0.attn_output.bias`: the architecture has no use for it", |file| {
        file.floats("blk.0.attn_output.bias", &[32], |_| 0.0);
    });
    refused("key `llama.attention.head_count`: it does not divide", |file| file.set("llama.attention.head_count", 0));
    refused("the 4 query heads cannot share 3 key heads", |file| {
        file.set("llama.attention.head_count_kv", 3);
        for name in ["blk.0.attn_k.weight", "blk.0.attn_v.weight"] {
            file.remove(name);
            file.floats(name, &[32, 24], |_| 0.0);
        }
    });
    refused("tensor `blk.0.ffn_up.weight`: it is [64, 32], but the keys want [96, 32]", |file| {
        file.set("llama.feed_forward_length", 96);
        file.remove("blk.0.ffn_gate.weight");
        file.floats("blk.0.ffn_gate.weight", &[32, 96], |_| 0.0);
    });
    refused("key `llama.block_count`: no model has so many layers", |file| file.set("llama.block_count", u32::MAX));
    refused("tensor `blk.1.attn_q.weight`: it is missing", |file| file.set("llama.block_count", 2));
    refused("key `llama.expert_count`: mixtures of experts are not supported", |file| {
        file.count("llama.expert_count", 8);
    });
    refused("key `llama.rope.scaling.type`: `dynamic` is not supported", |file| {
        file.text("llama.rope.scaling.type", "dynamic");
    });
    refused("key `llama.rope.dimension_count`: heads that are turned in part", |file| {
        file.count("llama.rope.dimension_count", 4);
    });
    refused("it is a text, but should be a number", |file| {
        file.text("llama.rope.freq_base", "x");
    });
}
