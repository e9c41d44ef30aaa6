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

#[cfg(test)]
mod tests;
