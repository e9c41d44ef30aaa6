//! The law on NEON, sixteen results at a time.
//!
//! The clamp stands behind the conversions, on bytes: they saturate, and the bounds are integers.

use std::arch::aarch64::{
    float32x4_t, int8x16_t, int16x8_t, int32x4_t, uint8x16x4_t, vabsq_s16, vaddq_f32, vcombine_s8, vcvtnq_s32_f32,
    vcvtq_f32_s32, vdupq_n_f32, vdupq_n_s8, vdupq_n_s16, vdupq_n_u8, veorq_u8, vget_low_s8, vget_low_s16, vget_low_u8,
    vmaxq_f32, vmaxq_s8, vmaxq_s16, vminq_f32, vminq_s8, vmovl_high_s16, vmovl_s16, vmulq_f32, vqaddq_s16,
    vqmovn_high_s16, vqmovn_high_s32, vqmovn_high_u16, vqmovn_s16, vqmovn_s32, vqmovn_u16, vqmovun_high_s16,
    vqmovun_s16, vqrdmulhq_s16, vqrshrn_high_n_u16, vqrshrn_n_u16, vqshlq_s16, vqtbl4q_u8, vreinterpretq_s8_s16,
    vreinterpretq_s8_u8, vreinterpretq_s16_u16, vreinterpretq_u16_s16, vrshlq_u16, vsubl_high_s8, vsubl_s8,
    vsubw_high_u8, vsubw_u8, vuzp2q_s8,
};

use std::ops::Range;

use super::{Activation, Grid, Output, Requantize, Residual, form};
use crate::arm::{
    load_f32x4, load_i8x8, load_i8x16, load_i16x8, load_i32x4, load_u8x64, store_f32x4, store_halves, store_i8x8,
    store_i8x16,
};
use crate::strided::{Cells, CellsMut};

/// Four registers of sums or of real numbers: sixteen results.
type Quads<T> = [T; 4];

/// The elements `n..n + 8` in two halves.
#[inline]
fn halves<T>(source: &[T], n: usize) -> [&[T; 4]; 2] {
    let (halves, _) = source[n..n + 8].as_chunks::<4>();
    [&halves[0], &halves[1]]
}

/// Eight scales from `n` on.
#[inline]
#[target_feature(enable = "neon")]
fn scales(source: &[f32], n: usize) -> [float32x4_t; 2] {
    let [low, high] = halves(source, n);
    [load_f32x4(low), load_f32x4(high)]
}

/// Rounded to integers, saturated to 16 bits.
#[inline]
#[target_feature(enable = "neon")]
fn rounded(values: Quads<float32x4_t>) -> [int16x8_t; 2] {
    let [a, b, c, d] = values;
    [
        vqmovn_high_s32(vqmovn_s32(vcvtnq_s32_f32(a)), vcvtnq_s32_f32(b)),
        vqmovn_high_s32(vqmovn_s32(vcvtnq_s32_f32(c)), vcvtnq_s32_f32(d)),
    ]
}

/// f32(q - zero point) of sixteen bytes.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn centred(q: int8x16_t, zero_point: int8x16_t) -> Quads<float32x4_t> {
    let low = vsubl_s8(vget_low_s8(q), vget_low_s8(zero_point));
    let high = vsubl_high_s8(q, zero_point);
    [
        vcvtq_f32_s32(vmovl_s16(vget_low_s16(low))),
        vcvtq_f32_s32(vmovl_high_s16(low)),
        vcvtq_f32_s32(vmovl_s16(vget_low_s16(high))),
        vcvtq_f32_s32(vmovl_high_s16(high)),
    ]
}

/// [`Grid`] in registers.
#[derive(Clone, Copy)]
pub(crate) struct Quantizer<'a> {
    low: int8x16_t,
    high: int8x16_t,
    zero_point: int16x8_t,
    table: Option<&'a [i8; 256]>,
}

impl<'a> Quantizer<'a> {
    #[inline]
    #[target_feature(enable = "neon")]
    pub(crate) fn new(grid: &Grid<'a>) -> Self {
        Self {
            low: vdupq_n_s8(grid.low),
            high: vdupq_n_s8(grid.high),
            zero_point: vdupq_n_s16(grid.zero_point as i16),
            table: grid.table,
        }
    }

    /// Within the bounds.
    #[inline]
    #[target_feature(enable = "neon")]
    fn bounded(&self, q: int8x16_t) -> int8x16_t {
        vminq_s8(vmaxq_s8(q, self.low), self.high)
    }

