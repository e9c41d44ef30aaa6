//! `depthwise_f16_f32f16f32_1x8_neon`: eight channels of a pixel at a time, `fmla`.

use std::arch::aarch64::{vdupq_n_f32, vfmaq_f32, vmaxq_f32, vminq_f32};

use super::Task;
use crate::arm::{load_f16x8, load_f32x4, store_f32x4};

/// Channels a block.
const BLOCK: usize = 8;

#[target_feature(enable = "neon")]
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
#[target_feature(enable = "neon")]
fn block(task: &Task<'_>, y: usize, x: usize, channel: usize) -> [f32; BLOCK] {
    let (geometry, depthwise) = (task.geometry, task.depthwise);
    let mut sums = quads(&depthwise.bias[channel..]).map(|quad| load_f32x4(quad));
    for tap in 0..geometry.taps() {
        let weights = load_f16x8(&depthwise.weights[tap * geometry.channels + channel..].as_chunks::<BLOCK>().0[0]);
        let cells = match geometry.pixel(y, x, tap) {
            Some(pixel) => quads(&task.input[pixel * geometry.channels + channel..]).map(|quad| load_f32x4(quad)),
            None => [vdupq_n_f32(depthwise.pad_value); 2],
        };
        sums = [0, 1].map(|half| vfmaq_f32(sums[half], cells[half], weights[half]));
    }
    let (low, high) = (vdupq_n_f32(depthwise.low), vdupq_n_f32(depthwise.high));
    let mut results = [[0.0; 4]; 2];
    for half in 0..2 {
        store_f32x4(&mut results[half], vminq_f32(vmaxq_f32(sums[half], low), high));
    }
    std::array::from_fn(|index| results[index / 4][index % 4])
}

/// The first eight elements as two registers' worth.
#[inline]
fn quads(source: &[f32]) -> [&[f32; 4]; 2] {
    let (quads, _) = source[..BLOCK].as_chunks::<4>();
    [&quads[0], &quads[1]]
}
