//! The law on AVX2. Rounding is the processor's default, to nearest even.
//!
//! A kernel leaves the sums of some dozen rows in the first cache, and the law goes over them by a loop of its own, which
//! keeps its numbers in registers. Two *lines* of sixteen sums become 32 bytes at once. Packing mixes the halves of
//! registers; one permutation at the end puts them right, so short integers between are in *packed order*: sums 0-3, 8-11
//! | 4-7, 12-15.
//!
//! A conversion to integers does not saturate above, so the upper bound is applied to floats; but where all scales are
//! below 1 no product leaves the integers, and saturation on the way to bytes is enough. What is too small saturates
//! anyway.

use std::arch::x86_64::{
    __m128i, __m256, __m256i, _mm_packs_epi16, _mm_packs_epi32, _mm256_add_epi32, _mm256_add_ps, _mm256_adds_epi16,
    _mm256_castsi256_si128, _mm256_cvtepi8_epi32, _mm256_cvtepi32_ps, _mm256_cvtps_epi32, _mm256_extracti128_si256,
    _mm256_max_epi8, _mm256_max_ps, _mm256_min_epi8, _mm256_min_ps, _mm256_mul_ps, _mm256_packs_epi16,
    _mm256_packs_epi32, _mm256_packus_epi16, _mm256_permutevar8x32_epi32, _mm256_set1_epi8, _mm256_set1_epi16,
    _mm256_set1_epi32, _mm256_set1_ps, _mm256_setr_epi32, _mm256_setzero_ps, _mm256_sub_epi32, _mm256_xor_si256,
};

use super::{Activation, Grid, Output, Requantize, Residual};
use crate::x86::{load_8, load_32, load_f32x8, load_i32x8, store_8, store_32, store_f32x8, store_i32x8};
use bump::Bump;
use target::Target;

mod bump;
mod target;

/// Sixteen sums: a row of 16 channels, or two rows of 8.
pub(crate) type Line = [i32; 16];

/// Rows whose sums wait for the law at a time: a multiple of all tiles' rows.
pub(crate) const WAITING: usize = 48;

/// Sums of [`WAITING`] rows by up to 16 channels, eight after the other.
pub(crate) type Sums = [[i32; 8]; 2 * WAITING];

/// Before there are any.
pub(crate) const NO_SUMS: Sums = [[0; 8]; 2 * WAITING];

/// Puts the sums of R rows by B x 8 channels where the law finds them.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn leave<const R: usize, const B: usize>(sums: &[[__m256i; B]; R], target: &mut [[i32; 8]]) {
    let target = &mut target[..R * B];
    for (sum, target) in sums.as_flattened().iter().zip(target) {
        store_i32x8(target, *sum);
    }
}

/// The elements `n..n + 8`.
#[inline]
pub(crate) fn eight<T>(source: &[T], n: usize) -> &[T; 8] {
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
pub(crate) fn look_up(table: &[i8; 256], results: &mut [i8]) {
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
    /// Of a line.
    scale: [__m256; 2],
    finish: Finish<'a>,
}

enum Finish<'a> {
    /// No bounds but those of i8, whose lower one is 0: a ReLU; by scales below 1.
    Relu,
    /// A clamp and nothing else, by scales below 1.
    Plain(Clamp),
    /// The same after a slope.
    Leaky(Clamp, __m256),
    /// A residual, a table, or any scales.
    Other(Clamp, Requantize<'a>),
    /// As networks have it.
    Bump(Bump),
    /// By any scales, to any bounds.
    AnyBump(Bump),
    F32,
}

/// From short integers to bytes.
#[derive(Clone, Copy)]
pub(crate) struct Clamp {
    /// high - zero point.
    most: __m256,
    zero_point: __m256i,
    low: __m256i,
    high: __m256i,
}

impl Clamp {
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn new(grid: &Grid<'_>) -> Self {
        let (_, most) = grid.bounds();
        Self {
            most: _mm256_set1_ps(most),
            zero_point: _mm256_set1_epi16(grid.zero_point as i16),
            low: _mm256_set1_epi8(grid.low),
            high: _mm256_set1_epi8(grid.high),
        }
    }

    /// q of two lines of real numbers, in order. TAME numbers are integers after rounding.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn bytes<const TAME: bool>(&self, first: [__m256; 2], second: [__m256; 2]) -> __m256i {
        let first = _mm256_adds_epi16(shorts::<TAME>(first, self.most), self.zero_point);
        let second = _mm256_adds_epi16(shorts::<TAME>(second, self.most), self.zero_point);
        let q = _mm256_max_epi8(_mm256_packs_epi16(first, second), self.low);
        ordered(if TAME { _mm256_min_epi8(q, self.high) } else { q })
    }
}

/// q of two lines of real numbers that are integers after rounding, for [`Finish::Relu`].
#[inline]
#[target_feature(enable = "avx2")]
fn relu(first: [__m256; 2], second: [__m256; 2]) -> __m256i {
    let most = _mm256_setzero_ps(); // not looked at
    let q = _mm256_packus_epi16(shorts::<true>(first, most), shorts::<true>(second, most));
    ordered(_mm256_xor_si256(q, _mm256_set1_epi8(-128)))
}