    /// Rounded, with the zero point, saturated.
    #[inline]
    #[target_feature(enable = "neon")]
    fn whole(&self, values: Quads<float32x4_t>) -> int8x16_t {
        let [a, b] = rounded(values);
        let a = vqmovn_s16(vqaddq_s16(a, self.zero_point));
        vqmovn_high_s16(a, vqaddq_s16(b, self.zero_point))
    }

    /// [`Self::whole`] for a zero point of -128: unsigned saturation ends at 0, and flipping the highest bit takes 128 off.
    #[inline]
    #[target_feature(enable = "neon")]
    fn relu(values: Quads<float32x4_t>) -> int8x16_t {
        let [a, b] = rounded(values);
        let q = vqmovun_high_s16(vqmovun_s16(a), b);
        vreinterpretq_s8_u8(veorq_u8(q, vdupq_n_u8(0x80)))
    }

    /// The law from the clamp on.
    #[inline]
    #[target_feature(enable = "neon")]
    pub(crate) fn store(&self, values: Quads<float32x4_t>, target: &mut [i8; 16]) {
        store_i8x16(target, self.bounded(self.whole(values)));
        if let Some(table) = self.table {
            for q in target {
                *q = table[usize::from((i16::from(*q) + 128) as u8)];
            }
        }
    }
}

/// The numbers of the law that know no channel, in registers.
struct Law<'a> {
    quantizer: Quantizer<'a>,
    slope: float32x4_t,
    residual_scale: float32x4_t,
    residual_zero_point: int8x16_t,
    /// A shift to the left, so negative.
    index_shift: int16x8_t,
    /// 8 - fraction.
    fraction: int16x8_t,
    offset: int16x8_t,
    bump: uint8x16x4_t,
}

/// Those that do: of sixteen results.
struct Channels {
    scale: Quads<float32x4_t>,
    gain: [int16x8_t; 2],
}

impl<'a> Law<'a> {
    #[inline]
    #[target_feature(enable = "neon")]
    fn new(requantize: &Requantize<'a>) -> Self {
        let (mut slope, mut shifts, mut bump) = (0.0, [0; 2], &[0; 64]);
        match requantize.activation {
            Activation::Clamp | Activation::Table(_) => {}
            Activation::Leaky { slope: below } => slope = below,
            Activation::Bump { index_shift, table, fraction, .. } => (shifts, bump) = ([index_shift, fraction], table),
        }
        let residual = requantize.residual.map(|Residual { scale, zero_point, .. }| (scale, zero_point));
        let (residual_scale, residual_zero_point) = residual.unwrap_or_default();
        let offset = (requantize.zero_point << shifts[1]) + ((1 << shifts[1]) >> 1);
        Self {
            quantizer: Quantizer::new(&requantize.grid()),
            slope: vdupq_n_f32(slope),
            residual_scale: vdupq_n_f32(residual_scale),
            residual_zero_point: vdupq_n_s8(residual_zero_point as i8),
            index_shift: vdupq_n_s16(-(shifts[0] as i16)),
            fraction: vdupq_n_s16(8 - shifts[1] as i16),
            offset: vdupq_n_s16(offset as i16),
            bump: load_u8x64(bump),
        }
    }

    /// Sixteen results, before the table and, in forms without them, the bounds. `residual` is read only by its form.
    #[inline]
    #[target_feature(enable = "neon")]
    fn results<const FORM: u8>(&self, sums: Quads<int32x4_t>, channels: &Channels, residual: int8x16_t) -> int8x16_t {
        let scale = channels.scale;
        let mut values = [
            vmulq_f32(vcvtq_f32_s32(sums[0]), scale[0]),
            vmulq_f32(vcvtq_f32_s32(sums[1]), scale[1]),
            vmulq_f32(vcvtq_f32_s32(sums[2]), scale[2]),
            vmulq_f32(vcvtq_f32_s32(sums[3]), scale[3]),
        ];
        match FORM {
            form::BUMP | form::BUMP_6 | form::BUMP_7 => return self.bump::<FORM>(rounded(values), channels.gain),
            form::RELU => return Quantizer::relu(values),
            form::PLAIN => return self.quantizer.whole(values),
            form::RESIDUAL => {
                let addends = centred(residual, self.residual_zero_point);
                for (value, addend) in values.iter_mut().zip(addends) {
                    *value = vaddq_f32(*value, vmulq_f32(addend, self.residual_scale));
                }
            }
            form::LEAKY => {
                for value in &mut values {
                    *value = vmaxq_f32(*value, vmulq_f32(*value, self.slope));
                }
                return self.quantizer.whole(values);
            }
            _ => {}
        }
        self.quantizer.bounded(self.quantizer.whole(values))
    }

