//! Held against a twin that computes in f64, one value after the other, what `metadata::language` says; and against itself,
//! bit for bit, with the same tokens in other company.

mod twin;

use std::sync::Arc;

use clawdbot_kernels::isa::Isa;
use clawdbot_kernels::pages::Format;
use clawdbot_kernels::{linear_f16, linear_i4, linear_i8};
use clawdbot_nn::bundle::language::{LanguageBundle, LanguageWriter};
use clawdbot_nn::metadata::Origin;
use clawdbot_nn::metadata::language::{
    Architecture, AttentionTemperature, Gate, Language, Layer, LayerRope, NormPlacement, Precision, QueryKeyNorm, Rope,
    RopeScaling, SpecialTokens, TensorForm,
};
use clawdbot_nn::workers::Workers;

use super::*;

const VOCABULARY: usize = 101;

/// Plain llama.
pub(crate) fn plain() -> Architecture {
    let rope = Rope { theta: 10_000.0, dimensions: 32, scaling: RopeScaling::None };
    Architecture {
        width: 64,
        heads: 4,
        kv_heads: 2,
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
        rope,
        local_rope: None,
        layers: vec![Layer { rope: LayerRope::Global, window: None }; 2],
    }
}

/// Everything that has a switch, switched.
fn odd() -> Architecture {
    let local = Rope { theta: 1e6, dimensions: 16, scaling: RopeScaling::Linear { factor: 4.0 } };
    Architecture {
        gate: Gate::GeluTanh,
        qkv_bias: true,
        query_key_norm: QueryKeyNorm::PerHead,
        norms: NormPlacement::BeforeAndAfter,
        tied_embedding: false,
        embedding_multiplier: 8.0,
        residual_multiplier: 0.5,
        attention_softcap: Some(5.0),
        attention_temperature: Some(AttentionTemperature { beta: 0.1, original_context: 16 }),
        logit_multiplier: 0.5,
        logit_softcap: Some(30.0),
        local_rope: Some(local),
        layers: vec![
            Layer { rope: LayerRope::Local, window: Some(9) },
            Layer { rope: LayerRope::Skip, window: None },
            Layer { rope: LayerRope::Global, window: None },
        ],
        ..plain()
    }
}

/// Heads turned in part, by pairs that fill no vector.
fn narrow() -> Architecture {
    let rope = Rope { theta: 10_000.0, dimensions: 6, scaling: RopeScaling::None };
    Architecture { heads: 8, kv_heads: 4, head_dim: 8, rope, attention_scale: 8.0_f32.sqrt().recip(), ..plain() }
}

fn after_only() -> Architecture {
    Architecture { query_key_norm: QueryKeyNorm::Whole, norms: NormPlacement::After, ..plain() }
}

/// Numbers around 0, the same on every machine.
struct Dice(u64);

impl Dice {
    fn floats(&mut self, length: usize, spread: f32) -> Vec<f32> {
        let mut next = || {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((self.0 >> 40) as f32 / 8_388_608.0 - 1.0) * spread
        };
        (0..length).map(|_| next()).collect()
    }
}

