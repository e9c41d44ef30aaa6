//! The unsafe edge on Arm: loads and stores of whole registers, and the instructions that stable Rust does not offer.
//!
//! Loads and stores take arrays, so that their bounds are in their types.

use std::arch::aarch64::{
    float32x4_t, int8x8_t, int8x8x4_t, int8x16_t, int16x8_t, int16x8x4_t, int32x4_t, int32x4x2_t, uint8x8_t,
    uint8x16_t, uint8x16x2_t, uint8x16x3_t, uint8x16x4_t, uint16x8_t, vget_low_s8, vld1_s8, vld1_u8, vld1q_f32,
    vld1q_s8, vld1q_s16, vld1q_s32, vld1q_u8, vld1q_u8_x4, vld1q_u16, vld2q_dup_s32, vld2q_u8, vld3q_u8,
    vreinterpretq_s8_s32, vreinterpretq_s64_s8, vreinterpretq_u16_u8, vst1_s8, vst1q_f32, vst1q_lane_s64, vst1q_s8,
    vst1q_s16, vst1q_s32, vst1q_u16, vst4_s8, vst4q_s16,
};
use std::arch::asm;

use crate::strided::Piece;

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

/// Stores the lower and the upper eight bytes.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn store_halves(low: &mut [i8; 8], high: &mut [i8; 8], value: int8x16_t) {
    // SAFETY: each instruction writes its array's 8 elements and asks for no alignment.
    unsafe {
        vst1_s8(low.as_mut_ptr(), vget_low_s8(value));
        vst1q_lane_s64::<1>(high.as_mut_ptr().cast(), vreinterpretq_s64_s8(value));
    }
}

/// Gives each sum a register of its own at this place. The compiler would otherwise copy a start value that several share
/// once more wherever a loop might be skipped.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn settle(sums: &mut [int32x4_t]) {
    for sum in sums {
        // SAFETY: no instruction at all.
        unsafe { asm!("/* {0:v} */", inout(vreg) * sum, options(pure, nomem, nostack, preserves_flags)) };
    }
}

/// Two groups of four bytes, each in all quarters of a register.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn splat_i8x4x2(source: &[i8; 8]) -> [int8x16_t; 2] {
    // SAFETY: reads the array's 8 bytes; the instruction asks for no alignment.
    let int32x4x2_t(first, second) = unsafe { vld2q_dup_s32(source.as_ptr().cast()) };
    [vreinterpretq_s8_s32(first), vreinterpretq_s8_s32(second)]
}

