//! What happens to an accumulator before it is stored: the requantisation law, and where results go.
//!
//! **The law**, bit-equal on every ISA. With `acc` (i32, started at the bias) of output channel n:
//!
//! ```text
//! f = f32(acc) * scale[n]                                  to nearest even, twice
//! f = f + f32(r - r_zero_point) * r_scale                  only with a residual; two roundings, no fused multiply-add
//! f = max(f, f * slope)                                    only Leaky
//! f = min(max(f, low - zero_point), high - zero_point)     in float, before converting
//! q = zero_point + round_half_even(f)
//! q = table[q + 128]                                       only Table
//! ```
//!
//! The clamp comes before the conversion because x86 turns an overflow into the smallest integer and Arm saturates; its
//! bounds are integers, so a clamp of saturated integers after it gives the same. Scales are finite and normal.
//! `|acc| > 2^24` only rounds. Source: knowledge of TensorFlow Lite's `_fp32_` requantisation as XNNPACK defines it, with
//! the zero point added after rounding.
//!
//! **Bump** is the law of activations for which relu(x) - a(x) is even: SiLU, hard-swish, GELU. There a(x) is
//! max(x, 0) - b(|x|) with a bump b that is small and gone a few units from 0 (SiLU: |x| / (1 + e^|x|), at most 0.2785),
//! so a table of b is short, and nothing has to fit into 8 bits before the activation. In integers, with u = the real
//! number that a step of p stands for:
//!
//! ```text
//! p = saturate_i16(round_half_even(f32(acc) * scale[n]))       scale[n] = input scale * weight scale[n] / u
//! i = (|p| + 2^index_shift / 2) >> index_shift                 a step of i is u * 2^index_shift
//! y = max(p, 0) - (i < 64 ? table[i] : 0)                      table in units of u
//! y = (y * gain[n] + 2^14) >> 15                               gain[n] = u / output scale[n] * 2^(fraction + 15)
//! y = saturate_i16(y + (zero_point << fraction) + (2^fraction >> 1)) >> fraction
//! q = min(max(y, low), high)
//! ```

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "aarch64")]
pub(crate) mod neon;
mod scalar;
#[cfg(test)]
mod tests;

/// A tensor that is added to the result in real numbers.
#[derive(Clone, Copy, Debug)]
pub struct Residual<'a> {
    /// `[rows][stride]`, the first `n` of each row are read.
    pub data: &'a [i8],
    /// Elements from row to row.
    pub stride: usize,
    /// Scale of the residual / scale of the result.
    pub scale: f32,
    /// The residual's q of real 0, -128..=127.
    pub zero_point: i32,
}

/// From accumulator to I8; see the law.
#[derive(Clone, Copy, Debug)]
pub struct Requantize<'a> {
    /// `[N padded to 8]` (depthwise: to 16): input scale x weight scale\[n\] / output scale.
    pub scale: &'a [f32],
    /// The result's q of real 0, -128..=127.
    pub zero_point: i32,
    /// Smallest result; with a table, smallest before it.
    pub low: i8,
    /// Largest result; with a table, largest before it.
    pub high: i8,
    /// What else happens to the result.
    pub activation: Activation<'a>,
    /// Added before the clamp; only with [`Activation::Clamp`] and [`Activation::Table`].
    pub residual: Option<Residual<'a>>,
}

/// The forms of the law. `low` and `high` hold in each.
#[derive(Clone, Copy, Debug)]
pub enum Activation<'a> {
    /// None, ReLU, ReLU6: the bounds are all.
    Clamp,
    /// The identity above 0 and a slope below.
    Leaky {
        /// 0 < slope < 1.
        slope: f32,
    },
    /// A bump below the ramp, e.g. SiLU; see the module.
    Bump {
        /// From |p| to the table's index, 1..=8.
        index_shift: u32,
        /// b in units of u.
        table: &'a [u8; 64],
        /// Bits behind the point before the last shift, 0..=8.
        fraction: u32,
        /// `[N padded to 8]` (depthwise: to 16), positive.
        gain: &'a [i16],
    },
    /// Any other function of the clamped result: maps q to the result at `q + 128`.
    Table(&'a [i8; 256]),
}

/// The cases that loops are made for. All but [`form::CLAMP`] and [`form::RESIDUAL`] have no bounds but those of i8, which
/// saturating conversions keep by themselves.
#[cfg(target_arch = "aarch64")]
pub(crate) mod form {
    /// [`super::Activation::Clamp`].
    pub(crate) const CLAMP: u8 = 0;
    /// The same without bounds.
    pub(crate) const PLAIN: u8 = 1;
    /// The same with a zero point of -128: a ReLU.
    pub(crate) const RELU: u8 = 2;
    /// [`super::Activation::Clamp`] with a residual.
    pub(crate) const RESIDUAL: u8 = 3;
    /// [`super::Activation::Leaky`].
    pub(crate) const LEAKY: u8 = 4;
    /// [`super::Activation::Bump`].
    pub(crate) const BUMP: u8 = 5;
    /// The same with an index shift of 6, which the converter likes: shifts that are known narrow at the same time.
    pub(crate) const BUMP_6: u8 = 7;
    /// The same of 7.
    pub(crate) const BUMP_7: u8 = 8;
    /// All else: tables, floats, other activations with bounds, fewer channels than a block has.
    pub(crate) const OTHER: u8 = 6;
}

/// Where the results of a convolution go. Only the first N of each row are written.
#[derive(Debug)]
pub enum Output<'a> {
    /// By the law.
    I8 {
        /// `[rows][stride]`.
        data: &'a mut [i8],
        /// Elements from row to row.
        stride: usize,
        /// The law's numbers.
        requantize: Requantize<'a>,
    },
    /// `min(max(f32(acc) * scale[n], low), high)`.
    F32 {
        /// `[rows][stride]`.
        data: &'a mut [f32],
        /// Elements from row to row.
        stride: usize,
        /// `[N padded to 8]`: input scale x weight scale\[n\].
        scale: &'a [f32],
        /// Smallest result, may be minus infinity.
        low: f32,
        /// Largest result, may be infinity.
        high: f32,
    },
}

