//! `gemm_i8i8i32_6x16x4_avx_vnni`: `vpdpbusd`, four products of unsigned and signed bytes added into 32 bits at once.
//!
//! Activations become unsigned by adding 128, which is a flipped sign bit. Each sum then holds 128 times the sum of its
//! weights too much, so it starts with that much less. Sums may wrap around on the way, as integers do, and end right.

use std::arch::x86_64::{
    __m256i, _mm_set1_epi8, _mm_xor_si128, _mm256_dpbusd_avx_epi32, _mm256_set1_epi8, _mm256_set1_epi32,
    _mm256_setzero_si256, _mm256_slli_epi32, _mm256_sub_epi32, _mm256_xor_si256,
};

use super::Gemm;
use crate::banded::banded;
use crate::bands::cut;
use crate::narrow::{BYTES, colours};
use crate::x86::{load_16, load_32, load_i32x8, store_16, store_32};

/// Rows of a tile.
const ROWS: usize = 6;

/// Four activations, each 128 more.
type Group = [u8; 4];

/// Bytes of a picture's line: its cells, each byte 128 more.
const LINE: usize = BYTES;

banded!("avx2,avxvnni", 1, 2, 3, 4, 5);

/// Adds 128 to each element.
#[inline]
#[target_feature(enable = "avx2")]
fn convert(elements: &[i8], groups: &mut [Group]) {
    let (chunks, rest) = elements.as_chunks::<32>();
    let (targets, target) = groups.as_flattened_mut()[..elements.len()].as_chunks_mut::<32>();
    for (chunk, target) in chunks.iter().zip(targets) {
        store_32(target, _mm256_xor_si256(load_32(chunk), _mm256_set1_epi8(-128)));
    }
    for (four, target) in rest.as_chunks::<4>().0.iter().zip(target.as_chunks_mut::<4>().0) {
        *target = (u32::from_ne_bytes(four.map(i8::cast_unsigned)) ^ 0x8080_8080).to_ne_bytes();
    }
}

/// What the sums of B x 8 output channels from `n` on start with.
#[inline]
#[target_feature(enable = "avx2")]
fn start<const B: usize>(gemm: &Gemm<'_>, n: usize) -> [__m256i; B] {
    let mut start = [_mm256_setzero_si256(); B];
    let sums = gemm.column_sums[n..].as_chunks::<8>().0;
    for ((start, bias), sums) in start.iter_mut().zip(gemm.bias[n..].as_chunks::<8>().0).zip(sums) {
        *start = _mm256_sub_epi32(load_i32x8(bias), _mm256_slli_epi32::<7>(load_i32x8(sums)));
    }
    start
}

/// Adds the products of R rows by B x 8 output channels.
#[inline]
#[target_feature(enable = "avx2,avxvnni")]
fn accumulate<const R: usize, const B: usize>(
    sums: &mut [[__m256i; B]; R],
    rows: [&[Group]; R],
    weights: [&[[i8; 32]]; B],
) {
    let steps = weights[0].len();
    let (rows, weights) = (cut(rows, steps), cut(weights, steps));
    for step in 0..steps {
        let mut panel = [_mm256_setzero_si256(); B];
        for block in 0..B {
            panel[block] = load_32(&weights[block][step]);
        }
        for row in 0..R {
            let values = _mm256_set1_epi32(i32::from_ne_bytes(rows[row][step]));
            for block in 0..B {
                sums[row][block] = _mm256_dpbusd_avx_epi32(sums[row][block], values, panel[block]);
            }
        }
    }
}

/// Puts P bytes of each cell into `line` from `at` on, 128 more.
#[inline]
#[target_feature(enable = "avx2")]
fn put<const P: usize>(line: &mut [u8; LINE], at: usize, elements: &[i8]) {
    let line = &mut line[at..];
    let (chunks, rest) = elements.as_chunks::<16>();
    for (index, chunk) in chunks.iter().enumerate() {
        let cells = _mm_xor_si128(load_16(chunk), _mm_set1_epi8(-128));
        let cells = if P == 3 { colours(cells) } else { cells };
        store_16(line[4 * P * index..].first_chunk_mut().expect("room for 16"), cells);
    }
    let done = 4 * P * chunks.len();
    for (index, cell) in rest.as_chunks::<4>().0.iter().enumerate() {
        for (channel, &value) in cell[..P].iter().enumerate() {
            line[done + P * index + channel] = value.cast_unsigned() ^ 0x80;
        }
    }
}

/// Adds the products of R windows' cells in a line.
#[inline]
#[target_feature(enable = "avx2,avxvnni")]
fn add_line<const R: usize, const B: usize>(
    sums: &mut [[__m256i; B]; R],
    cells: [&[u8]; R],
    weights: [&[[i8; 32]]; B],
) {
    let mut groups: [&[Group]; R] = [&[]; R];
    for (groups, cells) in groups.iter_mut().zip(cells) {
        *groups = cells.as_chunks().0;
    }
    accumulate(sums, groups, weights);
}
