//! `blend_u8i16_16_neon`: sixteen pixels at a time, taken apart into a register a sample by `ld2` and `ld3`. What pairs of
//! pixels share is blended once and spread afterwards.

use std::arch::aarch64::{
    int16x8_t, int16x8x4_t, uint8x8_t, uint8x16_t, vaddq_s16, vdupq_n_s16, vget_low_u8, vqrdmulhq_s16,
    vreinterpretq_s16_u16, vshll_high_n_u8, vshll_n_u8, vsubq_s16, vtrn1q_s16, vtrn2q_s16, vzip1q_s16, vzip2q_s16,
};

use super::{Row, Task, scalar};
use crate::arm::{load_u8x8, load_u8x16, load_u8x16x2, load_u8x16x3, store_i16x8x4};

/// Pixels of a step; even, so that no pair is cut.
const STEP: usize = 16;

#[target_feature(enable = "neon")]
pub(super) fn run(mut task: Task<'_>) {
    let pixels = task.output.len();
    if pixels < STEP {
        return scalar::tail(&mut task, 0);
    }
    match task.rows {
        [Row::Packed(above), Row::Packed(below)] => packed([above, below], &mut task),
        [Row::Yuyv(above), Row::Yuyv(below)] => yuyv([above, below], &mut task),
        [Row::Nv12 { luma: above, chroma: c }, Row::Nv12 { luma: below, chroma: d }] => {
            nv12([above, below], [c, d], &mut task);
        }
        [Row::I420 { luma: above, u: a, v: c }, Row::I420 { luma: below, u: b, v: d }] => {
            i420([above, below], [a, b], [c, d], &mut task);
        }
        _ => {}
    }
    // An odd last pixel is no start of a step.
    scalar::tail(&mut task, pixels / 2 * 2);
}

/// Where steps begin that cover `pixels`, no fewer than a step, but for an odd last one: the last step looks back over
/// pixels that are done, and begins with a whole pair.
fn steps(pixels: usize) -> impl Iterator<Item = usize> {
    let whole = pixels - pixels % STEP;
    (0..whole).step_by(STEP).chain((whole < pixels).then(|| (pixels - STEP) / 2 * 2))
}

#[inline]
#[target_feature(enable = "neon")]
fn packed(rows: [&[u8]; 2], task: &mut Task<'_>) {
    let weight = vdupq_n_s16(task.weight);
    for first in steps(task.output.len()) {
        let above = load_u8x16x3(&rows[0][3 * first..].as_chunks().0[0]);
        let below = load_u8x16x3(&rows[1][3 * first..].as_chunks().0[0]);
        let samples =
            [between(above.0, below.0, weight), between(above.1, below.1, weight), between(above.2, below.2, weight)];
        store(samples, first, task);
    }
}

#[inline]
#[target_feature(enable = "neon")]
fn yuyv(rows: [&[u8]; 2], task: &mut Task<'_>) {
    let weight = vdupq_n_s16(task.weight);
    for first in steps(task.output.len()) {
        let above = load_u8x16x2(&rows[0][2 * first..].as_chunks().0[0]);
        let below = load_u8x16x2(&rows[1][2 * first..].as_chunks().0[0]);
        let chroma = between(above.1, below.1, weight);
        let [u, v] = spread(chroma);
        store([between(above.0, below.0, weight), u, v], first, task);
    }
}

#[inline]
#[target_feature(enable = "neon")]
fn nv12(luma: [&[u8]; 2], chroma: [&[u8]; 2], task: &mut Task<'_>) {
    let weight = vdupq_n_s16(task.weight);
    for first in steps(task.output.len()) {
        let above = load_u8x16(&chroma[0][first..].as_chunks().0[0]);
        let below = load_u8x16(&chroma[1][first..].as_chunks().0[0]);
        let [u, v] = spread(between(above, below, weight));
        let above = load_u8x16(&luma[0][first..].as_chunks().0[0]);
        let below = load_u8x16(&luma[1][first..].as_chunks().0[0]);
        store([between(above, below, weight), u, v], first, task);
    }
}

#[inline]
#[target_feature(enable = "neon")]
fn i420(luma: [&[u8]; 2], u: [&[u8]; 2], v: [&[u8]; 2], task: &mut Task<'_>) {
    let weight = vdupq_n_s16(task.weight);
    for first in steps(task.output.len()) {
        let u = between_eight(eight(u[0], first / 2), eight(u[1], first / 2), weight);
        let v = between_eight(eight(v[0], first / 2), eight(v[1], first / 2), weight);
        let [u, v] = [[vzip1q_s16(u, u), vzip2q_s16(u, u)], [vzip1q_s16(v, v), vzip2q_s16(v, v)]];
        let above = load_u8x16(&luma[0][first..].as_chunks().0[0]);
        let below = load_u8x16(&luma[1][first..].as_chunks().0[0]);
        store([between(above, below, weight), u, v], first, task);
    }
}

/// Eight bytes from `first` on.
#[inline]
#[target_feature(enable = "neon")]
fn eight(bytes: &[u8], first: usize) -> uint8x8_t {
    load_u8x8(&bytes[first..].as_chunks().0[0])
}

/// U and V in turn, as U and V of two pixels each.
#[inline]
#[target_feature(enable = "neon")]
fn spread([low, high]: [int16x8_t; 2]) -> [[int16x8_t; 2]; 2] {
    [[vtrn1q_s16(low, low), vtrn1q_s16(high, high)], [vtrn2q_s16(low, low), vtrn2q_s16(high, high)]]
}

/// Stores sixteen pixels.
#[inline]
#[target_feature(enable = "neon")]
fn store([first, second, third]: [[int16x8_t; 2]; 3], pixel: usize, task: &mut Task<'_>) {
    let zero = vdupq_n_s16(0);
    let (halves, _) = task.output[pixel..][..STEP].as_chunks_mut::<8>();
    store_i16x8x4(&mut halves[0], int16x8x4_t(first[0], second[0], third[0], zero));
    store_i16x8x4(&mut halves[1], int16x8x4_t(first[1], second[1], third[1], zero));
}

/// Sixteen samples between two rows.
#[inline]
#[target_feature(enable = "neon")]
fn between(above: uint8x16_t, below: uint8x16_t, weight: int16x8_t) -> [int16x8_t; 2] {
    let low = between_eight(vget_low_u8(above), vget_low_u8(below), weight);
    let above = vreinterpretq_s16_u16(vshll_high_n_u8::<7>(above));
    let below = vreinterpretq_s16_u16(vshll_high_n_u8::<7>(below));
    [low, vaddq_s16(above, vqrdmulhq_s16(vsubq_s16(below, above), weight))]
}

/// Eight samples between two rows.
#[inline]
#[target_feature(enable = "neon")]
fn between_eight(above: uint8x8_t, below: uint8x8_t, weight: int16x8_t) -> int16x8_t {
    let above = vreinterpretq_s16_u16(vshll_n_u8::<7>(above));
    let below = vreinterpretq_s16_u16(vshll_n_u8::<7>(below));
    vaddq_s16(above, vqrdmulhq_s16(vsubq_s16(below, above), weight))
}
