//! `group_quantize_f32i8_32_neon`: a token's group of 32 at a time.

use std::arch::aarch64::{
    int8x16_t, int32x4_t, vabsq_f32, vaddlvq_s8, vcombine_s8, vcombine_s16, vcvtnq_s32_f32, vdupq_n_f32, vdupq_n_s32,
    vmaxq_f32, vmaxvq_f32, vmulq_n_f32, vqmovn_s16, vqmovn_s32,
};

use super::{Task, scale_and_inverse};
use crate::arm::{load_f32x4, store_i8x16};
use crate::linear::GROUP;

#[target_feature(enable = "neon")]
pub(super) fn run(task: Task<'_>) {
    let eights = task.input.as_chunks::<8>().0;
    for (index, quants) in task.quants.as_chunks_mut::<GROUP>().0.iter_mut().enumerate() {
        let (group, token) = (index / task.tokens, index % task.tokens);
        let eights = &eights[4 * group * task.tokens + token..];
        let mut values = [vdupq_n_f32(0.0); 8];
        for (at, pair) in values.as_chunks_mut::<2>().0.iter_mut().enumerate() {
            let [low, high] = eights[at * task.tokens].as_chunks::<4>().0 else { unreachable!("eight are two fours") };
            *pair = [load_f32x4(low), load_f32x4(high)];
        }
        let mut largest = vdupq_n_f32(0.0);
        for value in values {
            largest = vmaxq_f32(largest, vabsq_f32(value));
        }
        let [scale, inverse] = scale_and_inverse(vmaxvq_f32(largest));
        let mut rounded = [vdupq_n_s32(0); 8];
        for (rounded, value) in rounded.iter_mut().zip(values) {
            *rounded = vcvtnq_s32_f32(vmulq_n_f32(value, inverse));
        }
        let [low, high] = [bytes(&rounded, 0), bytes(&rounded, 4)];
        let (halves, _) = quants.as_chunks_mut::<16>();
        store_i8x16(&mut halves[0], low);
        store_i8x16(&mut halves[1], high);
        task.scales[index] = scale;
        task.corrections[index] = -8 * (i32::from(vaddlvq_s8(low)) + i32::from(vaddlvq_s8(high)));
    }
}

/// Sixteen numbers, four registers from `from` on, as bytes.
#[inline]
#[target_feature(enable = "neon")]
fn bytes(rounded: &[int32x4_t; 8], from: usize) -> int8x16_t {
    let short = |at: usize| vcombine_s16(vqmovn_s32(rounded[from + at]), vqmovn_s32(rounded[from + at + 1]));
    vcombine_s8(vqmovn_s16(short(0)), vqmovn_s16(short(2)))
}
