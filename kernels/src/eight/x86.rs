//! A register of AVX2.

use std::arch::x86_64::{
    __m256, __m256i, _CMP_GT_OQ, _MM_FROUND_TO_NEAREST_INT, _mm_packs_epi32, _mm256_add_epi32, _mm256_add_ps,
    _mm256_and_ps, _mm256_and_si256, _mm256_andnot_ps, _mm256_andnot_si256, _mm256_blendv_ps, _mm256_castps_si256,
    _mm256_castsi256_ps, _mm256_castsi256_si128, _mm256_cmp_ps, _mm256_cmpgt_epi32, _mm256_cvtepi32_ps,
    _mm256_cvtps_ph, _mm256_div_ps, _mm256_extracti128_si256, _mm256_fmadd_ps, _mm256_max_ps, _mm256_min_ps,
    _mm256_mul_ps, _mm256_set1_epi32, _mm256_set1_ps, _mm256_setr_epi32, _mm256_slli_epi32, _mm256_sub_ps,
    _mm256_xor_ps,
};
use std::ops::Range;

use super::shared::shared;
pub(crate) use crate::x86::{load_f32x8 as load, store_f32x8 as store};
use crate::x86::{load_i32x8, store_i16x8};

pub(crate) type Eight = __m256;

shared!("avx2,fma");

#[inline]
#[target_feature(enable = "avx2,fma")]
pub(crate) fn splat(value: f32) -> Eight {
    _mm256_set1_ps(value)
}

#[inline]
#[target_feature(enable = "avx2,fma")]
pub(crate) fn add(a: Eight, b: Eight) -> Eight {
    _mm256_add_ps(a, b)
}

#[inline]
#[target_feature(enable = "avx2,fma")]
pub(crate) fn sub(a: Eight, b: Eight) -> Eight {
    _mm256_sub_ps(a, b)
}

#[inline]
#[target_feature(enable = "avx2,fma")]
pub(crate) fn mul(a: Eight, b: Eight) -> Eight {
    _mm256_mul_ps(a, b)
}

#[inline]
#[target_feature(enable = "avx2,fma")]
pub(crate) fn div(a: Eight, b: Eight) -> Eight {
    _mm256_div_ps(a, b)
}

#[inline]
#[target_feature(enable = "avx2,fma")]
pub(crate) fn fma(a: Eight, b: Eight, c: Eight) -> Eight {
    _mm256_fmadd_ps(a, b, c)
}

#[inline]
#[target_feature(enable = "avx2,fma")]
pub(crate) fn negative(a: Eight) -> Eight {
    _mm256_xor_ps(a, splat(-0.0))
}

#[inline]
#[target_feature(enable = "avx2,fma")]
pub(crate) fn absolute(a: Eight) -> Eight {
    _mm256_andnot_ps(splat(-0.0), a)
}

#[inline]
#[target_feature(enable = "avx2,fma")]
pub(crate) fn larger(a: Eight, b: Eight) -> Eight {
    _mm256_max_ps(b, a) // the second operand unless the first is larger
}

#[inline]
#[target_feature(enable = "avx2,fma")]
pub(crate) fn smaller(a: Eight, b: Eight) -> Eight {
    _mm256_min_ps(b, a)
}

#[inline]
#[target_feature(enable = "avx2,fma")]
pub(crate) fn above(a: Eight, b: Eight) -> Eight {
    _mm256_cmp_ps::<_CMP_GT_OQ>(a, b)
}

#[inline]
#[target_feature(enable = "avx2,fma")]
pub(crate) fn select(above: Eight, a: Eight, b: Eight) -> Eight {
    _mm256_blendv_ps(b, a, above)
}

#[inline]
#[target_feature(enable = "avx2,fma")]
pub(crate) fn scale(a: Eight, b: Eight) -> Eight {
    let exponent = _mm256_slli_epi32::<23>(_mm256_castps_si256(b));
    _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(a), exponent))
}

#[inline]
#[target_feature(enable = "avx2,fma")]
pub(crate) fn is_in(first: usize, range: &Range<usize>) -> Eight {
    let places = _mm256_add_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), whole(first));
    let before = _mm256_cmpgt_epi32(whole(range.start), places);
    let below = _mm256_cmpgt_epi32(whole(range.end), places);
    _mm256_castsi256_ps(_mm256_andnot_si256(before, below))
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn whole(number: usize) -> __m256i {
    _mm256_set1_epi32((number as u32).cast_signed())
}

#[inline]
#[target_feature(enable = "avx2,fma")]
pub(crate) fn keep(lanes: Eight, a: Eight) -> Eight {
    _mm256_and_ps(lanes, a)
}

/// Integers as floats.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(crate) fn floats(integers: &[i32; 8]) -> Eight {
    _mm256_cvtepi32_ps(load_i32x8(integers))
}

/// The lowest 14 bits of each lane.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(crate) fn store_14_bits(target: &mut [i16; 8], a: Eight) {
    let bits = _mm256_and_si256(_mm256_castps_si256(a), _mm256_set1_epi32(0x3fff));
    store_i16x8(target, _mm_packs_epi32(_mm256_castsi256_si128(bits), _mm256_extracti128_si256::<1>(bits)));
}

/// The lowest byte of each lane.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(crate) fn bytes(a: Eight) -> [i8; 8] {
    array(a).map(|lane| lane.to_bits() as i8)
}

/// As binary16, rounded half to even.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn narrow(a: Eight) -> [u16; 8] {
    let mut halves = [0; 8];
    store_i16x8(&mut halves, _mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(a));
    halves.map(i16::cast_unsigned)
}
