//! [`Activation::Bump`] on two rows of sixteen channels, all of it in 16-bit integers.

use std::arch::x86_64::{
    __m128i, __m256, __m256i, _mm_cvtsi32_si128, _mm_unpackhi_epi64, _mm_unpacklo_epi64, _mm256_abs_epi16,
    _mm256_add_epi16, _mm256_adds_epi16, _mm256_broadcastsi128_si256, _mm256_max_epi8, _mm256_max_epi16,
    _mm256_min_epi8, _mm256_mulhrs_epi16, _mm256_packs_epi16, _mm256_set_m128i, _mm256_set1_epi8, _mm256_set1_epi16,
    _mm256_set1_ps, _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_sra_epi16, _mm256_srl_epi16, _mm256_sub_epi8,
    _mm256_sub_epi16, _mm256_unpackhi_epi8, _mm256_unpacklo_epi8, _mm256_xor_si256,
};

use super::{ordered, shorts};
use crate::epilogue::{Activation, Requantize};
use crate::x86::{load_16, load_i16x8};

/// The form's numbers in registers.
pub(super) struct Bump {
    /// The table's quarters, each exclusive-ored with the one before; last the last quarter, to end it.
    quarters: [__m256i; 5],
    /// Half of an index step, and log2 of it.
    half: __m256i,
    index_shift: __m128i,
    /// In packed order.
    gain: __m256i,
    /// Zero point and half of a step, before the last shift.
    offset: __m256i,
    fraction: __m128i,
    low: __m256i,
    high: __m256i,
}

impl Bump {
    /// For the B x 8 channels from `n` on of a law with [`Activation::Bump`].
    #[inline(never)]
    #[target_feature(enable = "avx2")]
    pub(super) fn new<const B: usize>(requantize: &Requantize<'_>, n: usize) -> Self {
        let Activation::Bump { index_shift, table, fraction, gain } = requantize.activation else {
            unreachable!("asked for a bump only")
        };
        let mut quarters = [_mm256_setzero_si256(); 5];
        let mut before = _mm256_setzero_si256();
        for (quarter, bytes) in quarters.iter_mut().zip(table.as_chunks::<16>().0) {
            let bytes = _mm256_broadcastsi128_si256(load_16(bytes));
            *quarter = _mm256_xor_si256(bytes, before);
            before = bytes;
        }
        quarters[4] = before;
        let first = load_i16x8(super::eight(gain, n));
        let second = load_i16x8(super::eight(gain, n + 8 * (B - 1)));
        let offset = (requantize.zero_point << fraction) + ((1 << fraction) >> 1);
        Self {
            quarters,
            half: _mm256_set1_epi16((1 << index_shift) / 2),
            index_shift: _mm_cvtsi32_si128(index_shift.cast_signed()),
            gain: _mm256_set_m128i(_mm_unpackhi_epi64(first, second), _mm_unpacklo_epi64(first, second)),
            offset: _mm256_set1_epi16(offset as i16),
            fraction: _mm_cvtsi32_si128(fraction.cast_signed()),
            low: _mm256_set1_epi8(requantize.low),
            high: _mm256_set1_epi8(requantize.high),
        }
    }

    /// The law from the scaled numbers of two rows on, in order: sixteen bytes a row.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn bytes<const B: usize>(&self, first: [__m256; B], second: [__m256; B]) -> __m256i {
        let largest = _mm256_set1_ps(32767.0);
        let (first, second) = (shorts(first, largest), shorts(second, largest));
        // An index is at most 16384 and saturates to 127, beyond the table.
        let bump = self.look_up(_mm256_packs_epi16(self.index(first), self.index(second)));
        let zero = _mm256_setzero_si256();
        let first = self.rescaled(first, _mm256_unpacklo_epi8(bump, zero));
        let second = self.rescaled(second, _mm256_unpackhi_epi8(bump, zero));
        let q = _mm256_packs_epi16(first, second);
        ordered(_mm256_min_epi8(_mm256_max_epi8(q, self.low), self.high))
    }

    /// i of p. The magnitude of -32768 is right as an unsigned number, and the sum stays one.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn index(&self, p: __m256i) -> __m256i {
        _mm256_srl_epi16(_mm256_add_epi16(_mm256_abs_epi16(p), self.half), self.index_shift)
    }

    /// The table at indices 0..=127, which is 0 from 64 on. A shuffle looks at the lower four bits of an index and answers
    /// 0 for a negative one: so each quarter from the index's own back adds its difference from the one before it.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn look_up(&self, mut index: __m256i) -> __m256i {
        let mut result = _mm256_shuffle_epi8(self.quarters[0], index);
        for &quarter in &self.quarters[1..] {
            index = _mm256_sub_epi8(index, _mm256_set1_epi8(16));
            result = _mm256_xor_si256(result, _mm256_shuffle_epi8(quarter, index));
        }
        result
    }

    /// From p and its bump to q, before the clamp.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn rescaled(&self, p: __m256i, bump: __m256i) -> __m256i {
        let y = _mm256_sub_epi16(_mm256_max_epi16(p, _mm256_setzero_si256()), bump);
        let y = _mm256_adds_epi16(_mm256_mulhrs_epi16(y, self.gain), self.offset);
        _mm256_sra_epi16(y, self.fraction)
    }
}
