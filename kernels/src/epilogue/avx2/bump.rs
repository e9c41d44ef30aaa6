//! [`Activation::Bump`] on two lines of sixteen numbers, all of it in 16-bit integers.
//!
//! A multiplication that keeps the upper half, rounded or not, shifts by a number that is not known in advance, and takes
//! one step where a shift by a register takes two.

use std::arch::x86_64::{
    __m128i, __m256, __m256i, _mm_cvtsi32_si128, _mm_unpackhi_epi64, _mm_unpacklo_epi64, _mm256_abs_epi16,
    _mm256_add_epi8, _mm256_adds_epi16, _mm256_broadcastsi128_si256, _mm256_max_epi8, _mm256_max_epi16,
    _mm256_min_epi8, _mm256_mulhi_epi16, _mm256_mulhrs_epi16, _mm256_packs_epi16, _mm256_set_m128i, _mm256_set1_epi8,
    _mm256_set1_epi16, _mm256_set1_ps, _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_sra_epi16, _mm256_sub_epi16,
    _mm256_unpackhi_epi8, _mm256_unpacklo_epi8, _mm256_xor_si256,
};

use super::{eight, ordered, shorts};
use crate::epilogue::{Activation, Requantize};
use crate::x86::{load_16, load_i16x8};

/// The form's numbers in registers.
#[derive(Clone, Copy)]
pub(super) struct Bump {
    /// The table's quarters from the last to the first, each but the last exclusive-ored with the one after it.
    quarters: [__m256i; 4],
    /// Multiplied by this and divided by 2^15, p becomes an index.
    index: __m256i,
    /// In packed order.
    gain: __m256i,
    /// Zero point and half of a step, before the last shift.
    offset: __m256i,
    /// 2^(16 - fraction).
    last_shift: __m256i,
    fraction: u32,
    bounds: [i8; 2],
}

impl Bump {
    /// For the B x 8 channels from `n` on of a law with [`Activation::Bump`].
    #[inline(never)]
    #[target_feature(enable = "avx2")]
    pub(super) fn new<const B: usize>(requantize: &Requantize<'_>, n: usize) -> Self {
        let Activation::Bump { index_shift, table, fraction, gain } = requantize.activation else {
            unreachable!("asked for a bump only")
        };
        let mut quarters = [_mm256_setzero_si256(); 4];
        let mut after = _mm256_setzero_si256();
        for (quarter, bytes) in quarters.iter_mut().zip(table.as_chunks::<16>().0.iter().rev()) {
            let bytes = _mm256_broadcastsi128_si256(load_16(bytes));
            *quarter = _mm256_xor_si256(bytes, after);
            after = bytes;
        }
        let (first, second) = (load_i16x8(eight(gain, n)), load_i16x8(eight(gain, n + 8 * (B - 1))));
        let offset = (requantize.zero_point << fraction) + ((1 << fraction) >> 1);
        Self {
            quarters,
            index: _mm256_set1_epi16(1 << (15 - index_shift)),
            gain: _mm256_set_m128i(_mm_unpackhi_epi64(first, second), _mm_unpacklo_epi64(first, second)),
            offset: _mm256_set1_epi16(offset as i16),
            last_shift: _mm256_set1_epi16(if fraction < 2 { 0 } else { 1 << (16 - fraction) }),
            fraction,
            bounds: [requantize.low, requantize.high],
        }
    }

    /// Whether there are no bounds but those of i8, and [`Self::last_shift`] is an i16.
    pub(super) const fn is_usual(&self) -> bool {
        self.fraction >= 2 && self.bounds[0] == i8::MIN && self.bounds[1] == i8::MAX
    }

    /// The law from the scaled numbers of two lines on, in order. USUAL says [`Self::is_usual`], and that the numbers are
    /// integers after rounding.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn bytes<const USUAL: bool>(&self, first: [__m256; 2], second: [__m256; 2]) -> __m256i {
        let most = _mm256_set1_ps(32767.0);
        let (first, second) = (shorts::<USUAL>(first, most), shorts::<USUAL>(second, most));
        let bump = self.look_up(_mm256_packs_epi16(self.index(first), self.index(second)));
        let zero = _mm256_setzero_si256();
        let first = self.rescaled(first, _mm256_unpacklo_epi8(bump, zero));
        let second = self.rescaled(second, _mm256_unpackhi_epi8(bump, zero));
        if USUAL {
            let shifted = |y: __m256i| _mm256_mulhi_epi16(y, self.last_shift);
            return ordered(_mm256_packs_epi16(shifted(first), shifted(second)));
        }
        let fraction: __m128i = _mm_cvtsi32_si128(self.fraction.cast_signed());
        let q = _mm256_packs_epi16(_mm256_sra_epi16(first, fraction), _mm256_sra_epi16(second, fraction));
        let [low, high] = self.bounds;
        ordered(_mm256_min_epi8(_mm256_max_epi8(q, _mm256_set1_epi8(low)), _mm256_set1_epi8(high)))
    }

    /// i of p; that of -32768, whose magnitude is no i16, becomes negative.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn index(&self, p: __m256i) -> __m256i {
        _mm256_mulhrs_epi16(_mm256_abs_epi16(p), self.index)
    }

    /// The table at indices -128..=127, which is 0 outside of 0..=63. A shuffle looks at the lower four bits of an index
    /// and answers 0 for a negative one, and a sum may wrap around to negative: so each quarter, from the last on, is added
    /// to indices below its end as its difference from the one after it.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn look_up(&self, index: __m256i) -> __m256i {
        let mut result = _mm256_setzero_si256();
        let mut index = _mm256_add_epi8(index, _mm256_set1_epi8(64 - 16));
        for &quarter in &self.quarters {
            index = _mm256_add_epi8(index, _mm256_set1_epi8(16));
            result = _mm256_xor_si256(result, _mm256_shuffle_epi8(quarter, index));
        }
        result
    }

    /// From p and its bump to q before the last shift.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn rescaled(&self, p: __m256i, bump: __m256i) -> __m256i {
        let y = _mm256_sub_epi16(_mm256_max_epi16(p, _mm256_setzero_si256()), bump);
        _mm256_adds_epi16(_mm256_mulhrs_epi16(y, self.gain), self.offset)
    }
}
