//! The law on NEON, eight channels at a time.

use std::arch::aarch64::{
    float32x4_t, int8x8_t, int16x8_t, int32x4_t, uint8x16x4_t, vabsq_s16, vaddq_f32, vaddq_s32, vcombine_s16,
    vcvtnq_s32_f32, vcvtq_f32_s32, vdup_n_s8, vdupq_n_f32, vdupq_n_s16, vdupq_n_s32, vget_high_s16, vget_low_s16,
    vmax_s8, vmaxq_f32, vmaxq_s16, vmin_s8, vminq_f32, vmovl_s8, vmovl_s16, vmulq_f32, vmulq_n_f32, vqaddq_s16,
    vqmovn_s16, vqmovn_s32, vqmovn_u16, vqrdmulhq_s16, vqtbl4_u8, vreinterpretq_s16_u16, vreinterpretq_u16_s16,
    vrshlq_u16, vshlq_s16, vsubq_s32, vsubw_u8,
};

use super::{Activation, Grid, Output, Requantize};
use crate::arm::{load_f32x4, load_i8x8, load_i16x8, load_i32x4, load_u8x64, store_f32x4, store_i8x8};

/// Splits `n..n + 8` of a slice into two registers' worth.
#[inline]
fn halves<T>(source: &[T], n: usize) -> [&[T; 4]; 2] {
    let (halves, _) = source[n..n + 8].as_chunks::<4>();
    [&halves[0], &halves[1]]
}

/// [`Grid`] in registers.
#[derive(Clone, Copy)]
pub(crate) struct Quantizer<'a> {
    low: float32x4_t,
    high: float32x4_t,
    zero_point: int32x4_t,
    table: Option<&'a [i8; 256]>,
}

impl<'a> Quantizer<'a> {
    #[inline]
    #[target_feature(enable = "neon")]
    pub(crate) fn new(grid: &Grid<'a>) -> Self {
        let (low, high) = grid.bounds();
        Self {
            low: vdupq_n_f32(low),
            high: vdupq_n_f32(high),
            zero_point: vdupq_n_s32(grid.zero_point),
            table: grid.table,
        }
    }

    /// The law from the clamp to the rounding.
    #[inline]
    #[target_feature(enable = "neon")]
    fn round(&self, values: [float32x4_t; 2]) -> int8x8_t {
        let [a, b] = values.map(|value| {
            let clamped = vminq_f32(vmaxq_f32(value, self.low), self.high);
            vqmovn_s32(vaddq_s32(vcvtnq_s32_f32(clamped), self.zero_point))
        });
        vqmovn_s16(vcombine_s16(a, b))
    }

    /// The law from the clamp on.
    #[inline]
    #[target_feature(enable = "neon")]
    pub(crate) fn store(&self, values: [float32x4_t; 2], target: &mut [i8; 8]) {
        store_i8x8(target, self.round(values));
        if let Some(table) = self.table {
            *target = target.map(|q| table[usize::from((i16::from(q) + 128) as u8)]);
        }
    }
}

/// f32(q - zero point) of eight bytes.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn centred(q: &[i8; 8], zero_point: int32x4_t) -> [float32x4_t; 2] {
    let wide = vmovl_s8(load_i8x8(q));
    [vget_low_s16(wide), vget_high_s16(wide)].map(|half| vcvtq_f32_s32(vsubq_s32(vmovl_s16(half), zero_point)))
}

/// Requantisation of the channels `n..n + count` (count <= 8) in registers.
pub(crate) struct Requantizer<'a> {
    n: usize,
    count: usize,
    /// All eight channels, no residual, a clamp and nothing else.
    plain: bool,
    scale: [float32x4_t; 2],
    quantizer: Quantizer<'a>,
    requantize: Requantize<'a>,
}

impl<'a> Requantizer<'a> {
    #[inline]
    #[target_feature(enable = "neon")]
    pub(crate) fn new(requantize: &Requantize<'a>, n: usize, count: usize) -> Self {
        Self {
            n,
            count,
            plain: count == 8 && requantize.residual.is_none() && matches!(requantize.activation, Activation::Clamp),
            scale: halves(requantize.scale, n).map(|half| load_f32x4(half)),
            quantizer: Quantizer::new(&requantize.grid()),
            requantize: *requantize,
        }
    }

    /// Stores the results of one row. `target` is the row from channel 0 on.
    #[inline]
    #[target_feature(enable = "neon")]
    pub(crate) fn store(&self, sums: [int32x4_t; 2], row: usize, target: &mut [i8]) {
        let values = [0, 1].map(|half| vmulq_f32(vcvtq_f32_s32(sums[half]), self.scale[half]));
        let target = &mut target[self.n..];
        match target.first_chunk_mut::<8>() {
            Some(target) if self.plain => store_i8x8(target, self.quantizer.round(values)),
            _ => self.store_other(values, row, target),
        }
    }

