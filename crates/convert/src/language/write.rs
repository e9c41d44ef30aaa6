//! From rows by role to packed tensors, one tile of eight rows after the other.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use clawdbot_kernels::{linear_f16, linear_i4, linear_i8};
use clawdbot_llm::watch::Reader;
use clawdbot_nn::bundle::language::{LanguageWriter, Packing};
use clawdbot_nn::metadata::Origin;
use clawdbot_nn::metadata::language::{Architecture, EMBEDDING_SCALE, Precision, TensorForm, TensorWanted};

use super::balance::{Scales, importance};
use super::calibrate::Calibration;
use super::report::MatrixReport;
use super::roles::{Part, Role};
use super::rounding::{self, Noise};
use super::{LanguageDraft, LanguageError, LanguageProgress, LanguageTarget};
use crate::network::Compute;

/// Rows of a tile.
pub(super) const TILE: usize = 8;
/// Tiles that are in memory at a time, for threads to share.
const BATCH: usize = 32;

/// How everything is packed.
pub(super) struct Plan {
    pub(super) target: LanguageTarget,
    /// What matrices read, where a text told it.
    pub(super) calibration: Option<Calibration>,
    pub(super) scales: Scales,
    /// Whether to find out what each precision would cost.
    pub(super) probe: bool,
    /// See [`Packing::request`].
    pub(super) request: String,
    /// See [`Packing::resume`].
    pub(super) resume: bool,
}

impl Plan {
    /// Nothing is known of what matrices read.
    pub(super) fn plain(target: LanguageTarget) -> Self {
        Self {
            target,
            calibration: None,
            scales: Scales::new(),
            probe: false,
            request: target.name().to_owned(),
            resume: false,
        }
    }
}

/// What was written.
pub(super) struct Written {
    pub(super) file_bytes: u64,
    pub(super) matrices: Vec<MatrixReport>,
    /// Weights that an interrupted run had packed.
    pub(super) found: u64,
}

/// Writes the bundle.
pub(super) fn write(
    draft: &LanguageDraft,
    origin: &Origin,
    output: &Path,
    plan: &Plan,
    compute: &Compute,
    progress: &mut dyn FnMut(LanguageProgress),
) -> Result<Written, LanguageError> {
    let architecture = &draft.language.architecture;
    let precision = |name: &str| plan.target.precision(name, architecture.layers.len());
    let head = plan.scales.get(&Reader::Head).filter(|_| architecture.tied_embedding);
    let optional: &[&str] = if head.is_some() { &[EMBEDDING_SCALE] } else { &[] };
    let (request, resume) = (Some(plan.request.as_str()), plan.resume);
    let with = Packing { precision: &precision, optional, request, resume };
    let mut writer = LanguageWriter::create_with(output, &draft.language, draft.tokenizer(), origin, with)?;
    let total = architecture.parameters();
    let (mut done, mut found, mut matrices) = (0_u64, 0, Vec::new());
    for wanted in architecture.tensors() {
        if writer.has(&wanted.name) {
            done += wanted.form.parameters();
            found = done;
            continue;
        }
        match wanted.form {
            TensorForm::Floats { length } => {
                let mut floats = draft.floats(Place::of(&wanted.name), length)?;
                undo(&wanted.name, &plan.scales, &mut floats);
                writer.append_floats(&wanted.name, &floats)?;
                done += length as u64;
            }
            TensorForm::Matrix { rows, columns } => {
                let packer = Packer::new(draft, plan, &wanted, columns);
                let mut tally = Tally::default();
                for first in (0..rows).step_by(TILE * BATCH) {
                    let count = (TILE * BATCH).min(rows - first);
                    for packed in packer.batch(draft, first..first + count, compute)? {
                        writer.append(&wanted.name, &packed.bytes)?;
                        tally.add(&packed.tally);
                    }
                    done += (count * columns) as u64;
                    progress(LanguageProgress::Packed(done, total));
                }
                matrices.push(tally.report(wanted.name, [rows, columns], packer.precision));
            }
        }
    }
    if let Some(scale) = head.filter(|_| !writer.has(EMBEDDING_SCALE)) {
        let inverse: Vec<f32> = scale.iter().map(|scale| scale.recip()).collect();
        writer.append_floats(EMBEDDING_SCALE, &inverse)?;
    }
    Ok(Written { file_bytes: writer.finish()?, matrices, found })
}

/// Divides a norm's weights by what the columns behind it were multiplied with.
fn undo(name: &str, scales: &Scales, floats: &mut [f32]) {
    let layer = |part: &str| name.strip_suffix(part)?.strip_prefix("layers.")?.parse().ok();
    let reader = match name {
        "norm" => Some(Reader::Head),
        _ => layer(".attention.norm").map(Reader::Qkv).or_else(|| layer(".feed_forward.norm").map(Reader::GateUp)),
    };
    if let Some(scale) = reader.and_then(|reader| scales.get(&reader)) {
        floats.iter_mut().zip(scale).for_each(|(value, scale)| *value /= scale);
    }
}

