//! `resample_i16i8_8_neon`: eight pixels at a time. Both neighbours of a pixel are one load.

use std::arch::aarch64::{
    int8x8x4_t, int8x16_t, int16x8_t, uint8x8_t, vaddq_s16, vcombine_u8, vdup_n_s8, vdup_n_u8, vdupq_n_s16,
    vdupq_n_s32, veor_u8, veorq_s8, vqaddq_s16, vqrdmulhq_n_s16, vqrdmulhq_s16, vqrshrun_n_s16, vqtbl1q_s8,
    vreinterpret_s8_u8, vreinterpretq_s8_s32, vreinterpretq_s8_u8, vreinterpretq_s16_s64, vreinterpretq_s64_s16,
    vreinterpretq_u8_s8, vsubq_s16, vuzp1q_s16, vuzp2q_s16, vzip1q_s64, vzip2q_s64,
};

use super::{Conversion, Neighbours, Task, scalar, steps};
use crate::arm::{load_i8x16, load_i16x8, store_i8x8x4, store_i8x16};

/// Pixels of a step.
const STEP: usize = 8;
/// Turns three levels into levels - 128 and leaves the 0.
const CENTRE: i32 = 0x0080_8080;
/// Blue and red of four pixels change places.
const SWAP: [i8; 16] = [2, 1, 0, 3, 6, 5, 4, 7, 10, 9, 8, 11, 14, 13, 12, 15];

#[target_feature(enable = "neon")]
pub(super) fn run(task: Task<'_>) {
    if task.output.len() < STEP {
        return scalar::run(task);
    }
    let Task { row, columns, conversion, swapped, output } = task;
    let neighbours = Neighbours::new(row, columns);
    // One loop for both, so that `between` has one caller and becomes part of it: its four registers need not go through
    // memory, whatever the rest of the binary makes of it.
    for first in steps(output.len(), STEP) {
        let pairs = between(&neighbours, first);
        let target = &mut output[first..][..STEP].as_flattened_mut().as_chunks_mut::<32>().0[0];
        if let Some(conversion) = &conversion {
            store_i8x8x4(target, to_rgb(pairs, conversion, swapped));
        } else {
            let (halves, _) = target.as_chunks_mut::<16>();
            store_i8x16(&mut halves[0], levels(pairs[0], pairs[1], swapped));
            store_i8x16(&mut halves[1], levels(pairs[2], pairs[3], swapped));
        }
    }
}

/// The samples of eight pixels, two in a register.
#[inline]
#[target_feature(enable = "neon")]
fn between(neighbours: &Neighbours<'_>, first: usize) -> [int16x8_t; 4] {
    let (pixels, weights) = neighbours.of::<STEP>(first);
    let (weights, _) = weights.as_flattened().as_chunks::<8>();
    let mut pairs = [vdupq_n_s16(0); 4];
    for (pair, samples) in pairs.iter_mut().enumerate() {
        let a = vreinterpretq_s64_s16(load_i16x8(&pixels[2 * pair].as_flattened().as_chunks().0[0]));
        let b = vreinterpretq_s64_s16(load_i16x8(&pixels[2 * pair + 1].as_flattened().as_chunks().0[0]));
        let left = vreinterpretq_s16_s64(vzip1q_s64(a, b));
        let right = vreinterpretq_s16_s64(vzip2q_s64(a, b));
        *samples = vaddq_s16(left, vqrdmulhq_s16(vsubq_s16(right, left), load_i16x8(&weights[pair])));
    }
    pairs
}

/// Four pixels of R, G, B.
#[inline]
#[target_feature(enable = "neon")]
fn levels(first: int16x8_t, second: int16x8_t, swapped: bool) -> int8x16_t {
    let levels = vcombine_u8(vqrshrun_n_s16::<7>(first), vqrshrun_n_s16::<7>(second));
    let centred = veorq_s8(vreinterpretq_s8_u8(levels), vreinterpretq_s8_s32(vdupq_n_s32(CENTRE)));
    if swapped { vqtbl1q_s8(centred, vreinterpretq_u8_s8(load_i8x16(&SWAP))) } else { centred }
}

/// Eight pixels of Y, U, V, as planes of levels - 128.
#[inline]
#[target_feature(enable = "neon")]
fn to_rgb(pairs: [int16x8_t; 4], by: &Conversion, swapped: bool) -> int8x8x4_t {
    let [even, odd] = [
        [vuzp1q_s16(pairs[0], pairs[1]), vuzp1q_s16(pairs[2], pairs[3])],
        [vuzp2q_s16(pairs[0], pairs[1]), vuzp2q_s16(pairs[2], pairs[3])],
    ];
    let (y, u, v) = (vuzp1q_s16(even[0], even[1]), vuzp1q_s16(odd[0], odd[1]), vuzp2q_s16(even[0], even[1]));
    let y = vqrdmulhq_n_s16(vsubq_s16(y, vdupq_n_s16(by.y_zero)), by.y_factor);
    let half = vdupq_n_s16(16_384);
    let (u, v) = (vsubq_s16(u, half), vsubq_s16(v, half));
    let red = vqaddq_s16(y, vqrdmulhq_n_s16(v, by.red_v));
    let green = vsubq_s16(vsubq_s16(y, vqrdmulhq_n_s16(u, by.green_u)), vqrdmulhq_n_s16(v, by.green_v));
    let whole = if by.blue_u_whole { vqaddq_s16(y, u) } else { y };
    let blue = vqaddq_s16(whole, vqrdmulhq_n_s16(u, by.blue_u));
    let (first, third) = if swapped { (blue, red) } else { (red, blue) };
    int8x8x4_t(
        vreinterpret_s8_u8(level(first)),
        vreinterpret_s8_u8(level(green)),
        vreinterpret_s8_u8(level(third)),
        vdup_n_s8(0),
    )
}

#[inline]
#[target_feature(enable = "neon")]
fn level(sum: int16x8_t) -> uint8x8_t {
    veor_u8(vqrshrun_n_s16::<6>(sum), vdup_n_u8(0x80))
}
