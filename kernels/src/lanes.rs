//! The law of sums over a vector: eight partial sums, value n in lane n % 8, in ascending order, then these folded by halves.
//!
//! The language model's sums of floats all follow it, so that a sum is the same bits in every register width.

/// Eight values that lie side by side.
pub(crate) type Lanes = [f32; 8];

/// ((0 + 4) + (2 + 6)) + ((1 + 5) + (3 + 7)).
#[inline(always)]
pub(crate) fn sum(lanes: Lanes) -> f32 {
    let [a, b, c, d, e, f, g, h] = lanes;
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}

/// The largest, folded in the same order. Where NaN is among them, which one comes out is not said.
#[inline(always)]
pub(crate) fn largest(lanes: Lanes) -> f32 {
    let [a, b, c, d, e, f, g, h] = lanes;
    larger(larger(larger(a, e), larger(c, g)), larger(larger(b, f), larger(d, h)))
}

/// `b` where it is larger, else `a`: one instruction everywhere, unlike `f32::max`.
#[inline(always)]
pub(crate) fn larger(a: f32, b: f32) -> f32 {
    if b > a { b } else { a }
}
