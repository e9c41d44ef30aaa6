//! The law on AVX2. Rounding is the processor's default, to nearest even.
//!
//! Two rows of sixteen channels become 32 bytes at once. Packing mixes the halves of registers; one permutation at the end
//! puts them right, so short integers between are in *packed order*: channels 0-3, 8-11 | 4-7, 12-15.
//!
//! Of the clamp only the upper bound is applied to floats: what is too small saturates on its way to bytes, and the lower
//! bound is an integer.

use std::arch::x86_64::{
    __m128i, __m256, __m256i, _mm_packs_epi16, _mm_packs_epi32, _mm256_add_epi32, _mm256_add_ps, _mm256_adds_epi16,
    _mm256_castsi256_si128, _mm256_cvtepi8_epi32, _mm256_cvtepi32_ps, _mm256_cvtps_epi32, _mm256_extracti128_si256,
    _mm256_max_epi8, _mm256_max_ps, _mm256_min_ps, _mm256_mul_ps, _mm256_packs_epi16, _mm256_packs_epi32,
    _mm256_permutevar8x32_epi32, _mm256_set1_epi8, _mm256_set1_epi16, _mm256_set1_epi32, _mm256_set1_ps,
    _mm256_setr_epi32, _mm256_setzero_ps, _mm256_sub_epi32,
};

use super::{Activation, Grid, Output, Requantize, Residual};
use crate::x86::{load_8, load_32, load_f32x8, store_8, store_16, store_32, store_f32x8};
use bump::Bump;

mod bump;

/// The elements `n..n + 8`.
#[inline]
fn eight<T>(source: &[T], n: usize) -> &[T; 8] {
    &source[n..].as_chunks::<8>().0[0]
}

/// [`Grid`] in registers.
#[derive(Clone, Copy)]
pub(crate) struct Quantizer<'a> {
    low: __m256,
    high: __m256,
    zero_point: __m256i,
    table: Option<&'a [i8; 256]>,
}

impl<'a> Quantizer<'a> {
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn new(grid: &Grid<'a>) -> Self {
        let (low, high) = grid.bounds();
        Self {
            low: _mm256_set1_ps(low),
            high: _mm256_set1_ps(high),
            zero_point: _mm256_set1_epi32(grid.zero_point),
            table: grid.table,
        }
    }

    /// The law from the clamp to the rounding; eight bytes in the lower half.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn round(&self, values: __m256) -> __m128i {
        let clamped = _mm256_min_ps(_mm256_max_ps(values, self.low), self.high);
        let q = _mm256_add_epi32(_mm256_cvtps_epi32(clamped), self.zero_point);
        let short = _mm_packs_epi32(_mm256_castsi256_si128(q), _mm256_extracti128_si256::<1>(q));
        _mm_packs_epi16(short, short)
    }

    /// The law from the clamp on.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn store(&self, values: __m256, target: &mut [i8; 8]) {
        store_8(target, self.round(values));
        if let Some(table) = self.table {
            look_up(table, target);
        }
    }
}

/// The last step of [`Activation::Table`].
#[inline]
fn look_up(table: &[i8; 256], results: &mut [i8]) {
    for q in results {
        *q = table[usize::from((i16::from(*q) + 128) as u8)];
    }
}

/// f32(q - zero point) of eight bytes.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn centred(q: &[i8; 8], zero_point: __m256i) -> __m256 {
    _mm256_cvtepi32_ps(_mm256_sub_epi32(_mm256_cvtepi8_epi32(load_8(q)), zero_point))
}

/// What turns the sums of B x 8 output channels (B is 1 or 2) into results.
pub(crate) struct Block<'a, const B: usize> {
    /// The first channel.
    n: usize,
    /// How many there are, at most B x 8.
    count: usize,
    scale: [__m256; B],
    finish: Finish<'a>,
}

enum Finish<'a> {
    /// A clamp and nothing else, for B x 8 channels: the case that stands in each kernel's loop.
    Plain(Clamp),
    Other(Clamp, Requantize<'a>),
    Bump(Bump),
    F32 {
        low: f32,
        high: f32,
    },
}

/// From short integers to bytes.
#[derive(Clone, Copy)]
struct Clamp {
    /// high - zero point.
    high: __m256,
    zero_point: __m256i,
    low: __m256i,
}

impl Clamp {
    #[inline]
    #[target_feature(enable = "avx2")]
    fn new(requantize: &Requantize<'_>) -> Self {
        let (_, high) = requantize.grid().bounds();
        Self {
            high: _mm256_set1_ps(high),
            zero_point: _mm256_set1_epi16(requantize.zero_point as i16),
            low: _mm256_set1_epi8(requantize.low),
        }
    }

