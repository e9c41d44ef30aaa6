//! Columns of a matrix scaled so that those which share a scale are alike, with what makes their input undoing it.
//!
//! 32 columns of a matrix share an activation's scale, and 32 weights of a row one too. Where one column's input is much larger
//! than its neighbours', INT8 leaves them few steps; in SmolLM2-135M that cost more than all rounding of weights. With s for a column,
//! its weights are multiplied by s and its input divided: q, k and v by the norm before them, gate and up likewise, down by the rows
//! of up, the head by the last norm. Where the head is the embedding, the bundle keeps 1/s for the embedding's rows.
//!
//! INT8: s = sqrt(input / weights), root mean squares of the column, which leaves both the same spread (SmoothQuant, arXiv 2211.10438,
//! with its alpha 1/2). INT4: the s = input^alpha whose noise is the least on a sample of rows, alpha 0 among them (AWQ, arXiv
//! 2306.00978). s has a geometric mean of 1 and is held to 1/64..=64.

use std::collections::BTreeMap;

use clawdbot_llm::watch::Reader;
use clawdbot_nn::metadata::language::{NormPlacement, Precision, TensorForm};

use super::calibrate::Calibration;
use super::rounding;
use super::write::{Place, TILE};
use super::{LanguageDraft, LanguageError, LanguageTarget};

/// Exponents that INT4 tries.
const ALPHAS: [f32; 4] = [0.0, 0.25, 0.5, 0.75];
/// Tiles of a matrix that are tried.
const SAMPLE: usize = 24;
/// Furthest from 1.
const SCALE_MAX: f32 = 64.0;

/// s of every column, for the matrices that have it.
pub(super) type Scales = BTreeMap<Reader, Vec<f32>>;

/// The scales of all matrices that something before them can undo; `told` gets the matrices done and all of them.
pub(super) fn scales(
    draft: &LanguageDraft,
    calibration: &Calibration,
    target: LanguageTarget,
    told: &mut dyn FnMut(u64, u64),
) -> Result<Scales, LanguageError> {
    let architecture = &draft.language.architecture;
    let mut scales = Scales::new();
    let all = architecture.tensors();
    for (done, wanted) in all.iter().enumerate() {
        let TensorForm::Matrix { rows, columns } = wanted.form else { continue };
        // The embedding is looked at where it is the head, and then as the head.
        let reader = match wanted.name.as_str() {
            "embedding" if architecture.tied_embedding => Some(Reader::Head),
            name => Reader::of(name),
        };
        let undone = match reader {
            Some(Reader::Qkv(_) | Reader::GateUp(_)) => architecture.norms != NormPlacement::After,
            Some(Reader::Down(_) | Reader::Head) => true,
            Some(Reader::Output(_)) | None => false,
        };
        let Some((reader, squares)) =
            reader.filter(|_| undone).and_then(|reader| calibration.squares.get_key_value(&reader))
        else {
            continue;
        };
        let found = match target.precision(&wanted.name, architecture.layers.len()) {
            Precision::F16 => continue,
            Precision::Int8 => even(squares, &column_squares(draft, &wanted.name, [rows, columns])?),
            Precision::Int4 => tried(squares, &sample(draft, &wanted.name, [rows, columns])?),
        };
        scales.insert(*reader, found);
        told(done as u64 + 1, all.len() as u64);
    }
    Ok(scales)
}

/// The mean squares of a calibration as they are behind `scale`.
pub(super) fn importance(squares: &[f32], scale: Option<&Vec<f32>>) -> Vec<f32> {
    // A column that the text left silent counts a little all the same.
    let floor = squares.iter().sum::<f32>() / squares.len().max(1) as f32 * 1e-3 + f32::MIN_POSITIVE;
    let scale = |column: usize| scale.map_or(1.0, |scale| scale[column]);
    squares.iter().enumerate().map(|(column, square)| (square + floor) / scale(column).powi(2)).collect()
}

fn column_squares(draft: &LanguageDraft, name: &str, [rows, columns]: [usize; 2]) -> Result<Vec<f64>, LanguageError> {
    let mut squares = vec![0.0; columns];
    for first in (0..rows).step_by(TILE) {
        let tile = draft.tile(Place::of(name), first..rows.min(first + TILE), columns)?;
        for row in tile.chunks_exact(columns) {
            squares.iter_mut().zip(row).for_each(|(sum, &weight)| *sum += f64::from(weight) * f64::from(weight));
        }
    }
    Ok(squares)
}

fn sample(draft: &LanguageDraft, name: &str, [rows, columns]: [usize; 2]) -> Result<Vec<f32>, LanguageError> {
    let tiles = rows.div_ceil(TILE);
    let mut sample = Vec::new();
    for tile in (0..tiles).step_by(tiles.div_ceil(SAMPLE)) {
        let first = tile * TILE;
        sample.extend(draft.tile(Place::of(name), first..rows.min(first + TILE), columns)?);
    }
    Ok(sample)
}

fn even(inputs: &[f32], weights: &[f64]) -> Vec<f32> {
    let ratio = |(&input, &weight): (&f32, &f64)| (f64::from(input) / weight).powf(0.25) as f32;
    centred(inputs.iter().zip(weights).map(ratio).collect())
}

fn tried(inputs: &[f32], sample: &[f32]) -> Vec<f32> {
    let attempt = |alpha: f32| {
        let scale = centred(inputs.iter().map(|input| input.powf(alpha / 2.0)).collect());
        let rows: Vec<f32> = sample.iter().zip(scale.iter().cycle()).map(|(weight, scale)| weight * scale).collect();
        let importance = importance(inputs, Some(&scale));
        let scales = rounding::scales(&rows, &importance, Precision::Int4);
        (rounding::noise(&rows, &importance, (&scales, Precision::Int4)).noise, scale)
    };
    let least = ALPHAS.into_iter().map(attempt).min_by(|one, other| one.0.total_cmp(&other.0));
    least.map_or_else(|| vec![1.0; inputs.len()], |(_, scale)| scale)
}

/// Those that are numbers above 0 around 1, the others 1.
fn centred(mut scale: Vec<f32>) -> Vec<f32> {
    let sound = |value: f32| value.is_normal() && value > 0.0;
    let (count, sum) = scale
        .iter()
        .filter(|value| sound(**value))
        .fold((0_u32, 0.0), |(count, sum), value| (count + 1, sum + f64::from(value.ln())));
    let middle = (sum / f64::from(count.max(1))).exp() as f32;
    for value in &mut scale {
        *value = if sound(*value) { (*value / middle).clamp(SCALE_MAX.recip(), SCALE_MAX) } else { 1.0 };
    }
    scale
}
