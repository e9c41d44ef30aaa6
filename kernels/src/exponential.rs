//! The exponential of the language model's kernels.
//!
//! x is reduced to n ln 2 + r with |r| <= ln 2 / 2 (Cody and Waite, with fused multiply-add), e^r is a polynomial of degree 6
//! whose upper five coefficients interpolate (e^r - 1 - r) / r^2 at Chebyshev's points, and 2^n goes into the exponent's
//! bits. Results lie within 2 units in the last place of the exact ones for -87.33 <= x <= 88.72; below and above they are
//! those at the ends (1.2e-38 and 3.4e38, so never 0 and never infinite). The order of operations and each fused one are
//! part of the law: the same bits on every ISA.

#[cfg(test)]
mod tests;

/// Below, results would not be normal numbers.
pub(crate) const LOWEST: f32 = -87.33;
/// Above, they would be infinite.
pub(crate) const HIGHEST: f32 = 88.72;
/// 1.5 * 2^23: a sum with it is rounded to an integer, half to even, which then stands in the low bits.
pub(crate) const ROUND: f32 = 12_582_912.0;
/// What the nearest f32 lacks to ln 2, with its sign turned.
pub(crate) const LN_2_REST: f32 = 1.904_654_2e-9;
/// The polynomial from its highest power to its lowest.
pub(crate) const TAIL: [f32; 7] = [1.392_625e-3, 8.363_233e-3, 4.166_655_2e-2, 1.666_657_6e-1, 0.5, 1.0, 1.0];

/// e^x; see the module. NaN gives any number.
#[inline(always)]
pub(crate) fn exponential(x: f32) -> f32 {
    let x = if x > LOWEST { x } else { LOWEST };
    let x = if x < HIGHEST { x } else { HIGHEST };
    let shifted = x.mul_add(std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = n.mul_add(-std::f32::consts::LN_2, x);
    let r = n.mul_add(LN_2_REST, r);
    let fraction = TAIL[1..].iter().fold(TAIL[0], |sum, &coefficient| r.mul_add(sum, coefficient));
    f32::from_bits(fraction.to_bits().wrapping_add(shifted.to_bits() << 23))
}
