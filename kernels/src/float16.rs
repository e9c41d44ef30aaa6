//! IEEE binary16 as stored bits: what a bundle holds for fragile layers. Computing is done in f32.

/// The f32 of the same value; exact, NaN stays NaN.
#[inline]
#[must_use]
pub const fn widen(bits: u16) -> f32 {
    let sign = (bits as u32 & 0x8000) << 16;
    let magnitude = (bits as u32) & 0x7fff;
    // Placed at f32's position the exponent is too small by 127 - 15; subnormals become normal by the same product.
    let scaled = f32::from_bits(magnitude << 13) * f32::from_bits((254 - 15) << 23);
    let magnitude = if magnitude >= 0x7c00 { scaled.to_bits() | 0x7f80_0000 } else { scaled.to_bits() };
    f32::from_bits(sign | magnitude)
}

/// The nearest binary16 number, ties to even; what lies beyond its range, infinity too, becomes the largest one, 65504, and
/// NaN stays NaN. For packers: kernels only widen.
#[inline]
#[must_use]
pub const fn narrow(value: f32) -> u16 {
    let bits = value.to_bits();
    let (sign, magnitude) = ((bits >> 16 & 0x8000) as u16, bits & 0x7fff_ffff);
    // 2^-14 in f32's bits, below which binary16 is subnormal; 65520, from where on it would round to infinity.
    const NORMAL: u32 = (127 - 14) << 23;
    const BEYOND: u32 = 0x477f_f000;
    let rounded = match magnitude {
        // The last place of 0.5 is 2^-24, the smallest subnormal: one addition counts and rounds.
        0..NORMAL => (f32::from_bits(magnitude) + 0.5).to_bits() - 0.5_f32.to_bits(),
        NORMAL..BEYOND => (magnitude - ((127 - 15) << 23) + 0xfff + (magnitude >> 13 & 1)) >> 13,
        BEYOND..=0x7f80_0000 => 0x7bff,
        _ => 0x7e00,
    };
    sign | rounded as u16
}

#[cfg(test)]
mod tests;
