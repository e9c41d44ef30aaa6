//! `resample_i16i8_16_avx2`: sixteen pixels at a time. Both neighbours of a pixel are one load.

use std::arch::x86_64::{
    __m128i, __m256i, _mm256_add_epi16, _mm256_adds_epi16, _mm256_castsi128_si256, _mm256_inserti128_si256,
    _mm256_mulhrs_epi16, _mm256_packus_epi16, _mm256_permute4x64_epi64, _mm256_set1_epi16, _mm256_set1_epi32,
    _mm256_setr_epi8, _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_srai_epi16, _mm256_sub_epi16,
    _mm256_unpackhi_epi8, _mm256_unpackhi_epi16, _mm256_unpackhi_epi32, _mm256_unpackhi_epi64, _mm256_unpacklo_epi8,
    _mm256_unpacklo_epi16, _mm256_unpacklo_epi32, _mm256_unpacklo_epi64, _mm256_xor_si256,
};

use super::{Conversion, Neighbours, Pair, Task, scalar, steps};
use crate::x86::{load_i16x8, load_i16x16, store_32};

/// Pixels of a step.
const STEP: usize = 16;
/// Turns three levels into levels - 128 and leaves the 0.
const CENTRE: i32 = 0x0080_8080;

#[target_feature(enable = "avx2")]
pub(super) fn run(task: Task<'_>) {
    if task.output.len() < STEP {
        return scalar::run(task);
    }
    let Task { row, columns, conversion, swapped, output } = task;
    let neighbours = Neighbours::new(row, columns);
    for first in steps(output.len(), STEP) {
        let quads = between(&neighbours, first);
        let levels = match &conversion {
            Some(conversion) => to_rgb(quads, conversion),
            None => [levels(quads[0], quads[1]), levels(quads[2], quads[3])],
        };
        let (halves, _) = output[first..][..STEP].as_flattened_mut().as_chunks_mut::<32>();
        store_32(&mut halves[0], centred(levels[0], swapped));
        store_32(&mut halves[1], centred(levels[1], swapped));
    }
}

/// The samples of sixteen pixels, four in a register.
#[inline]
#[target_feature(enable = "avx2")]
fn between(neighbours: &Neighbours<'_>, first: usize) -> [__m256i; 4] {
    let (pixels, weights) = neighbours.of::<STEP>(first);
    let (weights, _) = weights.as_flattened().as_chunks::<16>();
    let mut quads = [_mm256_setzero_si256(); 4];
    for (quad, samples) in quads.iter_mut().enumerate() {
        let pixels = &pixels[4 * quad..][..4];
        let even = two(pixels[0], pixels[2]);
        let odd = two(pixels[1], pixels[3]);
        let left = _mm256_unpacklo_epi64(even, odd);
        let right = _mm256_unpackhi_epi64(even, odd);
        let step = _mm256_mulhrs_epi16(_mm256_sub_epi16(right, left), load_i16x16(&weights[quad]));
        *samples = _mm256_add_epi16(left, step);
    }
    quads
}

/// The neighbours of two pixels.
#[inline]
#[target_feature(enable = "avx2")]
fn two(low: &Pair, high: &Pair) -> __m256i {
    let load = |pair: &Pair| -> __m128i { load_i16x8(&pair.as_flattened().as_chunks().0[0]) };
    _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(load(low)), load(high))
}

/// Eight pixels of R, G, B.
#[inline]
#[target_feature(enable = "avx2")]
fn levels(first: __m256i, second: __m256i) -> __m256i {
    let rounded = |samples| _mm256_srai_epi16::<7>(_mm256_add_epi16(samples, _mm256_set1_epi16(1 << 6)));
    // Halves do not mix in `vpackuswb`: pixels 0 1 4 5 | 2 3 6 7.
    _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packus_epi16(rounded(first), rounded(second)))
}

/// Sixteen pixels of Y, U, V as levels of R, G, B and a 0.
#[inline]
#[target_feature(enable = "avx2")]
fn to_rgb(quads: [__m256i; 4], by: &Conversion) -> [__m256i; 2] {
    let [y, u, v] = planes(quads);
    let times = |x, factor| _mm256_mulhrs_epi16(x, _mm256_set1_epi16(factor));
    let half = _mm256_set1_epi16(16_384);
    let y = times(_mm256_sub_epi16(y, _mm256_set1_epi16(by.y_zero)), by.y_factor);
    let (u, v) = (_mm256_sub_epi16(u, half), _mm256_sub_epi16(v, half));
    let red = _mm256_adds_epi16(y, times(v, by.red_v));
    let green = _mm256_sub_epi16(_mm256_sub_epi16(y, times(u, by.green_u)), times(v, by.green_v));
    let whole = if by.blue_u_whole { _mm256_adds_epi16(y, u) } else { y };
    let blue = _mm256_adds_epi16(whole, times(u, by.blue_u));
    let rounded = |sum| _mm256_srai_epi16::<6>(_mm256_adds_epi16(sum, _mm256_set1_epi16(1 << 5)));
    let red_blue = _mm256_packus_epi16(rounded(red), rounded(blue));
    let green = _mm256_packus_epi16(rounded(green), _mm256_setzero_si256());
    let red_green = _mm256_unpacklo_epi8(red_blue, green);
    let blue = _mm256_unpackhi_epi8(red_blue, green);
    // Pixels 0 1 4 5 | 2 3 6 7 and 8 9 12 13 | 10 11 14 15.
    let mixed = [_mm256_unpacklo_epi16(red_green, blue), _mm256_unpackhi_epi16(red_green, blue)];
    [_mm256_permute4x64_epi64::<0b11_01_10_00>(mixed[0]), _mm256_permute4x64_epi64::<0b11_01_10_00>(mixed[1])]
}

/// A register a sample; pixels 0 1 4 5 8 9 12 13 | 2 3 6 7 10 11 14 15.
#[inline]
#[target_feature(enable = "avx2")]
fn planes(quads: [__m256i; 4]) -> [__m256i; 3] {
    // Each half: Y Y U U V V 0 0 of two pixels.
    let order = _mm256_setr_epi8(
        0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15, 0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15,
    );
    let a = _mm256_shuffle_epi8(quads[0], order);
    let b = _mm256_shuffle_epi8(quads[1], order);
    let c = _mm256_shuffle_epi8(quads[2], order);
    let d = _mm256_shuffle_epi8(quads[3], order);
    let (luma_u, luma_u_after) = (_mm256_unpacklo_epi32(a, b), _mm256_unpacklo_epi32(c, d));
    let (v, v_after) = (_mm256_unpackhi_epi32(a, b), _mm256_unpackhi_epi32(c, d));
    [
        _mm256_unpacklo_epi64(luma_u, luma_u_after),
        _mm256_unpackhi_epi64(luma_u, luma_u_after),
        _mm256_unpacklo_epi64(v, v_after),
    ]
}

/// Levels - 128, and blue and red of each pixel in their places.
#[inline]
#[target_feature(enable = "avx2")]
fn centred(levels: __m256i, swapped: bool) -> __m256i {
    let centred = _mm256_xor_si256(levels, _mm256_set1_epi32(CENTRE));
    if !swapped {
        return centred;
    }
    let order = _mm256_setr_epi8(
        2, 1, 0, 3, 6, 5, 4, 7, 10, 9, 8, 11, 14, 13, 12, 15, 2, 1, 0, 3, 6, 5, 4, 7, 10, 9, 8, 11, 14, 13, 12, 15,
    );
    _mm256_shuffle_epi8(centred, order)
}
