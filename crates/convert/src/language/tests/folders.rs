//! Hugging Face folders: the fixtures against their reference logits, and folders that lie.

use std::fs;
use std::path::Path;

use clawdbot_nn::metadata::language::{LayerRope, QueryKeyNorm, RopeScaling};
use serde_json::{Value, json};

use super::forward::logits;
use super::{LanguageTarget, converted, open, path, request};
use crate::fixtures::{npz_f32, npz_i64};
use crate::language::recognises;

/// Greatest difference of the folder's logits from its reference, and the reference's standard deviation.
fn difference(folder: &Path, target: LanguageTarget) -> (f32, f32) {
    let bundle = converted(folder, target);
    let archive = fs::read(folder.join("reference.npz")).unwrap();
    let (_, expected) = npz_f32(&archive, "logits");
    let ids: Vec<usize> = npz_i64(&archive, "ids").into_iter().map(|id| usize::try_from(id).unwrap()).collect();
    let found = logits(&bundle, &ids).concat();
    assert_eq!(found.len(), expected.len());
    let worst = found.iter().zip(&expected).map(|(one, other)| (one - other).abs()).fold(0.0, f32::max);
    let mean = expected.iter().sum::<f32>() / expected.len() as f32;
    let variance = expected.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / expected.len() as f32;
    (worst, variance.sqrt())
}

#[test]
fn every_fixture_gives_its_reference_logits() {
    for name in ["llama-rope3", "qwen2-bias-untied", "qwen3-qknorm", "smollm3-nope"] {
        let Some(folder) = path(&format!("tiny/{name}")) else { return };
        let (worst, deviation) = difference(&folder, LanguageTarget::F16);
        assert!(worst < 2e-3 * deviation, "{name}: {worst} at a deviation of {deviation}");
        let (int8, _) = difference(&folder, LanguageTarget::Int8);
        let (int4, _) = difference(&folder, LanguageTarget::Int4);
        assert!(
            int8 < 0.2 * deviation && int4 < 2.5 * deviation && int8 < int4,
            "{name}: {int8} {int4} of {deviation}"
        );
    }
}

#[test]
fn what_a_folder_says_is_read() {
    let Some(folder) = path("tiny/llama-rope3") else { return };
    assert!(recognises(&folder) && !recognises(folder.parent().unwrap()));
    let draft = open(&folder).unwrap();
    let architecture = &draft.language().architecture;
    let scaling = RopeScaling::Llama3 { factor: 32.0, low: 1.0, high: 4.0, original_context: 64 };
    assert_eq!((architecture.rope.theta, &architecture.rope.scaling), (500_000.0, &scaling));
    assert_eq!((architecture.heads, architecture.kv_heads, architecture.head_dim), (4, 2, 16));
    assert!(architecture.tied_embedding && !architecture.qkv_bias);
    assert!(draft.decisions()[0].contains("no tokenizer.json"), "{:?}", draft.decisions());
    let Some(folder) = path("tiny/smollm3-nope") else { return };
    let ropes: Vec<LayerRope> =
        open(&folder).unwrap().language().architecture.layers.iter().map(|layer| layer.rope).collect();
    assert_eq!(ropes, [LayerRope::Global, LayerRope::Global, LayerRope::Global, LayerRope::Skip]);
    let Some(folder) = path("tiny/qwen3-qknorm") else { return };
    assert_eq!(open(&folder).unwrap().language().architecture.query_key_norm, QueryKeyNorm::PerHead);
    let Some(folder) = path("tiny/qwen2-bias-untied") else { return };
    let draft = open(&folder).unwrap();
    assert!(draft.language().architecture.qkv_bias && !draft.language().architecture.tied_embedding);
}

/// A folder of one layer with this configuration, whose tensors hold small numbers; returns the table of its tensors.
fn folder(at: &Path, changes: &Value) -> Value {
    let mut config = json!({
        "model_type": "llama", "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4,
        "intermediate_size": 40, "vocab_size": 24, "rms_norm_eps": 1e-5, "max_position_embeddings": 64
    });
    for (key, value) in changes.as_object().unwrap() {
        config[key] = value.clone();
    }
    fs::write(at.join("config.json"), config.to_string()).unwrap();
    let mut table = json!({});
    let mut end = 0;
    let mut add = |name: &str, shape: &[usize]| {
        let bytes = 4 * shape.iter().product::<usize>();
        table[name] = json!({"dtype": "F32", "shape": shape, "data_offsets": [end, end + bytes]});
        end += bytes;
    };
    add("model.embed_tokens.weight", &[24, 32]);
    add("model.norm.weight", &[32]);
    for (name, shape) in [
        ("input_layernorm", &[32][..]),
        ("post_attention_layernorm", &[32]),
        ("self_attn.q_proj", &[32, 32]),
        ("self_attn.k_proj", &[32, 32]),
        ("self_attn.v_proj", &[32, 32]),
        ("self_attn.o_proj", &[32, 32]),
        ("mlp.gate_proj", &[40, 32]),
        ("mlp.up_proj", &[40, 32]),
        ("mlp.down_proj", &[32, 40]),
    ] {
        add(&format!("model.layers.0.{name}.weight"), shape);
    }
    write(at, "model.safetensors", &table, end);
    table
}

