//! `blend_u8i16_8_avx2`: eight pixels at a time. Whatever the format, a byte shuffle brings four pixels' samples into the
//! order of the result.

use std::arch::x86_64::{
    __m128i, __m256i, _mm_setr_epi8, _mm_shuffle_epi8, _mm_unpacklo_epi32, _mm_unpacklo_epi64, _mm256_add_epi16,
    _mm256_cvtepu8_epi16, _mm256_mulhrs_epi16, _mm256_set1_epi16, _mm256_slli_epi16, _mm256_sub_epi16,
};

use super::{Row, Task, scalar};
use crate::x86::{load_8, load_16, load_u8x4, store_i16x16};

/// Pixels of a step; even, so that no pair is cut.
const STEP: usize = 8;

#[target_feature(enable = "avx2")]
pub(super) fn run(mut task: Task<'_>) {
    let pixels = task.output.len();
    let whole = pixels - pixels % STEP;
    for first in (0..whole).step_by(STEP) {
        step(&mut task, first);
    }
    scalar::tail(&mut task, whole);
}

/// The pixels `first..first + 8`.
#[inline]
#[target_feature(enable = "avx2")]
fn step(task: &mut Task<'_>, first: usize) {
    let [above, below] = [samples(&task.rows[0], first), samples(&task.rows[1], first)];
    let weight = _mm256_set1_epi16(task.weight);
    let (halves, _) = task.output[first..][..STEP].as_flattened_mut().as_chunks_mut::<16>();
    store_i16x16(&mut halves[0], between(above[0], below[0], weight));
    store_i16x16(&mut halves[1], between(above[1], below[1], weight));
}

#[inline]
#[target_feature(enable = "avx2")]
fn between(above: __m128i, below: __m128i, weight: __m256i) -> __m256i {
    let above = _mm256_slli_epi16::<7>(_mm256_cvtepu8_epi16(above));
    let below = _mm256_slli_epi16::<7>(_mm256_cvtepu8_epi16(below));
    _mm256_add_epi16(above, _mm256_mulhrs_epi16(_mm256_sub_epi16(below, above), weight))
}

/// Two times four pixels of three samples and a 0.
#[inline]
#[target_feature(enable = "avx2")]
fn samples(row: &Row<'_>, first: usize) -> [__m128i; 2] {
    match row {
        Row::Packed(samples) => {
            let samples = &samples[3 * first..].as_chunks::<24>().0[0];
            let lower = load_16(&samples.as_chunks::<16>().0[0]);
            let upper = load_16(&samples[8..].as_chunks::<16>().0[0]);
            [pixels(lower, [0, 3, 6, 9], [1, 4, 7, 10], 1), pixels(upper, [4, 7, 10, 13], [5, 8, 11, 14], 1)]
        }
        Row::Yuyv(samples) => {
            let samples = load_16(&samples[2 * first..].as_chunks::<16>().0[0]);
            [pixels(samples, [0, 2, 4, 6], [1, 1, 5, 5], 2), pixels(samples, [8, 10, 12, 14], [9, 9, 13, 13], 2)]
        }
        Row::Nv12 { luma, chroma } => {
            let luma = load_8(&luma[first..].as_chunks::<8>().0[0]);
            let chroma = load_8(&chroma[first..].as_chunks::<8>().0[0]);
            let samples = _mm_unpacklo_epi64(luma, chroma);
            [pixels(samples, [0, 1, 2, 3], [8, 8, 10, 10], 1), pixels(samples, [4, 5, 6, 7], [12, 12, 14, 14], 1)]
        }
        Row::I420 { luma, u, v } => {
            let luma = load_8(&luma[first..].as_chunks::<8>().0[0]);
            let u = load_u8x4(&u[first / 2..].as_chunks::<4>().0[0]);
            let v = load_u8x4(&v[first / 2..].as_chunks::<4>().0[0]);
            let samples = _mm_unpacklo_epi64(luma, _mm_unpacklo_epi32(u, v));
            [pixels(samples, [0, 1, 2, 3], [8, 8, 9, 9], 4), pixels(samples, [4, 5, 6, 7], [10, 10, 11, 11], 4)]
        }
    }
}

/// Four pixels out of `bytes`: where the first and the second sample of each lies, and how far behind it the third.
#[inline]
#[target_feature(enable = "avx2")]
fn pixels(bytes: __m128i, [a, b, c, d]: [i8; 4], [e, f, g, h]: [i8; 4], third: i8) -> __m128i {
    let order = _mm_setr_epi8(a, e, e + third, -1, b, f, f + third, -1, c, g, g + third, -1, d, h, h + third, -1);
    _mm_shuffle_epi8(bytes, order)
}
