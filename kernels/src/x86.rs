//! The unsafe edge on x86: loads and stores. They take arrays, so that their bounds are in their types.

use std::arch::x86_64::{
    __m128i, __m256, __m256i, _mm_loadl_epi64, _mm_loadu_si128, _mm_storel_epi64, _mm256_broadcastq_epi64,
    _mm256_loadu_ps, _mm256_loadu_si256, _mm256_storeu_ps, _mm256_storeu_si256,
};

/// Sixteen bytes.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn load_i8x16(source: &[i8; 16]) -> __m128i {
    // SAFETY: reads the array's 16 elements; `loadu` asks for no alignment.
    unsafe { _mm_loadu_si128(source.as_ptr().cast()) }
}

/// Eight bytes in the lower half, zeros above.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn load_i8x8(source: &[i8; 8]) -> __m128i {
    // SAFETY: reads the array's 8 elements; no alignment is asked for.
    unsafe { _mm_loadl_epi64(source.as_ptr().cast()) }
}

/// Stores the lower eight bytes.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn store_i8x8(target: &mut [i8; 8], value: __m128i) {
    // SAFETY: writes the array's 8 elements; no alignment is asked for.
    unsafe { _mm_storel_epi64(target.as_mut_ptr().cast(), value) };
}

/// Eight short integers.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn load_i16x8(source: &[i16; 8]) -> __m128i {
    // SAFETY: reads the array's 8 elements; `loadu` asks for no alignment.
    unsafe { _mm_loadu_si128(source.as_ptr().cast()) }
}

/// Eight integers.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn load_i32x8(source: &[i32; 8]) -> __m256i {
    // SAFETY: reads the array's 8 elements; `loadu` asks for no alignment.
    unsafe { _mm256_loadu_si256(source.as_ptr().cast()) }
}

/// Stores sixteen short integers.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn store_i16x16(target: &mut [i16; 16], value: __m256i) {
    // SAFETY: writes the array's 16 elements; `storeu` asks for no alignment.
    unsafe { _mm256_storeu_si256(target.as_mut_ptr().cast(), value) }
}

/// Four short integers in each quarter.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn splat_i16x4(source: &[i16; 4]) -> __m256i {
    // SAFETY: reads the array's 4 elements, 8 bytes; no alignment is asked for.
    let quad = unsafe { _mm_loadl_epi64(source.as_ptr().cast()) };
    _mm256_broadcastq_epi64(quad)
}

/// Eight floats.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn load_f32x8(source: &[f32; 8]) -> __m256 {
    // SAFETY: reads the array's 8 elements; `loadu` asks for no alignment.
    unsafe { _mm256_loadu_ps(source.as_ptr()) }
}

/// Stores eight floats.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn store_f32x8(target: &mut [f32; 8], value: __m256) {
    // SAFETY: writes the array's 8 elements; `storeu` asks for no alignment.
    unsafe { _mm256_storeu_ps(target.as_mut_ptr(), value) }
}

/// Eight binary16 numbers as floats.
#[inline]
#[target_feature(enable = "avx2,f16c")]
pub(crate) fn load_f16x8(source: &[u16; 8]) -> __m256 {
    // SAFETY: reads the array's 8 elements, 16 bytes; `loadu` asks for no alignment.
    let bits = unsafe { _mm_loadu_si128(source.as_ptr().cast()) };
    std::arch::x86_64::_mm256_cvtph_ps(bits)
}

/// Sixteen unsigned bytes.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn load_u8x16(source: &[u8; 16]) -> __m128i {
    // SAFETY: reads the array's 16 elements; `loadu` asks for no alignment.
    unsafe { _mm_loadu_si128(source.as_ptr().cast()) }
}

/// Eight unsigned bytes in the lower half, zeros above.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn load_u8x8(source: &[u8; 8]) -> __m128i {
    // SAFETY: reads the array's 8 elements; no alignment is asked for.
    unsafe { _mm_loadl_epi64(source.as_ptr().cast()) }
}

/// Four unsigned bytes in the lowest quarter, zeros above.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn load_u8x4(source: &[u8; 4]) -> __m128i {
    std::arch::x86_64::_mm_cvtsi32_si128(i32::from_le_bytes(*source))
}

/// Sixteen short integers.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn load_i16x16(source: &[i16; 16]) -> __m256i {
    // SAFETY: reads the array's 16 elements; `loadu` asks for no alignment.
    unsafe { _mm256_loadu_si256(source.as_ptr().cast()) }
}

/// Stores thirty-two bytes.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn store_i8x32(target: &mut [i8; 32], value: __m256i) {
    // SAFETY: writes the array's 32 elements; `storeu` asks for no alignment.
    unsafe { _mm256_storeu_si256(target.as_mut_ptr().cast(), value) }
}