/// Packs the tiles of one matrix.
struct Packer<'a> {
    place: Place,
    columns: usize,
    precision: Precision,
    importance: Vec<f32>,
    scale: Option<&'a Vec<f32>>,
    /// Of down's columns, for the rows of up.
    down: Option<&'a Vec<f32>>,
    /// Also what these would cost.
    probed: &'static [Precision],
}

/// A packed tile.
#[derive(Default)]
struct Packed {
    bytes: Vec<u8>,
    tally: Tally,
}

/// What rounding cost: by the precision chosen, and by INT4 and INT8 if that was asked.
#[derive(Clone, Copy, Default)]
struct Tally([Noise; 3]);

impl Tally {
    fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(sum, other)| sum.add(other));
    }

    fn report(&self, name: String, [rows, columns]: [usize; 2], precision: Precision) -> MatrixReport {
        let [own, int4, int8] = self.0.map(Noise::snr_db);
        let precision = precision.name();
        MatrixReport { name, precision, rows, columns, snr_db: own, int4_snr_db: int4, int8_snr_db: int8 }
    }
}

impl<'a> Packer<'a> {
    fn new(draft: &LanguageDraft, plan: &'a Plan, wanted: &TensorWanted, columns: usize) -> Self {
        let architecture = &draft.language.architecture;
        let reader = match wanted.name.as_str() {
            "embedding" if architecture.tied_embedding => Some(Reader::Head),
            name => Reader::of(name),
        };
        let scale = reader.and_then(|reader| plan.scales.get(&reader));
        let squares = reader.and_then(|reader| plan.calibration.as_ref()?.squares.get(&reader));
        let down = match reader {
            Some(Reader::GateUp(layer)) => plan.scales.get(&Reader::Down(layer)),
            _ => None,
        };
        Self {
            place: Place::of(&wanted.name),
            columns,
            precision: plan.target.precision(&wanted.name, architecture.layers.len()),
            importance: squares.map_or_else(|| vec![1.0; columns], |squares| importance(squares, scale)),
            scale,
            down,
            probed: if plan.probe { &[Precision::Int4, Precision::Int8] } else { &[] },
        }
    }

    /// The tiles of `rows`, packed by all threads.
    fn batch(
        &self,
        draft: &LanguageDraft,
        rows: std::ops::Range<usize>,
        compute: &Compute,
    ) -> Result<Vec<Packed>, LanguageError> {
        let end = rows.end;
        let tile = |first: usize| {
            let range = first..end.min(first + TILE);
            let mut tile = draft.tile(self.place, range.clone(), self.columns)?;
            for (row, weights) in range.zip(tile.chunks_exact_mut(self.columns)) {
                self.balance(row, weights, &draft.language.architecture);
            }
            Ok(tile)
        };
        let tiles: Vec<Vec<f32>> = rows.step_by(TILE).map(tile).collect::<Result<_, LanguageError>>()?;
        let packed: Vec<Mutex<Packed>> = tiles.iter().map(|_| Mutex::default()).collect();
        compute.workers.run(tiles.len(), &|at| {
            *packed[at].lock().unwrap_or_else(PoisonError::into_inner) = self.pack(&tiles[at]);
        });
        Ok(packed.into_iter().map(|packed| packed.into_inner().unwrap_or_else(PoisonError::into_inner)).collect())
    }

    /// Multiplies what is undone elsewhere.
    fn balance(&self, row: usize, weights: &mut [f32], architecture: &Architecture) {
        if let Some(scale) = self.scale {
            weights.iter_mut().zip(scale).for_each(|(weight, scale)| *weight *= scale);
        }
        if let Some(down) = self.down
            && let (Role::Layer(_, Part::Up), row) = self.place.row(row, architecture)
        {
            weights.iter_mut().for_each(|weight| *weight /= down[row]);
        }
    }

    /// Packs up to eight rows.
    fn pack(&self, rows: &[f32]) -> Packed {
        let scales = rounding::scales(rows, &self.importance, self.precision);
        let bytes = match self.precision {
            Precision::F16 => {
                linear_f16::pack::pack(rows, self.columns).into_iter().flat_map(u16::to_le_bytes).collect()
            }
            Precision::Int8 => linear_i8::pack::pack(rows, self.columns, &scales),
            Precision::Int4 => linear_i4::pack::pack(rows, self.columns, &scales),
        };
        let mut tally = Tally::default();
        tally.0[0] = rounding::noise(rows, &self.importance, (&scales, self.precision));
        for (noise, &precision) in tally.0[1..].iter_mut().zip(self.probed) {
            let scales = rounding::scales(rows, &self.importance, precision);
            *noise = rounding::noise(rows, &self.importance, (&scales, precision));
        }
        Packed { bytes, tally }
    }
}

/// A tensor of a bundle: which layer's, and what of it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    One(Role),
    Qkv(usize),
    QkvBias(usize),
    GateUp(usize),
}

impl Place {
    /// By the names that [`Architecture::tensors`] gives.
    pub(super) fn of(name: &str) -> Self {
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
    pub(super) fn tile(
        &self,
        place: Place,
        rows: std::ops::Range<usize>,
        columns: usize,
    ) -> Result<Vec<f32>, LanguageError> {
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
