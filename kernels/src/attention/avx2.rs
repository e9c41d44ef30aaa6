//! `attention_f32i8f32_4x8x4_avx2`: scores of bytes by `vpmaddubsw` of |key| and sign(query, key), which is exact; weighted
//! sums of values by `vpmaddwd` of 16-bit numbers; F16 by `vcvtph2ps` and fused multiply-add.
//!
//! Keys of eight positions fill a register as the pages hold them, so scores need no sum across lanes; two positions of
//! a value lie in a lane, which one `vphaddd` a block adds.

use std::arch::x86_64::{
    __m256, __m256i, _mm256_abs_epi8, _mm256_add_epi32, _mm256_cvtepi8_epi16, _mm256_cvtph_ps, _mm256_fmadd_ps,
    _mm256_hadd_epi32, _mm256_madd_epi16, _mm256_maddubs_epi16, _mm256_permute4x64_epi64, _mm256_set1_epi16,
    _mm256_set1_epi32, _mm256_set1_epi64x, _mm256_set1_ps, _mm256_setzero_ps, _mm256_setzero_si256, _mm256_sign_epi8,
};
use std::ops::Range;

use super::integers::{Dots, Levels};
use super::rows::{Block, LEVEL_MAX, Row};
use super::{Task, floats, integers};
use crate::eight::x86 as eight;
use crate::exponential::ROUND;
use crate::levels::SMALLEST;
use crate::pages::{Format, POSITIONS};
use crate::x86::{load_16, load_32, load_f32x8, store_f32x8, store_i32x8};

super::wide::bodies!("avx2,fma");

#[target_feature(enable = "avx2,fma,f16c")]
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
        Format::F16 => {
            let scores = |queries: &[_], keys: &[_], target: &mut [_]| match queries.len() {
                1 => float_scores::<1, 4>(queries, keys, dim, target),
                2 => float_scores::<2, 4>(queries, keys, dim, target),
                3 => float_scores::<3, 2>(queries, keys, dim, target),
                _ => float_scores::<4, 2>(queries, keys, dim, target),
            };
            let sums = |weights: &[_], panels: &[_], target: &mut [_]| match weights.len() {
                1 => float_sums::<1, 4>(weights, panels, target),
                2 => float_sums::<2, 4>(weights, panels, target),
                3 => float_sums::<3, 2>(weights, panels, target),
                _ => float_sums::<4, 2>(weights, panels, target),
            };
            let weigh =
                |row: &mut _, scores: &mut _, scale, visible: &Range<_>| weigh_floats(row, scores, scale, visible);
            let multiply = |target: &mut _, factor| multiply(target, factor);
            floats::walk(task, floats::Parts { scores, weigh, sums, multiply });
        }
        Format::F32 => run_wide(task),
    }
}

/// R rows by 32 positions.
#[target_feature(enable = "avx2")]
fn scores<const R: usize>(queries: &[integers::Query], keys: &[u8], dim: usize, target: &mut [[i32; POSITIONS]]) {
    let ones = _mm256_set1_epi16(1);
    let rows: [&[[i8; 4]]; R] = std::array::from_fn(|row| &queries[row].as_chunks().0[..dim / 4]);
    for (octet, keys) in keys.chunks_exact(8 * dim).enumerate() {
        let mut sums = [_mm256_setzero_si256(); R];
        for (group, keys) in keys.as_chunks::<32>().0[..dim / 4].iter().enumerate() {
            let keys = load_32(keys);
            let magnitudes = _mm256_abs_epi8(keys);
            for (sum, row) in sums.iter_mut().zip(rows) {
                let query = _mm256_set1_epi32(i32::from_ne_bytes(row[group].map(i8::cast_unsigned)));
                let pairs = _mm256_maddubs_epi16(magnitudes, _mm256_sign_epi8(query, keys));
                *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(pairs, ones));
            }
        }
        for (sum, target) in sums.into_iter().zip(target.iter_mut()) {
            store_i32x8(&mut target.as_chunks_mut().0[octet], sum);
        }
    }
}