/// A bundle of random weights.
pub(crate) fn model(architecture: Architecture, precision: Precision) -> Arc<Model> {
    let mut dice = Dice(7);
    let tensors = architecture.tensors();
    let language = Language {
        name: String::from("made up"),
        architecture,
        tokens: SpecialTokens { begin: None, add_begin: false, stops: vec![0] },
        chat_template: None,
    };
    let origin = Origin {
        name: String::from("made-up"),
        source_file: String::from("none"),
        source_sha256: "0".repeat(64),
        licence: String::from("CC0-1.0"),
        converter: String::from("0"),
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made-up.claw.safetensors");
    let mut writer = LanguageWriter::create(&path, &language, None, &origin, &|_| precision).unwrap();
    for tensor in tensors {
        let bytes: Vec<u8> = match tensor.form {
            TensorForm::Floats { length } => {
                let values = dice.floats(length, 0.5);
                values.iter().flat_map(|value| (1.0 + value).to_le_bytes()).collect()
            }
            TensorForm::Matrix { rows, columns } => {
                let values = dice.floats(rows * columns, 0.2);
                match precision {
                    Precision::F16 => bytemuck::cast_slice(&linear_f16::pack::pack(&values, columns)).to_vec(),
                    Precision::Int8 => linear_i8::pack::pack(&values, columns, &linear_i8::pack::scales(&values)),
                    Precision::Int4 => linear_i4::pack::pack(&values, columns, &linear_i4::pack::scales(&values)),
                }
            }
        };
        writer.append(&tensor.name, &bytes).unwrap();
    }
    writer.finish().unwrap();
    Arc::new(Model::new(Arc::new(LanguageBundle::open(&path).unwrap())).unwrap())
}

const LIMITS: Limits = Limits { tokens: 96, logits: 96, context: 200 };

fn forward(model: &Arc<Model>) -> Forward {
    Forward::new(Arc::clone(model), Arc::new(Workers::new()), Isa::detect(), LIMITS)
}

fn cache(model: &Model, format: Format) -> KvCache {
    KvCache::new(Forward::cache_shape(model, format), 24)
}

pub(crate) fn text(length: u32, first: u32) -> Vec<u32> {
    let vocabulary = u32::try_from(VOCABULARY).unwrap();
    (0..length).map(|at| (first + at * at * 7) % vocabulary).collect()
}

/// Logits of all tokens, computed in passes of so many.
fn logits(forward: &mut Forward, cache: &mut KvCache, tokens: &[u32], passes: usize) -> Vec<Vec<f32>> {
    let mut sequence = Sequence::with_capacity(LIMITS.context);
    let mut rows = Vec::new();
    for tokens in tokens.chunks(passes) {
        let span = Span { sequence: &mut sequence, tokens, logits: Wanted::All };
        forward.run(cache, &mut [span], Pace::ALONE).unwrap();
        rows.extend((0..tokens.len()).map(|row| copied(forward, row)));
    }
    cache.release(&mut sequence);
    rows
}

fn copied(forward: &Forward, row: usize) -> Vec<f32> {
    let mut logits = vec![0.0; VOCABULARY];
    forward.copy_logits(row, &mut logits);
    logits
}

#[test]
fn f16_computes_what_the_description_says() {
    for architecture in [plain(), odd(), after_only(), narrow()] {
        let model = model(architecture, Precision::F16);
        let tokens = text(40, 3);
        let found = logits(&mut forward(&model), &mut cache(&model, Format::F32), &tokens, 40);
        let wanted = twin::logits(&model, &tokens);
        for (token, (found, wanted)) in found.iter().zip(&wanted).enumerate() {
            for (id, (found, wanted)) in found.iter().zip(wanted).enumerate() {
                let off = (f64::from(*found) - wanted).abs();
                assert!(off < 2e-4, "token {token}, logit {id}: {found}, not {wanted}");
            }
        }
    }
}

#[test]
fn a_token_s_logits_are_the_same_bits_in_any_company() {
    for (precision, format) in [
        (Precision::F16, Format::F16),
        (Precision::F16, Format::F32),
        (Precision::Int8, Format::I8),
        (Precision::Int4, Format::I8),
    ] {
        let model = model(odd(), precision);
        let (mut forward, mut cache) = (forward(&model), cache(&model, format));
        let tokens = text(70, 3);
        let alone = logits(&mut forward, &mut cache, &tokens, 1);
        for passes in [2, 7, 33, 70] {
            assert!(alone == logits(&mut forward, &mut cache, &tokens, passes), "{precision:?}, passes of {passes}");
        }
        // Beside another sequence, which is ahead or behind.
        let other = text(50, 9);
        let [mut first, mut second] = [0; 2].map(|_| Sequence::with_capacity(LIMITS.context));
        for (at, pair) in tokens.chunks(20).zip(other.chunks(13)).enumerate() {
            let spans = &mut [
                Span { sequence: &mut second, tokens: pair.1, logits: Wanted::None },
                Span { sequence: &mut first, tokens: pair.0, logits: Wanted::Last },
            ];
            forward.run(&mut cache, spans, Pace::ALONE).unwrap();
            assert!(copied(&forward, 0) == alone[at * 20 + pair.0.len() - 1], "{precision:?}, pass {at}");
        }
        cache.release(&mut first);
        cache.release(&mut second);
    }
}

#[test]
fn items_and_threads_change_no_bit() {
    // Wide enough that what lies between the products is shared too.
    let model = model(Architecture { width: 128, ..plain() }, Precision::Int4);
    let tokens = text(96, 3);
    let wanted = logits(&mut forward(&model), &mut cache(&model, Format::I8), &tokens, 96);
    let workers = Arc::new(Workers::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| workers.worker_loop());
        }
        while workers.threads() < 3 {
            std::thread::yield_now();
        }
        let mut forward = Forward::new(Arc::clone(&model), Arc::clone(&workers), Isa::detect(), LIMITS);
        let mut cache = cache(&model, Format::I8);
        for item_macs in [1, 50_000, usize::MAX] {
            let mut sequence = Sequence::with_capacity(LIMITS.context);
            let span = Span { sequence: &mut sequence, tokens: &tokens, logits: Wanted::All };
            forward.run(&mut cache, &mut [span], Pace { item_macs, ..Pace::ALONE }).unwrap();
            assert!((0..96).all(|row| copied(&forward, row) == wanted[row]), "items of {item_macs}");
            cache.release(&mut sequence);
        }
        workers.stop();
    });
}

#[test]
fn a_cancelled_pass_leaves_the_sequence_as_it_was() {
    let model = model(plain(), Precision::Int8);
    let (mut forward, mut cache) = (forward(&model), cache(&model, Format::I8));
    let tokens = text(30, 3);
    let wanted = logits(&mut forward, &mut cache, &tokens, 30);
    let mut sequence = Sequence::with_capacity(LIMITS.context);
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let between = || asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < 5;
    let pace = Pace { between: &between, ..Pace::ALONE };
    let span = Span { sequence: &mut sequence, tokens: &tokens, logits: Wanted::All };
    assert_eq!(forward.run(&mut cache, &mut [span], pace), Err(ForwardError::Cancelled));
    assert_eq!(sequence.length(), 0);
    let span = Span { sequence: &mut sequence, tokens: &tokens, logits: Wanted::All };
    forward.run(&mut cache, &mut [span], Pace::ALONE).unwrap();
    assert!((0..30).all(|row| copied(&forward, row) == wanted[row]));
}

#[test]
fn what_cannot_be_computed_is_refused_by_name() {
    let model = model(plain(), Precision::F16);
    let (mut forward, mut cache) = (forward(&model), cache(&model, Format::F16));
    let mut sequence = Sequence::with_capacity(LIMITS.context);
    let mut told = |tokens: &[u32]| {
        let span = Span { sequence: &mut sequence, tokens, logits: Wanted::Last };
        forward.run(&mut cache, &mut [span], Pace::ALONE).unwrap_err().to_string()
    };
    assert!(told(&[1, 101]).contains("token 101 is not one of the model's 101"));
    assert!(told(&[1; 97]).contains("97 tokens in one pass"));
    assert!(told(&[1; 201]).contains("position 201 is wanted, but the context holds 200"));
}
