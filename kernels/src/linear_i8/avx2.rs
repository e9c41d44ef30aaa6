//! `linear_i8_i8i8f32_6x8x32_avx2`: `vpmaddubsw` of magnitudes and of factors that took over their signs, which is exact: two
//! products of at most 127 x 127 fit 16 bits. `vpmaddwd` with ones then adds pairs of them into 32 bits.
//!
//! A register is four along K by eight rows, so lanes end as the sums of rows. Several tokens share the magnitudes of weights;
//! a single one has those of its activations.
//!
//! Many tokens read weights that were unpacked: magnitudes, and a mask that has all bits where the weight is negative. There
//! flipping all bits of the activation takes over the sign but for 1, since !x = -x - 1: what lacks is the sum of the magnitudes
//! of negative weights, the same for every token, where sums begin. It is `vpxor`, for which all units of a processor will do, in
//! place of `vpsignb`, for which only those that multiply will; 127 x 128 + 127 x 128 = 32512 fits as well.

use std::arch::x86_64::{
    __m256, __m256i, _mm256_abs_epi8, _mm256_add_epi32, _mm256_cmpgt_epi8, _mm256_cvtepi32_ps, _mm256_fmadd_ps,
    _mm256_madd_epi16, _mm256_maddubs_epi16, _mm256_mul_ps, _mm256_set1_epi16, _mm256_set1_ps, _mm256_setzero_si256,
    _mm256_sign_epi8, _mm256_sub_epi16, _mm256_xor_si256,
};

use super::{BLOCK, Task};
use crate::linear::loops::by_groups;
use crate::linear::unpacked::by_unpacked;
use crate::linear::{ROWS, SCALES, Step};
use crate::x86::{four, here, load_32, load_f16x8_le, load_f32x8, load_i32x8, store_32, store_f32x8, store_i32x8};

by_groups!(few, "avx2,fma,f16c", pairs: false);
by_unpacked!("avx2,fma,f16c");

/// The results of eight rows by R tokens with a group's share added.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn group<const R: usize, const WHICH: usize>(
    mut results: [__m256; R],
    block: &[u8; BLOCK],
    step: &Step<'_, R>,
) -> [__m256; R] {
    let (scales, tiles) = block.split_first_chunk::<SCALES>().expect("scales in front");
    let (first, second) = tiles.split_at(tiles.len() / 2);
    let sums = half::<R, WHICH, 0>([_mm256_setzero_si256(); R], first, step);
    let sums = half::<R, WHICH, 1>(sums, second, step);
    let scales = load_f16x8_le(scales);
    for (token, (result, sum)) in results.iter_mut().zip(sums).enumerate() {
        let scale = _mm256_mul_ps(scales, _mm256_set1_ps(step.scales[token]));
        *result = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum), scale, *result);
    }
    results
}

/// The sums with the products of half a group added, the tiles in their order. WHICH does nothing but give every group a copy of its own,
/// for the reason that [`by_groups`] gives.
#[inline]
#[target_feature(enable = "avx2")]
fn half<const R: usize, const WHICH: usize, const HALF: usize>(
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

/// A group of eight rows, unpacked.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Unpacked {
    /// Four along K by eight rows each: magnitudes, and 255 where the weight is negative.
    tiles: [[[u8; 32]; 2]; 8],
    /// Of each row: the magnitudes of its negative weights together.
    negative: [i32; ROWS],
    scales: [f32; ROWS],
}

impl Unpacked {
    const NOTHING: Self = Self { tiles: [[[0; 32]; 2]; 8], negative: [0; ROWS], scales: [0.0; ROWS] };

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    fn unpack(&mut self, block: &[u8; BLOCK]) {
        let (scales, tiles) = block.split_first_chunk::<SCALES>().expect("scales in front");
        let mut negative = _mm256_setzero_si256();
        for ([magnitudes, mask], tile) in self.tiles.iter_mut().zip(tiles.as_chunks().0) {
            let weights = load_32(tile);
            let (magnitude, is_negative) =
                (_mm256_abs_epi8(weights), _mm256_cmpgt_epi8(_mm256_setzero_si256(), weights));
            // Times -1 or 0; 16 bits hold the sums of the group's eight pairs.
            negative = _mm256_sub_epi16(negative, _mm256_maddubs_epi16(magnitude, is_negative));
            store_32(magnitudes, magnitude);
            store_32(mask, is_negative);
        }
        store_i32x8(&mut self.negative, _mm256_madd_epi16(negative, _mm256_set1_epi16(1)));
        store_f32x8(&mut self.scales, load_f16x8_le(scales));
    }
}

/// The results of eight rows by R tokens with a group's share added.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn share<const R: usize>(mut results: [__m256; R], unpacked: &Unpacked, step: &Step<'_, R>) -> [__m256; R] {
    let (first, second) = unpacked.tiles.split_at(4);
    let sums = unpacked_half::<R, 0>([load_i32x8(&unpacked.negative); R], first, step);
    let sums = unpacked_half::<R, 1>(sums, second, step);
    let scales = load_f32x8(&unpacked.scales);
    for (token, (result, sum)) in results.iter_mut().zip(sums).enumerate() {
        let scale = _mm256_mul_ps(scales, _mm256_set1_ps(step.scales[token]));
        *result = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum), scale, *result);
    }
    results
}

/// As [`half`], of unpacked tiles.
#[inline]
#[target_feature(enable = "avx2")]
fn unpacked_half<const R: usize, const HALF: usize>(
    mut sums: [__m256i; R],
    tiles: &[[[u8; 32]; 2]],
    step: &Step<'_, R>,
) -> [__m256i; R] {
    let ones = _mm256_set1_epi16(1);
    for (index, [magnitudes, mask]) in tiles.iter().enumerate().take(4) {
        let [magnitudes, mask] = here([load_32(magnitudes), load_32(mask)]);
        for (sum, quants) in sums.iter_mut().zip(step.quants) {
            let values = _mm256_xor_si256(four(quants, 4 * HALF + index), mask);
            *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(_mm256_maddubs_epi16(magnitudes, values), ones));
        }
        sums = here(sums);
    }
    sums
}