fn write(at: &Path, name: &str, table: &Value, bytes: usize) {
    let header = table.to_string();
    let values = (0..bytes / 4).flat_map(|value| ((value % 100) as f32 / 100.0).to_le_bytes());
    let length = (header.len() as u64).to_le_bytes();
    fs::write(at.join(name), length.into_iter().chain(header.into_bytes()).chain(values).collect::<Vec<u8>>()).unwrap();
}

#[track_caller]
fn refused(at: &Path, expected: &str) {
    let message = open(at).map(|_| ()).expect_err(expected).to_string();
    assert!(message.contains(expected), "`{message}` does not say `{expected}`");
}

#[test]
fn the_feed_forward_part_is_filled_up_with_zeros() {
    let temporary = tempfile::tempdir().unwrap();
    folder(temporary.path(), &json!({}));
    let bundle = converted(temporary.path(), LanguageTarget::F16);
    assert_eq!(bundle.language().architecture.feed_forward, 64);
    assert!(bundle.language().architecture.tied_embedding, "there is no head");
    // Rows 32..40 of gate stand in tile 8; rows 40.. are zeros, and so are down's columns from 40 on.
    let gate_up = |at: usize| super::forward::row(&bundle, "layers.0.feed_forward.gate_up", at);
    assert!(gate_up(8 * 8).iter().any(|&weight| weight != 0.0));
    assert!((10 * 8..16 * 8).all(|at| gate_up(at).iter().all(|&weight| weight == 0.0)));
    let down = super::forward::row(&bundle, "layers.0.feed_forward.down", 3);
    assert!(down[39] != 0.0 && down[40..].iter().all(|&weight| weight == 0.0));
}

#[test]
fn configurations_that_are_not_supported() {
    let temporary = tempfile::tempdir().unwrap();
    let at = temporary.path();
    let check = |changes: Value, expected: &str| {
        folder(at, &changes);
        refused(at, expected);
    };
    check(json!({"model_type": "mamba"}), "the architecture `mamba` is not supported; supported: llama, mistral");
    check(json!({"hidden_act": "relu2"}), "`hidden_act` of the model's config.json: `relu2` is not supported");
    check(
        json!({"rope_scaling": {"type": "dynamic", "factor": 2.0}}),
        "`rope_type` of the model's config.json: `dynamic`",
    );
    check(json!({"rope_scaling": {"type": "linear"}}), "`factor` of the model's config.json: it is missing");
    check(json!({"quantization_config": {}}), "take the model in BF16 or F16");
    check(json!({"hidden_size": null}), "`hidden_size` of the model's config.json: it is missing");
    check(json!({"hidden_size": "32"}), "`hidden_size` of the model's config.json: it should be a whole number");
    check(json!({"hidden_size": 33}), "`num_attention_heads` of the model's config.json: it does not divide");
    check(json!({"num_attention_heads": 0}), "it does not divide");
    check(json!({"num_hidden_layers": u64::MAX}), "no model has so many");
    check(json!({"num_hidden_layers": 2}), "tensor `model.layers.1.self_attn.q_proj.weight`: it is missing");
    check(
        json!({"vocab_size": 25}),
        "tensor `model.embed_tokens.weight`: it is [24, 32], but the description wants 25 rows",
    );
    check(json!({"num_key_value_heads": 3, "head_dim": 8}), "tensor `model.layers.0.self_attn.k_proj.weight`");
    check(json!({"attention_bias": true}), "tensor `model.layers.0.self_attn.q_proj.bias`: it is missing");
    check(json!({"layer_types": ["linear_attention"]}), "`layer_types` of the model's config.json");
    fs::write(at.join("config.json"), "[]").unwrap();
    refused(at, "it is not a JSON object");
    fs::remove_file(at.join("config.json")).unwrap();
    refused(at, "config.json` cannot be read");
}

