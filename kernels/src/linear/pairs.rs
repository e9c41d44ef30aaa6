//! The unsafe edge of the linear layers by widening multiplications, for Armv8.0: eight rows by up to four tokens in all the
//! registers there are.
//!
//! Registers are named and the loop over the groups along K is one piece, for the reasons of [`crate::dot`]. INT4: v16 to v31
//! are 16-bit sums, four registers a token, two rows each; v8 to v15 results; v0 to v3 weights, v7 their mask; v4 to v6
//! activations, loaded two steps ahead for cores that keep the order. A lane takes the eight products of a group that are
//! its own (15240 at most); `addp` adds neighbours (30480), `sadalp` the rest to the correction. INT8: two products fill a
//! lane of v4 to v7, and the sums have 32 bits.

use std::arch::asm;

use super::{ROWS, Tile};
use crate::{linear_i4, linear_i8};

/// Four along K by eight rows: the sums' registers, weights of rows 0-3 and 4-7, activations.
#[rustfmt::skip]
macro_rules! times {
    ($op:literal, [$a:literal $b:literal $c:literal $d:literal], $low:literal, $high:literal, $x:literal) => {
        concat!(
            $op, " v", $a, ".8h, v", $low, ".8b, v", $x, ".8b\n",
            $op, "2 v", $b, ".8h, v", $low, ".16b, v", $x, ".16b\n",
            $op, " v", $c, ".8h, v", $high, ".8b, v", $x, ".8b\n",
            $op, "2 v", $d, ".8h, v", $high, ".16b, v", $x, ".16b\n",
        )
    };
}

/// Four activations in all quarters of a register, and the pointer's step.
macro_rules! spread {
    ($x:literal, $step:literal) => {
        concat!("ld1r {{v", $x, ".4s}}, [{x}], ", $step, "\n")
    };
}

/// A tile of INT4 weights: the low nibbles of rows 0-3 and 4-7 in two registers, the high ones in two others.
#[rustfmt::skip]
macro_rules! nibbles {
    ($at:literal) => { nibbles!("{w}", $at, 0, 1, 2, 3) };
    ($w:literal, $at:literal, $a:literal, $b:literal, $c:literal, $d:literal) => {
        concat!(
            "ldp q", $a, ", q", $b, ", [", $w, ", ", $at, "]\n",
            "and v", $c, ".16b, v", $a, ".16b, v7.16b\n",
            "and v", $d, ".16b, v", $b, ".16b, v7.16b\n",
            "ushr v", $a, ".16b, v", $a, ".16b, #4\n",
            "ushr v", $b, ".16b, v", $b, ".16b, #4\n",
        )
    };
}

/// A tile of INT4 weights by 1, 2 or 4 tokens; `last` is the pointer's step behind it.
#[rustfmt::skip]
macro_rules! tile {
    (1, $at:literal, $op:literal, $last:literal) => {
        concat!(
            spread!(4, "#4"), spread!(5, $last), nibbles!($at),
            times!($op, [16 17 18 19], 2, 3, 4), times!("smlal", [16 17 18 19], 0, 1, 5),
        )
    };
    (2, $at:literal, $op:literal, $last:literal) => {
        concat!(
            spread!(4, "#4"), spread!(5, "{next}"), nibbles!($at),
            times!($op, [16 17 18 19], 2, 3, 4), spread!(6, "#4"),
            times!("smlal", [16 17 18 19], 0, 1, 5), spread!(4, $last),
            times!($op, [20 21 22 23], 2, 3, 6), times!("smlal", [20 21 22 23], 0, 1, 4),
        )
    };
    (4, $at:literal, $op:literal, $last:literal) => {
        concat!(
            spread!(4, "#4"), spread!(5, "{next}"), nibbles!($at),
            times!($op, [16 17 18 19], 2, 3, 4), spread!(6, "#4"),
            times!("smlal", [16 17 18 19], 0, 1, 5), spread!(4, "{next}"),
            times!($op, [20 21 22 23], 2, 3, 6), spread!(5, "#4"),
            times!("smlal", [20 21 22 23], 0, 1, 4), spread!(6, "{next}"),
            times!($op, [24 25 26 27], 2, 3, 5), spread!(4, "#4"),
            times!("smlal", [24 25 26 27], 0, 1, 6), spread!(5, $last),
            times!($op, [28 29 30 31], 2, 3, 4), times!("smlal", [28 29 30 31], 0, 1, 5),
        )
    };
}

