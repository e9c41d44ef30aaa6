//! The unsafe edge on x86: loads and stores. They take arrays, so that their bounds are in their types.

use std::arch::asm;
use std::arch::x86_64::{
    __m128i, __m256, __m256i, _MM_HINT_T0, _MM_HINT_T1, _mm_loadl_epi64, _mm_loadu_si128, _mm_prefetch,
    _mm_storel_epi64, _mm_storeu_si128, _mm256_loadu_ps, _mm256_loadu_si256, _mm256_storeu_ps, _mm256_storeu_si256,
};
use std::hint::assert_unchecked;
use std::marker::PhantomData;

/// What a byte may be taken for.
pub(crate) trait Byte: Copy {}
impl Byte for i8 {}
impl Byte for u8 {}

/// Eight bytes in the lower half, zeros above.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn load_8<T: Byte>(source: &[T; 8]) -> __m128i {
    // SAFETY: reads the array's 8 bytes; no alignment is asked for.
    unsafe { _mm_loadl_epi64(source.as_ptr().cast()) }
}

/// Sixteen bytes.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn load_16<T: Byte>(source: &[T; 16]) -> __m128i {
    // SAFETY: reads the array's 16 bytes; `loadu` asks for no alignment.
    unsafe { _mm_loadu_si128(source.as_ptr().cast()) }
}

/// Thirty-two bytes.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn load_32<T: Byte>(source: &[T; 32]) -> __m256i {
    // SAFETY: reads the array's 32 bytes; `loadu` asks for no alignment.
    unsafe { _mm256_loadu_si256(source.as_ptr().cast()) }
}

/// Stores the lower eight bytes.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn store_8<T: Byte>(target: &mut [T; 8], value: __m128i) {
    // SAFETY: writes the array's 8 bytes; no alignment is asked for.
    unsafe { _mm_storel_epi64(target.as_mut_ptr().cast(), value) };
}

/// Stores sixteen bytes.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn store_16<T: Byte>(target: &mut [T; 16], value: __m128i) {
    // SAFETY: writes the array's 16 bytes; `storeu` asks for no alignment.
    unsafe { _mm_storeu_si128(target.as_mut_ptr().cast(), value) };
}

/// Stores thirty-two bytes.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn store_32<T: Byte>(target: &mut [T; 32], value: __m256i) {
    // SAFETY: writes the array's 32 bytes; `storeu` asks for no alignment.
    unsafe { _mm256_storeu_si256(target.as_mut_ptr().cast(), value) };
}

/// Eight short integers.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn load_i16x8(source: &[i16; 8]) -> __m128i {
    // SAFETY: reads the array's 8 elements, 16 bytes; `loadu` asks for no alignment.
    unsafe { _mm_loadu_si128(source.as_ptr().cast()) }
}

/// Stores eight short integers.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn store_i16x8(target: &mut [i16; 8], value: __m128i) {
    // SAFETY: writes the array's 8 elements; `storeu` asks for no alignment.
    unsafe { _mm_storeu_si128(target.as_mut_ptr().cast(), value) };
}

/// Stores sixteen short integers.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn store_i16x16(target: &mut [i16; 16], value: __m256i) {
    // SAFETY: writes the array's 16 elements; `storeu` asks for no alignment.
    unsafe { _mm256_storeu_si256(target.as_mut_ptr().cast(), value) }
}

/// Eight integers.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn load_i32x8(source: &[i32; 8]) -> __m256i {
    // SAFETY: reads the array's 8 elements; `loadu` asks for no alignment.
    unsafe { _mm256_loadu_si256(source.as_ptr().cast()) }
}

/// Stores eight integers.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn store_i32x8(target: &mut [i32; 8], value: __m256i) {
    // SAFETY: writes the array's 8 elements; `storeu` asks for no alignment.
    unsafe { _mm256_storeu_si256(target.as_mut_ptr().cast(), value) }
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

/// Eight binary16 numbers, little endian as all of x86, as floats.
#[inline]
#[target_feature(enable = "avx2,f16c")]
pub(crate) fn load_f16x8_le(source: &[u8; 16]) -> __m256 {
    std::arch::x86_64::_mm256_cvtph_ps(load_16(source))
}

