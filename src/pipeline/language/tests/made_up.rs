//! A language model that fits into a test: two small layers, and bytes for tokens.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clawdbot_kernels::{linear_f16, linear_i4, linear_i8};
use clawdbot_nn::bundle::language::LanguageWriter;
use clawdbot_nn::metadata::Origin;
use clawdbot_nn::metadata::language::{
    Architecture, Gate, Language, Layer, LayerRope, NormPlacement, Precision, QueryKeyNorm, Rope, RopeScaling,
    SpecialTokens, TensorForm,
};
use serde_json::json;

/// Ends a turn.
const END: u32 = 257;
const VOCABULARY: usize = 264;
const CHAT: &str = "{% for message in messages %}{{ message.role }}: {{ message.content }}<|end|>{% endfor %}\
                    {% if add_generation_prompt %}assistant: {% endif %}";

/// Writes it into `folder`, all of it in INT8.
pub(crate) fn model(folder: &Path) -> PathBuf {
    model_of(folder, &|_| Precision::Int8)
}

/// Writes it into `folder`, each matrix packed as `precision` says of its name.
pub(crate) fn model_of(folder: &Path, precision: &dyn Fn(&str) -> Precision) -> PathBuf {
    let path = folder.join("made-up.claw.safetensors");
    let language = Language {
        name: "made-up".to_owned(),
        architecture: architecture(),
        tokens: SpecialTokens { begin: None, add_begin: false, stops: vec![END] },
        chat_template: Some(CHAT.to_owned()),
    };
    let origin = Origin {
        name: "made-up".to_owned(),
        source_file: "none".to_owned(),
        source_sha256: "0".repeat(64),
        licence: "CC0-1.0".to_owned(),
        converter: "0".to_owned(),
    };
    let tokenizer = tokenizer();
    let mut writer = LanguageWriter::create(&path, &language, Some(&tokenizer), &origin, precision).unwrap();
    let mut state = 7_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 40) as f32 / 8_388_608.0 - 1.0) * 0.2
    };
    for tensor in language.architecture.tensors() {
        let bytes: Vec<u8> = match tensor.form {
            TensorForm::Floats { length } => (0..length).flat_map(|_| 1.0_f32.to_le_bytes()).collect(),
            TensorForm::Matrix { rows, columns } => {
                let values: Vec<f32> = (0..rows * columns).map(|_| next()).collect();
                match precision(&tensor.name) {
                    Precision::F16 => {
                        linear_f16::pack::pack(&values, columns).into_iter().flat_map(u16::to_le_bytes).collect()
                    }
                    Precision::Int8 => linear_i8::pack::pack(&values, columns, &linear_i8::pack::scales(&values)),
                    Precision::Int4 => linear_i4::pack::pack(&values, columns, &linear_i4::pack::scales(&values)),
                }
            }
        };
        writer.append(&tensor.name, &bytes).unwrap();
    }
    writer.finish().unwrap();
    path
}

fn architecture() -> Architecture {
    Architecture {
        width: 64,
        heads: 2,
        kv_heads: 1,
        head_dim: 32,
        feed_forward: 96,
        vocabulary: VOCABULARY,
        context: 512,
        norm_epsilon: 1e-5,
        gate: Gate::Silu,
        qkv_bias: false,
        query_key_norm: QueryKeyNorm::None,
        norms: NormPlacement::Before,
        tied_embedding: true,
        embedding_multiplier: 1.0,
        residual_multiplier: 1.0,
        attention_scale: 32.0_f32.sqrt().recip(),
        attention_softcap: None,
        attention_temperature: None,
        logit_multiplier: 1.0,
        logit_softcap: None,
        rope: Rope { theta: 10_000.0, dimensions: 32, scaling: RopeScaling::None },
        local_rope: None,
        layers: vec![Layer { rope: LayerRope::Global, window: None }; 2],
    }
}

/// A `tokenizer.json`: GPT-2's letters of the bytes, one merge, and the end of a turn.
fn tokenizer() -> String {
    let is_plain = |byte: &u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    let mut others = 256_u32..;
    let letter = |byte: u8| {
        let code = if is_plain(&byte) { u32::from(byte) } else { others.next().unwrap() };
        char::from_u32(code).unwrap().to_string()
    };
    let mut vocabulary: BTreeMap<String, u32> = (0..=u8::MAX).map(letter).zip(0..).collect();
    vocabulary.insert("he".to_owned(), 256);
    let end = json!({"id": END, "content": "<|end|>", "single_word": false, "lstrip": false, "rstrip": false,
        "normalized": false, "special": true});
    json!({
        "version": "1.0",
        "added_tokens": [end],
        "normalizer": null,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
        "post_processor": null,
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
        "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": vocabulary, "merges": ["h e"]},
    })
    .to_string()
}