/// Rounded and saturated, in packed order. What is above `most` becomes it, because a conversion does not saturate; TAME
/// numbers are left to the packing.
#[inline]
#[target_feature(enable = "avx2")]
fn shorts<const TAME: bool>(values: [__m256; 2], most: __m256) -> __m256i {
    let [first, second] = values;
    if TAME {
        return _mm256_packs_epi32(_mm256_cvtps_epi32(first), _mm256_cvtps_epi32(second));
    }
    let (first, second) = (_mm256_min_ps(first, most), _mm256_min_ps(second, most));
    _mm256_packs_epi32(_mm256_cvtps_epi32(first), _mm256_cvtps_epi32(second))
}

/// Two lines of bytes, packed from two registers in packed order, in their order.
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
        let (Output::I8 { requantize: Requantize { scale: scales, .. }, .. } | Output::F32 { scale: scales, .. }) =
            output;
        let [first, second] = [eight(scales, n), eight(scales, n + 8 * (B - 1))];
        let tame = first.iter().chain(second).all(|scale| scale.abs() < 1.0);
        let finish = match output {
            Output::I8 { requantize, .. } => {
                let clamp = Clamp::new(&requantize.grid());
                match requantize.activation {
                    Activation::Bump { .. } => match Bump::new::<B>(requantize, n) {
                        bump if tame && bump.is_usual() => Finish::Bump(bump),
                        bump => Finish::AnyBump(bump),
                    },
                    Activation::Clamp if tame && requantize.residual.is_none() => {
                        let whole = requantize.low == i8::MIN && requantize.high == i8::MAX;
                        if whole && requantize.zero_point == -128 { Finish::Relu } else { Finish::Plain(clamp) }
                    }
                    Activation::Leaky { slope } if tame => Finish::Leaky(clamp, _mm256_set1_ps(slope)),
                    _ => Finish::Other(clamp, *requantize),
                }
            }
            Output::F32 { .. } => Finish::F32,
        };
        Self { n, count, scale: [load_f32x8(first), load_f32x8(second)], finish }
    }

    /// Stores the results of `rows` rows from `row` on, whose sums stand in `sums` one row after the other.
    #[inline(never)]
    #[target_feature(enable = "avx2")]
    pub(crate) fn finish(&self, sums: &Sums, row: usize, rows: usize, output: &mut Output<'_>) {
        let lines = &sums.as_flattened().as_chunks::<16>().0[..(rows * B).div_ceil(2)];
        match output {
            Output::F32 { data, stride, low, high, .. } => {
                self.floats([*low, *high], lines, &mut data[row * *stride + self.n..], *stride, rows);
            }
            Output::I8 { data, stride, .. } => {
                let data = &mut data[row * *stride + self.n..];
                self.bytes(lines, row, Target { data, stride: *stride, rows, count: self.count });
            }
        }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn bytes(&self, lines: &[Line], row: usize, target: Target<'_, B>) {
        let scale = self.scale;
        match &self.finish {
            Finish::Relu => target.fill(lines, |_, a, b| relu(scaled(a, scale), scaled(b, scale))),
            Finish::Plain(clamp) => {
                let clamp = *clamp;
                target.fill(lines, |_, a, b| clamp.bytes::<true>(scaled(a, scale), scaled(b, scale)));
            }
            Finish::Leaky(clamp, slope) => {
                let (clamp, slope) = (*clamp, *slope);
                let law = |line: &Line| leaky(scaled(line, scale), slope);
                target.fill(lines, |_, a, b| clamp.bytes::<true>(law(a), law(b)));
            }
            Finish::Bump(bump) => {
                let bump = *bump;
                target.fill(lines, |_, a, b| bump.bytes::<true>(scaled(a, scale), scaled(b, scale)));
            }
            Finish::AnyBump(bump) => {
                let bump = *bump;
                target.fill(lines, |_, a, b| bump.bytes::<false>(scaled(a, scale), scaled(b, scale)));
            }
            Finish::Other(clamp, requantize) => self.other(clamp, requantize, lines, row, target),
            Finish::F32 => unreachable!("a block is made for the output that it stores to"),
        }
    }

    /// With a residual, a table, or any scales.
    #[inline(never)]
    #[target_feature(enable = "avx2")]
    fn other(&self, clamp: &Clamp, requantize: &Requantize<'_>, lines: &[Line], row: usize, target: Target<'_, B>) {
        let (clamp, scale, activation) = (*clamp, self.scale, requantize.activation);
        let residual = requantize.residual.map(|residual| {
            let numbers = (_mm256_set1_ps(residual.scale), _mm256_set1_epi32(residual.zero_point));
            (self.gathered(&residual, row, target.rows), numbers)
        });
        match (&residual, activation) {
            (Some((bytes, numbers)), Activation::Clamp) => target.fill(lines, |line, a, b| {
                let a = sum(scaled(a, scale), addends(&bytes[line], *numbers));
                let b = sum(scaled(b, scale), addends(&bytes[line + 1], *numbers));
                clamp.bytes::<false>(a, b)
            }),
            (residual, _) => target.fill(lines, |line, a, b| {
                let (mut a, mut b) = (scaled(a, scale), scaled(b, scale));
                if let Some((bytes, numbers)) = residual {
                    a = sum(a, addends(&bytes[line], *numbers));
                    b = sum(b, addends(&bytes[line + 1], *numbers));
                }
                if let Activation::Leaky { slope } = activation {
                    let slope = _mm256_set1_ps(slope);
                    (a, b) = (leaky(a, slope), leaky(b, slope));
                }
                let mut bytes = clamp.bytes::<false>(a, b);
                if let Activation::Table(table) = activation {
                    let mut results = [0; 32];
                    store_32(&mut results, bytes);
                    look_up(table, &mut results);
                    bytes = load_32(&results);
                }
                bytes
            }),
        }
    }

    #[inline(never)]
    #[target_feature(enable = "avx2")]
    fn floats(&self, [low, high]: [f32; 2], lines: &[Line], data: &mut [f32], stride: usize, rows: usize) {
        let (low, high) = (_mm256_set1_ps(low), _mm256_set1_ps(high));
        let bounded = |value: __m256| _mm256_min_ps(_mm256_max_ps(value, low), high);
        let mut results = [0.0; 16];
        for (index, line) in lines.iter().enumerate() {
            let [first, second] = scaled(line, self.scale);
            let row = &mut data[index * 2 / B * stride..];
            let whole = if B == 2 && self.count == 16 { row.first_chunk_mut() } else { None };
            let [left, right] = halves(whole.unwrap_or(&mut results));
            store_f32x8(left, bounded(first));
            store_f32x8(right, bounded(second));
            if B == 1 || self.count < 16 {
                for (row, results) in results.chunks_exact(8 * B).enumerate().take(rows - index * 2 / B) {
                    let target = &mut data[(index * 2 / B + row) * stride..][..self.count];
                    target.iter_mut().zip(results).for_each(|(target, result)| *target = *result);
                }
            }
        }
    }

    /// The residual's bytes for the lines of `rows` rows from `row` on, and one line more.
    #[inline]
    fn gathered(&self, residual: &Residual<'_>, row: usize, rows: usize) -> [[i8; 16]; WAITING + 1] {
        let mut bytes = [[0; 16]; WAITING + 1];
        let (stride, source) = (residual.stride, &residual.data[row * residual.stride + self.n..]);
        if B == 2 && self.count == 16 {
            for (index, bytes) in bytes.iter_mut().enumerate().take(rows) {
                *bytes = *source[index * stride..].first_chunk().expect("a row of 16");
            }
        } else {
            for (index, bytes) in bytes.as_flattened_mut().chunks_exact_mut(8 * B).enumerate().take(rows) {
                bytes[..self.count].copy_from_slice(&source[index * stride..][..self.count]);
            }
        }
        bytes
    }
}

