//! `attention_f32i8f32_4x8x8_neon`: scores of bytes by `smull`, `smlal` and `sadalp`, weighted sums of values by `smlal` of
//! 16-bit numbers; F16 by `fcvtl` and `fmla` by lane.
//!
//! Keys of eight positions fill two registers as the pages hold them, so scores need no sum across lanes but one pairwise
//! addition a block; four positions of a value lie in the lanes of a register, which three of them add for four values.

use std::arch::aarch64::{
    float32x4_t, int8x16_t, int16x4_t, int16x8_t, int32x4_t, vdupq_n_f32, vdupq_n_s16, vdupq_n_s32, vfmaq_laneq_f32,
    vget_low_s8, vget_low_s16, vmlal_s16, vmovl_high_s8, vmovl_s8, vmull_s16, vpaddq_s32, vreinterpretq_s8_s32,
    vreinterpretq_s8_u8, vreinterpretq_s32_s8, vzip1q_s32, vzip2q_s32,
};
use std::ops::Range;

use super::integers::{Dots, Levels};
use super::rows::{Block, LEVEL_MAX, Row};
use super::{Task, floats, integers};
use crate::arm::{
    load_f16x8_le, load_f32x4, load_i16x8, load_u8x16, multiply_add_groups, multiply_add_high_i16, splat_i8x4x2,
    store_f32x4, store_i32x4,
};
use crate::eight::arm as eight;
use crate::exponential::ROUND;
use crate::levels::SMALLEST;
use crate::pages::{Format, POSITIONS};

super::wide::bodies!("neon");

#[target_feature(enable = "neon")]
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

/// The form for F16, which has no use for dot products.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn run_floats(task: Task<'_>) {
    let dim = task.head_dim;
    let scores = |queries: &[_], keys: &[_], target: &mut [_]| match queries.len() {
        1 => float_scores::<1, 4>(queries, keys, dim, target),
        2 => float_scores::<2, 2>(queries, keys, dim, target),
        3 => float_scores::<3, 2>(queries, keys, dim, target),
        _ => float_scores::<4, 2>(queries, keys, dim, target),
    };
    let sums = |weights: &[_], panels: &[_], target: &mut [_]| match weights.len() {
        1 => float_sums::<1, 4>(weights, panels, target),
        2 => float_sums::<2, 2>(weights, panels, target),
        3 => float_sums::<3, 2>(weights, panels, target),
        _ => float_sums::<4, 2>(weights, panels, target),
    };
    let weigh = |row: &mut _, scores: &mut _, scale, visible: &Range<_>| weigh_floats(row, scores, scale, visible);
    let multiply = |target: &mut _, factor| multiply(target, factor);
    floats::walk(task, floats::Parts { scores, weigh, sums, multiply });
}

/// Sixteen bytes of a page.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn bytes(source: &[u8; 16]) -> int8x16_t {
    vreinterpretq_s8_u8(load_u8x16(source))
}

/// R rows by 32 positions.
#[target_feature(enable = "neon")]
fn scores<const R: usize>(queries: &[integers::Query], keys: &[u8], dim: usize, target: &mut [[i32; POSITIONS]]) {
    let rows: [&[[i8; 8]]; R] = std::array::from_fn(|row| &queries[row].as_chunks().0[..dim / 8]);
    for (octet, keys) in keys.chunks_exact(8 * dim).enumerate() {
        let mut sums = [[vdupq_n_s32(0); 4]; R];
        for (pair, keys) in keys.as_chunks::<16>().0.as_chunks::<4>().0[..dim / 8].iter().enumerate() {
            let keys = [[bytes(&keys[0]), bytes(&keys[1])], [bytes(&keys[2]), bytes(&keys[3])]];
            for (sums, row) in sums.iter_mut().zip(rows) {
                multiply_add_groups(sums, splat_i8x4x2(&row[pair]), &keys);
            }
        }
        for ([a, b, c, d], target) in sums.into_iter().zip(target.iter_mut()) {
            let (targets, _) = target[8 * octet..][..8].as_chunks_mut::<4>();
            store_i32x4(&mut targets[0], vpaddq_s32(a, b));
            store_i32x4(&mut targets[1], vpaddq_s32(c, d));
        }
    }
}

