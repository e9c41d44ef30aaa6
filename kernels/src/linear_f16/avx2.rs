//! `linear_f16_f32f16f32_8x8x8_avx2`: weights widened by `vcvtph2ps`, activations broadcast, fused multiply-add.
//!
//! A sum waits for the one before it, so eight are made at a time: of eight times eight rows by one token, or of eight rows by
//! eight tokens.

use std::arch::x86_64::{__m256, _mm256_fmadd_ps, _mm256_set1_ps, _mm256_setzero_ps};

use super::Task;
use crate::linear::ROWS;
use crate::x86::{Columns, load_f16x8, store_f32x8};

#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn run(mut task: Task<'_>) {
    let tokens = task.tokens;
    let mut token = 0;
    while token < tokens {
        token += match tokens - token {
            1 => panels::<8, 1, 8>(&mut task, token),
            2 | 3 => panels::<4, 2, 8>(&mut task, token),
            4..8 => panels::<2, 4, 8>(&mut task, token),
            _ => panels::<1, 8, 8>(&mut task, token),
        };
    }
}

/// All rows by R tokens from `token` on, P times eight at a time, which are N sums; answers R.
#[target_feature(enable = "avx2,fma,f16c")]
fn panels<const P: usize, const R: usize, const N: usize>(task: &mut Task<'_>, token: usize) -> usize {
    let count = task.output.len() / (task.tokens * ROWS);
    let mut panel = 0;
    while panel + P <= count {
        tile::<P, R, N>(task, panel, token);
        panel += P;
    }
    for panel in panel..count {
        tile::<1, R, R>(task, panel, token);
    }
    R
}

/// P times eight rows from `panel` on by R tokens from `token` on.
#[inline(never)]
#[target_feature(enable = "avx2,fma,f16c")]
fn tile<const P: usize, const R: usize, const N: usize>(task: &mut Task<'_>, panel: usize, token: usize) {
    const { assert!(N == P * R) }
    let steps = task.input.len() / (task.tokens * 8);
    let mut sums = [_mm256_setzero_ps(); N];
    if steps > 0 {
        let mut values = Columns::<[f32; 8], R, 1>::new(&[[0.0; 8]; R], steps);
        values.put(0, &task.input.as_chunks().0[token..], task.tokens);
        let mut weights = Columns::<[[u16; ROWS]; 8], 1, P>::new(&[[[0; ROWS]; 8]; 1], steps);
        for index in 0..P {
            let (rows, _) = task.weights.as_chunks::<ROWS>().0.as_chunks::<8>();
            weights.put(index, &rows[(panel + index) * steps..][..steps], 1);
        }
        while let (Some([values]), Some(weights)) = (values.next(), weights.next()) {
            sums = step::<P, R, N, 0>(sums, weights, values);
            sums = step::<P, R, N, 1>(sums, weights, values);
            sums = step::<P, R, N, 2>(sums, weights, values);
            sums = step::<P, R, N, 3>(sums, weights, values);
            sums = step::<P, R, N, 4>(sums, weights, values);
            sums = step::<P, R, N, 5>(sums, weights, values);
            sums = step::<P, R, N, 6>(sums, weights, values);
            sums = step::<P, R, N, 7>(sums, weights, values);
        }
    }
    for (index, sums) in sums.as_chunks::<R>().0.iter().enumerate() {
        let places = &mut task.output.as_chunks_mut::<ROWS>().0[(panel + index) * task.tokens + token..];
        for (place, sum) in places.iter_mut().zip(sums) {
            store_f32x8(place, *sum);
        }
    }
}

/// The sums, R of each eight rows, with the products of one along K added, number AT of eight. Generic over it, and one loop
/// over all of the sums, because a loop over the eight and one within another stayed loops, and the sums went through memory.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn step<const P: usize, const R: usize, const N: usize, const AT: usize>(
    mut sums: [__m256; N],
    weights: [&[[[u16; ROWS]; 8]; 1]; P],
    values: &[[f32; 8]; R],
) -> [__m256; N] {
    for (index, sum) in sums.iter_mut().enumerate() {
        let [weights] = weights[index / R];
        *sum = _mm256_fmadd_ps(load_f16x8(&weights[AT]), _mm256_set1_ps(values[index % R][AT]), *sum);
    }
    sums
}
