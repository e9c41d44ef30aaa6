//! The law on AVX2, eight channels at a time. Rounding is the processor's default, to nearest even.

use std::arch::x86_64::{
    __m128i, __m256, __m256i, _mm_abs_epi16, _mm_add_epi16, _mm_adds_epi16, _mm_cvtsi32_si128, _mm_max_epi16,
    _mm_min_epi16, _mm_mulhrs_epi16, _mm_packs_epi16, _mm_packs_epi32, _mm_packus_epi16, _mm_set1_epi16,
    _mm_setzero_si128, _mm_sra_epi16, _mm_srl_epi16, _mm_sub_epi16, _mm256_add_epi32, _mm256_add_ps,
    _mm256_castsi256_si128, _mm256_cvtepi8_epi32, _mm256_cvtepi32_ps, _mm256_cvtps_epi32, _mm256_extracti128_si256,
    _mm256_max_ps, _mm256_min_ps, _mm256_mul_ps, _mm256_set1_epi32, _mm256_set1_ps, _mm256_sub_epi32,
};

use super::{Activation, Grid, Output, Requantize};
use crate::x86::{load_f32x8, load_i8x8, load_i16x8, load_i32x8, store_f32x8, store_i8x8};

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
        store_i8x8(target, self.round(values));
        if let Some(table) = self.table {
            *target = target.map(|q| table[usize::from((i16::from(q) + 128) as u8)]);
        }
    }
}

/// f32(q - zero point) of eight bytes.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn centred(q: &[i8; 8], zero_point: __m256i) -> __m256 {
    _mm256_cvtepi32_ps(_mm256_sub_epi32(_mm256_cvtepi8_epi32(load_i8x8(q)), zero_point))
}

/// Requantisation of the channels `n..n + count` (count <= 8) in registers.
pub(crate) struct Requantizer<'a> {
    n: usize,
    count: usize,
    /// All eight channels, no residual, a clamp and nothing else.
    plain: bool,
    scale: __m256,
    quantizer: Quantizer<'a>,
    requantize: Requantize<'a>,
}

impl<'a> Requantizer<'a> {
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn new(requantize: &Requantize<'a>, n: usize, count: usize) -> Self {
        Self {
            n,
            count,
            plain: count == 8 && requantize.residual.is_none() && matches!(requantize.activation, Activation::Clamp),
            scale: load_f32x8(eight(requantize.scale, n)),
            quantizer: Quantizer::new(&requantize.grid()),
            requantize: *requantize,
        }
    }

    /// Stores the results of one row. `target` is the row from channel 0 on.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn store(&self, sums: __m256i, row: usize, target: &mut [i8]) {
        let values = _mm256_mul_ps(_mm256_cvtepi32_ps(sums), self.scale);
        let target = &mut target[self.n..];
        match target.first_chunk_mut::<8>() {
            Some(target) if self.plain => store_i8x8(target, self.quantizer.round(values)),
            _ => self.store_other(values, row, target),
        }
    }

    /// With a residual, an activation, or fewer than eight channels. A function of its own, so that the other case is
    /// short enough to stand in each kernel's loop.
    #[inline(never)]
    #[target_feature(enable = "avx2")]
    fn store_other(&self, mut values: __m256, row: usize, target: &mut [i8]) {
        if let Some(residual) = self.requantize.residual {
            let source = &residual.data[row * residual.stride + self.n..][..self.count];
            let mut addends = [0; 8];
            addends[..self.count].copy_from_slice(source);
            let addends = centred(&addends, _mm256_set1_epi32(residual.zero_point));
            values = _mm256_add_ps(values, _mm256_mul_ps(addends, _mm256_set1_ps(residual.scale)));
        }
        let mut results = [0; 8];
        match self.requantize.activation {
            Activation::Clamp | Activation::Table(_) => self.quantizer.store(values, &mut results),
            Activation::Leaky { slope } => {
                let below = _mm256_mul_ps(values, _mm256_set1_ps(slope));
                self.quantizer.store(_mm256_max_ps(values, below), &mut results);
            }
            Activation::Bump { index_shift, table, fraction, gain } => {
                let gain = load_i16x8(gain[self.n..].first_chunk().expect("gains are padded to 8"));
                store_i8x8(&mut results, self.bump(values, index_shift, table, fraction, gain));
            }
        }
        target[..self.count].copy_from_slice(&results[..self.count]);
    }
}