/// A line of the residual in units of the result: the bytes less the zero point, times the scale.
#[inline]
#[target_feature(enable = "avx2")]
fn addends(bytes: &[i8; 16], (scale, zero_point): (__m256, __m256i)) -> [__m256; 2] {
    let [first, second] = [centred(eight(bytes, 0), zero_point), centred(eight(bytes, 8), zero_point)];
    [_mm256_mul_ps(first, scale), _mm256_mul_ps(second, scale)]
}

/// f32(acc) * scale.
#[inline]
#[target_feature(enable = "avx2")]
fn scaled(line: &Line, scale: [__m256; 2]) -> [__m256; 2] {
    let [first, second] = [eight(line, 0), eight(line, 8)];
    [
        _mm256_mul_ps(_mm256_cvtepi32_ps(load_i32x8(first)), scale[0]),
        _mm256_mul_ps(_mm256_cvtepi32_ps(load_i32x8(second)), scale[1]),
    ]
}

/// The two eights of sixteen.
#[inline]
fn halves<T>(sixteen: &mut [T; 16]) -> [&mut [T; 8]; 2] {
    let (first, second) = sixteen.as_chunks_mut::<8>().0.split_at_mut(1);
    [&mut first[0], &mut second[0]]
}

#[inline]
#[target_feature(enable = "avx2")]
fn sum(a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
    [_mm256_add_ps(a[0], b[0]), _mm256_add_ps(a[1], b[1])]
}

/// max(f, f * slope).
#[inline]
#[target_feature(enable = "avx2")]
fn leaky(values: [__m256; 2], slope: __m256) -> [__m256; 2] {
    let [first, second] = values;
    [_mm256_max_ps(first, _mm256_mul_ps(first, slope)), _mm256_max_ps(second, _mm256_mul_ps(second, slope))]
}
