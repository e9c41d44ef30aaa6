//! `gemm_i8i8i32_6x16x16_neon_dotprod`: `sdot` by lane, four products into each 32-bit lane.
//!
//! A register of weights holds one group of 4 along K for four channels, a register of a row four groups. Channels that
//! come in sixteens go by tiles of six rows, 96 `sdot` for 14 loads ([`wide`]); the others, and what is left of the rows,
//! by tiles of up to eight rows by eight channels.

use std::arch::aarch64::{int8x16_t, int32x4_t, vcombine_s8, vdup_n_s8, vdupq_n_s8};

use self::wide::{wide_matrix, wide_windows};
use super::Task;
use crate::arm::{dot_lane, load_i8x8, load_i8x16, settle};
use crate::dense::dense;
use crate::epilogue::form;
use crate::epilogue::neon::Block;
use crate::strided::{Group, Pieces};

mod wide;

/// Rows of a tile.
const ROWS: usize = 8;

/// Of each row: channels 0-3 and 4-7.
type Sums<const R: usize> = [[int32x4_t; 2]; R];

/// `sums!(R, pieces, block)`: R rows by 8 channels.
macro_rules! sums {
    ($rows:expr, $pieces:expr, $block:expr) => {{
        let mut sums = [$block.bias; $rows];
        settle(sums.as_flattened_mut());
        let mut pieces = $pieces;
        while let Some(mut piece) = pieces.next() {
            while piece.has::<16>() {
                let (rows, groups) = piece.step::<16, 4>();
                let mut values = [vdupq_n_s8(0); $rows];
                for (value, row) in values.iter_mut().zip(rows) {
                    *value = load_i8x16(row);
                }
                group::<0, { $rows }>(&mut sums, &values, &groups[0]);
                group::<1, { $rows }>(&mut sums, &values, &groups[1]);
                group::<2, { $rows }>(&mut sums, &values, &groups[2]);
                group::<3, { $rows }>(&mut sums, &values, &groups[3]);
            }
            if piece.has::<8>() {
                let (rows, groups) = piece.step::<8, 2>();
                let mut values = [vdupq_n_s8(0); $rows];
                for (value, row) in values.iter_mut().zip(rows) {
                    let half = load_i8x8(row);
                    *value = vcombine_s8(half, vdup_n_s8(0));
                }
                group::<0, { $rows }>(&mut sums, &values, &groups[0]);
                group::<1, { $rows }>(&mut sums, &values, &groups[1]);
            }
        }
        sums
    }};
}

/// `each_tile!(ONE, source, tiles, panel, block, sums => { ... })`.
macro_rules! each_tile {
    ($one:ident, $source:expr, $tiles:expr, $panel:expr, $block:expr, $sums:ident => $body:block) => {
        for pieces in $source.tiles::<ROWS, $one>(0, $tiles, $panel) {
            let $sums = sums!(ROWS, pieces, $block);
            $body
        }
    };
}

dense!("neon,dotprod");

#[target_feature(enable = "neon,dotprod")]
pub(super) fn run(mut task: Task<'_>) {
    matrix(&task.source(), task.rows, task.gemm, &mut task.output);
}

/// Group `LANE` along K of the step: four products of each row and channel.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn group<const LANE: usize, const R: usize>(sums: &mut Sums<R>, values: &[int8x16_t; R], weights: &Group) {
    let (quads, _) = weights.as_chunks::<16>();
    let quads = [load_i8x16(&quads[0]), load_i8x16(&quads[1])];
    for (sums, value) in sums.iter_mut().zip(values) {
        for half in 0..2 {
            sums[half] = dot_lane::<LANE>(sums[half], quads[half], *value);
        }
    }
}