    /// [`Activation::Bump`].
    #[inline]
    #[target_feature(enable = "neon")]
    fn bump<const FORM: u8>(&self, p: [int16x8_t; 2], gain: [int16x8_t; 2]) -> int8x16_t {
        let zero = vdupq_n_s16(0);
        let [near, far] = [vreinterpretq_u16_s16(vabsq_s16(p[0])), vreinterpretq_u16_s16(vabsq_s16(p[1]))];
        let index = match FORM {
            form::BUMP_6 => vqrshrn_high_n_u16::<6>(vqrshrn_n_u16::<6>(near), far),
            form::BUMP_7 => vqrshrn_high_n_u16::<7>(vqrshrn_n_u16::<7>(near), far),
            _ => {
                let [near, far] = [vrshlq_u16(near, self.index_shift), vrshlq_u16(far, self.index_shift)];
                vqmovn_high_u16(vqmovn_u16(near), far)
            }
        };
        let bump = vqtbl4q_u8(self.bump, index);
        let a = vsubw_u8(vreinterpretq_u16_s16(vmaxq_s16(p[0], zero)), vget_low_u8(bump));
        let b = vsubw_high_u8(vreinterpretq_u16_s16(vmaxq_s16(p[1], zero)), bump);
        let a = vqaddq_s16(vqrdmulhq_s16(vreinterpretq_s16_u16(a), gain[0]), self.offset);
        let b = vqaddq_s16(vqrdmulhq_s16(vreinterpretq_s16_u16(b), gain[1]), self.offset);
        // The upper bytes of what is shifted to the left, saturating, are what a shift to the right leaves, saturated.
        let (a, b) = (vqshlq_s16(a, self.fraction), vqshlq_s16(b, self.fraction));
        vuzp2q_s8(vreinterpretq_s8_s16(a), vreinterpretq_s8_s16(b))
    }
}

/// Scaling of the channels `n..n + count` (count <= 8) to real numbers.
struct Floats {
    scale: [float32x4_t; 2],
    low: float32x4_t,
    high: float32x4_t,
}

/// What turns the sums of the output channels `n..n + count` (count <= 8) into results.
pub(crate) struct Block<'a> {
    pub(crate) bias: [int32x4_t; 2],
    n: usize,
    count: usize,
    finish: Finish<'a>,
}

#[expect(clippy::large_enum_variant, reason = "there is one at a time, on the stack")]
enum Finish<'a> {
    I8(Law<'a>, Channels),
    F32(Floats),
}

/// Where the results of a run of rows go, and their residual.
pub(crate) struct Places<'a> {
    results: CellsMut<'a, 8>,
    residual: Cells<'a, 8>,
}

impl<'a> Places<'a> {
    /// Those of the next R rows.
    #[inline(always)]
    pub(crate) fn next<const FORM: u8, const R: usize>(&mut self) -> ([&'a mut [i8; 8]; R], [&'a [i8; 8]; R]) {
        let residual = if FORM == form::RESIDUAL { self.residual.next() } else { [&[0; 8]; R] };
        (self.results.next(), residual)
    }
}

impl<'a> Block<'a> {
    /// For the channels from `n` on of `channels`.
    #[inline]
    #[target_feature(enable = "neon")]
    pub(crate) fn new(bias: &[i32], output: &Output<'a>, n: usize, channels: usize) -> Self {
        let finish = match output {
            Output::I8 { requantize, .. } => {
                let [low, high] = scales(requantize.scale, n);
                let gain = gains(requantize, n);
                Finish::I8(Law::new(requantize), Channels { scale: [low, high, low, high], gain: [gain; 2] })
            }
            Output::F32 { scale, low, high, .. } => {
                Finish::F32(Floats { scale: scales(scale, n), low: vdupq_n_f32(*low), high: vdupq_n_f32(*high) })
            }
        };
        let [low, high] = halves(bias, n);
        Self { bias: [load_i32x4(low), load_i32x4(high)], n, count: (channels - n).min(8), finish }
    }

    /// The form of this block.
    pub(crate) const fn form(&self, output: &Output<'_>) -> u8 {
        output.form(self.count)
    }

    /// Where the results of `rows` go, and their residual. Not for form `OTHER`.
    pub(crate) fn places<'o>(&self, output: &'o mut Output<'_>, rows: &Range<usize>) -> Places<'o> {
        let Output::I8 { data, stride, requantize } = output else {
            unreachable!("a form other than OTHER is one of I8");
        };
        let residual = requantize
            .residual
            .map(|Residual { data, stride, .. }| Cells::new(data, rows.start * stride + self.n, stride, rows.len()));
        let results = CellsMut::new(data, rows.start * *stride + self.n, *stride, rows.len());
        Places { results, residual: residual.unwrap_or_else(|| Cells::new(&[], 0, 0, 0)) }
    }