/// R rows by eight values of each panel.
#[target_feature(enable = "neon")]
fn sums<const R: usize>(levels: &[integers::Levels], panels: &[integers::Panel], target: &mut [integers::Sums]) {
    let mut rows = [[vdupq_n_s16(0); 4]; R];
    for (row, levels) in rows.iter_mut().zip(levels) {
        for (row, levels) in row.iter_mut().zip(levels.as_chunks::<8>().0) {
            *row = load_i16x8(levels);
        }
    }
    for (index, panel) in panels.iter().enumerate() {
        let groups = &panel.as_chunks::<16>().0.as_chunks::<2>().0.as_chunks::<8>().0[0];
        for half in 0..2 {
            let mut sums = [[vdupq_n_s32(0); 4]; R];
            // One by one, because the compiler unrolls a loop of them for some R only.
            add_pair::<R, 0>(&mut sums, &rows, groups, half);
            add_pair::<R, 1>(&mut sums, &rows, groups, half);
            add_pair::<R, 2>(&mut sums, &rows, groups, half);
            add_pair::<R, 3>(&mut sums, &rows, groups, half);
            for ([a, b, c, d], target) in sums.into_iter().zip(target.iter_mut()) {
                let sums: int32x4_t = vpaddq_s32(vpaddq_s32(a, b), vpaddq_s32(c, d));
                store_i32x4(&mut target[index].as_chunks_mut().0[half], sums);
            }
        }
    }
}

/// Adds the products of the eight positions of two groups.
#[inline]
#[target_feature(enable = "neon")]
fn add_pair<const R: usize, const PAIR: usize>(
    sums: &mut [[int32x4_t; 4]; R],
    rows: &[[int16x8_t; 4]; R],
    groups: &[[[u8; 16]; 2]; 8],
    half: usize,
) {
    let values = eight_positions(&groups[2 * PAIR][half], &groups[2 * PAIR + 1][half]);
    for (sums, row) in sums.iter_mut().zip(rows) {
        for (sum, values) in sums.iter_mut().zip(values) {
            let low: int16x4_t = vget_low_s16(row[PAIR]);
            let first = vget_low_s16(values);
            *sum = if PAIR == 0 { vmull_s16(first, low) } else { vmlal_s16(*sum, first, low) };
            *sum = multiply_add_high_i16(*sum, values, row[PAIR]);
        }
    }
}

/// Four values of eight positions, given their groups of four.
#[inline]
#[target_feature(enable = "neon")]
fn eight_positions(first: &[u8; 16], second: &[u8; 16]) -> [int16x8_t; 4] {
    let [first, second] = [vreinterpretq_s32_s8(bytes(first)), vreinterpretq_s32_s8(bytes(second))];
    let low: int8x16_t = vreinterpretq_s8_s32(vzip1q_s32(first, second));
    let high = vreinterpretq_s8_s32(vzip2q_s32(first, second));
    [vmovl_s8(vget_low_s8(low)), vmovl_high_s8(low), vmovl_s8(vget_low_s8(high)), vmovl_high_s8(high)]
}

/// R rows by 32 positions, O times eight of them at a time.
#[target_feature(enable = "neon")]
fn float_scores<const R: usize, const O: usize>(
    queries: &[floats::Query],
    keys: &[u8],
    dim: usize,
    target: &mut [Block],
) {
    let rows: [&[[f32; 4]]; R] = std::array::from_fn(|row| &queries[row].as_chunks().0[..dim / 4]);
    for (first, keys) in keys.chunks_exact(O * 16 * dim).enumerate() {
        let octets: [&[[[u8; 16]; 4]]; O] =
            std::array::from_fn(|octet| &keys.as_chunks().0[octet * dim..].as_chunks().0[..dim / 4]);
        let mut sums = [[[vdupq_n_f32(0.0); 2]; O]; R];
        for four in 0..dim / 4 {
            let query: [float32x4_t; R] = rows.map(|row| load_f32x4(&row[four]));
            let keys: [&[[u8; 16]; 4]; O] = octets.map(|octet| &octet[four]);
            products::<0, R, O>(&mut sums, &query, keys.map(|keys| &keys[0]));
            products::<1, R, O>(&mut sums, &query, keys.map(|keys| &keys[1]));
            products::<2, R, O>(&mut sums, &query, keys.map(|keys| &keys[2]));
            products::<3, R, O>(&mut sums, &query, keys.map(|keys| &keys[3]));
        }
        for (sums, target) in sums.into_iter().zip(target.iter_mut()) {
            for (sums, target) in sums.into_iter().zip(&mut target[first * O..]) {
                store(target, sums);
            }
        }
    }
}

