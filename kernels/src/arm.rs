//! The unsafe edge on Arm: loads and stores of whole registers, and the instructions that stable Rust does not offer.
//!
//! Loads and stores take arrays, so that their bounds are in their types.

use std::arch::aarch64::{
    float32x4_t, int8x8_t, int8x8x4_t, int8x16_t, int16x8_t, int16x8x4_t, int32x4_t, uint8x8_t, uint8x16_t,
    uint8x16x2_t, uint8x16x3_t, uint8x16x4_t, uint16x8_t, vdupq_n_s32, vld1_s8, vld1_u8, vld1q_f32, vld1q_s8,
    vld1q_s16, vld1q_s32, vld1q_u8, vld1q_u8_x4, vld1q_u16, vld2q_u8, vld3q_u8, vreinterpretq_s8_s32, vst1_s8,
    vst1q_f32, vst1q_s8, vst4_s8, vst4q_s16,
};
use std::arch::asm;

/// Sixteen bytes.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn load_i8x16(source: &[i8; 16]) -> int8x16_t {
    // SAFETY: reads the array's 16 elements; the instruction asks for no alignment.
    unsafe { vld1q_s8(source.as_ptr()) }
}

/// Eight bytes.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn load_i8x8(source: &[i8; 8]) -> int8x8_t {
    // SAFETY: reads the array's 8 elements; the instruction asks for no alignment.
    unsafe { vld1_s8(source.as_ptr()) }
}

/// Eight short integers.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn load_i16x8(source: &[i16; 8]) -> int16x8_t {
    // SAFETY: reads the array's 8 elements.
    unsafe { vld1q_s16(source.as_ptr()) }
}

/// Sixty-four bytes in four registers.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn load_u8x64(source: &[u8; 64]) -> uint8x16x4_t {
    // SAFETY: reads the array's 64 elements; the instruction asks for no alignment.
    unsafe { vld1q_u8_x4(source.as_ptr()) }
}

/// Products of the upper eight bytes: `smull2`.
///
/// As an instruction of its own, because the compiler likes to take the upper half of one factor out of a loop, or to see
/// that both halves are equal, and then pays an `ext` and a register for it.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn multiply_high(a: int8x16_t, b: int8x16_t) -> int16x8_t {
    let products;
    // SAFETY: one instruction of Armv8.0, registers only.
    unsafe {
        asm!(
            "smull2 {products:v}.8h, {a:v}.16b, {b:v}.16b",
            products = lateout(vreg) products, a = in(vreg) a, b = in(vreg) b,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    products
}

/// `sums` and the products of the upper eight bytes: `smlal2`. See [`multiply_high`].
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn multiply_add_high(mut sums: int16x8_t, a: int8x16_t, b: int8x16_t) -> int16x8_t {
    // SAFETY: one instruction of Armv8.0, registers only.
    unsafe {
        asm!(
            "smlal2 {sums:v}.8h, {a:v}.16b, {b:v}.16b",
            sums = inout(vreg) sums, a = in(vreg) a, b = in(vreg) b,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    sums
}

/// The four bytes of `source` in each quarter.
///
/// An empty instruction hides from the compiler that all quarters are equal. It would otherwise know that the halves are,
/// and take the weights' upper halves out by `ext` instead of multiplying them by `smull2`. Unlike [`multiply_high`] this
/// leaves the multiplications for the compiler to order, which an in-order core likes.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn splat_i8x4(source: &[i8; 4]) -> int8x16_t {
    let mut value = vdupq_n_s32(i32::from_ne_bytes(source.map(|byte| byte as u8)));
    // SAFETY: no instruction at all.
    unsafe { asm!("/* {0:v} */", inout(vreg) value, options(pure, nomem, nostack, preserves_flags)) };
    vreinterpretq_s8_s32(value)
}

/// Stores eight bytes.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn store_i8x8(target: &mut [i8; 8], value: int8x8_t) {
    // SAFETY: writes the array's 8 elements.
    unsafe { vst1_s8(target.as_mut_ptr(), value) };
}

/// Stores sixteen bytes.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn store_i8x16(target: &mut [i8; 16], value: int8x16_t) {
    // SAFETY: writes the array's 16 elements.
    unsafe { vst1q_s8(target.as_mut_ptr(), value) };
}