/// The four tiles of a group.
#[rustfmt::skip]
macro_rules! tiles {
    ($tokens:tt, $back:literal) => {
        concat!(
            tile!($tokens, "#16", "smull", $back), tile!($tokens, "#48", "smlal", $back),
            tile!($tokens, "#80", "smlal", $back), tile!($tokens, "#112", "smlal", "{after}"),
        )
    };
}

/// The scales of eight rows as floats.
#[rustfmt::skip]
macro_rules! row_scales {
    ($bits:literal, $low:literal, $high:literal) => {
        concat!("fcvtl v", $low, ".4s, v", $bits, ".4h\nfcvtl2 v", $high, ".4s, v", $bits, ".8h\n")
    };
}

/// A token's group of INT4 is complete: its correction, 16-bit sums, scales of rows and of the token, results.
#[rustfmt::skip]
macro_rules! finish {
    ($c:literal, [$a:literal $b:literal $x:literal $y:literal], [$low:literal $high:literal], $scale:literal,
        [$r:literal $s:literal]) => {
        concat!(
            "addp v", $a, ".8h, v", $a, ".8h, v", $b, ".8h\n",
            "addp v", $x, ".8h, v", $x, ".8h, v", $y, ".8h\n",
            "mov v", $b, ".16b, v", $c, ".16b\n",
            "fmul v", $y, ".4s, v", $high, ".4s, ", $scale, "\n",
            "sadalp v", $c, ".4s, v", $a, ".8h\n",
            "fmul v", $a, ".4s, v", $low, ".4s, ", $scale, "\n",
            "sadalp v", $b, ".4s, v", $x, ".8h\n",
            "scvtf v", $c, ".4s, v", $c, ".4s\n",
            "scvtf v", $b, ".4s, v", $b, ".4s\n",
            "fmla v", $r, ".4s, v", $c, ".4s, v", $a, ".4s\n",
            "fmla v", $s, ".4s, v", $b, ".4s, v", $y, ".4s\n",
        )
    };
}

/// The same of INT8, whose 32-bit sums are two a row.
#[rustfmt::skip]
macro_rules! finish_wide {
    ([$a:literal $b:literal $x:literal $y:literal], [$low:literal $high:literal], $scale:literal,
        [$r:literal $s:literal]) => {
        concat!(
            "addp v", $a, ".4s, v", $a, ".4s, v", $b, ".4s\n",
            "addp v", $x, ".4s, v", $x, ".4s, v", $y, ".4s\n",
            "fmul v", $b, ".4s, v", $low, ".4s, ", $scale, "\n",
            "fmul v", $y, ".4s, v", $high, ".4s, ", $scale, "\n",
            "scvtf v", $a, ".4s, v", $a, ".4s\n",
            "scvtf v", $x, ".4s, v", $x, ".4s\n",
            "fmla v", $r, ".4s, v", $a, ".4s, v", $b, ".4s\n",
            "fmla v", $s, ".4s, v", $x, ".4s, v", $y, ".4s\n",
        )
    };
}

/// Eight along K of INT8 by eight rows: weights of two groups of four, activations of both, sums.
#[rustfmt::skip]
macro_rules! eight {
    ($op:literal, [$w0:literal $w1:literal $w2:literal $w3:literal], $x0:literal, $x1:literal,
        [$a:literal $b:literal $c:literal $d:literal]) => {
        concat!(
            times!("smull", [4 5 6 7], $w0, $w1, $x0), times!("smlal", [4 5 6 7], $w2, $w3, $x1),
            $op, " v", $a, ".4s, v4.8h\n", $op, " v", $b, ".4s, v5.8h\n",
            $op, " v", $c, ".4s, v6.8h\n", $op, " v", $d, ".4s, v7.8h\n",
        )
    };
}

/// Sixty-four bytes of weights.
macro_rules! weights {
    ($w:literal, $a:literal, $b:literal, $c:literal, $d:literal, $step:literal) => {
        concat!("ld1 {{v", $a, ".16b, v", $b, ".16b, v", $c, ".16b, v", $d, ".16b}}, [", $w, "], ", $step, "\n")
    };
}

