//! `activate_f32_scalar`: the law.

#![expect(clippy::excessive_precision, reason = "coefficients as published")]

use super::{Function, Task};

pub(super) fn run(task: Task<'_>) {
    apply(task.function, task.values);
}

/// One loop for each function, so that none has a branch in it.
#[inline(always)]
pub(super) fn apply(function: Function, values: &mut [f32]) {
    match function {
        Function::Clamp { low, high } => each(values, |x| x.max(low).min(high)),
        Function::Leaky { slope } => each(values, |x| x.max(slope * x)),
        Function::Silu => each(values, |x| x * logistic(x)),
        Function::HardSwish => each(values, |x| x * (x + 3.0).clamp(0.0, 6.0) * (1.0 / 6.0)),
        Function::HardSigmoid { slope, offset } => each(values, |x| (slope * x + offset).clamp(0.0, 1.0)),
        Function::Logistic => each(values, logistic),
        Function::Tanh => each(values, tanh),
        Function::Gelu => each(values, gelu),
    }
}

#[inline(always)]
fn each(values: &mut [f32], function: impl Fn(f32) -> f32) {
    values.iter_mut().for_each(|value| *value = function(*value));
}

/// exp(x) for x <= 0; below -87 as at -87, where the results are still normal numbers.
#[inline(always)]
fn power(x: f32) -> f32 {
    /// 1.5 * 2^23: adding it rounds to an integer, which then stands in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let x = x.max(-87.0);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * 0.693_359_375 - n * -2.121_944_4e-4;
    let tail = ((((1.987_569_15e-4 * r + 1.398_199_950_7e-3) * r + 8.333_451_907_3e-3) * r + 4.166_579_589_4e-2) * r
        + 1.666_666_545_9e-1)
        * r
        + 5.000_000_120_1e-1;
    let fraction = 1.0 + (r + r * r * tail);
    f32::from_bits(fraction.to_bits().wrapping_add(shifted.to_bits() << 23))
}

#[inline(always)]
fn logistic(x: f32) -> f32 {
    let e = power(-x.abs());
    (if x >= 0.0 { 1.0 } else { e }) / (1.0 + e)
}

#[inline(always)]
fn tanh(x: f32) -> f32 {
    let size = x.abs();
    let e = power(-2.0 * size);
    let far = ((1.0 - e) / (1.0 + e)).copysign(x);
    let z = x * x;
    let tail = (((-5.704_988_727_45e-3 * z + 2.063_908_879_54e-2) * z - 5.373_971_555_31e-2) * z + 1.333_144_220_36e-1)
        * z
        - 3.333_328_194_22e-1;
    if size < 0.625 { x + x * z * tail } else { far }
}

#[inline(always)]
fn gelu(x: f32) -> f32 {
    let size = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.5 * size);
    let fit = t * (-0.822_152_23 + t * 0.170_872_77);
    let fit = t * (-1.135_203_98 + t * (1.488_515_87 + fit));
    let fit = t * (-0.186_288_06 + t * (0.278_868_07 + fit));
    let fit = t * (1.000_023_68 + t * (0.374_091_96 + t * (0.096_784_18 + fit)));
    let outside = 0.5 * t * power((fit - 1.265_512_23 - size * size).min(0.0));
    x * if x >= 0.0 { 1.0 - outside } else { outside }
}
