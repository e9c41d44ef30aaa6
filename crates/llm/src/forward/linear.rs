//! A matrix times the activations of all tokens, in items that threads share.

use clawdbot_kernels::add_f32::{Addend, add_f32};
use clawdbot_kernels::group_quantize::{self, group_quantize};
use clawdbot_kernels::isa::Isa;
use clawdbot_kernels::linear::{Activations, GROUP};
use clawdbot_kernels::swiglu::{self, Function, swiglu};
use clawdbot_kernels::{linear_f16, linear_i4, linear_i8};
use clawdbot_nn::metadata::language::Precision;
use clawdbot_nn::workers::Workers;

use super::ForwardError;
use crate::model::{Matrix, Model};
use crate::pace::Pace;
use crate::parts::{Cut, Tiles, in_fine_parts, in_parts};

/// Rows of a tile.
const TILE: usize = 8;

/// Room for the activations of one product as whole numbers, each part used up to its size for the present T.
#[derive(Debug)]
pub(super) struct Quantised {
    quants: Vec<i8>,
    scales: Vec<f32>,
    corrections: Vec<i32>,
}

impl Quantised {
    /// For at most so many values of so many tokens.
    pub(super) fn new(columns: usize, tokens: usize) -> Self {
        let values = columns.next_multiple_of(GROUP) * tokens;
        let groups = values / GROUP;
        Self { quants: vec![0; values], scales: vec![0.0; groups], corrections: vec![0; groups] }
    }

    /// Quantises `input`, `[K/8][T][8]`.
    fn fill(&mut self, crew: Crew<'_>, input: &[f32], tokens: usize) -> Activations<'_> {
        let groups = input.len() / GROUP;
        let (quants, scales) = (&mut self.quants[..input.len()], &mut self.scales[..groups]);
        let corrections = &mut self.corrections[..groups];
        let whole = Groups { tokens, quants: &mut *quants, scales: &mut *scales, corrections: &mut *corrections };
        crew.share(whole, input.len(), &|first, piece| {
            let Groups { tokens, quants, scales, corrections } = piece;
            let input = &input[first * GROUP * *tokens..][..quants.len()];
            group_quantize(crew.isa, group_quantize::Task { tokens: *tokens, input, quants, scales, corrections });
        });
        Activations { tokens, quants, scales, corrections }
    }
}

/// Where quants of `tokens` tokens go; a tile is a group along K.
struct Groups<'a> {
    tokens: usize,
    quants: &'a mut [i8],
    scales: &'a mut [f32],
    corrections: &'a mut [i32],
}

impl Cut for Groups<'_> {
    fn tiles(&self) -> usize {
        self.scales.len() / self.tokens
    }

    fn cut(self, tiles: usize) -> (Self, Self) {
        let (tokens, at) = (self.tokens, tiles * self.tokens);
        let (quants, scales) = (self.quants.split_at_mut(at * GROUP), self.scales.split_at_mut(at));
        let corrections = self.corrections.split_at_mut(at);
        let first = Self { tokens, quants: quants.0, scales: scales.0, corrections: corrections.0 };
        (first, Self { tokens, quants: quants.1, scales: scales.1, corrections: corrections.1 })
    }
}

/// Below so many values a pass over them is done sooner than other threads have begun.
const WORTH_SHARING: usize = 1 << 13;

/// Multiplications that are worth a run of their own: some tens of microseconds on AVX2, a hundred on a Cortex-A72.
const MACS_OF_A_RUN: usize = 1 << 20;

/// Who computes what lies between the products.
#[derive(Clone, Copy)]
pub(super) struct Crew<'a> {
    pub(super) workers: &'a Workers,
    pub(super) isa: Isa,
}

impl Crew<'_> {
    /// Calls `job` with pieces of `whole`, through which it goes `values` values; see [`in_parts`].
    pub(super) fn share<W: Cut>(&self, mut whole: W, values: usize, job: &(dyn Fn(usize, &mut W) + Sync)) {
        if values < WORTH_SHARING { job(0, &mut whole) } else { in_parts(self.workers, whole, job) }
    }

    /// `stream += data * factor`.
    pub(super) fn add(&self, data: &[f32], factor: f32, stream: &mut [f32]) {
        self.share(Tiles { data: stream, unit: TILE }, data.len(), &|first, piece| {
            let data = &data[first * TILE..][..piece.data.len()];
            add_f32(self.isa, Addend::Tensor { data, factor }, piece.data);
        });
    }

    /// `gated = f(gate) * up`; `input` holds both, in tiles by turns.
    pub(super) fn gate(&self, function: Function, tokens: usize, input: &[f32], gated: &mut [f32]) {
        let unit = TILE * tokens;
        self.share(Tiles { data: gated, unit }, input.len(), &|first, piece| {
            let input = &input[2 * first * unit..][..2 * piece.data.len()];
            swiglu(self.isa, swiglu::Task { function, tokens, input, output: piece.data });
        });
    }
}

/// Who computes, and how fast.
#[derive(Clone, Copy)]
pub(super) struct Shop<'a> {
    pub(super) model: &'a Model,
    pub(super) crew: Crew<'a>,
    pub(super) pace: Pace<'a>,
}

impl Shop<'_> {
    /// `output = matrix x input`, `[N/8][T][8]` and `[K/8][T][8]`, N padded to 8.
    pub(super) fn multiply(
        &self,
        matrix: &Matrix,
        tokens: usize,
        (input, output): (&[f32], &mut [f32]),
        quantised: &mut Quantised,
    ) -> Result<(), ForwardError> {
        let bytes = self.model.bytes(matrix);
        let panel = bytes.len() / matrix.tiles();
        let unit = TILE * tokens;
        let activations = match matrix.precision {
            Precision::F16 => None,
            Precision::Int8 | Precision::Int4 => Some(quantised.fill(self.crew, input, tokens)),
        };
        let item = self.pace.tiles(matrix.columns, tokens);
        let least = MACS_OF_A_RUN.div_ceil(TILE * tokens * matrix.columns);
        let mut first = 0;
        while first < matrix.tiles() {
            let tiles = item.min(matrix.tiles() - first);
            let rows = &mut output[first * unit..(first + tiles) * unit];
            in_fine_parts(self.crew.workers, least, Tiles { data: rows, unit }, &|at, piece| {
                let start = (first + at) * panel;
                let weights = &bytes[start..start + piece.tiles() * panel];
                self.product(matrix.precision, activations, (tokens, input), weights, piece.data);
            });
            first += tiles;
            if !(self.pace.between)() {
                return Err(ForwardError::Cancelled);
            }
        }
        Ok(())
    }

    fn product(
        &self,
        precision: Precision,
        activations: Option<Activations<'_>>,
        (tokens, input): (usize, &[f32]),
        weights: &[u8],
        output: &mut [f32],
    ) {
        match (precision, activations) {
            (Precision::Int4, Some(activations)) => {
                linear_i4::linear_i4(self.crew.isa, linear_i4::Task { activations, weights, output });
            }
            (Precision::Int8, Some(activations)) => {
                linear_i8::linear_i8(self.crew.isa, linear_i8::Task { activations, weights, output });
            }
            (Precision::F16, _) | (_, None) => {
                // Tensors of a bundle begin on multiples of 64 bytes, so this never fails.
                let weights = bytemuck::cast_slice(weights);
                linear_f16::linear_f16(self.crew.isa, linear_f16::Task { tokens, input, weights, output });
            }
        }
    }
}
