//! From rows by role to packed tensors, one tile of eight rows after the other.

use std::path::Path;

use clawdbot_kernels::{linear_f16, linear_i4, linear_i8};
use clawdbot_nn::bundle::language::LanguageWriter;
use clawdbot_nn::metadata::Origin;
use clawdbot_nn::metadata::language::{Architecture, Precision, TensorForm};

use super::roles::{Part, Role};
use super::{LanguageDraft, LanguageError, LanguageProgress, LanguageTarget};

/// Rows of a tile.
const TILE: usize = 8;

/// Writes the bundle; returns its length.
pub(super) fn write(
    draft: &LanguageDraft,
    origin: &Origin,
    output: &Path,
    target: LanguageTarget,
    progress: &mut dyn FnMut(LanguageProgress),
) -> Result<u64, LanguageError> {
    let precision = |name: &str| target.precision(name);
    let mut writer = LanguageWriter::create(output, &draft.language, draft.tokenizer(), origin, &precision)?;
    let total = draft.language.architecture.parameters();
    let mut done = 0_u64;
    for wanted in draft.language.architecture.tensors() {
        let place = Place::of(&wanted.name);
        match wanted.form {
            TensorForm::Floats { length } => {
                let floats = draft.floats(place, length)?;
                writer.append_floats(&wanted.name, &floats)?;
                done += length as u64;
            }
            TensorForm::Matrix { rows, columns } => {
                for first in (0..rows).step_by(TILE) {
                    let count = TILE.min(rows - first);
                    let tile = draft.tile(place, first..first + count, columns)?;
                    writer.append(&wanted.name, &pack(&tile, columns, precision(&wanted.name)))?;
                    done += (count * columns) as u64;
                    progress(LanguageProgress::Packed(done, total));
                }
            }
        }
    }
    Ok(writer.finish()?)
}

/// Packs up to eight rows.
fn pack(rows: &[f32], columns: usize, precision: Precision) -> Vec<u8> {
    match precision {
        Precision::F16 => linear_f16::pack::pack(rows, columns).into_iter().flat_map(u16::to_le_bytes).collect(),
        Precision::Int8 => linear_i8::pack::pack(rows, columns, &linear_i8::pack::scales(rows)),
        Precision::Int4 => linear_i4::pack::pack(rows, columns, &linear_i4::pack::scales(rows)),
    }
}

/// A tensor of a bundle: which layer's, and what of it.
#[derive(Clone, Copy, Debug)]
enum Place {
    One(Role),
    Qkv(usize),
    QkvBias(usize),
    GateUp(usize),
}

impl Place {
    /// By the names that [`Architecture::tensors`] gives.
    fn of(name: &str) -> Self {
        let layer = name.strip_prefix("layers.").and_then(|rest| rest.split_once('.'));
        let Some((layer, part)) = layer.and_then(|(layer, part)| Some((layer.parse::<usize>().ok()?, part))) else {
            return Self::One(match name {
                "embedding" => Role::Embedding,
                "head" => Role::Head,
                _ => Role::Norm,
            });
        };
        let part = match part {
            "attention.qkv" => return Self::Qkv(layer),
            "attention.qkv_bias" => return Self::QkvBias(layer),
            "feed_forward.gate_up" => return Self::GateUp(layer),
            "attention.norm" => Part::AttentionNorm,
            "attention.after_norm" => Part::AttentionAfterNorm,
            "attention.query_norm" => Part::QueryNorm,
            "attention.key_norm" => Part::KeyNorm,
            "attention.output" => Part::Output,
            "feed_forward.norm" => Part::FeedForwardNorm,
            "feed_forward.after_norm" => Part::FeedForwardAfterNorm,
            _ => Part::Down,
        };
        Self::One(Role::Layer(layer, part))
    }

    /// Which row of what becomes row `row` of the tensor.
    fn row(self, row: usize, architecture: &Architecture) -> (Role, usize) {
        match self {
            Self::One(role) => (role, row),
            Self::QkvBias(layer) => (Role::Layer(layer, Part::QueryBias), row),
            Self::Qkv(layer) => {
                let (query, key) = (architecture.query_rows(), architecture.key_rows());
                let (part, row) = match row {
                    row if row < query => (Part::Query, row),
                    row if row < query + key => (Part::Key, row - query),
                    row => (Part::Value, row - query - key),
                };
                (Role::Layer(layer, part), row)
            }
            Self::GateUp(layer) => {
                let (tile, within) = (row / TILE, row % TILE);
                let part = if tile.is_multiple_of(2) { Part::Gate } else { Part::Up };
                (Role::Layer(layer, part), tile / 2 * TILE + within)
            }
        }
    }
}

impl LanguageDraft {
    /// A norm's weights, or the biases of q, k and v.
    fn floats(&self, place: Place, length: usize) -> Result<Vec<f32>, LanguageError> {
        let mut floats = vec![0.0; length];
        let Place::QkvBias(layer) = place else {
            let (role, row) = place.row(0, &self.language.architecture);
            self.finite_row(role, row, &mut floats)?;
            return Ok(floats);
        };
        let (query, rest) = floats.split_at_mut(self.language.architecture.query_rows());
        let (key, value) = rest.split_at_mut(self.language.architecture.key_rows());
        for (part, out) in [(Part::QueryBias, query), (Part::KeyBias, key), (Part::ValueBias, value)] {
            self.finite_row(Role::Layer(layer, part), 0, out)?;
        }
        Ok(floats)
    }

    /// The rows `rows` of a matrix of `columns`, one after the other; zeros where it was filled up.
    fn tile(&self, place: Place, rows: std::ops::Range<usize>, columns: usize) -> Result<Vec<f32>, LanguageError> {
        let mut tile = vec![0.0; rows.len() * columns];
        for (row, out) in rows.zip(tile.chunks_exact_mut(columns)) {
            let (role, row) = place.row(row, &self.language.architecture);
            match role {
                Role::Layer(_, Part::Gate | Part::Up) if row >= self.feed_forward => {}
                Role::Layer(_, Part::Down) => self.finite_row(role, row, &mut out[..self.feed_forward])?,
                role => self.finite_row(role, row, out)?,
            }
        }
        Ok(tile)
    }

    fn finite_row(&self, role: Role, row: usize, out: &mut [f32]) -> Result<(), LanguageError> {
        self.weights.row(role, row, out)?;
        if out.iter().all(|value| value.is_finite()) {
            return Ok(());
        }
        let reason = format!("row {row} holds an infinity or no number; the file is damaged or badly converted");
        Err(LanguageError::tensor(&self.weights.name(role), reason))
    }
}