/// Each four of sixteen activations in all quarters of a register.
macro_rules! spread_16 {
    ($a:literal, $b:literal, $c:literal, $d:literal, $step:literal) => {
        concat!("ld4r {{v", $a, ".4s, v", $b, ".4s, v", $c, ".4s, v", $d, ".4s}}, [{x}], ", $step, "\n")
    };
}

/// A loop over all groups: what happens before, in and behind it, and the operands beyond the common ones.
macro_rules! sweep {
    ($tile:ident, $results:ident, $before:expr, $body:expr, $behind:expr, $($operands:tt)*) => {
        asm!(
            $before, "2:", $body, "subs {n}, {n}, #1", "b.ne 2b", $behind,
            w = inout(reg) $tile.weights() => _, x = inout(reg) $tile.quants() => _,
            s = inout(reg) $tile.scales() => _, n = inout(reg) $tile.groups() => _,
            out = inout(reg) $results.as_mut_ptr() => _,
            $($operands)*
            out("v0") _, out("v1") _, out("v2") _, out("v3") _, out("v4") _, out("v5") _, out("v6") _, out("v7") _,
            out("v8") _, out("v9") _, out("v10") _, out("v11") _, out("v12") _, out("v13") _, out("v14") _,
            out("v15") _, out("v16") _, out("v17") _, out("v18") _, out("v19") _, out("v20") _, out("v21") _,
            out("v22") _, out("v23") _, out("v24") _, out("v25") _, out("v26") _, out("v27") _, out("v28") _,
            out("v29") _, out("v30") _, out("v31") _,
            options(nostack)
        )
    };
}

/// Results begin at nothing; v7 is the mask of INT4.
macro_rules! nothing {
    (4) => {
        "movi v8.2d, #0\nmovi v9.2d, #0\nmovi v10.2d, #0\nmovi v11.2d, #0\nmovi v7.16b, #15\n"
    };
    (8) => {
        concat!(nothing!(4), "movi v12.2d, #0\nmovi v13.2d, #0\nmovi v14.2d, #0\nmovi v15.2d, #0\n")
    };
}

/// INT4, eight rows by one token.
#[target_feature(enable = "neon")]
pub(crate) fn i4_1(tile: &Tile<'_, { linear_i4::BLOCK }, 1, 1>, results: &mut [[f32; ROWS]; 1]) {
    // SAFETY: reads what the tile promises to lie behind its pointers, group by group, and writes the results.
    unsafe {
        sweep!(
            tile, results, nothing!(4),
            concat!(
                tiles!(1, "{back}"), "ldr q1, [{w}], #144\n", row_scales!(1, 0, 1),
                "ld1r {{v2.4s}}, [{s}], {token}\nld1r {{v3.4s}}, [{c}], {token}\n",
                finish!(3, [16 17 18 19], [0 1], "v2.4s", [8 9]),
            ),
            "stp q8, q9, [{out}]",
            c = inout(reg) tile.corrections() => _, token = in(reg) tile.step::<i32>(0),
            back = in(reg) 4_isize, after = in(reg) tile.step::<[i8; 32]>(28),
        );
    }
}

/// INT4, eight rows by two tokens.
#[target_feature(enable = "neon")]
pub(crate) fn i4_2(tile: &Tile<'_, { linear_i4::BLOCK }, 1, 2>, results: &mut [[f32; ROWS]; 2]) {
    // SAFETY: as in `i4_1`.
    unsafe {
        sweep!(
            tile, results, nothing!(4),
            concat!(
                tiles!(2, "{back}"), "ldr q1, [{w}], #144\n", row_scales!(1, 0, 1),
                "ld1 {{v2.2s}}, [{s}], {token}\nld2r {{v3.4s, v4.4s}}, [{c}], {token}\n",
                finish!(3, [16 17 18 19], [0 1], "v2.s[0]", [8 9]),
                finish!(4, [20 21 22 23], [0 1], "v2.s[1]", [10 11]),
            ),
            "stp q8, q9, [{out}]\nstp q10, q11, [{out}, #32]",
            c = inout(reg) tile.corrections() => _, token = in(reg) tile.step::<i32>(0), next = in(reg) 28_isize,
            back = in(reg) -28_isize, after = in(reg) tile.step::<[i8; 32]>(60),
        );
    }
}