impl Requantizer<'_> {
    /// [`Activation::Bump`]; eight bytes in the lower half.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn bump(&self, values: __m256, index_shift: u32, table: &[u8; 64], fraction: u32, gain: __m128i) -> __m128i {
        let fitting = _mm256_min_ps(_mm256_max_ps(values, _mm256_set1_ps(-32768.0)), _mm256_set1_ps(32767.0));
        let wide = _mm256_cvtps_epi32(fitting);
        let p = _mm_packs_epi32(_mm256_castsi256_si128(wide), _mm256_extracti128_si256::<1>(wide));
        let half = _mm_set1_epi16((1 << index_shift) / 2);
        let index = _mm_srl_epi16(_mm_add_epi16(_mm_abs_epi16(p), half), _mm_cvtsi32_si128(index_shift.cast_signed()));
        let mut bump = [0; 8];
        store_i8x8(&mut bump, _mm_packus_epi16(index, index));
        let bump = bump.map(|index| table.get(usize::from(index as u8)).map_or(0, |&b| i16::from(b)));
        let y = _mm_sub_epi16(_mm_max_epi16(p, _mm_setzero_si128()), load_i16x8(&bump));
        let Requantize { zero_point, low, high, .. } = self.requantize;
        let offset = (zero_point << fraction) + ((1 << fraction) >> 1);
        let y = _mm_adds_epi16(_mm_mulhrs_epi16(y, gain), _mm_set1_epi16(offset as i16));
        let y = _mm_sra_epi16(y, _mm_cvtsi32_si128(fraction.cast_signed()));
        let y = _mm_min_epi16(_mm_max_epi16(y, _mm_set1_epi16(i16::from(low))), _mm_set1_epi16(i16::from(high)));
        _mm_packs_epi16(y, y)
    }
}

/// Scaling of the channels `n..n + count` (count <= 8) to real numbers.
struct Floats {
    n: usize,
    count: usize,
    scale: __m256,
    low: __m256,
    high: __m256,
}

impl Floats {
    /// Stores the results of one row. `target` is the row from channel 0 on.
    #[inline(never)]
    #[target_feature(enable = "avx2")]
    fn store(&self, sums: __m256i, target: &mut [f32]) {
        let value = _mm256_mul_ps(_mm256_cvtepi32_ps(sums), self.scale);
        let mut results = [0.0; 8];
        store_f32x8(&mut results, _mm256_min_ps(_mm256_max_ps(value, self.low), self.high));
        target[self.n..][..self.count].copy_from_slice(&results[..self.count]);
    }
}

/// What turns the sums of eight output channels into results.
pub(crate) struct Block<'a> {
    bias: __m256i,
    finish: Finish<'a>,
}

enum Finish<'a> {
    I8(Requantizer<'a>),
    F32(Floats),
}

impl<'a> Block<'a> {
    /// For the channels from `n` on of `channels`.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn new(bias: &[i32], output: &Output<'a>, n: usize, channels: usize) -> Self {
        let count = (channels - n).min(8);
        let finish = match output {
            Output::I8 { requantize, .. } => Finish::I8(Requantizer::new(requantize, n, count)),
            Output::F32 { scale, low, high, .. } => Finish::F32(Floats {
                n,
                count,
                scale: load_f32x8(eight(scale, n)),
                low: _mm256_set1_ps(*low),
                high: _mm256_set1_ps(*high),
            }),
        };
        Self { bias: load_i32x8(eight(bias, n)), finish }
    }

    /// Stores the results of one row.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn store(&self, sums: __m256i, row: usize, output: &mut Output<'_>) {
        let sums = _mm256_add_epi32(sums, self.bias);
        match (&self.finish, output) {
            (Finish::I8(requantizer), Output::I8 { data, stride, .. }) => {
                requantizer.store(sums, row, &mut data[row * *stride..]);
            }
            (Finish::F32(floats), Output::F32 { data, stride, .. }) => floats.store(sums, &mut data[row * *stride..]),
            _ => unreachable!("a block is made for the output that it stores to"),
        }
    }
}
