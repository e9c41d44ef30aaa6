//! The unsafe edge of dense F16 convolutions: eight rows by eight channels in named registers.
//!
//! v16 to v31 are the sums, two registers a row; v0 to v7 four values of each row; v8, v9, v14, v15 weights as they are
//! stored, v10 to v13 widened. Left to the compiler, some of the sums live in memory and the loop has half as many
//! instructions again.

use std::arch::aarch64::float32x4_t;
use std::arch::asm;

/// Rows of a tile.
pub(super) const ROWS: usize = 8;

/// Of each row: channels 0-3 and 4-7.
pub(super) type Sums = [[float32x4_t; 2]; ROWS];

/// The products of a place along K, in lane `$lane` of the values.
macro_rules! place {
    ($low:literal, $high:literal, $lane:literal) => {
        concat!(
            place!($low, $high, $lane, 16 17 0), place!($low, $high, $lane, 18 19 1),
            place!($low, $high, $lane, 20 21 2), place!($low, $high, $lane, 22 23 3),
            place!($low, $high, $lane, 24 25 4), place!($low, $high, $lane, 26 27 5),
            place!($low, $high, $lane, 28 29 6), place!($low, $high, $lane, 30 31 7),
        )
    };
    ($low:literal, $high:literal, $lane:literal, $a:literal $b:literal $value:literal) => {
        concat!(
            "fmla v", $a, ".4s, v", $low, ".4s, v", $value, ".s[", $lane, "]\n",
            "fmla v", $b, ".4s, v", $high, ".4s, v", $value, ".s[", $lane, "]\n",
        )
    };
}

/// Eight weights as floats.
macro_rules! widen {
    ($bits:literal, $low:literal, $high:literal) => {
        concat!("fcvtl v", $low, ".4s, v", $bits, ".4h\nfcvtl2 v", $high, ".4s, v", $bits, ".8h\n")
    };
}

/// Adds the products of `rows`, which have one length, and as many `weights`.
///
/// # Panics
/// When they have not.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn multiply(sums: &mut Sums, rows: [&[f32]; ROWS], weights: &[[u16; 8]]) {
    let length = rows[0].len();
    assert!(rows.iter().all(|row| row.len() == length) && weights.len() >= length, "a piece of one length");
    let [a, b, c, d, e, f, g, h] = rows.map(<[f32]>::as_ptr);
    // SAFETY: reads `length` values behind each pointer and as many weights, which are there; writes registers only.
    unsafe {
        asm!(
            "cbz {fours}, 3f",
            "2:",
            "ldp q8, q9, [{w}], #32", "ldr q0, [{a}], #16", "ldr q1, [{b}], #16", "ldr q2, [{c}], #16",
            widen!(8, 10, 11),
            "ldr q3, [{d}], #16", "ldr q4, [{e}], #16", "ldr q5, [{f}], #16", "ldr q6, [{g}], #16", "ldr q7, [{h}], #16",
            widen!(9, 12, 13),
            place!(10, 11, 0),
            "ldp q14, q15, [{w}], #32",
            place!(12, 13, 1),
            widen!(14, 10, 11), widen!(15, 12, 13),
            place!(10, 11, 2),
            "subs {fours}, {fours}, #1",
            place!(12, 13, 3),
            "b.ne 2b",
            "3:",
            "cbz {ones}, 5f",
            "4:",
            "ldr q8, [{w}], #16", "ldr s0, [{a}], #4", "ldr s1, [{b}], #4", "ldr s2, [{c}], #4", "ldr s3, [{d}], #4",
            widen!(8, 10, 11),
            "ldr s4, [{e}], #4", "ldr s5, [{f}], #4", "ldr s6, [{g}], #4", "ldr s7, [{h}], #4",
            "subs {ones}, {ones}, #1",
            place!(10, 11, 0),
            "b.ne 4b",
            "5:",
            a = inout(reg) a => _, b = inout(reg) b => _, c = inout(reg) c => _, d = inout(reg) d => _,
            e = inout(reg) e => _, f = inout(reg) f => _, g = inout(reg) g => _, h = inout(reg) h => _,
            w = inout(reg) weights.as_ptr() => _, fours = inout(reg) length / 4 => _, ones = inout(reg) length % 4 => _,
            inout("v16") sums[0][0], inout("v17") sums[0][1], inout("v18") sums[1][0], inout("v19") sums[1][1],
            inout("v20") sums[2][0], inout("v21") sums[2][1], inout("v22") sums[3][0], inout("v23") sums[3][1],
            inout("v24") sums[4][0], inout("v25") sums[4][1], inout("v26") sums[5][0], inout("v27") sums[5][1],
            inout("v28") sums[6][0], inout("v29") sums[6][1], inout("v30") sums[7][0], inout("v31") sums[7][1],
            out("v0") _, out("v1") _, out("v2") _, out("v3") _, out("v4") _, out("v5") _, out("v6") _, out("v7") _,
            out("v8") _, out("v9") _, out("v10") _, out("v11") _, out("v12") _, out("v13") _, out("v14") _, out("v15") _,
            options(readonly, nostack)
        );
    }
}