/// INT4, eight rows by four tokens.
#[target_feature(enable = "neon")]
pub(crate) fn i4_4(tile: &Tile<'_, { linear_i4::BLOCK }, 1, 4>, results: &mut [[f32; ROWS]; 4]) {
    // SAFETY: as in `i4_1`.
    unsafe {
        sweep!(
            tile, results, nothing!(8),
            concat!(
                tiles!(4, "{back}"), "ldr q1, [{w}], #144\n", row_scales!(1, 0, 1),
                "ld1 {{v2.4s}}, [{s}], {token}\nld4r {{v3.4s, v4.4s, v5.4s, v6.4s}}, [{c}], {token}\n",
                finish!(3, [16 17 18 19], [0 1], "v2.s[0]", [8 9]),
                finish!(4, [20 21 22 23], [0 1], "v2.s[1]", [10 11]),
                finish!(5, [24 25 26 27], [0 1], "v2.s[2]", [12 13]),
                finish!(6, [28 29 30 31], [0 1], "v2.s[3]", [14 15]),
            ),
            "stp q8, q9, [{out}]\nstp q10, q11, [{out}, #32]\nstp q12, q13, [{out}, #64]\nstp q14, q15, [{out}, #96]",
            c = inout(reg) tile.corrections() => _, token = in(reg) tile.step::<i32>(0), next = in(reg) 28_isize,
            back = in(reg) -92_isize, after = in(reg) tile.step::<[i8; 32]>(124),
        );
    }
}

/// A tile of INT4 weights of twice eight rows by one token, whose activations lie spread already.
#[rustfmt::skip]
macro_rules! both {
    ($at:literal, $op:literal, $x0:literal, $x1:literal) => {
        concat!(
            nibbles!("{w}", $at, 0, 1, 2, 3), nibbles!("{v}", $at, 12, 13, 14, 15),
            times!($op, [16 17 18 19], 2, 3, $x0), times!($op, [20 21 22 23], 14, 15, $x0),
            times!("smlal", [16 17 18 19], 0, 1, $x1), times!("smlal", [20 21 22 23], 12, 13, $x1),
        )
    };
}

/// INT4, twice eight rows by the only token.
#[target_feature(enable = "neon")]
pub(crate) fn i4_both(tile: &Tile<'_, { linear_i4::BLOCK }, 2, 1>, results: &mut [[f32; ROWS]; 2]) {
    // SAFETY: as in `i4_1`.
    unsafe {
        sweep!(
            tile, results, nothing!(4),
            concat!(
                spread_16!(24, 25, 26, 27, "#16"), spread_16!(28, 29, 30, 31, "#16"),
                both!("#16", "smull", 24, 25), both!("#48", "smlal", 26, 27),
                both!("#80", "smlal", 28, 29), both!("#112", "smlal", 30, 31),
                "ldr q1, [{w}], #144\nldr q13, [{v}], #144\n", row_scales!(1, 0, 1), row_scales!(13, 12, 13),
                "ld1r {{v2.4s}}, [{s}], #4\nld1r {{v3.4s}}, [{c}], #4\nmov v4.16b, v3.16b\n",
                finish!(3, [16 17 18 19], [0 1], "v2.4s", [8 9]),
                finish!(4, [20 21 22 23], [12 13], "v2.4s", [10 11]),
            ),
            "stp q8, q9, [{out}]\nstp q10, q11, [{out}, #32]",
            c = inout(reg) tile.corrections() => _, v = inout(reg) tile.second_weights() => _,
        );
    }
}

/// INT8, eight rows by one token.
#[target_feature(enable = "neon")]
pub(crate) fn i8_1(tile: &Tile<'_, { linear_i8::BLOCK }, 1, 1>, results: &mut [[f32; ROWS]; 1]) {
    // SAFETY: as in `i4_1`.
    unsafe {
        sweep!(
            tile, results, nothing!(4),
            concat!(
                "ldr q12, [{w}], #16\n",
                spread_16!(24, 25, 26, 27, "#16"), weights!("{w}", 0, 1, 2, 3, "#64"),
                eight!("saddlp", [0 1 2 3], 24, 25, [16 17 18 19]), weights!("{w}", 0, 1, 2, 3, "#64"),
                eight!("sadalp", [0 1 2 3], 26, 27, [16 17 18 19]),
                spread_16!(24, 25, 26, 27, "{after}"), weights!("{w}", 0, 1, 2, 3, "#64"),
                eight!("sadalp", [0 1 2 3], 24, 25, [16 17 18 19]), weights!("{w}", 0, 1, 2, 3, "#64"),
                eight!("sadalp", [0 1 2 3], 26, 27, [16 17 18 19]),
                row_scales!(12, 0, 1), "ld1r {{v2.4s}}, [{s}], {token}\n",
                finish_wide!([16 17 18 19], [0 1], "v2.4s", [8 9]),
            ),
            "stp q8, q9, [{out}]",
            token = in(reg) tile.step::<f32>(0), after = in(reg) tile.step::<[i8; 32]>(16),
        );
    }
}

