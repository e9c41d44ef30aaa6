//! `depthwise_f16_f32f16f32_1x8_avx2`: eight channels of a pixel at a time, fused multiply-add.

use std::arch::x86_64::{_mm256_fmadd_ps, _mm256_max_ps, _mm256_min_ps, _mm256_set1_ps};

use super::Task;
use crate::x86::{load_f16x8, load_f32x8, store_f32x8};

/// Channels a block.
const BLOCK: usize = 8;

#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn run(task: Task<'_>) {
    let channels = task.geometry.channels;
    let blocked = channels - channels % BLOCK;
    let mut start = 0;
    for y in task.rows.clone() {
        for x in 0..task.geometry.output_width {
            for channel in (0..blocked).step_by(BLOCK) {
                let results = block(&task, y, x, channel);
                task.output[start + channel..][..BLOCK].copy_from_slice(&results);
            }
            for channel in blocked..channels {
                task.output[start + channel] = task.value(y, x, channel);
            }
            start += channels;
        }
    }
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn block(task: &Task<'_>, y: usize, x: usize, channel: usize) -> [f32; BLOCK] {
    let (geometry, depthwise) = (task.geometry, task.depthwise);
    let mut sum = load_f32x8(eight(depthwise.bias, channel));
    for tap in 0..geometry.taps() {
        let cell = match geometry.pixel(y, x, tap) {
            Some(pixel) => load_f32x8(eight(task.input, pixel * geometry.channels + channel)),
            None => _mm256_set1_ps(depthwise.pad_value),
        };
        let weights = load_f16x8(eight(depthwise.weights, tap * geometry.channels + channel));
        sum = _mm256_fmadd_ps(cell, weights, sum);
    }
    let (low, high) = (_mm256_set1_ps(depthwise.low), _mm256_set1_ps(depthwise.high));
    let mut results = [0.0; BLOCK];
    store_f32x8(&mut results, _mm256_min_ps(_mm256_max_ps(sum, low), high));
    results
}

#[inline]
fn eight<T>(source: &[T], start: usize) -> &[T; BLOCK] {
    &source[start..].as_chunks::<BLOCK>().0[0]
}