/// Adds the products of two groups along K to the sums of 8 channels: `sums` holds channels 0-1, 2-3, 4-5 and 6-7, two
/// partial sums each, `weights` of each group channels 0-3 and 4-7, `values` each group in all quarters.
///
/// The two products that share 16 bits fit if no weight is -128. In one piece, because the compiler, which may order the
/// instructions of four rows as it likes, runs out of registers and spills sums in the inner loop.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn multiply_add_groups(sums: &mut [int32x4_t; 4], values: [int8x16_t; 2], weights: &[[int8x16_t; 2]; 2]) {
    let [s0, s1, s2, s3] = sums;
    // SAFETY: instructions of Armv8.0, registers only.
    unsafe {
        asm!(
            "smull {t0:v}.8h, {w0:v}.8b, {a:v}.8b",
            "smull2 {t1:v}.8h, {w0:v}.16b, {a:v}.16b",
            "smull {t2:v}.8h, {w1:v}.8b, {a:v}.8b",
            "smull2 {t3:v}.8h, {w1:v}.16b, {a:v}.16b",
            "smlal {t0:v}.8h, {w2:v}.8b, {b:v}.8b",
            "smlal2 {t1:v}.8h, {w2:v}.16b, {b:v}.16b",
            "smlal {t2:v}.8h, {w3:v}.8b, {b:v}.8b",
            "smlal2 {t3:v}.8h, {w3:v}.16b, {b:v}.16b",
            "sadalp {s0:v}.4s, {t0:v}.8h",
            "sadalp {s1:v}.4s, {t1:v}.8h",
            "sadalp {s2:v}.4s, {t2:v}.8h",
            "sadalp {s3:v}.4s, {t3:v}.8h",
            s0 = inout(vreg) *s0, s1 = inout(vreg) *s1, s2 = inout(vreg) *s2, s3 = inout(vreg) *s3,
            a = in(vreg) values[0], b = in(vreg) values[1],
            w0 = in(vreg) weights[0][0], w1 = in(vreg) weights[0][1],
            w2 = in(vreg) weights[1][0], w3 = in(vreg) weights[1][1],
            t0 = out(vreg) _, t1 = out(vreg) _, t2 = out(vreg) _, t3 = out(vreg) _,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
}

impl<const R: usize> Piece<'_, R> {
    /// [`multiply_add_groups`] for the next sixteen elements of each row: four groups along K.
    ///
    /// One instruction spreads the four groups of a row over four registers and moves the row's pointer on; with the
    /// eight registers of weights and the sums of four rows that takes all registers there are, so they are named here.
    #[inline]
    #[target_feature(enable = "neon")]
    pub(crate) fn multiply_add_16(&mut self, sums: &mut [[int32x4_t; 4]; R]) {
        assert!(self.has::<16>(), "too few elements");
        self.left -= 16;
        // SAFETY: four groups of weights belong to the sixteen elements.
        let groups: &[[i8; 16]; 8] = unsafe { &*self.weights.cast() };
        self.weights = self.weights.wrapping_add(4);
        let w: [int8x16_t; 8] = [
            load_i8x16(&groups[0]),
            load_i8x16(&groups[1]),
            load_i8x16(&groups[2]),
            load_i8x16(&groups[3]),
            load_i8x16(&groups[4]),
            load_i8x16(&groups[5]),
            load_i8x16(&groups[6]),
            load_i8x16(&groups[7]),
        ];
        for (row, [s0, s1, s2, s3]) in self.rows.iter_mut().zip(sums) {
            // SAFETY: reads the sixteen elements that were there; all else touches registers only.
            unsafe {
                asm!(
                    "ld4r {{v0.4s, v1.4s, v2.4s, v3.4s}}, [{row}], #16",
                    "smull v4.8h, {w0:v}.8b, v0.8b",
                    "smull2 v5.8h, {w0:v}.16b, v0.16b",
                    "smull v6.8h, {w1:v}.8b, v0.8b",
                    "smull2 v7.8h, {w1:v}.16b, v0.16b",
                    "smlal v4.8h, {w2:v}.8b, v1.8b",
                    "smlal2 v5.8h, {w2:v}.16b, v1.16b",
                    "smlal v6.8h, {w3:v}.8b, v1.8b",
                    "smlal2 v7.8h, {w3:v}.16b, v1.16b",
                    "sadalp {s0:v}.4s, v4.8h",
                    "smull v4.8h, {w4:v}.8b, v2.8b",
                    "sadalp {s1:v}.4s, v5.8h",
                    "smull2 v5.8h, {w4:v}.16b, v2.16b",
                    "sadalp {s2:v}.4s, v6.8h",
                    "smull v6.8h, {w5:v}.8b, v2.8b",
                    "sadalp {s3:v}.4s, v7.8h",
                    "smull2 v7.8h, {w5:v}.16b, v2.16b",
                    "smlal v4.8h, {w6:v}.8b, v3.8b",
                    "smlal2 v5.8h, {w6:v}.16b, v3.16b",
                    "smlal v6.8h, {w7:v}.8b, v3.8b",
                    "smlal2 v7.8h, {w7:v}.16b, v3.16b",
                    "sadalp {s0:v}.4s, v4.8h",
                    "sadalp {s1:v}.4s, v5.8h",
                    "sadalp {s2:v}.4s, v6.8h",
                    "sadalp {s3:v}.4s, v7.8h",
                    row = inout(reg) *row,
                    s0 = inout(vreg) *s0, s1 = inout(vreg) *s1, s2 = inout(vreg) *s2, s3 = inout(vreg) *s3,
                    w0 = in(vreg) w[0], w1 = in(vreg) w[1], w2 = in(vreg) w[2], w3 = in(vreg) w[3],
                    w4 = in(vreg) w[4], w5 = in(vreg) w[5], w6 = in(vreg) w[6], w7 = in(vreg) w[7],
                    out("v0") _, out("v1") _, out("v2") _, out("v3") _,
                    out("v4") _, out("v5") _, out("v6") _, out("v7") _,
                    options(pure, readonly, nostack, preserves_flags)
                );
            }
        }
    }
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

/// `sums` and the products of the upper four short integers: `smlal2`. See [`multiply_high`].
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn multiply_add_high_i16(mut sums: int32x4_t, a: int16x8_t, b: int16x8_t) -> int32x4_t {
    // SAFETY: one instruction of Armv8.0, registers only.
    unsafe {
        asm!(
            "smlal2 {sums:v}.4s, {a:v}.8h, {b:v}.8h",
            sums = inout(vreg) sums, a = in(vreg) a, b = in(vreg) b,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    sums
}

/// Stores eight short integers.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn store_i16x8(target: &mut [i16; 8], value: int16x8_t) {
    // SAFETY: writes the array's 8 elements.
    unsafe { vst1q_s16(target.as_mut_ptr(), value) }
}

/// Stores eight floats as binary16 numbers, rounded as the processor is set to: half to even.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn store_f16x8(target: &mut [u16; 8], values: [float32x4_t; 2]) {
    // SAFETY: the conversions touch registers only; the store writes the array's 8 elements.
    unsafe {
        let mut halves: uint16x8_t;
        asm!("fcvtn {0:v}.4h, {1:v}.4s", out(vreg) halves, in(vreg) values[0], options(pure, nomem, nostack, preserves_flags));
        asm!("fcvtn2 {0:v}.8h, {1:v}.4s", inout(vreg) halves, in(vreg) values[1], options(pure, nomem, nostack, preserves_flags));
        vst1q_u16(target.as_mut_ptr(), halves);
    }
}

/// Stores four integers.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn store_i32x4(target: &mut [i32; 4], value: int32x4_t) {
    // SAFETY: writes the array's 4 elements.
    unsafe { vst1q_s32(target.as_mut_ptr(), value) }
}

/// Eight binary16 numbers, little endian, as floats.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn load_f16x8_le(source: &[u8; 16]) -> [float32x4_t; 2] {
    // SAFETY: reads the array's 16 bytes; the instruction asks for no alignment.
    widen_f16x8(unsafe { vreinterpretq_u16_u8(vld1q_u8(source.as_ptr())) })
}

/// Eight binary16 numbers as floats. `fcvtl` is Armv8.0, but its Rust intrinsic came after our oldest compiler.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn load_f16x8(source: &[u16; 8]) -> [float32x4_t; 2] {
    // SAFETY: reads the array's 8 elements.
    widen_f16x8(unsafe { vld1q_u16(source.as_ptr()) })
}

/// Eight binary16 numbers as floats.
#[inline]
#[target_feature(enable = "neon")]
fn widen_f16x8(bits: uint16x8_t) -> [float32x4_t; 2] {
    let (low, high);
    // SAFETY: instructions of Armv8.0, registers only.
    unsafe {
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
