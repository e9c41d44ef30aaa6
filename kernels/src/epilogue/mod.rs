//! What happens to an accumulator before it is stored: the requantisation law, and where results go.
//!
//! **The law**, bit-equal on every ISA. With `acc` (i32, started at the bias) of output channel n:
//!
//! ```text
//! f = f32(acc) * scale[n]                                  to nearest even, twice
//! f = f + f32(r - r_zero_point) * r_scale                  only with a residual; two roundings, no fused multiply-add
//! f = min(max(f, low - zero_point), high - zero_point)     in float, before converting
//! q = zero_point + round_half_even(f)
//! q = table[q + 128]                                       only with a table
//! ```
//!
//! The clamp comes before the conversion because x86 turns an overflow into the smallest integer and Arm saturates. Scales
//! are finite and normal. `|acc| > 2^24` only rounds. Source: knowledge of TensorFlow Lite's `_fp32_` requantisation as
//! XNNPACK defines it, with the zero point added after rounding.

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
    /// The residual's q of real 0.
    pub zero_point: i32,
}

/// From accumulator to I8; see the law.
#[derive(Clone, Copy, Debug)]
pub struct Requantize<'a> {
    /// `[N padded to 8]` (depthwise: to 16): input scale x weight scale\[n\] / output scale.
    pub scale: &'a [f32],
    /// The result's q of real 0, -128..=127.
    pub zero_point: i32,
    /// Smallest result before the table.
    pub low: i8,
    /// Largest result before the table.
    pub high: i8,
    /// Maps q to the result at `q + 128`; for activations that are no clamp.
    pub table: Option<&'a [i8; 256]>,
    /// Added before the clamp.
    pub residual: Option<Residual<'a>>,
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
    pub(crate) const fn grid(&self) -> Grid<'a> {
        Grid { zero_point: self.zero_point, low: self.low, high: self.high, table: self.table }
    }

    /// Panics unless the slices hold `rows` rows of `n` results.
    pub(crate) fn check(&self, rows: usize, n: usize, n_padded: usize) {
        self.grid().check();
        assert!(self.scale.len() >= n_padded, "{} scales for {n_padded} channels", self.scale.len());
        if let Some(residual) = self.residual {
            check_rows("residual", residual.data.len(), residual.stride, rows, n);
        }
    }
}

impl Output<'_> {
    /// The rows from `row` on.
    #[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
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
