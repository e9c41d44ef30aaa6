//! `linear_i4_i8i4f32_6x8x32_avx2`: `vpmaddubsw` of nibbles, unsigned as they are, and activations; a register is four along K
//! by eight rows, so lanes end as the sums of rows.
//!
//! Sixteen bits hold the eight pairs of a group (30480 at most), so they are widened once a group. Many tokens
//! read weights that were unpacked to bytes once for all of them.

use std::arch::x86_64::{
    __m256, __m256i, _mm256_add_epi16, _mm256_add_epi32, _mm256_and_si256, _mm256_cvtepi32_ps, _mm256_fmadd_ps,
    _mm256_madd_epi16, _mm256_maddubs_epi16, _mm256_mul_ps, _mm256_set1_epi8, _mm256_set1_epi16, _mm256_set1_epi32,
    _mm256_set1_ps, _mm256_setzero_si256, _mm256_srli_epi16,
};

use super::{BLOCK, Task};
use crate::linear::loops::by_groups;
use crate::linear::unpacked::by_unpacked;
use crate::linear::{ROWS, SCALES, Step};
use crate::x86::{four, here, load_32, load_f16x8_le, load_f32x8, store_32, store_f32x8};

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
    let mask = _mm256_set1_epi8(15);
    let ones = _mm256_set1_epi16(1);
    let (scales, tiles) = block.split_first_chunk::<SCALES>().expect("scales in front");
    let mut sums = [_mm256_setzero_si256(); R];
    for (index, tile) in tiles.as_chunks::<32>().0.iter().enumerate() {
        let bytes = load_32(tile);
        let low = _mm256_and_si256(bytes, mask);
        let high = _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), mask);
        for (sum, quants) in sums.iter_mut().zip(step.quants) {
            let first = _mm256_maddubs_epi16(low, four(quants, 2 * index));
            let second = _mm256_maddubs_epi16(high, four(quants, 2 * index + 1));
            *sum = _mm256_add_epi16(*sum, _mm256_add_epi16(first, second));
        }
    }
    let scales = load_f16x8_le(scales);
    for (token, (result, sum)) in results.iter_mut().zip(sums).enumerate() {
        let sum = _mm256_add_epi32(_mm256_madd_epi16(sum, ones), _mm256_set1_epi32(step.corrections[token]));
        let scale = _mm256_mul_ps(scales, _mm256_set1_ps(step.scales[token]));
        *result = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum), scale, *result);
    }
    results
}

/// A group of eight rows, unpacked.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Unpacked {
    /// Four along K by eight rows each, a byte a weight.
    tiles: [[u8; 32]; 8],
    scales: [f32; ROWS],
}

impl Unpacked {
    const NOTHING: Self = Self { tiles: [[0; 32]; 8], scales: [0.0; ROWS] };

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    fn unpack(&mut self, block: &[u8; BLOCK]) {
        let mask = _mm256_set1_epi8(15);
        let (scales, tiles) = block.split_first_chunk::<SCALES>().expect("scales in front");
        for ([low, high], tile) in self.tiles.as_chunks_mut().0.iter_mut().zip(tiles.as_chunks().0) {
            let bytes = load_32(tile);
            store_32(low, _mm256_and_si256(bytes, mask));
            store_32(high, _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), mask));
        }
        store_f32x8(&mut self.scales, load_f16x8_le(scales));
    }
}

/// The results of eight rows by R tokens with a group's share added.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn share<const R: usize>(mut results: [__m256; R], unpacked: &Unpacked, step: &Step<'_, R>) -> [__m256; R] {
    let ones = _mm256_set1_epi16(1);
    let (first, second) = unpacked.tiles.split_at(4);
    let sums = unpacked_half::<R, 0>([_mm256_setzero_si256(); R], first, step);
    let sums = unpacked_half::<R, 1>(sums, second, step);
    let scales = load_f32x8(&unpacked.scales);
    for (token, (result, sum)) in results.iter_mut().zip(sums).enumerate() {
        let sum = _mm256_add_epi32(_mm256_madd_epi16(sum, ones), _mm256_set1_epi32(step.corrections[token]));
        let scale = _mm256_mul_ps(scales, _mm256_set1_ps(step.scales[token]));
        *result = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum), scale, *result);
    }
    results
}

/// The sums with the products of half a group added, the tiles in their order.
#[inline]
#[target_feature(enable = "avx2")]
fn unpacked_half<const R: usize, const HALF: usize>(
    mut sums: [__m256i; R],
    tiles: &[[u8; 32]],
    step: &Step<'_, R>,
) -> [__m256i; R] {
    for (index, tile) in tiles.iter().enumerate().take(4) {
        let [weights] = here([load_32(tile)]);
        for (sum, quants) in sums.iter_mut().zip(step.quants) {
            *sum = _mm256_add_epi16(*sum, _mm256_maddubs_epi16(weights, four(quants, 4 * HALF + index)));
        }
        sums = here(sums);
    }
    sums
}
