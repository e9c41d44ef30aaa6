//! Which scales rounding takes, what is packed how, and that scaled columns change no answer but by what rounding costs.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use clawdbot_kernels::isa::Isa;
use clawdbot_kernels::pages::Format;
use clawdbot_llm::forward::{Forward, Limits, Span, Wanted};
use clawdbot_llm::kv_cache::{KvCache, Sequence};
use clawdbot_llm::model::Model;
use clawdbot_llm::pace::Pace;
use clawdbot_llm::watch::Reader;
use clawdbot_nn::bundle::language::LanguageBundle;
use clawdbot_nn::metadata::language::{EMBEDDING_SCALE, Precision};
use clawdbot_nn::workers::Workers;
use half::f16;

use super::{LanguageRequest, LanguageTarget, open, path, request};
use crate::language::balance;
use crate::language::calibrate::Calibration;
use crate::language::report::LanguageReport;
use crate::language::rounding::{noise, scales};

/// Numbers around 0, the same on every machine.
fn floats(count: usize, mut seed: u64) -> Vec<f32> {
    let mut next = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 40) as f32 / 8_388_608.0 - 1.0
    };
    (0..count).map(|_| next() * next()).collect()
}

#[test]
fn a_searched_scale_loses_less_than_that_of_the_largest_weight() {
    let rows = floats(64 * 40, 3);
    let even = vec![1.0; 64];
    let of_the_largest = [
        (Precision::Int4, clawdbot_kernels::linear_i4::pack::scales(&rows)),
        (Precision::Int8, clawdbot_kernels::linear_i8::pack::scales(&rows)),
    ];
    for (precision, largest) in of_the_largest {
        let searched = noise(&rows, &even, (&scales(&rows, &even, precision), precision));
        let largest = noise(&rows, &even, (&largest, precision));
        assert!(searched.noise < 0.9 * largest.noise, "{precision:?} {searched:?} {largest:?}");
        assert!((searched.signal - largest.signal).abs() < 1e-9);
    }
}

#[test]
fn columns_that_matter_are_rounded_better() {
    let rows = floats(32 * 50, 9);
    let even = vec![1.0; 32];
    let mut uneven = even.clone();
    uneven[7] = 400.0;
    let by = |importance: &[f32]| {
        let scales = scales(&rows, importance, Precision::Int4);
        noise(&rows, &uneven, (&scales, Precision::Int4)).noise
    };
    assert!(by(&uneven) < 0.5 * by(&even), "{} {}", by(&uneven), by(&even));
}

#[test]
fn int8_scales_are_positive_and_hold_what_was_int8_before() {
    for sign in [1.0, -1.0] {
        let scale = sign * f16::from_f32(0.02).to_f32();
        let rows: Vec<f32> = (0..64).map(|at| f32::from(i8::try_from(at * 5 % 128).unwrap()) * scale).collect();
        let rows: Vec<f32> = rows.chunks(32).flat_map(|group| [&[127.0 * scale], &group[1..]].concat()).collect();
        let found = scales(&rows, &[1.0; 64], Precision::Int8);
        assert_eq!(found, [f16::from_f32(0.02).to_bits(); 2]);
    }
    assert_eq!(scales(&[0.0; 32], &[1.0; 32], Precision::Int8), [0]);
}

#[test]
fn weights_on_a_grid_of_sixteen_levels_are_kept_as_they_are() {
    for scale in [0.125_f32, -0.03] {
        let scale = f16::from_f32(scale).to_f32();
        let rows: Vec<f32> = (0..64).map(|at| (f32::from(i8::try_from(at * 7 % 16).unwrap()) - 8.0) * scale).collect();
        let even = vec![1.0; 64];
        let found = noise(&rows, &even, (&scales(&rows, &even, Precision::Int4), Precision::Int4));
        assert!(found.noise < 1e-9 * found.signal, "{found:?}");
    }
    let nothing = [0.0; 32];
    assert_eq!(scales(&nothing, &[1.0; 32], Precision::Int4), [0]);
    assert_eq!(noise(&nothing, &[1.0; 32], (&[0], Precision::Int4)).snr_db(), None);
}

#[test]
fn mixed_keeps_what_is_fragile_in_int8() {
    let of = |name: &str| LanguageTarget::Mixed.precision(name, 16);
    for name in [
        "embedding",
        "head",
        "layers.7.attention.qkv",
        "layers.1.feed_forward.down",
        "layers.14.feed_forward.down",
        "layers.0.feed_forward.gate_up",
        "layers.15.feed_forward.gate_up",
        "layers.1.attention.output",
    ] {
        assert_eq!(of(name), Precision::Int8, "{name}");
    }
    for name in [
        "layers.2.feed_forward.down",
        "layers.13.feed_forward.down",
        "layers.1.feed_forward.gate_up",
        "layers.2.attention.output",
    ] {
        assert_eq!(of(name), Precision::Int4, "{name}");
    }
    assert_eq!(LanguageTarget::Int4.precision("layers.0.attention.qkv", 16), Precision::Int4);
    assert_eq!(LanguageTarget::Int8.precision("layers.5.feed_forward.down", 16), Precision::Int8);
}

