//! The law, one value at a time.

use super::{Activation, Grid, Output, Requantize};

impl Grid<'_> {
    /// The law from the clamp on.
    pub(crate) fn quantize(&self, value: f32) -> i8 {
        let (low, high) = self.bounds();
        let q = self.zero_point + value.max(low).min(high).round_ties_even() as i32;
        self.table.map_or(q as i8, |table| table[(q + 128) as usize])
    }
}

impl Requantize<'_> {
    /// The law for one accumulator.
    pub(crate) fn value(&self, accumulator: i32, row: usize, n: usize) -> i8 {
        let mut value = accumulator as f32 * self.scale[n];
        if let Some(residual) = self.residual {
            let r = i32::from(residual.data[row * residual.stride + n]) - residual.zero_point;
            value += r as f32 * residual.scale;
        }
        match self.activation {
            Activation::Clamp | Activation::Table(_) => self.grid().quantize(value),
            Activation::Leaky { slope } => self.grid().quantize(value.max(value * slope)),
            Activation::Bump { index_shift, table, fraction, gain } => {
                let p = (value.round_ties_even() as i32).clamp(-32768, 32767);
                let index = (p.abs() + (1 << index_shift) / 2) >> index_shift;
                let y = p.max(0) - table.get(index as usize).map_or(0, |&b| i32::from(b));
                let y = (y * i32::from(gain[n]) + (1 << 14)) >> 15;
                let y = y + (self.zero_point << fraction) + ((1 << fraction) >> 1);
                let y = y.clamp(-32768, 32767) >> fraction;
                y.clamp(i32::from(self.low), i32::from(self.high)) as i8
            }
        }
    }
}

impl Output<'_> {
    /// Stores the result of channel `n` of `row`.
    pub(crate) fn put(&mut self, row: usize, n: usize, accumulator: i32) {
        match self {
            Self::I8 { data, stride, requantize } => {
                data[row * *stride + n] = requantize.value(accumulator, row, n);
            }
            Self::F32 { data, stride, scale, low, high } => {
                data[row * *stride + n] = (accumulator as f32 * scale[n]).max(*low).min(*high);
            }
        }
    }
}
