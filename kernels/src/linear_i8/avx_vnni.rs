//! `linear_i8_i8i8f32_4x8x32_avx_vnni`: `vpdpbusd`, four products of unsigned and signed bytes added into 32 bits at once.
//!
//! Weights become unsigned by adding 128, which is a flipped sign bit; 128 times the sum of the activations is too much then,
//! and 16 times their correction for INT4 is just that, negative. A register is four along K by eight rows, so lanes end as
//! the sums of rows. A single token goes by twice eight rows.

use std::arch::x86_64::{
    __m256, _mm256_cvtepi32_ps, _mm256_dpbusd_avx_epi32, _mm256_fmadd_ps, _mm256_mul_ps, _mm256_set1_epi8,
    _mm256_set1_epi32, _mm256_set1_ps, _mm256_xor_si256,
};

use super::{BLOCK, Task};
use crate::linear::loops::by_groups;
use crate::linear::{SCALES, Step};
use crate::x86::{four, load_32, load_f16x8_le};

by_groups!(run, "avx2,fma,f16c,avxvnni", pairs: true);

/// The results of eight rows by R tokens with a group's share added.
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avxvnni")]
fn group<const R: usize, const WHICH: usize>(
    mut results: [__m256; R],
    block: &[u8; BLOCK],
    step: &Step<'_, R>,
) -> [__m256; R] {
    let (scales, tiles) = block.split_first_chunk::<SCALES>().expect("scales in front");
    let mut sums = step.corrections.map(|correction| _mm256_set1_epi32(16 * correction));
    for (index, tile) in tiles.as_chunks::<32>().0.iter().enumerate() {
        let weights = _mm256_xor_si256(load_32(tile), _mm256_set1_epi8(-128));
        for (sum, quants) in sums.iter_mut().zip(step.quants) {
            *sum = _mm256_dpbusd_avx_epi32(*sum, weights, four(quants, index));
        }
    }
    let scales = load_f16x8_le(scales);
    for (token, (result, sum)) in results.iter_mut().zip(sums).enumerate() {
        let scale = _mm256_mul_ps(scales, _mm256_set1_ps(step.scales[token]));
        *result = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum), scale, *result);
    }
    results
}
