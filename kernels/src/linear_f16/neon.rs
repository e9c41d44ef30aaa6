//! `linear_f16_f32f16f32_8x8x8_neon`: weights widened by `fcvtl`, `fmla` by lane.
//!
//! A sum waits for the one before it, so eight registers of them or more are made at a time: of four times eight rows by one
//! token, up to eight rows by eight tokens.

use std::arch::aarch64::{float32x4_t, vdupq_n_f32, vfmaq_laneq_f32};

use super::Task;
use crate::arm::{load_f16x8, load_f32x4, store_f32x4};
use crate::linear::ROWS;

/// Rows 0-3 and 4-7 of R tokens.
type Sums<const R: usize> = [[float32x4_t; 2]; R];

#[target_feature(enable = "neon")]
pub(super) fn run(mut task: Task<'_>) {
    let tokens = task.tokens;
    let mut token = 0;
    while token < tokens {
        token += match tokens - token {
            1 => panels::<4, 1>(&mut task, token),
            2 | 3 => panels::<4, 2>(&mut task, token),
            4..8 => panels::<2, 4>(&mut task, token),
            _ => panels::<1, 8>(&mut task, token),
        };
    }
}

/// All rows by R tokens from `token` on; answers R.
#[target_feature(enable = "neon")]
fn panels<const P: usize, const R: usize>(task: &mut Task<'_>, token: usize) -> usize {
    let count = task.output.len() / (task.tokens * ROWS);
    let mut panel = 0;
    while panel + P <= count {
        tile::<P, R>(task, panel, token);
        panel += P;
    }
    for panel in panel..count {
        tile::<1, R>(task, panel, token);
    }
    R
}

/// P times eight rows from `panel` on by R tokens from `token` on.
#[inline(never)]
#[target_feature(enable = "neon")]
fn tile<const P: usize, const R: usize>(task: &mut Task<'_>, panel: usize, token: usize) {
    let steps = task.input.len() / (task.tokens * 8);
    let (octets, rows) = (task.input.as_chunks::<8>().0, task.weights.as_chunks::<ROWS>().0.as_chunks::<8>().0);
    let mut weights: [&[[[u16; ROWS]; 8]]; P] = [&[]; P];
    for (index, weights) in weights.iter_mut().enumerate() {
        *weights = &rows[(panel + index) * steps..][..steps];
    }
    let mut sums = [[[vdupq_n_f32(0.0); 2]; R]; P];
    for step in 0..steps {
        let octets: &[[f32; 8]; R] = octets[step * task.tokens + token..].first_chunk().expect("R tokens");
        half::<0, P, R>(&mut sums, octets, &weights, step);
        half::<1, P, R>(&mut sums, octets, &weights, step);
    }
    for (index, sums) in sums.into_iter().enumerate() {
        let places = &mut task.output.as_chunks_mut::<ROWS>().0[(panel + index) * task.tokens + token..];
        for (place, [low, high]) in places.iter_mut().zip(sums) {
            let (halves, _) = place.as_chunks_mut::<4>();
            store_f32x4(&mut halves[0], low);
            store_f32x4(&mut halves[1], high);
        }
    }
}

/// Adds the products of half a step. Not a loop over halves: fat LTO left it one, which took a seventh more instructions.
#[inline]
#[target_feature(enable = "neon")]
fn half<const HALF: usize, const P: usize, const R: usize>(
    sums: &mut [Sums<R>; P],
    octets: &[[f32; 8]; R],
    weights: &[&[[[u16; ROWS]; 8]]; P],
    step: usize,
) {
    let mut values = [vdupq_n_f32(0.0); R];
    for (value, octet) in values.iter_mut().zip(octets) {
        *value = load_f32x4(&octet.as_chunks().0[HALF]);
    }
    for (sums, weights) in sums.iter_mut().zip(weights) {
        let weights: &[[u16; ROWS]; 4] = &weights[step].as_chunks().0[HALF];
        lane::<0, R>(sums, &values, &weights[0]);
        lane::<1, R>(sums, &values, &weights[1]);
        lane::<2, R>(sums, &values, &weights[2]);
        lane::<3, R>(sums, &values, &weights[3]);
    }
}

/// Adds the products of one place along K.
#[inline]
#[target_feature(enable = "neon")]
fn lane<const LANE: i32, const R: usize>(sums: &mut Sums<R>, values: &[float32x4_t; R], weights: &[u16; ROWS]) {
    let [low, high] = load_f16x8(weights);
    for (value, sums) in values.iter().zip(sums) {
        *sums = [vfmaq_laneq_f32::<LANE>(sums[0], low, *value), vfmaq_laneq_f32::<LANE>(sums[1], high, *value)];
    }
}
