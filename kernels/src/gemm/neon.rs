//! `gemm_i8i8i32_4x8x8_neon`: for Armv8.0, which multiplies bytes only into 16 bits.
//!
//! Two groups of 4 along K at a time: `smull` of the first and `smlal` of the second leave two products in each 16-bit
//! lane (at most 2 x 128 x 127 = 32512), `sadalp` adds neighbours into 32-bit lanes. Channels 0-1 and 2-3 of a quad have
//! a sum register each, so one `addp` a quad after the whole of K finishes the job. Four rows by eight channels are 16
//! sum registers. On Cortex-A72, whose one multiplier makes 8 products a cycle, llvm-mca counts 8.

use std::arch::aarch64::{int8x16_t, vdupq_n_s32, vpaddq_s32, vzip1q_s32, vzip2q_s32};

use super::{Gemm, Task};
use crate::arm::{load_i8x16, multiply_add_groups, settle, splat_i8x4x2};
use crate::dense::dense;
use crate::epilogue::neon::Block;
use crate::epilogue::{Output, form};
use crate::pairs;
use crate::rows::Windows;
use crate::strided::{Group, Strided};

/// Rows of a tile.
const ROWS: usize = pairs::ROWS;

/// `sums!(R, pieces, block)`: R rows by 8 channels.
macro_rules! sums {
    ($rows:expr, $pieces:expr, $block:expr) => {{
        let [low, high] = $block.bias;
        let zero = vdupq_n_s32(0);
        let start = [vzip1q_s32(low, zero), vzip2q_s32(low, zero), vzip1q_s32(high, zero), vzip2q_s32(high, zero)];
        let mut sums = [start; $rows];
        settle(sums.as_flattened_mut());
        let mut pieces = $pieces;
        while let Some(mut piece) = pieces.next() {
            while piece.has::<16>() {
                piece.multiply_add_16(&mut sums);
            }
            if piece.has::<8>() {
                let (values, groups) = piece.step::<8, 2>();
                let weights = quads(groups);
                for (sums, values) in sums.iter_mut().zip(values) {
                    multiply_add_groups(sums, splat_i8x4x2(values), &weights);
                }
            }
        }
        let mut done = [[zero; 2]; $rows];
        for (done, sums) in done.iter_mut().zip(&sums) {
            *done = [vpaddq_s32(sums[0], sums[1]), vpaddq_s32(sums[2], sums[3])];
        }
        done
    }};
}

/// `each_tile!(ONE, source, tiles, panel, block, sums => { ... })`: see [`pairs::Tiles`].
macro_rules! each_tile {
    ($one:ident, $source:expr, $tiles:expr, $panel:expr, $block:expr, $sums:ident => $body:block) => {
        let mut tiles = pairs::Tiles::new($source, $tiles, $panel, $block.bias);
        while let Some($sums) = tiles.next() $body
    };
}

dense!("neon");

/// There are no wider tiles: sums of four rows by eight channels take half of the registers.
const fn wide_matrix(_: &Strided<'_>, _: usize, _: &Gemm<'_>, _: &mut Output<'_>) -> usize {
    0
}

/// See [`wide_matrix`].
const fn wide_windows(_: &Windows<'_, i8>, _: &Gemm<'_>, _: &mut Output<'_>) -> usize {
    0
}

#[target_feature(enable = "neon")]
pub(super) fn run(mut task: Task<'_>) {
    matrix(&task.source(), task.rows, task.gemm, &mut task.output);
}

/// Two groups of weights: channels 0-3 and 4-7 of each.
#[inline]
#[target_feature(enable = "neon")]
fn quads(groups: &[Group; 2]) -> [[int8x16_t; 2]; 2] {
    let [first, second] = groups;
    let (first, second) = (first.as_chunks::<16>().0, second.as_chunks::<16>().0);
    [[load_i8x16(&first[0]), load_i8x16(&first[1])], [load_i8x16(&second[0]), load_i8x16(&second[1])]]
}