    /// q of two rows of real numbers, in order: sixteen bytes a row.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn bytes<const B: usize>(&self, first: [__m256; B], second: [__m256; B]) -> __m256i {
        let first = _mm256_adds_epi16(shorts(first, self.high), self.zero_point);
        let second = _mm256_adds_epi16(shorts(second, self.high), self.zero_point);
        ordered(_mm256_max_epi8(_mm256_packs_epi16(first, second), self.low))
    }
}

/// Rounded and saturated, in packed order. What is above `high` becomes it, because a conversion does not saturate.
#[inline]
#[target_feature(enable = "avx2")]
fn shorts<const B: usize>(values: [__m256; B], high: __m256) -> __m256i {
    let first = _mm256_cvtps_epi32(_mm256_min_ps(values[0], high));
    let second = if B == 2 { _mm256_cvtps_epi32(_mm256_min_ps(values[B - 1], high)) } else { first };
    _mm256_packs_epi32(first, second)
}

/// Two rows of bytes, packed from two registers in packed order, in their order.
#[inline]
#[target_feature(enable = "avx2")]
fn ordered(bytes: __m256i) -> __m256i {
    _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7))
}

impl<'a, const B: usize> Block<'a, B> {
    /// For the channels from `n` on of `channels`.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn new(output: &Output<'a>, n: usize, channels: usize) -> Self {
        let count = (channels - n).min(8 * B);
        let (scales, finish) = match output {
            Output::I8 { requantize, .. } => {
                let clamp = Clamp::new(requantize);
                let finish = match requantize.activation {
                    Activation::Bump { .. } => Finish::Bump(Bump::new::<B>(requantize, n)),
                    Activation::Clamp if requantize.residual.is_none() && count == 8 * B => Finish::Plain(clamp),
                    _ => Finish::Other(clamp, *requantize),
                };
                (requantize.scale, finish)
            }
            Output::F32 { scale, low, high, .. } => (*scale, Finish::F32 { low: *low, high: *high }),
        };
        let mut scale = [_mm256_setzero_ps(); B];
        for (block, scale) in scale.iter_mut().enumerate() {
            *scale = load_f32x8(eight(scales, n + 8 * block));
        }
        Self { n, count, scale, finish }
    }

    /// Stores the results of the rows from `row` on.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn store<const R: usize>(&self, sums: &[[__m256i; B]; R], row: usize, output: &mut Output<'_>) {
        match (&self.finish, output) {
            (Finish::Plain(clamp), Output::I8 { data, stride, .. }) => {
                for (pair, sums) in sums.chunks(2).enumerate() {
                    let second = sums.len() - 1;
                    let bytes = clamp.bytes(self.scaled(sums[0]), self.scaled(sums[second]));
                    let start = (row + 2 * pair) * *stride + self.n;
                    store_whole::<B>(_mm256_castsi256_si128(bytes), &mut data[start..]);
                    if second == 1 {
                        store_whole::<B>(_mm256_extracti128_si256::<1>(bytes), &mut data[start + *stride..]);
                    }
                }
            }
            (Finish::Bump(bump), Output::I8 { data, stride, .. }) => self.store_bump(bump, sums, row, data, *stride),
            (Finish::Other(clamp, requantize), Output::I8 { data, stride, .. }) => {
                self.store_other(clamp, requantize, sums, row, data, *stride);
            }
            (Finish::F32 { low, high }, Output::F32 { data, stride, .. }) => {
                self.store_floats([*low, *high], sums, row, data, *stride);
            }
            _ => unreachable!("a block is made for the output that it stores to"),
        }
    }

    /// With [`Activation::Bump`]. This and what follows are functions of their own, so that the plain case is short enough
    /// to stand in each kernel's loop.
    #[inline(never)]
    #[target_feature(enable = "avx2")]
    fn store_bump(&self, bump: &Bump, sums: &[[__m256i; B]], row: usize, data: &mut [i8], stride: usize) {
        for (pair, sums) in sums.chunks(2).enumerate() {
            let second = sums.len() - 1;
            let bytes = bump.bytes(self.scaled(sums[0]), self.scaled(sums[second]));
            self.store_pair(bytes, second, &mut data[(row + 2 * pair) * stride + self.n..], stride);
        }
    }

    /// With a residual, a slope, a table, or channels that are no whole block.
    #[inline(never)]
    #[target_feature(enable = "avx2")]
    fn store_other(
        &self,
        clamp: &Clamp,
        requantize: &Requantize<'_>,
        sums: &[[__m256i; B]],
        row: usize,
        data: &mut [i8],
        stride: usize,
    ) {
        for (pair, sums) in sums.chunks(2).enumerate() {
            let (row, second) = (row + 2 * pair, sums.len() - 1);
            let first = self.adjusted(self.scaled(sums[0]), requantize, row);
            let mut bytes = clamp.bytes(first, self.adjusted(self.scaled(sums[second]), requantize, row + second));
            if let Activation::Table(table) = requantize.activation {
                let mut results = [0; 32];
                store_32(&mut results, bytes);
                look_up(table, &mut results);
                bytes = load_32(&results);
            }
            self.store_pair(bytes, second, &mut data[row * stride + self.n..], stride);
        }
    }

    /// Stores one row of sixteen bytes, and with `second` = 1 the one below it.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn store_pair(&self, bytes: __m256i, second: usize, target: &mut [i8], stride: usize) {
        if self.count == 8 * B {
            store_whole::<B>(_mm256_castsi256_si128(bytes), target);
            if second == 1 {
                store_whole::<B>(_mm256_extracti128_si256::<1>(bytes), &mut target[stride..]);
            }
        } else {
            let mut results = [0; 32];
            store_32(&mut results, bytes);
            for (row, results) in results.as_chunks::<16>().0.iter().take(1 + second).enumerate() {
                target[row * stride..][..self.count].copy_from_slice(&results[..self.count]);
            }
        }
    }

    #[inline(never)]
    #[target_feature(enable = "avx2")]
    fn store_floats(&self, [low, high]: [f32; 2], sums: &[[__m256i; B]], row: usize, data: &mut [f32], stride: usize) {
        for (index, &sums) in sums.iter().enumerate() {
            let mut results = [[0.0; 8]; B];
            for (results, value) in results.iter_mut().zip(self.scaled(sums)) {
                store_f32x8(results, _mm256_min_ps(_mm256_max_ps(value, _mm256_set1_ps(low)), _mm256_set1_ps(high)));
            }
            let target = &mut data[(row + index) * stride + self.n..];
            target[..self.count].copy_from_slice(&results.as_flattened()[..self.count]);
        }
    }

    /// The law between the scale and the clamp.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn adjusted(&self, mut values: [__m256; B], requantize: &Requantize<'_>, row: usize) -> [__m256; B] {
        if let Some(residual) = &requantize.residual {
            let addends = self.addends(residual, row);
            for (value, addend) in values.iter_mut().zip(addends) {
                *value = _mm256_add_ps(*value, addend);
            }
        }
        if let Activation::Leaky { slope } = requantize.activation {
            for value in &mut values {
                *value = _mm256_max_ps(*value, _mm256_mul_ps(*value, _mm256_set1_ps(slope)));
            }
        }
        values
    }

    /// A row of the residual in units of the result.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn addends(&self, residual: &Residual<'_>, row: usize) -> [__m256; B] {
        let source = &residual.data[row * residual.stride + self.n..];
        let mut bytes = [[0; 8]; B];
        match source.as_chunks::<8>().0.first_chunk::<B>() {
            Some(whole) if self.count == 8 * B => bytes = *whole,
            _ => bytes.as_flattened_mut()[..self.count].copy_from_slice(&source[..self.count]),
        }
        let (scale, zero_point) = (_mm256_set1_ps(residual.scale), _mm256_set1_epi32(residual.zero_point));
        let mut addends = [_mm256_setzero_ps(); B];
        for (addend, bytes) in addends.iter_mut().zip(&bytes) {
            *addend = _mm256_mul_ps(centred(bytes, zero_point), scale);
        }
        addends
    }

    /// f32(acc) * scale.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn scaled(&self, sums: [__m256i; B]) -> [__m256; B] {
        let mut values = self.scale;
        for (value, sum) in values.iter_mut().zip(sums) {
            *value = _mm256_mul_ps(_mm256_cvtepi32_ps(sum), *value);
        }
        values
    }
}

/// Stores B x 8 bytes.
#[inline]
#[target_feature(enable = "avx2")]
fn store_whole<const B: usize>(bytes: __m128i, target: &mut [i8]) {
    if B == 2 {
        store_16(&mut target.as_chunks_mut::<16>().0[0], bytes);
    } else {
        store_8(&mut target.as_chunks_mut::<8>().0[0], bytes);
    }
}