/// Four integers.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn load_i32x4(source: &[i32; 4]) -> int32x4_t {
    // SAFETY: reads the array's 4 elements.
    unsafe { vld1q_s32(source.as_ptr()) }
}

/// Four floats.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn load_f32x4(source: &[f32; 4]) -> float32x4_t {
    // SAFETY: reads the array's 4 elements.
    unsafe { vld1q_f32(source.as_ptr()) }
}

/// Stores four floats.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn store_f32x4(target: &mut [f32; 4], value: float32x4_t) {
    // SAFETY: writes the array's 4 elements.
    unsafe { vst1q_f32(target.as_mut_ptr(), value) }
}

/// Eight binary16 numbers as floats. `fcvtl` is Armv8.0, but its Rust intrinsic came after our oldest compiler.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn load_f16x8(source: &[u16; 8]) -> [float32x4_t; 2] {
    let (low, high);
    // SAFETY: reads the array's 8 elements; the conversions touch registers only.
    unsafe {
        let bits: uint16x8_t = vld1q_u16(source.as_ptr());
        asm!("fcvtl {0:v}.4s, {1:v}.4h", out(vreg) low, in(vreg) bits, options(pure, nomem, nostack, preserves_flags));
        asm!("fcvtl2 {0:v}.4s, {1:v}.8h", out(vreg) high, in(vreg) bits, options(pure, nomem, nostack, preserves_flags));
    }
    [low, high]
}

/// `sums[i] += ` the product of four bytes of `weights` and the four bytes `LANE` of `values`, for i in 0..4. Its
/// intrinsic, `vdotq_laneq_s32`, is unstable.
#[inline]
#[target_feature(enable = "neon,dotprod")]
pub(crate) fn dot_lane<const LANE: usize>(mut sums: int32x4_t, weights: int8x16_t, values: int8x16_t) -> int32x4_t {
    const { assert!(LANE < 4) }
    // SAFETY: one instruction of the `dotprod` feature, registers only.
    unsafe {
        asm!(
            "sdot {sums:v}.4s, {weights:v}.16b, {values:v}.4b[{lane}]",
            sums = inout(vreg) sums, weights = in(vreg) weights, values = in(vreg) values, lane = const LANE,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    sums
}

/// Sixteen unsigned bytes.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn load_u8x16(source: &[u8; 16]) -> uint8x16_t {
    // SAFETY: reads the array's 16 elements; the instruction asks for no alignment.
    unsafe { vld1q_u8(source.as_ptr()) }
}

/// Eight unsigned bytes.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn load_u8x8(source: &[u8; 8]) -> uint8x8_t {
    // SAFETY: reads the array's 8 elements; the instruction asks for no alignment.
    unsafe { vld1_u8(source.as_ptr()) }
}

/// Bytes 0, 2, 4... and bytes 1, 3, 5...
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn load_u8x16x2(source: &[u8; 32]) -> uint8x16x2_t {
    // SAFETY: reads the array's 32 elements; the instruction asks for no alignment.
    unsafe { vld2q_u8(source.as_ptr()) }
}

/// Bytes 0, 3, 6..., bytes 1, 4, 7... and bytes 2, 5, 8...
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn load_u8x16x3(source: &[u8; 48]) -> uint8x16x3_t {
    // SAFETY: reads the array's 48 elements; the instruction asks for no alignment.
    unsafe { vld3q_u8(source.as_ptr()) }
}

/// Stores four registers, an element of each in turn.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn store_i16x8x4(target: &mut [[i16; 4]; 8], value: int16x8x4_t) {
    // SAFETY: writes the array's 32 elements.
    unsafe { vst4q_s16(target.as_mut_ptr().cast(), value) };
}

/// Stores four registers, an element of each in turn.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn store_i8x8x4(target: &mut [i8; 32], value: int8x8x4_t) {
    // SAFETY: writes the array's 32 elements.
    unsafe { vst4_s8(target.as_mut_ptr(), value) };
}
