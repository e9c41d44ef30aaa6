//! `gemm_i8i8i32_4x16x4_avx2`: `vpmaddubsw` of |a| and sign(w, a), which is exact: two products of at most 128 x 127 fit
//! 16 bits. `vpmaddwd` with ones then adds pairs of them into 32 bits.
//!
//! Groups of four activations lie beside their magnitudes; both are spread over a register by broadcasting loads. Sixteen
//! output channels are two registers of weights just as the bundle holds them, and eight registers of sums.
//!
//! The other exact form multiplies 16-bit numbers by `vpmaddwd`. It takes as many instructions a product, but weights
//! must be widened and rearranged first; `docs/reference/kernels.md` has the measurements of both.

use std::arch::x86_64::{
    __m256i, _mm_abs_epi8, _mm_cvtsi32_si128, _mm_unpacklo_epi32, _mm256_abs_epi8, _mm256_add_epi32,
    _mm256_castsi256_si128, _mm256_extracti128_si256, _mm256_madd_epi16, _mm256_maddubs_epi16, _mm256_set1_epi16,
    _mm256_set1_epi32, _mm256_setzero_si256, _mm256_sign_epi8, _mm256_unpackhi_epi32, _mm256_unpacklo_epi32,
};

use super::Gemm;
use crate::banded::banded;
use crate::bands::cut;
use crate::narrow::{BYTES, colours};
use crate::x86::{load_16, load_32, load_i32x8, store_8, store_16};

/// Rows of a tile.
const ROWS: usize = 4;

/// Four activations and their magnitudes.
type Group = [u8; 8];

/// Bytes of a picture's line: its cells, and then their magnitudes.
const LINE: usize = 2 * BYTES;

banded!("avx2", 1, 2, 3);

/// Puts each four elements and their magnitudes side by side.
#[inline]
#[target_feature(enable = "avx2")]
fn convert(elements: &[i8], groups: &mut [Group]) {
    let (chunks, rest) = elements.as_chunks::<32>();
    let (eights, groups) = groups[..elements.len() / 4].as_chunks_mut::<8>();
    for (chunk, eight) in chunks.iter().zip(eights) {
        let values = load_32(chunk);
        let magnitudes = _mm256_abs_epi8(values);
        let even = _mm256_unpacklo_epi32(values, magnitudes);
        let odd = _mm256_unpackhi_epi32(values, magnitudes);
        let (halves, _) = eight.as_flattened_mut().as_chunks_mut::<16>();
        store_16(&mut halves[0], _mm256_castsi256_si128(even));
        store_16(&mut halves[1], _mm256_castsi256_si128(odd));
        store_16(&mut halves[2], _mm256_extracti128_si256::<1>(even));
        store_16(&mut halves[3], _mm256_extracti128_si256::<1>(odd));
    }
    for (four, group) in rest.as_chunks::<4>().0.iter().zip(groups) {
        let values = _mm_cvtsi32_si128(i32::from_ne_bytes(four.map(i8::cast_unsigned)));
        store_8(group, _mm_unpacklo_epi32(values, _mm_abs_epi8(values)));
    }
}

/// What the sums of B x 8 output channels from `n` on start with.
#[inline]
#[target_feature(enable = "avx2")]
fn start<const B: usize>(gemm: &Gemm<'_>, n: usize) -> [__m256i; B] {
    let mut start = [_mm256_setzero_si256(); B];
    for (start, bias) in start.iter_mut().zip(gemm.bias[n..].as_chunks::<8>().0) {
        *start = load_i32x8(bias);
    }
    start
}

/// Adds the products of R rows by B x 8 output channels.
#[inline]
#[target_feature(enable = "avx2")]
fn accumulate<const R: usize, const B: usize>(
    sums: &mut [[__m256i; B]; R],
    rows: [&[Group]; R],
    weights: [&[[i8; 32]]; B],
) {
    let rows = cut(rows, weights[0].len());
    add_products(sums, weights, |row, step| {
        let [a, b, c, d, e, f, g, h] = rows[row][step];
        [[a, b, c, d], [e, f, g, h]]
    });
}

/// The same of what `values` says for a row and a step: four activations and their magnitudes.
#[inline]
#[target_feature(enable = "avx2")]
#[expect(clippy::needless_range_loop, reason = "a step is a place in the slices of all blocks and rows")]
fn add_products<const R: usize, const B: usize>(
    sums: &mut [[__m256i; B]; R],
    weights: [&[[i8; 32]]; B],
    values: impl Fn(usize, usize) -> [[u8; 4]; 2],
) {
    let ones = _mm256_set1_epi16(1);
    let steps = weights[0].len();
    let weights = cut(weights, steps);
    for step in 0..steps {
        let mut panel = [_mm256_setzero_si256(); B];
        for block in 0..B {
            panel[block] = load_32(&weights[block][step]);
        }
        for row in 0..R {
            let [values, magnitudes] = values(row, step);
            let values = _mm256_set1_epi32(i32::from_ne_bytes(values));
            let magnitudes = _mm256_set1_epi32(i32::from_ne_bytes(magnitudes));
            for block in 0..B {
                let signed = _mm256_sign_epi8(panel[block], values);
                let pairs = _mm256_maddubs_epi16(magnitudes, signed);
                sums[row][block] = _mm256_add_epi32(sums[row][block], _mm256_madd_epi16(pairs, ones));
            }
        }
    }
}

/// Puts P bytes of each cell and their magnitudes into `line` from `at` on.
#[inline]
#[target_feature(enable = "avx2")]
fn put<const P: usize>(line: &mut [u8; LINE], at: usize, elements: &[i8]) {
    let (values, magnitudes) = line.split_at_mut(BYTES);
    let (values, magnitudes) = (&mut values[at..], &mut magnitudes[at..]);
    let (chunks, rest) = elements.as_chunks::<16>();
    for (index, chunk) in chunks.iter().enumerate() {
        let cells = if P == 3 { colours(load_16(chunk)) } else { load_16(chunk) };
        store_16(values[4 * P * index..].first_chunk_mut().expect("room for 16"), cells);
        store_16(magnitudes[4 * P * index..].first_chunk_mut().expect("room for 16"), _mm_abs_epi8(cells));
    }
    let done = 4 * P * chunks.len();
    for (index, cell) in rest.as_chunks::<4>().0.iter().enumerate() {
        for (channel, &value) in cell[..P].iter().enumerate() {
            values[done + P * index + channel] = value.cast_unsigned();
            magnitudes[done + P * index + channel] = value.unsigned_abs();
        }
    }
}

/// Adds the products of R windows' cells in a line.
#[inline]
#[target_feature(enable = "avx2")]
fn add_line<const R: usize, const B: usize>(
    sums: &mut [[__m256i; B]; R],
    cells: [&[u8]; R],
    weights: [&[[i8; 32]]; B],
) {
    let mut values: [&[[u8; 4]]; R] = [&[]; R];
    let mut magnitudes = values;
    for (row, cells) in cells.into_iter().enumerate() {
        let (value, magnitude) = cells.split_at(BYTES);
        (values[row], magnitudes[row]) = (value.as_chunks().0, magnitude.as_chunks().0);
    }
    let (values, magnitudes) = (cut(values, weights[0].len()), cut(magnitudes, weights[0].len()));
    add_products(sums, weights, |row, step| [values[row][step], magnitudes[row][step]]);
}
