//! `pool_i8f32_16_neon`: sixteen channels of bytes at a time, added in 16 bits for as long as those hold.
//!
//! Floats, which are added in order, and channels that are no whole sixteen go the way of the reference.

use std::arch::aarch64::{
    int8x16_t, int32x4_t, vaddw_high_s8, vaddw_high_s16, vaddw_s8, vaddw_s16, vcvtq_f32_s32, vdupq_n_f32, vdupq_n_s16,
    vdupq_n_s32, vget_low_s8, vget_low_s16, vmulq_f32, vsubq_s32,
};

use super::{Pool, Task, scalar};
use crate::arm::load_i8x16;
use crate::epilogue::neon::Quantizer;
use crate::strided::cells;

/// Channels at a time.
const BLOCK: usize = 16;

/// Pixels that 16 bits hold the sum of: 255 x -128 is above -32768.
const PIXELS: usize = 255;

#[target_feature(enable = "neon")]
pub(super) fn run(task: Task<'_>) {
    match task {
        Task::I8 { input, pool, output } if output.len().is_multiple_of(BLOCK) => integers(input, &pool, output),
        other => scalar::run(other),
    }
}

#[target_feature(enable = "neon")]
fn integers(input: &[i8], pool: &Pool, output: &mut [i8]) {
    let channels = output.len();
    let pixels = input.len() / channels;
    let quantizer = Quantizer::new(&pool.grid());
    let count = i32::try_from(pixels).expect("at most 2^23 pixels");
    let (zeros, scale) = (vdupq_n_s32(pool.input_zero_point * count), vdupq_n_f32(pool.scale));
    for (block, target) in output.as_chunks_mut::<BLOCK>().0.iter_mut().enumerate() {
        let mut sums = [vdupq_n_s32(0); 4];
        for first in (0..pixels).step_by(PIXELS) {
            let start = first * channels + block * BLOCK;
            add(&mut sums, cells::<_, BLOCK>(input, start, channels, PIXELS.min(pixels - first)));
        }
        quantizer.store(sums.map(|sum| vmulq_f32(vcvtq_f32_s32(vsubq_s32(sum, zeros)), scale)), target);
    }
}

/// Adds at most [`PIXELS`] cells.
#[inline]
#[target_feature(enable = "neon")]
fn add<'a>(sums: &mut [int32x4_t; 4], cells: impl Iterator<Item = &'a [i8; BLOCK]>) {
    let mut short = [vdupq_n_s16(0); 2];
    for cell in cells {
        let cell: int8x16_t = load_i8x16(cell);
        short = [vaddw_s8(short[0], vget_low_s8(cell)), vaddw_high_s8(short[1], cell)];
    }
    let [a, b, c, d] = *sums;
    let [low, high] = short;
    *sums = [
        vaddw_s16(a, vget_low_s16(low)),
        vaddw_high_s16(b, low),
        vaddw_s16(c, vget_low_s16(high)),
        vaddw_high_s16(d, high),
    ];
}
