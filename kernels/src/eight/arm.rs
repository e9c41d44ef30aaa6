//! Two registers of Advanced SIMD.

use std::arch::aarch64::{
    float32x4_t, int32x4_t, uint32x4_t, vabsq_f32, vaddq_f32, vaddq_s32, vandq_s16, vandq_u32, vbslq_f32, vcgtq_f32,
    vcgtq_s32, vcleq_s32, vcltq_f32, vcvtq_f32_s32, vdivq_f32, vdupq_n_f32, vdupq_n_s16, vdupq_n_s32, vfmaq_f32,
    vmovn_high_s32, vmovn_s16, vmovn_s32, vmulq_f32, vnegq_f32, vreinterpretq_f32_s32, vreinterpretq_f32_u32,
    vreinterpretq_s32_f32, vreinterpretq_u32_f32, vshlq_n_s32, vsubq_f32,
};
use std::ops::Range;

use super::shared::shared;
use crate::arm::{load_f32x4, load_i32x4, store_f16x8, store_f32x4, store_i8x8, store_i16x8};

pub(crate) type Eight = [float32x4_t; 2];

shared!("neon");

/// `$name(..)` of both registers by `$each`.
macro_rules! both {
    ($($(#[$doc:meta])* $name:ident($($argument:ident),+) = $each:expr;)+) => {$(
        $(#[$doc])*
        #[inline]
        #[target_feature(enable = "neon")]
        pub(crate) fn $name($($argument: Eight),+) -> Eight {
            [$each($($argument[0]),+), $each($($argument[1]),+)]
        }
    )+};
}

both! {
    add(a, b) = vaddq_f32;
    sub(a, b) = vsubq_f32;
    mul(a, b) = vmulq_f32;
    div(a, b) = vdivq_f32;
    fma(a, b, c) = fused;
    negative(a) = vnegq_f32;
    absolute(a) = vabsq_f32;
    larger(a, b) = larger_4;
    smaller(a, b) = smaller_4;
    above(a, b) = above_4;
    select(above, a, b) = select_4;
    scale(a, b) = scale_4;
    keep(lanes, a) = keep_4;
}

#[inline]
#[target_feature(enable = "neon")]
fn fused(a: float32x4_t, b: float32x4_t, c: float32x4_t) -> float32x4_t {
    vfmaq_f32(c, a, b)
}

#[inline]
#[target_feature(enable = "neon")]
fn larger_4(a: float32x4_t, b: float32x4_t) -> float32x4_t {
    vbslq_f32(vcgtq_f32(b, a), b, a)
}

#[inline]
#[target_feature(enable = "neon")]
fn smaller_4(a: float32x4_t, b: float32x4_t) -> float32x4_t {
    vbslq_f32(vcltq_f32(b, a), b, a)
}

#[inline]
#[target_feature(enable = "neon")]
fn above_4(a: float32x4_t, b: float32x4_t) -> float32x4_t {
    vreinterpretq_f32_u32(vcgtq_f32(a, b))
}

#[inline]
#[target_feature(enable = "neon")]
fn select_4(above: float32x4_t, a: float32x4_t, b: float32x4_t) -> float32x4_t {
    vbslq_f32(vreinterpretq_u32_f32(above), a, b)
}

#[inline]
#[target_feature(enable = "neon")]
fn scale_4(a: float32x4_t, b: float32x4_t) -> float32x4_t {
    let exponent = vshlq_n_s32::<23>(vreinterpretq_s32_f32(b));
    vreinterpretq_f32_s32(vaddq_s32(vreinterpretq_s32_f32(a), exponent))
}

#[inline]
#[target_feature(enable = "neon")]
fn keep_4(lanes: float32x4_t, a: float32x4_t) -> float32x4_t {
    vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(lanes), vreinterpretq_u32_f32(a)))
}

#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn splat(value: f32) -> Eight {
    [vdupq_n_f32(value); 2]
}

#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn load(source: &[f32; 8]) -> Eight {
    let (halves, _) = source.as_chunks::<4>();
    [load_f32x4(&halves[0]), load_f32x4(&halves[1])]
}

#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn store(target: &mut [f32; 8], value: Eight) {
    let (halves, _) = target.as_chunks_mut::<4>();
    store_f32x4(&mut halves[0], value[0]);
    store_f32x4(&mut halves[1], value[1]);
}

#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn is_in(first: usize, range: &Range<usize>) -> Eight {
    let first = whole(first);
    [load_i32x4(&[0, 1, 2, 3]), load_i32x4(&[4, 5, 6, 7])].map(|places: int32x4_t| {
        let places = vaddq_s32(places, first);
        let seen: uint32x4_t = vandq_u32(vcleq_s32(whole(range.start), places), vcgtq_s32(whole(range.end), places));
        vreinterpretq_f32_u32(seen)
    })
}

#[inline]
#[target_feature(enable = "neon")]
fn whole(number: usize) -> int32x4_t {
    vdupq_n_s32((number as u32).cast_signed())
}

/// Integers as floats.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn floats(integers: &[i32; 8]) -> Eight {
    let (halves, _) = integers.as_chunks::<4>();
    [vcvtq_f32_s32(load_i32x4(&halves[0])), vcvtq_f32_s32(load_i32x4(&halves[1]))]
}

/// The lowest 14 bits of each lane.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn store_14_bits(target: &mut [i16; 8], a: Eight) {
    let [low, high] = a.map(|a| vreinterpretq_s32_f32(a));
    store_i16x8(target, vandq_s16(vmovn_high_s32(vmovn_s32(low), high), vdupq_n_s16(0x3fff)));
}

/// The lowest byte of each lane.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn bytes(a: Eight) -> [i8; 8] {
    let [low, high] = a.map(|a| vreinterpretq_s32_f32(a));
    let mut bytes = [0; 8];
    store_i8x8(&mut bytes, vmovn_s16(vmovn_high_s32(vmovn_s32(low), high)));
    bytes
}

/// As binary16, rounded half to even.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn narrow(a: Eight) -> [u16; 8] {
    let mut halves = [0; 8];
    store_f16x8(&mut halves, a);
    halves
}
