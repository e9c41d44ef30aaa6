//! `gemm_i8i8i32_4x8x8_neon`: for Armv8.0, which multiplies bytes only into 16 bits.
//!
//! Two groups of 4 along K at a time: `smull` of the first and `smlal` of the second leave two products in each 16-bit
//! lane (at most 2 x 128 x 127 = 32512), `sadalp` adds neighbours into 32-bit lanes. Channels 0-1 and 2-3 of a quad have
//! a sum register each, so one `addp` a quad after the whole of K finishes the job. Four rows by eight channels are 16
//! sum registers. On Cortex-A72, whose one multiplier makes 8 products a cycle, llvm-mca counts 8.

use std::arch::aarch64::{
    int32x4_t, vdupq_n_s32, vget_low_s8, vmlal_high_s8, vmlal_s8, vmull_high_s8, vmull_s8, vpadalq_s16, vpaddq_s32,
};

use super::{Gemm, Task};
use crate::arm::{load_i8x16, splat_i8x4};
use crate::epilogue::Output;
use crate::epilogue::neon::Block;
use crate::rows::{Cursor, Matrix, Rows};

/// Rows of a tile.
const ROWS: usize = 4;

/// Of each row: channels 0-1, 2-3, 4-5, 6-7, two partial sums each.
type Sums<const R: usize> = [[int32x4_t; 4]; R];

#[target_feature(enable = "neon")]
pub(super) fn run(mut task: Task<'_>) {
    let matrix = Matrix { rows: task.rows, width: task.gemm.k, stride: task.input_stride, input: task.input };
    sweep(&matrix, task.gemm, &mut task.output);
}

/// All rows of `source` by one panel of 8 output channels after the other, so that the panel stays in the first cache.
#[inline]
#[target_feature(enable = "neon")]
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
                _ => tile::<ROWS, S>(source, row, panel, &block, output),
            };
        }
    }
}

/// R rows by 8 channels; answers R.
#[inline]
#[target_feature(enable = "neon")]
fn tile<const R: usize, S: Rows<i8>>(
    source: &S,
    row: usize,
    panel: &[i8],
    block: &Block<'_>,
    output: &mut Output<'_>,
) -> usize {
    let mut sums = [[vdupq_n_s32(0); 4]; R];
    let mut cursor = source.cursor::<R>(row);
    let mut panel = panel;
    while let Some(rows) = cursor.next() {
        let (weights, rest) = panel.split_at(rows[0].len() * 8);
        multiply(&mut sums, rows, weights);
        panel = rest;
    }
    for (index, sums) in sums.iter().enumerate() {
        let quads = [vpaddq_s32(sums[0], sums[1]), vpaddq_s32(sums[2], sums[3])];
        block.store(quads, row + index, output);
    }
    R
}

/// Adds the products of one piece along K. `weights` are the panel's for it.
#[inline]
#[target_feature(enable = "neon")]
fn multiply<const R: usize>(sums: &mut Sums<R>, rows: [&[i8]; R], weights: &[i8]) {
    let (weights, _) = weights.as_chunks::<64>();
    let rows = rows.map(|row| &row.as_chunks::<8>().0[..weights.len()]);
    for (step, weights) in weights.iter().enumerate() {
        let (quads, _) = weights.as_chunks::<16>();
        let quads = [0, 1, 2, 3].map(|quad| load_i8x16(&quads[quad]));
        for (row, sums) in rows.iter().zip(sums.iter_mut()) {
            let (groups, _) = row[step].as_chunks::<4>();
            let [first, second] = [0, 1].map(|group| splat_i8x4(&groups[group]));
            for half in 0..2 {
                let low = vmull_s8(vget_low_s8(quads[half]), vget_low_s8(first));
                let high = vmull_high_s8(quads[half], first);
                let low = vmlal_s8(low, vget_low_s8(quads[2 + half]), vget_low_s8(second));
                let high = vmlal_high_s8(high, quads[2 + half], second);
                sums[2 * half] = vpadalq_s16(sums[2 * half], low);
                sums[2 * half + 1] = vpadalq_s16(sums[2 * half + 1], high);
            }
        }
    }
}