/// Of six tokens, by the forward pass.
fn logits(bundle: LanguageBundle) -> Vec<f32> {
    let model = Arc::new(Model::new(Arc::new(bundle)).unwrap());
    let limits = Limits { tokens: 6, logits: 6, context: 6 };
    let mut cache = KvCache::new(Forward::cache_shape(&model, Format::F32), 1);
    let mut forward = Forward::new(Arc::clone(&model), Arc::new(Workers::new()), Isa::detect(), limits);
    let mut sequence = Sequence::with_capacity(6);
    let span = Span { sequence: &mut sequence, tokens: &[3, 14, 15, 92, 65, 35], logits: Wanted::All };
    forward.run(&mut cache, &mut [span], Pace::ALONE).unwrap();
    let vocabulary = model.architecture().vocabulary;
    let mut rows = vec![0.0; 6 * vocabulary];
    rows.chunks_exact_mut(vocabulary).enumerate().for_each(|(row, logits)| forward.copy_logits(row, logits));
    rows
}

/// A folder of a fixture without a tokenizer cannot be run on a text; its calibration is made up.
fn balanced(folder: &Path, target: LanguageTarget) -> Vec<f32> {
    let draft = open(folder).unwrap();
    let architecture = &draft.language().architecture;
    let squares = |length: usize, seed| floats(length, seed).into_iter().map(|value| (6.0 * value).exp()).collect();
    let mut calibration = Calibration { tokens: 1000, ..Calibration::default() };
    calibration.squares.insert(Reader::Head, squares(architecture.width, 5));
    for layer in 0..architecture.layers.len() {
        calibration.squares.insert(Reader::Qkv(layer), squares(architecture.width, 6));
        calibration.squares.insert(Reader::Output(layer), squares(architecture.query_rows(), 7));
        calibration.squares.insert(Reader::GateUp(layer), squares(architecture.width, 8));
        calibration.squares.insert(Reader::Down(layer), squares(architecture.feed_forward, 9));
    }
    let scales = balance::scales(&draft, &calibration, target, &mut |_, _| ()).unwrap();
    assert!(scales.values().flatten().any(|scale| *scale > 1.5), "columns are scaled");
    // Written in F16, so that only the scaling is seen.
    let plan = crate::language::write::Plan {
        calibration: Some(calibration),
        scales,
        ..crate::language::write::Plan::plain(LanguageTarget::F16)
    };
    let temporary = tempfile::tempdir().unwrap();
    let output = temporary.path().join("balanced.claw.safetensors");
    let origin = crate::language::Origin { source_sha256: "0".repeat(64), ..draft.origin().clone() };
    let compute = request(target).compute;
    crate::language::write::write(&draft, &origin, &output, &plan, &compute, &mut |_| ()).unwrap();
    let bundle = LanguageBundle::open(&output).unwrap();
    bundle.verify().unwrap();
    assert_eq!(bundle.floats(EMBEDDING_SCALE).is_some(), architecture.tied_embedding);
    logits(bundle)
}

#[test]
fn scaled_columns_change_no_answer() {
    for name in ["llama-rope3", "qwen2-bias-untied", "qwen3-qknorm", "smollm3-nope"] {
        let Some(folder) = path(&format!("tiny/{name}")) else { return };
        let plain = logits(super::converted(&folder, LanguageTarget::F16));
        let most = plain.iter().fold(0.0_f32, |most, logit| most.max(logit.abs()));
        let balanced = balanced(&folder, LanguageTarget::Int8);
        let off = plain.iter().zip(&balanced).map(|(one, other)| (one - other).abs()).fold(0.0, f32::max);
        assert!(off < 4e-3 * most, "{name}: {off} of {most}");
    }
}

/// SmolLM2 calibrated on `text`.
fn calibrated(target: LanguageTarget, text: &str) -> Option<Result<LanguageReport, String>> {
    let file = path("llm/SmolLM2-135M-Instruct.Q4_1.gguf")?;
    let temporary = tempfile::tempdir().unwrap();
    let output = temporary.path().join("model.claw.safetensors");
    let request = LanguageRequest { calibration: Some(text), probe: true, ..request(target) };
    let report = open(&file).unwrap().convert(&output, &request, &mut |_| ()).map_err(|error| error.to_string());
    let left = fs::read_dir(temporary.path()).unwrap().count();
    assert_eq!(left, usize::from(report.is_ok()), "the copy in F16 is gone");
    Some(report)
}

#[test]
fn a_text_says_which_weights_matter() {
    let text = include_str!("../../../../../docs/decisions/0005-language-model.md");
    let Some(report) = calibrated(LanguageTarget::Mixed, text) else { return };
    let report = report.unwrap();
    assert!(report.calibration_tokens > 500, "{}", report.calibration_tokens);
    assert_eq!(report.matrices.len(), 1 + 4 * 30);
    let down = report.matrices.iter().find(|matrix| matrix.name == "layers.10.feed_forward.down").unwrap();
    assert_eq!((down.precision, down.rows, down.columns, down.snr_db), ("int4", 576, 1536, down.int4_snr_db));
    for matrix in &report.matrices {
        let [int4, int8] = [matrix.int4_snr_db, matrix.int8_snr_db].map(Option::unwrap);
        assert!(int8 > int4 + 10.0 && int4 > 10.0, "{matrix:?}");
    }
    let Some(report) = calibrated(LanguageTarget::Int8, "Call me Ishmael.") else { return };
    let message = report.unwrap_err();
    assert!(message.contains("the text has") && message.contains("256 are the least"), "{message}");
}