/// The part of the law that knows no channel: clamp, rounding, zero point, table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grid<'a> {
    pub(crate) zero_point: i32,
    pub(crate) low: i8,
    pub(crate) high: i8,
    pub(crate) table: Option<&'a [i8; 256]>,
}

impl Grid<'_> {
    /// The clamp's bounds around the zero point.
    pub(crate) fn bounds(&self) -> (f32, f32) {
        ((i32::from(self.low) - self.zero_point) as f32, (i32::from(self.high) - self.zero_point) as f32)
    }

    /// Panics on a zero point that is no i8 or on bounds in the wrong order.
    pub(crate) fn check(&self) {
        assert!((-128..=127).contains(&self.zero_point), "zero point {}", self.zero_point);
        assert!(self.low <= self.high, "clamp {}..={}", self.low, self.high);
    }
}

impl<'a> Requantize<'a> {
    /// The law from the clamp on; not for [`Activation::Bump`].
    pub(crate) const fn grid(&self) -> Grid<'a> {
        let table = if let Activation::Table(table) = self.activation { Some(table) } else { None };
        Grid { zero_point: self.zero_point, low: self.low, high: self.high, table }
    }

    /// The [`form`] of whole blocks.
    #[cfg(target_arch = "aarch64")]
    pub(crate) const fn form(&self) -> u8 {
        let whole = self.low == i8::MIN && self.high == i8::MAX;
        match (self.activation, self.residual) {
            (Activation::Clamp, None) if whole && self.zero_point == -128 => form::RELU,
            (Activation::Clamp, None) if whole => form::PLAIN,
            (Activation::Clamp, None) => form::CLAMP,
            (Activation::Clamp, Some(_)) => form::RESIDUAL,
            (Activation::Leaky { .. }, _) if whole => form::LEAKY,
            (Activation::Bump { index_shift: 6, .. }, _) if whole => form::BUMP_6,
            (Activation::Bump { index_shift: 7, .. }, _) if whole => form::BUMP_7,
            (Activation::Bump { .. }, _) if whole => form::BUMP,
            _ => form::OTHER,
        }
    }

    /// Panics unless the slices hold `rows` rows of `n` results.
    pub(crate) fn check(&self, rows: usize, n: usize, n_padded: usize) {
        self.grid().check();
        assert!(self.scale.len() >= n_padded, "{} scales for {n_padded} channels", self.scale.len());
        match self.activation {
            Activation::Clamp | Activation::Table(_) => {}
            Activation::Leaky { slope } => assert!(0.0 < slope && slope < 1.0, "a slope of {slope}"),
            Activation::Bump { index_shift, fraction, gain, .. } => {
                assert!((1..=8).contains(&index_shift) && fraction <= 8, "shifts {index_shift}, {fraction}");
                assert!(gain.len() >= n_padded, "{} gains for {n_padded} channels", gain.len());
            }
        }
        if let Some(residual) = self.residual {
            let before = matches!(self.activation, Activation::Clamp | Activation::Table(_));
            assert!(before, "a residual is added before a clamp, not before {:?}", self.activation);
            assert!((-128..=127).contains(&residual.zero_point), "a residual's zero point {}", residual.zero_point);
            check_rows("residual", residual.data.len(), residual.stride, rows, n);
        }
    }
}

impl Output<'_> {
    /// The [`form`] of a block of `count` channels.
    #[cfg(target_arch = "aarch64")]
    pub(crate) const fn form(&self, count: usize) -> u8 {
        match self {
            Self::I8 { requantize, .. } if count == 8 => requantize.form(),
            _ => form::OTHER,
        }
    }

    /// The rows from `row` on.
    #[cfg(target_arch = "aarch64")]
    pub(crate) fn below(&mut self, row: usize) -> Output<'_> {
        match self {
            Self::I8 { data, stride, requantize } => {
                let residual = requantize
                    .residual
                    .map(|residual| Residual { data: &residual.data[row * residual.stride..], ..residual });
                let requantize = Requantize { residual, ..*requantize };
                Output::I8 { data: &mut data[row * *stride..], stride: *stride, requantize }
            }
            Self::F32 { data, stride, scale, low, high } => {
                Output::F32 { data: &mut data[row * *stride..], stride: *stride, scale, low: *low, high: *high }
            }
        }
    }

    /// Panics unless the slices hold `rows` rows of `n` results.
    pub(crate) fn check(&self, rows: usize, n: usize) {
        let n_padded = n.next_multiple_of(8);
        match self {
            Self::I8 { data, stride, requantize } => {
                check_rows("output", data.len(), *stride, rows, n);
                requantize.check(rows, n, n_padded);
            }
            Self::F32 { data, stride, scale, .. } => {
                check_rows("output", data.len(), *stride, rows, n);
                assert!(scale.len() >= n_padded, "{} scales for {n_padded} channels", scale.len());
            }
        }
    }
}

/// Panics unless `length` elements hold `rows` rows of `width`, `stride` apart.
pub(crate) fn check_rows(what: &str, length: usize, stride: usize, rows: usize, width: usize) {
    let needed = if rows == 0 { 0 } else { (rows - 1) * stride + width };
    assert!(
        length >= needed,
        "the {what} holds {length} elements, {rows} rows of {width}, {stride} apart, need {needed}"
    );
    assert!(rows < 2 || stride >= width, "the {what}'s rows of {width} overlap at a stride of {stride}");
}