    /// Stores the results of two rows; the sums hold the bias. Not for form `OTHER`.
    #[inline]
    #[target_feature(enable = "neon")]
    pub(crate) fn store<const FORM: u8>(
        &self,
        sums: &[[int32x4_t; 2]; 2],
        residual: &[&[i8; 8]; 2],
        targets: &mut [&mut [i8; 8]; 2],
    ) {
        let Finish::I8(law, channels) = &self.finish else {
            unreachable!("a form other than OTHER is one of I8");
        };
        let addends = vcombine_s8(load_i8x8(residual[0]), load_i8x8(residual[1]));
        let quads = [sums[0][0], sums[0][1], sums[1][0], sums[1][1]];
        let [first, second] = targets;
        store_halves(first, second, law.results::<FORM>(quads, channels, addends));
    }

    /// Any output. A function of its own, since the loops of the other forms should stay short.
    #[inline(never)]
    #[target_feature(enable = "neon")]
    pub(crate) fn store_other(&self, sums: &[[int32x4_t; 2]], row: usize, output: &mut Output<'_>) {
        match (&self.finish, output) {
            (Finish::I8(law, channels), Output::I8 { data, stride, requantize }) => {
                for (index, sums) in sums.iter().enumerate() {
                    let row = row + index;
                    let results = law.any(*sums, channels, requantize, row, self.n, self.count);
                    data[row * *stride + self.n..][..self.count].copy_from_slice(&results[..self.count]);
                }
            }
            (Finish::F32(floats), Output::F32 { data, stride, .. }) => {
                for (index, sums) in sums.iter().enumerate() {
                    let target = &mut data[(row + index) * *stride + self.n..];
                    if self.count == 8 {
                        floats.store(*sums, target.first_chunk_mut().expect("eight results"));
                    } else {
                        let mut results = [0.0; 8];
                        floats.store(*sums, &mut results);
                        target[..self.count].copy_from_slice(&results[..self.count]);
                    }
                }
            }
            _ => unreachable!("a block is made for the output that it stores to"),
        }
    }
}

/// Eight gains from `n` on, where there are any.
#[inline]
#[target_feature(enable = "neon")]
fn gains(requantize: &Requantize<'_>, n: usize) -> int16x8_t {
    match requantize.activation {
        Activation::Bump { gain, .. } => load_i16x8(gain[n..].first_chunk().expect("gains are padded to 8")),
        _ => vdupq_n_s16(0),
    }
}

impl Law<'_> {
    /// The results of the channels `n..n + count` of a row, by whatever form.
    #[inline]
    #[target_feature(enable = "neon")]
    fn any(
        &self,
        sums: [int32x4_t; 2],
        channels: &Channels,
        requantize: &Requantize<'_>,
        row: usize,
        n: usize,
        count: usize,
    ) -> [i8; 8] {
        let mut addends = [0; 8];
        if let Some(Residual { data, stride, .. }) = requantize.residual {
            addends[..count].copy_from_slice(&data[row * stride + n..][..count]);
        }
        let addends = load_i8x8(&addends);
        let addends = vcombine_s8(addends, addends);
        let quads = [sums[0], sums[1], sums[0], sums[1]];
        let results = match requantize.activation {
            Activation::Leaky { .. } => self.results::<{ form::LEAKY }>(quads, channels, addends),
            Activation::Bump { .. } => self.results::<{ form::BUMP }>(quads, channels, addends),
            _ if requantize.residual.is_some() => self.results::<{ form::RESIDUAL }>(quads, channels, addends),
            _ => self.results::<{ form::PLAIN }>(quads, channels, addends),
        };
        let mut bytes = [0; 8];
        store_i8x8(&mut bytes, vget_low_s8(self.quantizer.bounded(results)));
        if let Some(table) = self.quantizer.table {
            for q in &mut bytes {
                *q = table[usize::from((i16::from(*q) + 128) as u8)];
            }
        }
        bytes
    }
}

impl Floats {
    #[inline]
    #[target_feature(enable = "neon")]
    fn store(&self, sums: [int32x4_t; 2], target: &mut [f32; 8]) {
        for ((result, sum), scale) in target.as_chunks_mut::<4>().0.iter_mut().zip(sums).zip(self.scale) {
            let value = vmulq_f32(vcvtq_f32_s32(sum), scale);
            store_f32x4(result, vminq_f32(vmaxq_f32(value, self.low), self.high));
        }
    }
}

