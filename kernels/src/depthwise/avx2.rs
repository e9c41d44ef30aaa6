//! `depthwise_i8i8i32_1x16_avx2`: sixteen channels of a pixel at a time.
//!
//! The 16-bit cells of two taps are interleaved, so that `vpmaddwd` multiplies and adds both into 32 bits: exact. A 3x3
//! window that lies inside of the input has its weights interleaved beforehand and no test of its cells.

use std::arch::x86_64::{
    __m256i, _mm256_add_epi32, _mm256_cvtepi8_epi16, _mm256_madd_epi16, _mm256_permute2x128_si256, _mm256_set1_epi16,
    _mm256_setzero_si256, _mm256_unpackhi_epi16, _mm256_unpacklo_epi16,
};

use super::{Task, scalar};
use crate::epilogue::avx2::Requantizer;
use crate::geometry::Geometry;
use crate::x86::{load_i8x16, load_i32x8};

/// Channels a block.
const BLOCK: usize = 16;

/// Sums of the channels 0-3 and 8-11, and 4-7 and 12-15.
type Sums = [__m256i; 2];

#[target_feature(enable = "avx2")]
pub(super) fn run(task: Task<'_>) {
    if !task.geometry.channels.is_multiple_of(BLOCK) {
        return scalar::run(task); // a picture of up to 4 channels: no network has such a layer
    }
    let Task { geometry, rows, input, depthwise, requantize, output, output_stride } = task;
    let columns = geometry.columns_inside();
    let (input, weights) = (input.as_chunks::<BLOCK>().0, depthwise.weights.as_chunks::<BLOCK>().0);
    let blocks = geometry.channels / BLOCK;
    for block in 0..blocks {
        let (biases, _) = depthwise.bias[block * BLOCK..][..BLOCK].as_chunks::<8>();
        let biases = [0, 1].map(|half| load_i32x8(&biases[half]));
        let requantizers = [0, 8].map(|half| Requantizer::new(&requantize, block * BLOCK + half, 8));
        let window = Window { geometry, input, block, blocks, weights, pad_value: depthwise.pad_value };
        let nine = (geometry.kernel == [3, 3]).then(|| window.pairs());
        let mut pixel = 0;
        for y in rows.clone() {
            let inside = nine.as_ref().zip(geometry.rows_inside(y));
            for x in 0..geometry.output_width {
                let sums = match inside {
                    Some((pairs, top)) if columns.contains(&x) => window.inside(pairs, top, x),
                    _ => window.anywhere(y, x),
                };
                let ordered = [
                    _mm256_permute2x128_si256::<0x20>(sums[0], sums[1]),
                    _mm256_permute2x128_si256::<0x31>(sums[0], sums[1]),
                ];
                let target = &mut output[pixel * output_stride..];
                for half in 0..2 {
                    requantizers[half].store(_mm256_add_epi32(ordered[half], biases[half]), pixel, target);
                }
                pixel += 1;
            }
        }
    }
}

/// The windows of sixteen channels; pictures and weights as blocks of sixteen.
struct Window<'a> {
    geometry: &'a Geometry,
    input: &'a [[i8; BLOCK]],
    block: usize,
    blocks: usize,
    weights: &'a [[i8; BLOCK]],
    pad_value: i8,
}

impl Window<'_> {
    #[inline]
    #[target_feature(enable = "avx2")]
    fn weight(&self, tap: usize) -> __m256i {
        widened(&self.weights[tap * self.blocks + self.block])
    }

    /// The nine weights of a 3x3 window, two taps interleaved, the last with nothing.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn pairs(&self) -> [[__m256i; 2]; 5] {
        [0, 2, 4, 6, 8].map(|tap| {
            let next = if tap == 8 { _mm256_setzero_si256() } else { self.weight(tap + 1) };
            interleave(self.weight(tap), next)
        })
    }

    /// The window of column x, which lies inside of the input, as do the rows from `top` on.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn inside(&self, pairs: &[[__m256i; 2]; 5], top: usize, x: usize) -> Sums {
        let left = x * self.geometry.stride[1] - self.geometry.padding_left;
        let mut first = (top * self.geometry.input_width + left) * self.blocks + self.block;
        let mut cells = [_mm256_setzero_si256(); 10];
        for row in cells.as_chunks_mut::<3>().0 {
            let line = &self.input[first..=first + 2 * self.blocks];
            *row = [0, self.blocks, 2 * self.blocks].map(|at| widened(&line[at]));
            first += self.geometry.input_width * self.blocks;
        }
        let mut sums = [_mm256_setzero_si256(); 2];
        for (pair, weights) in pairs.iter().enumerate() {
            sums = add(sums, interleave(cells[2 * pair], cells[2 * pair + 1]), *weights);
        }
        sums
    }

    /// Any window at any place.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn anywhere(&self, y: usize, x: usize) -> Sums {
        let mut sums = [_mm256_setzero_si256(); 2];
        for tap in 0..self.geometry.taps() {
            let cell = match self.geometry.pixel(y, x, tap) {
                Some(pixel) => widened(&self.input[pixel * self.blocks + self.block]),
                None => _mm256_set1_epi16(i16::from(self.pad_value)),
            };
            let nothing = _mm256_setzero_si256();
            sums = add(sums, interleave(cell, nothing), interleave(self.weight(tap), nothing));
        }
        sums
    }
}

/// Sixteen bytes as 16-bit lanes.
#[inline]
#[target_feature(enable = "avx2")]
fn widened(source: &[i8; BLOCK]) -> __m256i {
    _mm256_cvtepi8_epi16(load_i8x16(source))
}

#[inline]
#[target_feature(enable = "avx2")]
fn interleave(first: __m256i, second: __m256i) -> [__m256i; 2] {
    [_mm256_unpacklo_epi16(first, second), _mm256_unpackhi_epi16(first, second)]
}

#[inline]
#[target_feature(enable = "avx2")]
fn add(sums: Sums, cells: [__m256i; 2], weights: [__m256i; 2]) -> Sums {
    [0, 1].map(|half| _mm256_add_epi32(sums[half], _mm256_madd_epi16(cells[half], weights[half])))
}
