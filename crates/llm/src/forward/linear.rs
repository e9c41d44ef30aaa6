//! A matrix times the activations of all tokens, in items that threads share.

use clawdbot_kernels::group_quantize::{self, group_quantize};
use clawdbot_kernels::isa::Isa;
use clawdbot_kernels::linear::{Activations, GROUP};
use clawdbot_kernels::{linear_f16, linear_i4, linear_i8};
use clawdbot_nn::metadata::language::Precision;
use clawdbot_nn::workers::Workers;

use super::ForwardError;
use crate::model::{Matrix, Model};
use crate::pace::Pace;
use crate::parts::in_parts;

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
    fn fill(&mut self, isa: Isa, input: &[f32], tokens: usize) -> Activations<'_> {
        let groups = input.len() / GROUP;
        let (quants, scales) = (&mut self.quants[..input.len()], &mut self.scales[..groups]);
        let corrections = &mut self.corrections[..groups];
        group_quantize(isa, group_quantize::Task { tokens, input, quants, scales, corrections });
        Activations { tokens, quants, scales, corrections }
    }
}

/// Who computes, and how fast.
#[derive(Clone, Copy)]
pub(super) struct Shop<'a> {
    pub(super) model: &'a Model,
    pub(super) workers: &'a Workers,
    pub(super) isa: Isa,
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
            Precision::Int8 | Precision::Int4 => Some(quantised.fill(self.isa, input, tokens)),
        };
        let item = self.pace.tiles(matrix.columns, tokens);
        let mut first = 0;
        while first < matrix.tiles() {
            let tiles = item.min(matrix.tiles() - first);
            let rows = &mut output[first * unit..(first + tiles) * unit];
            in_parts(self.workers, rows, unit, &|at, output| {
                let start = (first + at) * panel;
                let weights = &bytes[start..start + output.len() / unit * panel];
                self.product(matrix.precision, activations, (tokens, input), weights, output);
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
                linear_i4::linear_i4(self.isa, linear_i4::Task { activations, weights, output });
            }
            (Precision::Int8, Some(activations)) => {
                linear_i8::linear_i8(self.isa, linear_i8::Task { activations, weights, output });
            }
            (Precision::F16, _) | (_, None) => {
                // Tensors of a bundle begin on multiples of 64 bytes, so this never fails.
                let weights = bytemuck::cast_slice(weights);
                linear_f16::linear_f16(self.isa, linear_f16::Task { tokens, input, weights, output });
            }
        }
    }
}