/// Requantisation of the channels `n..n + 16` of pixels, for depthwise layers.
pub(crate) struct Pixels<'a> {
    pub(crate) bias: Quads<int32x4_t>,
    n: usize,
    law: Law<'a>,
    channels: Channels,
    requantize: Requantize<'a>,
}

impl<'a> Pixels<'a> {
    #[inline]
    #[target_feature(enable = "neon")]
    pub(crate) fn new(bias: &[i32], requantize: &Requantize<'a>, n: usize) -> Self {
        let ([b0, b1], [b2, b3]) = (halves(bias, n), halves(bias, n + 8));
        let ([s0, s1], [s2, s3]) = (scales(requantize.scale, n), scales(requantize.scale, n + 8));
        Self {
            bias: [load_i32x4(b0), load_i32x4(b1), load_i32x4(b2), load_i32x4(b3)],
            n,
            law: Law::new(requantize),
            channels: Channels { scale: [s0, s1, s2, s3], gain: [gains(requantize, n), gains(requantize, n + 8)] },
            requantize: *requantize,
        }
    }

    /// The results of one pixel, whose sums hold the bias. `residual` is read only by its form. Not for form `OTHER`.
    #[inline]
    #[target_feature(enable = "neon")]
    pub(crate) fn store<const FORM: u8>(&self, sums: Quads<int32x4_t>, residual: &[i8; 16], target: &mut [i8; 16]) {
        let residual = if FORM == form::RESIDUAL { load_i8x16(residual) } else { vdupq_n_s8(0) };
        store_i8x16(target, self.law.results::<FORM>(sums, &self.channels, residual));
    }

    /// The residual of one pixel; zeros where there is none.
    #[inline]
    pub(crate) fn residual<const FORM: u8>(&self, pixel: usize) -> &'a [i8; 16] {
        match self.requantize.residual {
            Some(Residual { data, stride, .. }) if FORM == form::RESIDUAL => {
                data[pixel * stride + self.n..].first_chunk().expect("a residual of the same channels")
            }
            _ => &[0; 16],
        }
    }

    /// The results of the first `target.len()` of the sixteen channels, by whatever form.
    #[inline(never)]
    #[target_feature(enable = "neon")]
    pub(crate) fn store_other(&self, sums: Quads<int32x4_t>, pixel: usize, target: &mut [i8]) {
        let (law, channels) = (&self.law, &self.channels);
        let mut bytes = [0; 16];
        if let Some(Residual { data, stride, .. }) = self.requantize.residual {
            bytes[..target.len()].copy_from_slice(&data[pixel * stride + self.n..][..target.len()]);
        }
        let residual = load_i8x16(&bytes);
        let results = match self.requantize.activation {
            Activation::Leaky { .. } => law.results::<{ form::LEAKY }>(sums, channels, residual),
            Activation::Bump { .. } => law.results::<{ form::BUMP }>(sums, channels, residual),
            _ if self.requantize.residual.is_some() => law.results::<{ form::RESIDUAL }>(sums, channels, residual),
            _ => law.results::<{ form::PLAIN }>(sums, channels, residual),
        };
        store_i8x16(&mut bytes, law.quantizer.bounded(results));
        if let Some(table) = law.quantizer.table {
            for q in &mut bytes {
                *q = table[usize::from((i16::from(*q) + 128) as u8)];
            }
        }
        target.copy_from_slice(&bytes[..target.len()]);
    }
}

/// Scaling of the channels `n..n + 16` to real numbers.
pub(crate) struct Reals {
    scale: Quads<float32x4_t>,
    low: float32x4_t,
    high: float32x4_t,
}

impl Reals {
    #[inline]
    #[target_feature(enable = "neon")]
    pub(crate) fn new(scale: &[f32], [low, high]: [f32; 2], n: usize) -> Self {
        let ([a, b], [c, d]) = (scales(scale, n), scales(scale, n + 8));
        Self { scale: [a, b, c, d], low: vdupq_n_f32(low), high: vdupq_n_f32(high) }
    }

    /// The results of one pixel, whose sums hold the bias.
    #[inline]
    #[target_feature(enable = "neon")]
    pub(crate) fn store(&self, sums: Quads<int32x4_t>, target: &mut [f32; 16]) {
        for ((result, sum), scale) in target.as_chunks_mut::<4>().0.iter_mut().zip(sums).zip(self.scale) {
            let value = vmulq_f32(vcvtq_f32_s32(sum), scale);
            store_f32x4(result, vminq_f32(vmaxq_f32(value, self.low), self.high));
        }
    }
}
