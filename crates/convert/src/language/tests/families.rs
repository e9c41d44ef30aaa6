//! What families of models do otherwise than llama: small folders whose tensors tell their rows.

use std::fs;
use std::path::Path;

use clawdbot_nn::metadata::language::{AttentionTemperature, Gate, LayerRope, NormPlacement, RopeScaling};
use serde_json::{Value, json};

use super::forward::row;
use super::{LanguageTarget, converted, open};

/// Writes a folder of one layer: width 32, 4 heads of 8, 2 for keys, feed-forward 32, 24 tokens. Value i of a row is the
/// row's number.
fn folder(at: &Path, config: &Value, tensors: &[(&str, &[usize])]) {
    let mut all = json!({
        "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8,
        "intermediate_size": 32, "vocab_size": 24, "rms_norm_eps": 1e-5, "max_position_embeddings": 64
    });
    for (key, value) in config.as_object().unwrap() {
        all[key] = value.clone();
    }
    fs::write(at.join("config.json"), all.to_string()).unwrap();
    let mut table = json!({});
    let mut data: Vec<u8> = Vec::new();
    for (name, shape) in tensors {
        let start = data.len();
        let columns = *shape.last().unwrap();
        let count = shape.iter().product::<usize>();
        data.extend((0..count).flat_map(|at| half::bf16::from_f32((at / columns) as f32).to_le_bytes()));
        table[*name] = json!({"dtype": "BF16", "shape": shape, "data_offsets": [start, data.len()]});
    }
    let header = table.to_string();
    let length = (header.len() as u64).to_le_bytes();
    fs::write(at.join("model.safetensors"), [&length, header.as_bytes(), &data].concat()).unwrap();
}

#[test]
fn fused_tensors_are_taken_apart() {
    let temporary = tempfile::tempdir().unwrap();
    let factors = |factor: f32| json!(vec![factor; 3]);
    let config = json!({
        "model_type": "phi3", "partial_rotary_factor": 0.75, "original_max_position_embeddings": 16,
        "rope_scaling": {"type": "longrope", "short_factor": factors(1.0), "long_factor": factors(4.0)},
        "sliding_window": 64
    });
    let tensors: [(&str, &[usize]); 8] = [
        ("model.embed_tokens.weight", &[24, 32]),
        ("model.norm.weight", &[32]),
        ("model.layers.0.input_layernorm.weight", &[32]),
        ("model.layers.0.post_attention_layernorm.weight", &[32]),
        ("model.layers.0.self_attn.qkv_proj.weight", &[64, 32]),
        ("model.layers.0.self_attn.o_proj.weight", &[32, 32]),
        ("model.layers.0.mlp.gate_up_proj.weight", &[64, 32]),
        ("model.layers.0.mlp.down_proj.weight", &[32, 32]),
    ];
    folder(temporary.path(), &config, &tensors);
    let bundle = converted(temporary.path(), LanguageTarget::F16);
    let firsts = |name: &str, rows: [usize; 4]| rows.map(|at| row(&bundle, name, at)[0]);
    assert_eq!(firsts("layers.0.attention.qkv", [0, 31, 32, 63]), [0.0, 31.0, 32.0, 63.0]);
    // 8 rows of gate, the same 8 of up (which begins at row 32), the next 8 of gate.
    assert_eq!(firsts("layers.0.feed_forward.gate_up", [7, 8, 16, 63]), [7.0, 32.0, 8.0, 63.0]);
    let architecture = &bundle.language().architecture;
    assert_eq!((architecture.rope.dimensions, architecture.layers[0].window), (6, None));
    let RopeScaling::LongRope { long, original_context: 16, magnitude, .. } = &architecture.rope.scaling else {
        panic!()
    };
    assert_eq!(long, &[4.0; 3]);
    // sqrt(1 + ln(64 / 16) / ln(16)).
    assert!((magnitude - 1.5_f32.sqrt()).abs() < 1e-6, "{magnitude}");
}

