//! `group_quantize_f32i8_32_avx2`: a token's group of 32 at a time.

use std::arch::x86_64::{
    __m256, __m256i, _mm_add_epi32, _mm_cvtsi128_si32, _mm_cvtss_f32, _mm_max_ps, _mm_movehl_ps, _mm_shuffle_epi32,
    _mm_shuffle_ps, _mm256_add_epi32, _mm256_andnot_ps, _mm256_castps256_ps128, _mm256_castsi256_si128,
    _mm256_cvtps_epi32, _mm256_extractf128_ps, _mm256_extracti128_si256, _mm256_max_ps, _mm256_mul_ps,
    _mm256_packs_epi16, _mm256_packs_epi32, _mm256_permutevar8x32_epi32, _mm256_set1_ps, _mm256_setr_epi32,
    _mm256_setzero_si256,
};

use super::{Task, scale_and_inverse};
use crate::linear::GROUP;
use crate::x86::{load_f32x8, store_32};

#[target_feature(enable = "avx2")]
pub(super) fn run(task: Task<'_>) {
    let eights = task.input.as_chunks::<8>().0;
    for (index, quants) in task.quants.as_chunks_mut::<GROUP>().0.iter_mut().enumerate() {
        let (group, token) = (index / task.tokens, index % task.tokens);
        let eights = &eights[4 * group * task.tokens + token..];
        let at = |eight: usize| load_f32x8(&eights[eight * task.tokens]);
        let values = [at(0), at(1), at(2), at(3)];
        let [scale, inverse] = scale_and_inverse(largest(values));
        let inverse = _mm256_set1_ps(inverse);
        let mut rounded = [_mm256_setzero_si256(); 4];
        for (rounded, value) in rounded.iter_mut().zip(values) {
            *rounded = _mm256_cvtps_epi32(_mm256_mul_ps(value, inverse));
        }
        let [a, b, c, d] = rounded;
        // Packing works in halves; fours of bytes go back to their places.
        let bytes = _mm256_packs_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d));
        store_32(quants, _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7)));
        task.scales[index] = scale;
        task.corrections[index] = -8 * sum(_mm256_add_epi32(_mm256_add_epi32(a, b), _mm256_add_epi32(c, d)));
    }
}

/// The largest magnitude.
#[inline]
#[target_feature(enable = "avx2")]
fn largest(values: [__m256; 4]) -> f32 {
    let sign = _mm256_set1_ps(-0.0);
    let [a, b, c, d] = values;
    let [a, b] = [_mm256_andnot_ps(sign, a), _mm256_andnot_ps(sign, b)];
    let [c, d] = [_mm256_andnot_ps(sign, c), _mm256_andnot_ps(sign, d)];
    let eight = _mm256_max_ps(_mm256_max_ps(a, b), _mm256_max_ps(c, d));
    let four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps::<1>(eight));
    let two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    _mm_cvtss_f32(_mm_max_ps(two, _mm_shuffle_ps::<1>(two, two)))
}

/// The sum of all lanes.
#[inline]
#[target_feature(enable = "avx2")]
fn sum(eight: __m256i) -> i32 {
    let four = _mm_add_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256::<1>(eight));
    let two = _mm_add_epi32(four, _mm_shuffle_epi32::<0b1110>(four));
    _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32::<1>(two)))
}