/// R rows by eight values of each panel.
#[target_feature(enable = "avx2")]
fn sums<const R: usize>(levels: &[integers::Levels], panels: &[integers::Panel], target: &mut [integers::Sums]) {
    let rows: [&[[i16; 4]; 8]; R] = std::array::from_fn(|row| &levels[row].as_chunks().0.as_chunks().0[0]);
    for (index, panel) in panels.iter().enumerate() {
        let mut sums = [[_mm256_setzero_si256(); 2]; R];
        for (group, values) in panel.as_chunks::<32>().0.iter().enumerate() {
            let (halves, _) = values.as_chunks::<16>();
            let values: [__m256i; 2] = [0, 1].map(|half: usize| _mm256_cvtepi8_epi16(load_16(&halves[half])));
            for (sums, row) in sums.iter_mut().zip(rows) {
                let [a, b, c, d] = row[group].map(|level| u64::from(level.cast_unsigned()));
                let levels = _mm256_set1_epi64x((a | b << 16 | c << 32 | d << 48).cast_signed());
                for (sum, values) in sums.iter_mut().zip(values) {
                    *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(values, levels));
                }
            }
        }
        for ([low, high], target) in sums.into_iter().zip(target.iter_mut()) {
            // Values 0, 1, 4, 5 | 2, 3, 6, 7.
            let sums = _mm256_hadd_epi32(low, high);
            store_i32x8(&mut target[index], _mm256_permute4x64_epi64::<0b11_01_10_00>(sums));
        }
    }
}

/// R rows by 32 positions, O times eight of them at a time.
#[target_feature(enable = "avx2,fma,f16c")]
fn float_scores<const R: usize, const O: usize>(
    queries: &[floats::Query],
    keys: &[u8],
    dim: usize,
    target: &mut [Block],
) {
    let rows: [&[f32]; R] = std::array::from_fn(|row| &queries[row][..dim]);
    for (first, keys) in keys.chunks_exact(O * 16 * dim).enumerate() {
        let octets: [&[[u8; 16]]; O] = std::array::from_fn(|octet| &keys.as_chunks().0[octet * dim..][..dim]);
        let mut sums = [[_mm256_setzero_ps(); O]; R];
        for d in 0..dim {
            let keys: [__m256; O] = octets.map(|octet| _mm256_cvtph_ps(load_16(&octet[d])));
            for (sums, row) in sums.iter_mut().zip(rows) {
                let query = _mm256_set1_ps(row[d]);
                for (sum, keys) in sums.iter_mut().zip(keys) {
                    *sum = _mm256_fmadd_ps(keys, query, *sum);
                }
            }
        }
        for (sums, target) in sums.into_iter().zip(target.iter_mut()) {
            for (octet, sum) in sums.into_iter().enumerate() {
                store_f32x8(&mut target[first * O + octet], sum);
            }
        }
    }
}

/// Adds to R rows by eight values of each panel, P panels at a time.
#[target_feature(enable = "avx2,fma,f16c")]
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
#[target_feature(enable = "avx2,fma,f16c")]
fn panel_sums<const R: usize, const P: usize>(
    weights: &[Block],
    panels: &[floats::Panel; P],
    first: usize,
    target: &mut [floats::Sums],
) {
    let rows: [&[f32; POSITIONS]; R] = std::array::from_fn(|row| &weights[row].as_flattened().as_chunks().0[0]);
    let panels: [&[[u8; 16]]; P] = std::array::from_fn(|panel| &panels[panel].as_chunks().0[..POSITIONS]);
    let mut sums = [[_mm256_setzero_ps(); P]; R];
    for (sums, target) in sums.iter_mut().zip(target.iter()) {
        for (sum, target) in sums.iter_mut().zip(&target[first..]) {
            *sum = load_f32x8(target);
        }
    }
    for place in 0..POSITIONS {
        let values: [__m256; P] = panels.map(|panel| _mm256_cvtph_ps(load_16(&panel[place])));
        for (sums, row) in sums.iter_mut().zip(rows) {
            let weight = _mm256_set1_ps(row[place]);
            for (sum, values) in sums.iter_mut().zip(values) {
                *sum = _mm256_fmadd_ps(values, weight, *sum);
            }
        }
    }
    for (sums, target) in sums.into_iter().zip(target.iter_mut()) {
        for (sum, target) in sums.into_iter().zip(&mut target[first..]) {
            store_f32x8(target, sum);
        }
    }
}
