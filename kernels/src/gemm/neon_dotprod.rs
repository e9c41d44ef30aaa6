//! `gemm_i8i8i32_8x8x16_neon_dotprod`: `sdot` by lane, four products into each 32-bit lane.
//!
//! A register of weights holds one group of 4 along K for four channels, a register of a row four groups: eight rows by
//! eight channels are 16 sum registers and 64 `sdot` for 16 loads.

use std::arch::aarch64::{int8x16_t, int32x4_t, vcombine_s8, vdupq_n_s32};

use super::{Gemm, Task};
use crate::arm::{dot_lane, load_i8x8, load_i8x16};
use crate::epilogue::Output;
use crate::epilogue::neon::Block;
use crate::rows::{Cursor, Matrix, Rows};

/// Rows of a tile.
const ROWS: usize = 8;

/// Of each row: channels 0-3 and 4-7.
type Sums<const R: usize> = [[int32x4_t; 2]; R];

#[target_feature(enable = "neon,dotprod")]
pub(super) fn run(mut task: Task<'_>) {
    let matrix = Matrix { rows: task.rows, width: task.gemm.k, stride: task.input_stride, input: task.input };
    sweep(&matrix, task.gemm, &mut task.output);
}

/// All rows of `source` by one panel of 8 output channels after the other.
#[inline]
#[target_feature(enable = "neon,dotprod")]
pub(crate) fn sweep<S: Rows<i8>>(source: &S, gemm: &Gemm<'_>, output: &mut Output<'_>) {
    for n in (0..gemm.n).step_by(8) {
        let panel = &gemm.weights[n * gemm.k..][..8 * gemm.k];
        let block = Block::new(gemm.bias, output, n, gemm.n);
        let mut row = 0;
        while row < source.count() {
            row += match source.count() - row {
                1 => tile::<1, S>(source, row, panel, &block, output),
                2 => tile::<2, S>(source, row, panel, &block, output),
                3 => tile::<3, S>(source, row, panel, &block, output),
                4..ROWS => tile::<4, S>(source, row, panel, &block, output),
                _ => tile::<ROWS, S>(source, row, panel, &block, output),
            };
        }
    }
}

/// R rows by 8 channels; answers R.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn tile<const R: usize, S: Rows<i8>>(
    source: &S,
    row: usize,
    panel: &[i8],
    block: &Block<'_>,
    output: &mut Output<'_>,
) -> usize {
    let mut sums = [[vdupq_n_s32(0); 2]; R];
    let mut cursor = source.cursor::<R>(row);
    let mut panel = panel;
    while let Some(rows) = cursor.next() {
        let (weights, rest) = panel.split_at(rows[0].len() * 8);
        panel = rest;
        let (steps, tail) = weights.as_chunks::<128>();
        let wide = rows.map(|row| &row.as_chunks::<16>().0[..steps.len()]);
        for (step, weights) in steps.iter().enumerate() {
            let values = wide.map(|row| load_i8x16(&row[step]));
            let (groups, _) = weights.as_chunks::<32>();
            group::<0, R>(&mut sums, &values, &groups[0]);
            group::<1, R>(&mut sums, &values, &groups[1]);
            group::<2, R>(&mut sums, &values, &groups[2]);
            group::<3, R>(&mut sums, &values, &groups[3]);
        }
        if let ([first, second], _) = tail.as_chunks::<32>() {
            let values = rows.map(|row| last_half(row));
            group::<0, R>(&mut sums, &values, first);
            group::<1, R>(&mut sums, &values, second);
        }
    }
    for (index, sums) in sums.iter().enumerate() {
        block.store(*sums, row + index, output);
    }
    R
}

/// The last 8 bytes of a piece, twice.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn last_half(row: &[i8]) -> int8x16_t {
    let half = load_i8x8(row.last_chunk::<8>().expect("a piece's length is a multiple of 8"));
    vcombine_s8(half, half)
}

/// Group `LANE` along K of the step: four products of each row and channel.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn group<const LANE: usize, const R: usize>(sums: &mut Sums<R>, values: &[int8x16_t; R], weights: &[i8; 32]) {
    let (quads, _) = weights.as_chunks::<16>();
    let quads = [load_i8x16(&quads[0]), load_i8x16(&quads[1])];
    for (sums, value) in sums.iter_mut().zip(values) {
        for half in 0..2 {
            sums[half] = dot_lane::<LANE>(sums[half], quads[half], *value);
        }
    }
}