/// Asks that the lines of a block of N bytes, `ahead` of `block`, come into the second cache, or into the FIRST one as well.
#[inline]
#[target_feature(enable = "sse")]
pub(crate) fn prefetch<const N: usize, const FIRST: bool>(block: &[u8; N], ahead: usize) {
    for line in (0..N).step_by(64) {
        let line = block.as_ptr().cast::<i8>().wrapping_add(ahead + line);
        if FIRST {
            _mm_prefetch::<_MM_HINT_T0>(line);
        } else {
            _mm_prefetch::<_MM_HINT_T1>(line);
        }
    }
}

/// Four of some bytes, those with number `at`, in all eight places.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn four<const N: usize>(source: &[i8; N], at: usize) -> __m256i {
    let [a, b, c, d] = source.as_chunks::<4>().0[at];
    std::arch::x86_64::_mm256_set1_epi32(i32::from_le_bytes([a, b, c, d].map(i8::cast_unsigned)))
}

/// The same numbers, in registers at this place and not before the last call of this: the compiler would otherwise work on many
/// tiles at a time, and run out of registers.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn here<const N: usize>(mut values: [__m256i; N]) -> [__m256i; N] {
    for value in &mut values {
        // SAFETY: no instruction at all. Not `pure`, so that the order of calls is kept.
        unsafe { asm!("/* {0} */", inout(ymm_reg) * value, options(nomem, nostack, preserves_flags)) };
    }
    values
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

/// `count` times R arrays of W bytes to write, `stride` apart; checked once for all.
#[inline(always)]
pub(crate) fn cells_mut<const W: usize, const R: usize>(
    target: &mut [i8],
    stride: usize,
    count: usize,
) -> impl Iterator<Item = [&mut [i8; W]; R]> {
    let end = if count == 0 { 0 } else { (count * R - 1) * stride + W };
    assert!(end <= target.len() && (count * R < 2 || stride >= W), "cells of {W}, {stride} apart, end at {end}");
    let mut cell = target.as_mut_ptr();
    (0..count).map(move |_| {
        let here = cell;
        // Behind the last cell the pointer may leave the slice, and is not used any more.
        cell = cell.wrapping_add(R * stride);
        // SAFETY: it lies in the slice. Said because the compiler would look for a `None` behind each cell.
        unsafe { assert_unchecked(!here.is_null()) };
        // SAFETY: each of the arrays ends at `end` or before it, so inside of the slice; they do not overlap, since the
        // stride is at least their width, and each is handed out once.
        std::array::from_fn(|row| unsafe { &mut *here.wrapping_add(row * stride).cast() })
    })
}

/// L lines of arrays of N elements, side by side; a line that is not put is one array over and over.
pub(crate) struct Columns<'a, E, const N: usize, const L: usize> {
    next: [*const E; L],
    strides: [usize; L],
    left: usize,
    lifetime: PhantomData<&'a [E]>,
}

impl<'a, E, const N: usize, const L: usize> Columns<'a, E, N, L> {
    /// `count` arrays a line, all of them `same`.
    pub(crate) const fn new(same: &'a [E; N], count: usize) -> Self {
        Self { next: [same.as_ptr(); L], strides: [0; L], left: count, lifetime: PhantomData }
    }

    /// Makes a line of those that lie `stride` apart in `source`.
    #[inline(always)]
    pub(crate) fn put(&mut self, line: usize, source: &'a [E], stride: usize) {
        assert!(self.left > 0 && (self.left - 1) * stride + N <= source.len(), "a line beyond its source");
        (self.next[line], self.strides[line]) = (source.as_ptr(), stride);
    }

    /// The next column, if there is one.
    #[inline(always)]
    pub(crate) fn next(&mut self) -> Option<[&'a [E; N]; L]> {
        self.left = self.left.checked_sub(1)?;
        let here = self.next;
        for (next, stride) in self.next.iter_mut().zip(self.strides) {
            *next = next.wrapping_add(stride);
        }
        // SAFETY: `left` more arrays, this one among them, lie in what each pointer was taken from, borrowed for 'a.
        Some(here.map(|array| unsafe { &*array.cast() }))
    }
}