/// Adds to R rows by eight values of each panel, P panels at a time.
#[target_feature(enable = "neon")]
fn float_sums<const R: usize, const P: usize>(
    weights: &[Block],
    panels: &[floats::Panel],
    target: &mut [floats::Sums],
) {
    let (pieces, rest) = panels.as_chunks::<P>();
    for (index, piece) in pieces.iter().enumerate() {
        panel_sums::<R, P>(weights, piece, index * P, target);
    }
    for (index, panel) in rest.iter().enumerate() {
        panel_sums::<R, 1>(weights, std::array::from_ref(panel), pieces.len() * P + index, target);
    }
}

/// P panels, the first of which has number `first`.
#[inline]
#[target_feature(enable = "neon")]
fn panel_sums<const R: usize, const P: usize>(
    weights: &[Block],
    panels: &[floats::Panel; P],
    first: usize,
    target: &mut [floats::Sums],
) {
    let rows: [&[[f32; 4]; 8]; R] =
        std::array::from_fn(|row| &weights[row].as_flattened().as_chunks().0.as_chunks().0[0]);
    let panels: [&[[[u8; 16]; 4]]; P] =
        std::array::from_fn(|panel| &panels[panel].as_chunks().0.as_chunks().0[..POSITIONS / 4]);
    let mut sums = [[[vdupq_n_f32(0.0); 2]; P]; R];
    for (sums, target) in sums.iter_mut().zip(target.iter()) {
        for (sums, target) in sums.iter_mut().zip(&target[first..]) {
            let (halves, _) = target.as_chunks::<4>();
            *sums = [load_f32x4(&halves[0]), load_f32x4(&halves[1])];
        }
    }
    for four in 0..POSITIONS / 4 {
        let weights: [float32x4_t; R] = rows.map(|row| load_f32x4(&row[four]));
        let values: [&[[u8; 16]; 4]; P] = panels.map(|panel| &panel[four]);
        products::<0, R, P>(&mut sums, &weights, values.map(|values| &values[0]));
        products::<1, R, P>(&mut sums, &weights, values.map(|values| &values[1]));
        products::<2, R, P>(&mut sums, &weights, values.map(|values| &values[2]));
        products::<3, R, P>(&mut sums, &weights, values.map(|values| &values[3]));
    }
    for (sums, target) in sums.into_iter().zip(target.iter_mut()) {
        for (sums, target) in sums.into_iter().zip(&mut target[first..]) {
            store(target, sums);
        }
    }
}

/// Adds the products of P times eight numbers and lane `LANE` of each row's.
#[inline]
#[target_feature(enable = "neon")]
fn products<const LANE: i32, const R: usize, const P: usize>(
    sums: &mut [[[float32x4_t; 2]; P]; R],
    rows: &[float32x4_t; R],
    numbers: [&[u8; 16]; P],
) {
    let numbers = numbers.map(|numbers| load_f16x8_le(numbers));
    for (sums, row) in sums.iter_mut().zip(rows) {
        for (sums, numbers) in sums.iter_mut().zip(numbers) {
            *sums = [0, 1].map(|half: usize| vfmaq_laneq_f32::<LANE>(sums[half], numbers[half], *row));
        }
    }
}

#[inline]
#[target_feature(enable = "neon")]
fn store(target: &mut [f32; 8], sums: [float32x4_t; 2]) {
    for (target, sum) in target.as_chunks_mut::<4>().0.iter_mut().zip(sums) {
        store_f32x4(target, sum);
    }
}