    /// With a residual, an activation, or fewer than eight channels. A function of its own, so that the other case is
    /// short enough to stand in each kernel's loop.
    #[inline(never)]
    #[target_feature(enable = "neon")]
    fn store_other(&self, mut values: [float32x4_t; 2], row: usize, target: &mut [i8]) {
        if let Some(residual) = self.requantize.residual {
            let source = &residual.data[row * residual.stride + self.n..][..self.count];
            let mut addends = [0; 8];
            addends[..self.count].copy_from_slice(source);
            let addends = centred(&addends, vdupq_n_s32(residual.zero_point));
            let scale = vdupq_n_f32(residual.scale);
            values = [0, 1].map(|half| vaddq_f32(values[half], vmulq_f32(addends[half], scale)));
        }
        let mut results = [0; 8];
        match self.requantize.activation {
            Activation::Clamp | Activation::Table(_) => self.quantizer.store(values, &mut results),
            Activation::Leaky { slope } => {
                let values = [0, 1].map(|half| vmaxq_f32(values[half], vmulq_n_f32(values[half], slope)));
                self.quantizer.store(values, &mut results);
            }
            Activation::Bump { index_shift, table, fraction, gain } => {
                let gain = load_i16x8(gain[self.n..].first_chunk().expect("gains are padded to 8"));
                store_i8x8(&mut results, self.bump(values, index_shift, load_u8x64(table), fraction, gain));
            }
        }
        target[..self.count].copy_from_slice(&results[..self.count]);
    }
}

impl Requantizer<'_> {
    /// [`Activation::Bump`].
    #[inline]
    #[target_feature(enable = "neon")]
    fn bump(
        &self,
        values: [float32x4_t; 2],
        index_shift: u32,
        table: uint8x16x4_t,
        fraction: u32,
        gain: int16x8_t,
    ) -> int8x8_t {
        let [a, b] = values.map(|value| vqmovn_s32(vcvtnq_s32_f32(value)));
        let p = vcombine_s16(a, b);
        let left = |shift: u32| vdupq_n_s16(-(shift as i16));
        let index = vrshlq_u16(vreinterpretq_u16_s16(vabsq_s16(p)), left(index_shift));
        let bump = vqtbl4_u8(table, vqmovn_u16(index));
        let ramp = vreinterpretq_u16_s16(vmaxq_s16(p, vdupq_n_s16(0)));
        let y = vqrdmulhq_s16(vreinterpretq_s16_u16(vsubw_u8(ramp, bump)), gain);
        let Requantize { zero_point, low, high, .. } = self.requantize;
        let offset = (zero_point << fraction) + ((1 << fraction) >> 1);
        let y = vshlq_s16(vqaddq_s16(y, vdupq_n_s16(offset as i16)), left(fraction));
        vmin_s8(vmax_s8(vqmovn_s16(y), vdup_n_s8(low)), vdup_n_s8(high))
    }
}

/// Scaling of the channels `n..n + count` (count <= 8) to real numbers.
struct Floats {
    n: usize,
    count: usize,
    scale: [float32x4_t; 2],
    low: float32x4_t,
    high: float32x4_t,
}

impl Floats {
    /// Stores the results of one row. `target` is the row from channel 0 on.
    #[inline(never)]
    #[target_feature(enable = "neon")]
    fn store(&self, sums: [int32x4_t; 2], target: &mut [f32]) {
        let mut results = [[0.0; 4]; 2];
        for half in 0..2 {
            let value = vmulq_f32(vcvtq_f32_s32(sums[half]), self.scale[half]);
            store_f32x4(&mut results[half], vminq_f32(vmaxq_f32(value, self.low), self.high));
        }
        target[self.n..][..self.count].copy_from_slice(&results.as_flattened()[..self.count]);
    }
}

/// What turns the sums of eight output channels into results.
pub(crate) struct Block<'a> {
    bias: [int32x4_t; 2],
    finish: Finish<'a>,
}

enum Finish<'a> {
    I8(Requantizer<'a>),
    F32(Floats),
}

impl<'a> Block<'a> {
    /// For the channels from `n` on of `channels`.
    #[inline]
    #[target_feature(enable = "neon")]
    pub(crate) fn new(bias: &[i32], output: &Output<'a>, n: usize, channels: usize) -> Self {
        let count = (channels - n).min(8);
        let finish = match output {
            Output::I8 { requantize, .. } => Finish::I8(Requantizer::new(requantize, n, count)),
            Output::F32 { scale, low, high, .. } => Finish::F32(Floats {
                n,
                count,
                scale: halves(scale, n).map(|half| load_f32x4(half)),
                low: vdupq_n_f32(*low),
                high: vdupq_n_f32(*high),
            }),
        };
        Self { bias: halves(bias, n).map(|half| load_i32x4(half)), finish }
    }

    /// Stores the results of one row.
    #[inline]
    #[target_feature(enable = "neon")]
    pub(crate) fn store(&self, sums: [int32x4_t; 2], row: usize, output: &mut Output<'_>) {
        let sums = [0, 1].map(|half| vaddq_s32(sums[half], self.bias[half]));
        match (&self.finish, output) {
            (Finish::I8(requantizer), Output::I8 { data, stride, .. }) => {
                requantizer.store(sums, row, &mut data[row * *stride..]);
            }
            (Finish::F32(floats), Output::F32 { data, stride, .. }) => floats.store(sums, &mut data[row * *stride..]),
            _ => unreachable!("a block is made for the output that it stores to"),
        }
    }
}