#[test]
fn norms_that_count_from_one_and_stand_on_both_sides() {
    let temporary = tempfile::tempdir().unwrap();
    let config = json!({"model_type": "gemma3", "text_config": {
        "model_type": "gemma3_text", "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4,
        "num_key_value_heads": 2, "head_dim": 8, "intermediate_size": 32, "vocab_size": 24, "rms_norm_eps": 1e-6,
        "max_position_embeddings": 64, "hidden_activation": "gelu_pytorch_tanh", "query_pre_attn_scalar": 16,
        "sliding_window": 4, "rope_theta": 1e6, "rope_local_base_freq": 10000,
        "rope_scaling": {"rope_type": "linear", "factor": 8.0}
    }});
    let layer = "language_model.model.layers.0.";
    let names = [
        ("input_layernorm", &[32][..]),
        ("post_attention_layernorm", &[32]),
        ("pre_feedforward_layernorm", &[32]),
        ("post_feedforward_layernorm", &[32]),
        ("self_attn.q_norm", &[8]),
        ("self_attn.k_norm", &[8]),
        ("self_attn.q_proj", &[32, 32]),
        ("self_attn.k_proj", &[16, 32]),
        ("self_attn.v_proj", &[16, 32]),
        ("self_attn.o_proj", &[32, 32]),
        ("mlp.gate_proj", &[32, 32]),
        ("mlp.up_proj", &[32, 32]),
        ("mlp.down_proj", &[32, 32]),
    ];
    let names: Vec<(String, &[usize])> =
        names.into_iter().map(|(name, shape)| (format!("{layer}{name}.weight"), shape)).collect();
    let mut tensors: Vec<(&str, &[usize])> = names.iter().map(|(name, shape)| (name.as_str(), *shape)).collect();
    tensors.push(("language_model.model.embed_tokens.weight", &[24, 32]));
    tensors.push(("language_model.model.norm.weight", &[32]));
    tensors.push(("vision_tower.embeddings.weight", &[3, 4]));
    folder(temporary.path(), &config, &tensors);
    let draft = open(temporary.path()).unwrap();
    assert!(
        draft.decisions().iter().any(|decision| decision.starts_with("1 tensors beside")),
        "{:?}",
        draft.decisions()
    );
    let bundle = converted(temporary.path(), LanguageTarget::Int8);
    for name in ["attention.norm", "attention.after_norm", "feed_forward.norm", "feed_forward.after_norm"] {
        assert_eq!(bundle.floats(&format!("layers.0.{name}")).unwrap(), [1.0; 32], "0 in the file is 1");
    }
    let architecture = &bundle.language().architecture;
    assert_eq!((architecture.norms, architecture.gate), (NormPlacement::BeforeAndAfter, Gate::GeluTanh));
    assert_eq!((architecture.attention_scale, architecture.tied_embedding), (0.25, true));
    assert!((architecture.embedding_multiplier - 32_f32.sqrt()).abs() < 1e-6);
    assert_eq!((architecture.layers[0].rope, architecture.layers[0].window), (LayerRope::Local, Some(4)));
    assert_eq!(architecture.rope.scaling, RopeScaling::Linear { factor: 8.0 });
    assert_eq!(architecture.local_rope.as_ref().unwrap().theta, 10_000.0);
}

#[test]
fn queries_that_grow_and_frequencies_by_yarn() {
    let temporary = tempfile::tempdir().unwrap();
    let config = json!({"model_type": "ministral3", "rope_parameters": {
        "rope_type": "yarn", "rope_theta": 1e6, "factor": 16.0, "beta_fast": 32.0, "beta_slow": 1.0, "mscale": 1.0,
        "mscale_all_dim": 1.0, "original_max_position_embeddings": 4, "llama_4_scaling_beta": 0.1
    }});
    let layer = |name: &str| format!("model.layers.0.{name}.weight");
    let names: Vec<(String, &[usize])> = vec![
        ("model.embed_tokens.weight".to_owned(), &[24, 32]),
        ("lm_head.weight".to_owned(), &[24, 32]),
        ("model.norm.weight".to_owned(), &[32]),
        (layer("input_layernorm"), &[32]),
        (layer("post_attention_layernorm"), &[32]),
        (layer("self_attn.q_proj"), &[32, 32]),
        (layer("self_attn.k_proj"), &[16, 32]),
        (layer("self_attn.v_proj"), &[16, 32]),
        (layer("self_attn.o_proj"), &[32, 32]),
        (layer("mlp.gate_proj"), &[32, 32]),
        (layer("mlp.up_proj"), &[32, 32]),
        (layer("mlp.down_proj"), &[32, 32]),
    ];
    let tensors: Vec<(&str, &[usize])> = names.iter().map(|(name, shape)| (name.as_str(), *shape)).collect();
    folder(temporary.path(), &config, &tensors);
    let draft = open(temporary.path()).unwrap();
    let architecture = &draft.language().architecture;
    assert!(!architecture.tied_embedding, "there is a head, and nobody says that it is the embedding");
    assert_eq!(architecture.attention_temperature, Some(AttentionTemperature { beta: 0.1, original_context: 4 }));
    let yarn = RopeScaling::Yarn {
        factor: 16.0,
        beta_fast: 32.0,
        beta_slow: 1.0,
        original_context: 4,
        magnitude: 1.0,
        truncate: true,
    };
    assert_eq!((architecture.rope.theta, &architecture.rope.scaling), (1e6, &yarn));
}

