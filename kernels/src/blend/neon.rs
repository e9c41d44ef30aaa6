//! `blend_u8i16_16_neon`: sixteen pixels at a time, taken apart into a register a sample by `ld2` and `ld3`.

use std::arch::aarch64::{
    int16x8_t, int16x8x4_t, uint8x8_t, uint8x16_t, vaddq_s16, vcombine_u8, vdupq_n_s16, vget_low_u8, vqrdmulhq_s16,
    vreinterpretq_s16_u16, vshll_high_n_u8, vshll_n_u8, vsubq_s16, vtrn1q_u8, vtrn2q_u8, vzip1_u8, vzip2_u8,
};

use super::{Row, Task, scalar};
use crate::arm::{load_u8x8, load_u8x16, load_u8x16x2, load_u8x16x3, store_i16x8x4};

/// Pixels of a step; even, so that no pair is cut.
const STEP: usize = 16;

#[target_feature(enable = "neon")]
pub(super) fn run(mut task: Task<'_>) {
    let pixels = task.output.len();
    let whole = pixels - pixels % STEP;
    for first in (0..whole).step_by(STEP) {
        step(&mut task, first);
    }
    if whole == pixels {
        return;
    }
    if pixels < STEP {
        return scalar::tail(&mut task, whole);
    }
    // The last step looks back over pixels that are done, and begins with a whole pair.
    step(&mut task, (pixels - STEP) / 2 * 2);
    scalar::tail(&mut task, pixels / 2 * 2);
}

/// The pixels `first..first + 16`.
#[inline]
#[target_feature(enable = "neon")]
fn step(task: &mut Task<'_>, first: usize) {
    let [above, below] = [samples(&task.rows[0], first), samples(&task.rows[1], first)];
    let weight = vdupq_n_s16(task.weight);
    let zero = vdupq_n_s16(0);
    let (halves, _) = task.output[first..][..STEP].as_chunks_mut::<8>();
    let lower = int16x8x4_t(
        between(low(above[0]), low(below[0]), weight),
        between(low(above[1]), low(below[1]), weight),
        between(low(above[2]), low(below[2]), weight),
        zero,
    );
    store_i16x8x4(&mut halves[0], lower);
    let upper = int16x8x4_t(
        between(high(above[0]), high(below[0]), weight),
        between(high(above[1]), high(below[1]), weight),
        between(high(above[2]), high(below[2]), weight),
        zero,
    );
    store_i16x8x4(&mut halves[1], upper);
}

/// The lower eight samples x 128.
#[inline]
#[target_feature(enable = "neon")]
fn low(samples: uint8x16_t) -> int16x8_t {
    vreinterpretq_s16_u16(vshll_n_u8::<7>(vget_low_u8(samples)))
}

/// The upper eight samples x 128.
#[inline]
#[target_feature(enable = "neon")]
fn high(samples: uint8x16_t) -> int16x8_t {
    vreinterpretq_s16_u16(vshll_high_n_u8::<7>(samples))
}

#[inline]
#[target_feature(enable = "neon")]
fn between(above: int16x8_t, below: int16x8_t, weight: int16x8_t) -> int16x8_t {
    vaddq_s16(above, vqrdmulhq_s16(vsubq_s16(below, above), weight))
}

/// Sixteen pixels, a register a sample.
#[inline]
#[target_feature(enable = "neon")]
fn samples(row: &Row<'_>, first: usize) -> [uint8x16_t; 3] {
    match row {
        Row::Packed(samples) => {
            let samples = load_u8x16x3(&samples[3 * first..].as_chunks::<48>().0[0]);
            [samples.0, samples.1, samples.2]
        }
        Row::Yuyv(samples) => {
            let samples = load_u8x16x2(&samples[2 * first..].as_chunks::<32>().0[0]);
            [samples.0, vtrn1q_u8(samples.1, samples.1), vtrn2q_u8(samples.1, samples.1)]
        }
        Row::Nv12 { luma, chroma } => {
            let chroma = load_u8x16(&chroma[first..].as_chunks::<16>().0[0]);
            let luma = load_u8x16(&luma[first..].as_chunks::<16>().0[0]);
            [luma, vtrn1q_u8(chroma, chroma), vtrn2q_u8(chroma, chroma)]
        }
        Row::I420 { luma, u, v } => {
            let [u, v] =
                [load_u8x8(&u[first / 2..].as_chunks::<8>().0[0]), load_u8x8(&v[first / 2..].as_chunks::<8>().0[0])];
            [load_u8x16(&luma[first..].as_chunks::<16>().0[0]), twice(u), twice(v)]
        }
    }
}

/// Each of eight bytes twice.
#[inline]
#[target_feature(enable = "neon")]
fn twice(bytes: uint8x8_t) -> uint8x16_t {
    vcombine_u8(vzip1_u8(bytes, bytes), vzip2_u8(bytes, bytes))
}