/// Sixteen along K of INT8 by two tokens; the steps of the pointer between and behind them.
#[rustfmt::skip]
macro_rules! sixteen {
    ($op:literal, $last:literal) => {
        concat!(
            spread_16!(24, 25, 26, 27, "{next}"), spread_16!(28, 29, 30, 31, $last),
            weights!("{w}", 0, 1, 2, 3, "#64"),
            eight!($op, [0 1 2 3], 24, 25, [16 17 18 19]), eight!($op, [0 1 2 3], 28, 29, [20 21 22 23]),
            weights!("{w}", 0, 1, 2, 3, "#64"),
            eight!("sadalp", [0 1 2 3], 26, 27, [16 17 18 19]), eight!("sadalp", [0 1 2 3], 30, 31, [20 21 22 23]),
        )
    };
}

/// INT8, eight rows by two tokens.
#[target_feature(enable = "neon")]
pub(crate) fn i8_2(tile: &Tile<'_, { linear_i8::BLOCK }, 1, 2>, results: &mut [[f32; ROWS]; 2]) {
    // SAFETY: as in `i4_1`.
    unsafe {
        sweep!(
            tile, results, nothing!(4),
            concat!(
                "ldr q12, [{w}], #16\n", sixteen!("saddlp", "{back}"), sixteen!("sadalp", "{after}"),
                row_scales!(12, 0, 1), "ld1 {{v2.2s}}, [{s}], {token}\n",
                finish_wide!([16 17 18 19], [0 1], "v2.s[0]", [8 9]),
                finish_wide!([20 21 22 23], [0 1], "v2.s[1]", [10 11]),
            ),
            "stp q8, q9, [{out}]\nstp q10, q11, [{out}, #32]",
            token = in(reg) tile.step::<f32>(0), next = in(reg) 32_isize, back = in(reg) -16_isize,
            after = in(reg) tile.step::<[i8; 32]>(48),
        );
    }
}

/// Sixteen along K of INT8, twice eight rows by one token.
#[rustfmt::skip]
macro_rules! both_sixteen {
    ($op:literal) => {
        concat!(
            spread_16!(24, 25, 26, 27, "#16"),
            weights!("{w}", 0, 1, 2, 3, "#64"), weights!("{v}", 12, 13, 14, 15, "#64"),
            eight!($op, [0 1 2 3], 24, 25, [16 17 18 19]), eight!($op, [12 13 14 15], 24, 25, [20 21 22 23]),
            weights!("{w}", 0, 1, 2, 3, "#64"), weights!("{v}", 12, 13, 14, 15, "#64"),
            eight!("sadalp", [0 1 2 3], 26, 27, [16 17 18 19]), eight!("sadalp", [12 13 14 15], 26, 27, [20 21 22 23]),
        )
    };
}

/// INT8, twice eight rows by the only token.
#[target_feature(enable = "neon")]
pub(crate) fn i8_both(tile: &Tile<'_, { linear_i8::BLOCK }, 2, 1>, results: &mut [[f32; ROWS]; 2]) {
    // SAFETY: as in `i4_1`.
    unsafe {
        sweep!(
            tile, results, nothing!(4),
            concat!(
                "ldr q28, [{w}], #16\nldr q29, [{v}], #16\n", both_sixteen!("saddlp"), both_sixteen!("sadalp"),
                row_scales!(28, 0, 1), row_scales!(29, 12, 13), "ld1r {{v2.4s}}, [{s}], #4\n",
                finish_wide!([16 17 18 19], [0 1], "v2.4s", [8 9]),
                finish_wide!([20 21 22 23], [12 13], "v2.4s", [10 11]),
            ),
            "stp q8, q9, [{out}]\nstp q10, q11, [{out}, #32]",
            v = inout(reg) tile.second_weights() => _,
        );
    }
}