#[test]
fn tensors_that_do_not_fit() {
    let temporary = tempfile::tempdir().unwrap();
    let at = temporary.path();
    let good = folder(at, &json!({}));
    let bytes = fs::read(at.join("model.safetensors")).unwrap();
    let data = bytes.len() - 8 - good.to_string().len();
    let check = |expected: &str, change: &dyn Fn(&mut Value)| {
        let mut table = good.clone();
        change(&mut table);
        write(at, "model.safetensors", &table, data);
        refused(at, expected);
    };
    check("tensor `model.norm.weight`: it is missing", &|table| {
        let line = table.as_object_mut().unwrap().remove("model.norm.weight").unwrap();
        table["model.embed.weight"] = line;
    });
    check("tensor `model.norm.weight`: F64 [16] is not read", &|table| {
        table["model.norm.weight"]["dtype"] = json!("F64");
        table["model.norm.weight"]["shape"] = json!([16]);
    });
    check("tensor `model.norm.weight`: its shape [33] of F32 does not fill its 128 bytes", &|table| {
        table["model.norm.weight"]["shape"] = json!([33]);
    });
    check("does not fill", &|table| table["model.norm.weight"]["shape"] = json!([u64::MAX, u64::MAX]));
    check("tensor `model.embed_tokens.weight` has the bytes 0..3072, but 128.. of 35200 are next", &|table| {
        table["model.norm.weight"]["data_offsets"] = json!([0, 128]);
    });
    check("tensor `model.norm.weight` has the bytes", &|table| {
        table["model.norm.weight"]["data_offsets"] = json!([3072, 0]);
    });
    check("invalid value", &|table| table["model.norm.weight"]["shape"] = json!([-1]));
    for length in [0, 7, 100, bytes.len() - 1] {
        fs::write(at.join("model.safetensors"), &bytes[..length]).unwrap();
        assert!(open(at).is_err(), "{length} bytes");
    }
    let mut long = bytes.clone();
    long[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    fs::write(at.join("model.safetensors"), &long).unwrap();
    refused(at, "is longer than the file");
    let mut flipped = bytes.clone();
    for byte in 0..8 + good.to_string().len() {
        flipped[byte] ^= 4;
        fs::write(at.join("model.safetensors"), &flipped).unwrap();
        drop(open(at));
        flipped[byte] ^= 4;
    }
}

#[test]
fn shards_are_files_of_the_folder() {
    let temporary = tempfile::tempdir().unwrap();
    let at = temporary.path();
    let table = folder(at, &json!({}));
    fs::rename(at.join("model.safetensors"), at.join("model-1-of-1.safetensors")).unwrap();
    let index = |shard: &str| {
        let map: Value = table.as_object().unwrap().keys().map(|name| (name.clone(), json!(shard))).collect();
        fs::write(at.join("model.safetensors.index.json"), json!({"weight_map": map}).to_string()).unwrap();
    };
    index("model-1-of-1.safetensors");
    assert!(open(at).is_ok());
    for shard in ["../model-1-of-1.safetensors", "/etc/passwd", "sub/x.safetensors", "..\\x.safetensors", "passwd"] {
        index(shard);
        refused(at, "is no .safetensors file of the folder itself");
    }
    index("model-2-of-2.safetensors");
    refused(at, "model-2-of-2.safetensors` cannot be read");
    fs::remove_file(at.join("model.safetensors.index.json")).unwrap();
    refused(at, "model.safetensors` cannot be read");
}

#[test]
fn weights_that_are_no_numbers_are_named_when_they_are_packed() {
    let temporary = tempfile::tempdir().unwrap();
    let at = temporary.path();
    let table = folder(at, &json!({}));
    let mut bytes = fs::read(at.join("model.safetensors")).unwrap();
    let place = 8
        + table.to_string().len()
        + usize::try_from(table["model.norm.weight"]["data_offsets"][0].as_u64().unwrap()).unwrap();
    bytes[place..place + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    fs::write(at.join("model.safetensors"), bytes).unwrap();
    let output = at.join("out.claw.safetensors");
    let error =
        open(at).unwrap().convert(&output, &request(LanguageTarget::Int8), &mut |_| ()).unwrap_err().to_string();
    assert!(error.contains("tensor `model.norm.weight`: row 0 holds an infinity or no number"), "{error}");
    assert!(!output.exists());
}
