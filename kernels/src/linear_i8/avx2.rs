//! `linear_i8_i8i8f32_4x8x32_avx2`: `vpmaddubsw` of magnitudes and of factors that took over their signs, which is exact: two
//! products of at most 127 x 127 fit 16 bits. `vpmaddwd` with ones then adds pairs of them into 32 bits.
//!
//! A register is four along K by eight rows, so lanes end as the sums of rows. Several tokens share the magnitudes of weights;
//! a single one goes by twice eight rows, which share those of activations.

use std::arch::x86_64::{
    __m256, __m256i, _mm256_abs_epi8, _mm256_add_epi32, _mm256_cvtepi32_ps, _mm256_fmadd_ps, _mm256_madd_epi16,
    _mm256_maddubs_epi16, _mm256_mul_ps, _mm256_set1_epi16, _mm256_set1_ps, _mm256_setzero_si256, _mm256_sign_epi8,
};

use super::{BLOCK, Task};
use crate::linear::loops::by_groups;
use crate::linear::{SCALES, Step};
use crate::x86::{four, here, load_32, load_f16x8_le};

by_groups!("avx2,fma,f16c");

/// The results of P times eight rows by R tokens with a group's share added.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn group<const P: usize, const R: usize>(
    mut results: [[__m256; R]; P],
    blocks: [&[[u8; BLOCK]; 1]; P],
    step: &Step<'_, R>,
) -> [[__m256; R]; P] {
    for (results, [block]) in results.iter_mut().zip(blocks) {
        let (scales, tiles) = block.split_first_chunk::<SCALES>().expect("scales in front");
        let (first, second) = tiles.split_at(tiles.len() / 2);
        let sums = half::<P, R, 0>([_mm256_setzero_si256(); R], first, step);
        let sums = half::<P, R, 1>(sums, second, step);
        let scales = load_f16x8_le(scales);
        for (token, (result, sum)) in results.iter_mut().zip(sums).enumerate() {
            let scale = _mm256_mul_ps(scales, _mm256_set1_ps(step.scales[token]));
            *result = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum), scale, *result);
        }
    }
    results
}

/// The sums with the products of half a group added, the tiles in their order. P does nothing but give every group a copy of its own, for
/// the reason that [`by_groups`] gives.
#[inline]
#[target_feature(enable = "avx2")]
fn half<const P: usize, const R: usize, const HALF: usize>(
    mut sums: [__m256i; R],
    tiles: &[u8],
    step: &Step<'_, R>,
) -> [__m256i; R] {
    let ones = _mm256_set1_epi16(1);
    for (index, tile) in tiles.as_chunks::<32>().0.iter().enumerate().take(4) {
        let [weights] = here([load_32(tile)]);
        for (sum, quants) in sums.iter_mut().zip(step.quants) {
            let pairs = pairs::<R>(weights, four(quants, 4 * HALF + index));
            *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(pairs, ones));
        }
        sums = here(sums);
    }
    sums
}

/// Sums of two products; which factor gives its magnitude depends on which is shared.
#[inline]
#[target_feature(enable = "avx2")]
fn pairs<const R: usize>(weights: __m256i, values: __m256i) -> __m256i {
    if R == 1 {
        _mm256_maddubs_epi16(_mm256_abs_epi8(values), _mm256_sign_epi8(weights, values))
    } else {
        _mm256_maddubs_epi16(_mm256_abs_epi8(weights), _mm256_sign_epi8(values, weights))
    }
}
