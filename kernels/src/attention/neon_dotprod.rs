//! `attention_f32i8f32_4x8x16_neon_dotprod`: scores and weighted sums of values by `sdot`; F16 as on `neon`.
//!
//! Weights of 14 bits are two digits of 7, which bytes hold: their sums are made apart and put together at the end.

use std::arch::aarch64::{
    int8x16_t, int32x4_t, vaddq_s32, vandq_s16, vcombine_s8, vdupq_n_s8, vdupq_n_s16, vdupq_n_s32, vmovn_s16,
    vshlq_n_s32, vshrn_n_s16,
};
use std::ops::Range;

use super::integers::Dots;
use super::neon::{add, bytes, multiply, quantize, run_floats, run_wide, weigh_integers};
use super::{Task, integers};
use crate::arm::{dot_lane, load_i8x8, load_i8x16, load_i16x8, store_i32x4};
use crate::pages::{Format, POSITIONS};

#[target_feature(enable = "neon,dotprod")]
pub(super) fn run(task: Task<'_>) {
    let dim = task.head_dim;
    match task.format {
        Format::I8 => {
            let scores = |queries: &[_], keys: &[_], target: &mut [_]| match queries.len() {
                1 => scores::<1>(queries, keys, dim, target),
                2 => scores::<2>(queries, keys, dim, target),
                3 => scores::<3>(queries, keys, dim, target),
                _ => scores::<4>(queries, keys, dim, target),
            };
            let sums = |levels: &[_], panels: &[_], target: &mut [_]| match levels.len() {
                1 => sums::<1>(levels, panels, target),
                2 => sums::<2>(levels, panels, target),
                3 => sums::<3>(levels, panels, target),
                _ => sums::<4>(levels, panels, target),
            };
            let quantize = |values: &[_], target: &mut [_]| quantize(values, target);
            let weigh = |row: &mut _, dots: Dots<'_>, visible: &Range<_>, target: &mut _| {
                weigh_integers(row, dots, visible, target)
            };
            let add = |target: &mut _, sums: &_, steps| add(target, sums, steps);
            let multiply = |target: &mut _, factor| multiply(target, factor);
            integers::walk(task, integers::Parts { quantize, scores, weigh, sums, add, multiply });
        }
        Format::F16 => run_floats(task),
        Format::F32 => run_wide(task),
    }
}

/// R rows by 32 positions. Like `sums` a call a page: as parts of `run` the eight of them took 4 % more instructions under fat LTO.
#[inline(never)]
#[target_feature(enable = "neon,dotprod")]
fn scores<const R: usize>(queries: &[integers::Query], keys: &[u8], dim: usize, target: &mut [[i32; POSITIONS]]) {
    let rows: [&[i8]; R] = std::array::from_fn(|row| &queries[row][..dim]);
    for (octet, keys) in keys.chunks_exact(8 * dim).enumerate() {
        let mut sums = [[vdupq_n_s32(0); 2]; R];
        let (steps, rest) = keys.as_chunks::<128>();
        for (step, keys) in steps.iter().enumerate() {
            let values = rows.map(|row| load_i8x16(&row.as_chunks().0[step]));
            let (groups, _) = keys.as_chunks::<32>();
            products::<0, R>(&mut sums, &values, &groups[0]);
            products::<1, R>(&mut sums, &values, &groups[1]);
            products::<2, R>(&mut sums, &values, &groups[2]);
            products::<3, R>(&mut sums, &values, &groups[3]);
        }
        if let [first, second] = rest.as_chunks::<32>().0 {
            let values = rows.map(|row| {
                let last = load_i8x8(&row.as_chunks().0[2 * steps.len()]);
                vcombine_s8(last, last)
            });
            products::<0, R>(&mut sums, &values, first);
            products::<1, R>(&mut sums, &values, second);
        }
        for (sums, target) in sums.into_iter().zip(target.iter_mut()) {
            let targets = target[8 * octet..][..8].as_chunks_mut::<4>().0;
            for (target, sum) in targets.iter_mut().zip(sums) {
                store_i32x4(target, sum);
            }
        }
    }
}

/// Adds the products of a group of four and lane `LANE` of each row's values.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn products<const LANE: usize, const R: usize>(
    sums: &mut [[int32x4_t; 2]; R],
    values: &[int8x16_t; R],
    group: &[u8; 32],
) {
    let (halves, _) = group.as_chunks::<16>();
    let weights = [bytes(&halves[0]), bytes(&halves[1])];
    for (sums, values) in sums.iter_mut().zip(values) {
        *sums = [0, 1].map(|half: usize| dot_lane::<LANE>(sums[half], weights[half], *values));
    }
}

/// R rows by eight values of each panel. A row's two digits are two rows of a matrix product.
#[inline(never)]
#[target_feature(enable = "neon,dotprod")]
fn sums<const R: usize>(levels: &[integers::Levels], panels: &[integers::Panel], target: &mut [integers::Sums]) {
    // Of each row: sixteen positions' upper and lower digits, twice.
    let mut digits = [[[vdupq_n_s8(0); R]; 2]; 2];
    for (row, levels) in levels[..R].iter().enumerate() {
        for (half, levels) in levels.as_chunks::<16>().0.iter().enumerate() {
            let (eights, _) = levels.as_chunks::<8>();
            let [a, b] = [load_i16x8(&eights[0]), load_i16x8(&eights[1])];
            let low = vdupq_n_s16(0x7f);
            digits[half][0][row] = vcombine_s8(vshrn_n_s16::<7>(a), vshrn_n_s16::<7>(b));
            digits[half][1][row] = vcombine_s8(vmovn_s16(vandq_s16(a, low)), vmovn_s16(vandq_s16(b, low)));
        }
    }
    for (index, panel) in panels.iter().enumerate() {
        let mut sums = [[[vdupq_n_s32(0); 2]; R]; 2];
        half::<0, R>(&mut sums, &digits, panel);
        half::<1, R>(&mut sums, &digits, panel);
        for (row, target) in target[..R].iter_mut().enumerate() {
            for (half, target) in target[index].as_chunks_mut::<4>().0.iter_mut().enumerate() {
                store_i32x4(target, vaddq_s32(vshlq_n_s32::<7>(sums[0][row][half]), sums[1][row][half]));
            }
        }
    }
}

/// Adds the products of sixteen positions. Not a loop over halves: fat LTO left it one, and the digits in memory.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn half<const HALF: usize, const R: usize>(
    sums: &mut [[[int32x4_t; 2]; R]; 2],
    digits: &[[[int8x16_t; R]; 2]; 2],
    panel: &integers::Panel,
) {
    let groups = &panel.as_chunks::<32>().0.as_chunks::<4>().0[HALF];
    let [upper, lower] = sums;
    for (sums, digits) in [(upper, &digits[HALF][0]), (lower, &digits[HALF][1])] {
        products::<0, R>(sums, digits, &groups[0]);
        products::<1, R>(sums, digits, &groups[1]);
        products::<2, R>(sums, digits, &groups[2]);
        products::<3, R>(sums, digits, &groups[3]);
    }
}