#[test]
fn what_a_folder_says_of_texts() {
    let temporary = tempfile::tempdir().unwrap();
    let at = temporary.path();
    let layer = |name: &str| format!("model.layers.0.{name}.weight");
    let names: Vec<(String, &[usize])> = vec![
        ("model.embed_tokens.weight".to_owned(), &[24, 32]),
        ("model.norm.weight".to_owned(), &[32]),
        (layer("input_layernorm"), &[32]),
        (layer("post_attention_layernorm"), &[32]),
        (layer("self_attn.q_proj"), &[32, 32]),
        (layer("self_attn.k_proj"), &[16, 32]),
        (layer("self_attn.v_proj"), &[16, 32]),
        (layer("self_attn.o_proj"), &[32, 32]),
        (layer("mlp.gate_proj"), &[32, 32]),
        (layer("mlp.up_proj"), &[32, 32]),
        (layer("mlp.down_proj"), &[32, 32]),
    ];
    let tensors: Vec<(&str, &[usize])> = names.iter().map(|(name, shape)| (name.as_str(), *shape)).collect();
    folder(at, &json!({"model_type": "llama", "bos_token_id": 20, "eos_token_id": 21}), &tensors);
    let put = |name: &str, content: &Value| fs::write(at.join(name), content.to_string()).unwrap();
    let special = |id: u32, content: &str| json!({"id": id, "content": content, "special": true});
    put(
        "tokenizer.json",
        &json!({
            "added_tokens": [special(20, "<s>"), special(21, "</s>"), special(22, "<|im_end|>")],
            "model": {"vocab": {}},
            "post_processor": {"processors": [{"single": [{"SpecialToken": {"id": "<s>"}}]}]}
        }),
    );
    put(
        "tokenizer_config.json",
        &json!({
            "eos_token": {"content": "<|im_end|>"}, "bos_token": "<s>",
            "chat_template": [{"name": "tool_use", "template": "no"}, {"name": "default", "template": "yes"}]
        }),
    );
    put("generation_config.json", &json!({"eos_token_id": [22, 21, 99]}));
    fs::write(at.join("README.md"), "---\nlanguage: en\nlicense: apache-2.0\n---\n# A model\n").unwrap();
    let draft = open(at).unwrap();
    let tokens = &draft.language().tokens;
    assert_eq!((tokens.begin, tokens.add_begin, &tokens.stops[..]), (Some(20), true, &[22, 21][..]));
    assert_eq!(draft.language().chat_template.as_deref(), Some("yes"));
    assert_eq!(draft.origin().licence, "Apache-2.0");
    put("tokenizer_config.json", &json!({"add_bos_token": false}));
    fs::write(at.join("chat_template.jinja"), "a file").unwrap();
    let draft = open(at).unwrap();
    assert_eq!((draft.language().tokens.add_begin, draft.language().chat_template.as_deref()), (false, Some("a file")));
    fs::write(at.join("tokenizer.json"), "{").unwrap();
    assert!(open(at).map(|_| ()).unwrap_err().to_string().contains("tokenizer.json` makes no sense: it is not JSON"));
}
