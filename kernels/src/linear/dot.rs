//! The unsafe edge of the linear layers by dot products: eight rows by up to four tokens, or four rows by eight.
//!
//! Registers are named and the loop over the groups along K is one piece, for the reasons of [`crate::dot`]. v8 to v15 are
//! results, v16 to v23 sums, v24 to v31 activations, v0 to v7 weights; where scales and a mask have no register of their own,
//! they take one of those after its last use. Of INT4, four rows by eight tokens unpack half as often as eight by four, and a
//! correction is loaded straight into the sum that it begins.

use std::arch::asm;

use super::{ROWS, Tile};
use crate::{linear_i4, linear_i8};

/// Four along K, the sums of four rows; the lane of the activations.
macro_rules! dot {
    ($s:literal, $w:literal, $x:literal, $lane:literal) => {
        concat!("sdot v", $s, ".4s, v", $w, ".16b, v", $x, ".4b[", $lane, "]\n")
    };
}

/// Four along K by some tokens: the lane, weights of rows 0-3 and 4-7; of each token the sums of both and its activations.
#[rustfmt::skip]
macro_rules! four {
    ($lane:literal, $low:literal $high:literal, $([$a:literal $b:literal, $x:literal]),*) => {
        concat!($(dot!($a, $low, $x, $lane), dot!($b, $high, $x, $lane),)*)
    };
}

/// Sixteen along K by some tokens: weights of four along K after the other, then as `four`.
#[rustfmt::skip]
macro_rules! sixteen {
    ([$l0:literal $h0:literal, $l1:literal $h1:literal, $l2:literal $h2:literal, $l3:literal $h3:literal],
        $($tokens:tt),*) => {
        concat!(
            four!(0, $l0 $h0, $($tokens),*), four!(1, $l1 $h1, $($tokens),*),
            four!(2, $l2 $h2, $($tokens),*), four!(3, $l3 $h3, $($tokens),*),
        )
    };
}

/// Sixty-four bytes of weights, and the pointer's step.
macro_rules! weights {
    ($w:literal, $a:literal, $b:literal, $c:literal, $d:literal, $step:literal) => {
        concat!("ld1 {{v", $a, ".16b, v", $b, ".16b, v", $c, ".16b, v", $d, ".16b}}, [", $w, "], ", $step, "\n")
    };
}

/// The 32 activations of a token, and the pointer's step.
macro_rules! activations {
    ($a:literal, $b:literal, $step:literal) => {
        concat!("ld1 {{v", $a, ".16b, v", $b, ".16b}}, [{x}], ", $step, "\n")
    };
}

/// The low nibbles of a register go to another, the high ones stay, by the mask in a third.
#[rustfmt::skip]
macro_rules! nibbles {
    ($raw:literal, $low:literal, $mask:literal) => {
        concat!(
            "and v", $low, ".16b, v", $raw, ".16b, v", $mask, ".16b\n",
            "ushr v", $raw, ".16b, v", $raw, ".16b, #4\n",
        )
    };
}

/// Half a group of INT4 weights of eight rows, unpacked: v4 to v7 hold the low nibbles, v0 to v3 the high ones.
#[rustfmt::skip]
macro_rules! half {
    ($step:literal) => {
        concat!(
            weights!("{w}", 0, 1, 2, 3, $step),
            nibbles!(0, 4, 28), nibbles!(1, 5, 28), nibbles!(2, 6, 28), nibbles!(3, 7, 28),
        )
    };
}

/// Half a group of INT4, unpacked by `half`, by some tokens.
macro_rules! by {
    ($($tokens:tt),*) => {
        sixteen!([4 5, 0 1, 6 7, 2 3], $($tokens),*)
    };
}

/// Half a group of INT8, loaded by `eights`, by some tokens.
macro_rules! by_eights {
    ($($tokens:tt),*) => {
        sixteen!([0 1, 2 3, 4 5, 6 7], $($tokens),*)
    };
}

/// Half a group of INT8 weights of eight rows.
macro_rules! eights {
    ($last:literal) => {
        concat!(weights!("{w}", 0, 1, 2, 3, "#64"), weights!("{w}", 4, 5, 6, 7, $last))
    };
}

/// The scales of eight rows as floats.
#[rustfmt::skip]
macro_rules! row_scales {
    ($bits:literal, $low:literal, $high:literal) => {
        concat!("fcvtl v", $low, ".4s, v", $bits, ".4h\nfcvtl2 v", $high, ".4s, v", $bits, ".8h\n")
    };
}

/// A group is complete for some rows and tokens. Of each: its sums, what the law multiplies (scales of rows, scale of the
/// token), a free register for the product, results. All of one kind come together, so that none waits for the one before.
#[rustfmt::skip]
macro_rules! finish {
    ($([$s:literal, $w:literal $scale:literal, $free:literal, $r:literal],)*) => {
        concat!(
            $("fmul v", $free, ".4s, v", $w, ".4s, ", $scale, "\n",)*
            $("scvtf v", $s, ".4s, v", $s, ".4s\n",)*
            $("fmla v", $r, ".4s, v", $s, ".4s, v", $free, ".4s\n",)*
        )
    };
}

/// Registers of nothing, where results begin.
#[rustfmt::skip]
macro_rules! clear {
    ($($s:literal)*) => { concat!($("movi v", $s, ".2d, #0\n"),*) };
}

/// Four sums of INT8 begin at nothing, which comes from memory, because the units that load have less to do.
macro_rules! zeros {
    ($a:literal $b:literal $c:literal $d:literal) => {
        concat!("ld1 {{v", $a, ".4s, v", $b, ".4s, v", $c, ".4s, v", $d, ".4s}}, [{zeros}]\n")
    };
}

/// See `zeros`.
static ZEROS: [[i32; 4]; 4] = [[0; 4]; 4];

/// A loop over all groups: what happens before, in and behind it, and the operands beyond the common ones.
macro_rules! sweep {
    ($tile:ident, $before:expr, $body:expr, $behind:expr, $($operands:tt)*) => {
        asm!(
            $before, "2:", $body, "subs {n}, {n}, #1", "b.ne 2b", $behind,
            x = inout(reg) $tile.quants() => _, s = inout(reg) $tile.scales() => _,
            n = inout(reg) $tile.groups() => _,
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

/// Bytes from the end of a block's weights to those of the next one: its scales.
const SCALES: isize = super::SCALES.cast_signed();

/// INT4, eight rows by one token.
#[target_feature(enable = "neon,dotprod")]
pub(crate) fn i4_1(tile: &Tile<'_, { linear_i4::BLOCK }, 1, 1>, results: &mut [[f32; ROWS]; 1]) {
    // SAFETY: reads what the tile promises to lie behind its pointers, group by group, and writes the results.
    unsafe {
        sweep!(
            tile, concat!(clear!(8 12), "movi v28.16b, #15"),
            concat!(
                "ld1r {{v16.4s}}, [{c}]\nld1r {{v20.4s}}, [{c}], {token}\nldr q29, [{w}], #16\n",
                activations!(24, 25, "{after}"), half!("#64"), by!([16 20, 24]), half!("#64"), by!([16 20, 25]),
                row_scales!(29, 30, 31), "ld1r {{v29.4s}}, [{s}], {token}\n",
                finish!(
                    [16, 30 "v29.4s", 0, 8], [20, 31 "v29.4s", 1, 12],
                ),
            ),
            "stp q8, q12, [{out}]",
            w = inout(reg) tile.weights() => _, c = inout(reg) tile.corrections() => _,
            token = in(reg) tile.step::<i32>(0), after = in(reg) tile.step::<[i8; 32]>(0),
            out = inout(reg) results.as_mut_ptr() => _,
        );
    }
}

/// INT4, eight rows by two tokens.
#[target_feature(enable = "neon,dotprod")]
pub(crate) fn i4_2(tile: &Tile<'_, { linear_i4::BLOCK }, 1, 2>, results: &mut [[f32; ROWS]; 2]) {
    // SAFETY: as in `i4_1`.
    unsafe {
        sweep!(
            tile, concat!(clear!(8 9 12 13), "movi v28.16b, #15"),
            concat!(
                "ld2r {{v16.4s, v17.4s}}, [{c}]\nld2r {{v20.4s, v21.4s}}, [{c}], {token}\nldr q29, [{w}], #16\n",
                activations!(24, 25, "#32"), activations!(26, 27, "{after}"),
                half!("#64"), by!([16 20, 24], [17 21, 26]), half!("#64"), by!([16 20, 25], [17 21, 27]),
                row_scales!(29, 30, 31), "ld1 {{v29.2s}}, [{s}], {token}\n",
                finish!(
                    [16, 30 "v29.s[0]", 0, 8], [20, 31 "v29.s[0]", 1, 12],
                    [17, 30 "v29.s[1]", 2, 9], [21, 31 "v29.s[1]", 3, 13],
                ),
            ),
            "stp q8, q12, [{out}]\nstp q9, q13, [{out}, #32]",
            w = inout(reg) tile.weights() => _, c = inout(reg) tile.corrections() => _,
            token = in(reg) tile.step::<i32>(0), after = in(reg) tile.step::<[i8; 32]>(32),
            out = inout(reg) results.as_mut_ptr() => _,
        );
    }
}

/// INT4, eight rows by four tokens.
#[target_feature(enable = "neon,dotprod")]
pub(crate) fn i4_4(tile: &Tile<'_, { linear_i4::BLOCK }, 1, 4>, results: &mut [[f32; ROWS]; 4]) {
    // SAFETY: as in `i4_1`.
    unsafe {
        sweep!(
            tile, concat!(clear!(8 9 10 11 12 13 14 15), "movi v28.16b, #15"),
            concat!(
                "ld4r {{v16.4s, v17.4s, v18.4s, v19.4s}}, [{c}]\nld4r {{v20.4s, v21.4s, v22.4s, v23.4s}}, [{c}], {token}\n",
                "ldr q29, [{w}], #16\nldr q24, [{x}]\nldr q25, [{x}, #32]\nldr q26, [{x}, #64]\nldr q27, [{x}, #96]\n",
                half!("#64"), by!([16 20, 24], [17 21, 25], [18 22, 26], [19 23, 27]),
                "ldr q24, [{x}, #16]\nldr q25, [{x}, #48]\nldr q26, [{x}, #80]\nldr q27, [{x}, #112]\n",
                "add {x}, {x}, {after}\n",
                half!("#64"), by!([16 20, 24], [17 21, 25], [18 22, 26], [19 23, 27]),
                row_scales!(29, 30, 31), "ld1 {{v29.4s}}, [{s}], {token}\n",
                finish!(
                    [16, 30 "v29.s[0]", 0, 8], [20, 31 "v29.s[0]", 1, 12],
                    [17, 30 "v29.s[1]", 2, 9], [21, 31 "v29.s[1]", 3, 13],
                    [18, 30 "v29.s[2]", 4, 10], [22, 31 "v29.s[2]", 5, 14],
                    [19, 30 "v29.s[3]", 6, 11], [23, 31 "v29.s[3]", 7, 15],
                ),
            ),
            "stp q8, q12, [{out}]\nstp q9, q13, [{out}, #32]\nstp q10, q14, [{out}, #64]\nstp q11, q15, [{out}, #96]",
            w = inout(reg) tile.weights() => _, c = inout(reg) tile.corrections() => _,
            token = in(reg) tile.step::<i32>(0), after = in(reg) tile.step::<[i8; 32]>(0),
            out = inout(reg) results.as_mut_ptr() => _,
        );
    }
}

/// The group of four rows' INT4 weights by two tokens; the pointer's step behind them.
#[rustfmt::skip]
macro_rules! pair {
    ($a:literal, $b:literal, [$p:literal $q:literal $r:literal $s:literal], $step:literal) => {
        concat!(
            activations!($p, $q, "#32"), activations!($r, $s, $step),
            dot!($a, 4, $p, 0), dot!($b, 4, $r, 0), dot!($a, 0, $p, 1), dot!($b, 0, $r, 1),
            dot!($a, 5, $p, 2), dot!($b, 5, $r, 2), dot!($a, 1, $p, 3), dot!($b, 1, $r, 3),
            dot!($a, 6, $q, 0), dot!($b, 6, $s, 0), dot!($a, 2, $q, 1), dot!($b, 2, $s, 1),
            dot!($a, 7, $q, 2), dot!($b, 7, $s, 2), dot!($a, 3, $q, 3), dot!($b, 3, $s, 3),
        )
    };
}

/// INT4, eight rows by eight tokens: rows 0-3, then rows 4-7.
#[target_feature(enable = "neon,dotprod")]
pub(crate) fn i4_8(tile: &Tile<'_, { linear_i4::BLOCK }, 1, 8>, results: &mut [[f32; ROWS]; 8]) {
    let (weights, results) = (tile.weights().cast::<u8>(), results.as_mut_ptr().cast::<f32>());
    for half in 0..2 {
        // SAFETY: as in `i4_1`; a tile's four rows are 16 of its 32 bytes, and their scales 8 of 16.
        unsafe {
            sweep!(
                tile, concat!(clear!(8 9 10 11 12 13 14 15), "movi v28.16b, #15"),
                concat!(
                    "ldr q0, [{w}]\nldr q1, [{w}, #32]\nldr q2, [{w}, #64]\nldr q3, [{w}, #96]\nldr d29, [{ws}], #144\n",
                    "ld4r {{v16.4s, v17.4s, v18.4s, v19.4s}}, [{c}], #16\n",
                    nibbles!(0, 4, 28), nibbles!(1, 5, 28), nibbles!(2, 6, 28), nibbles!(3, 7, 28),
                    "ld4r {{v20.4s, v21.4s, v22.4s, v23.4s}}, [{c}], {token}\nadd {w}, {w}, #144\n",
                    pair!(16, 17, [24 25 26 27], "#32"), pair!(18, 19, [24 25 26 27], "#32"),
                    pair!(20, 21, [24 25 26 27], "#32"), pair!(22, 23, [24 25 26 27], "{after}"),
                    "fcvtl v29.4s, v29.4h\nldp q30, q31, [{s}]\nadd {s}, {s}, {scale}\n",
                    finish!(
                        [16, 29 "v30.s[0]", 0, 8], [17, 29 "v30.s[1]", 1, 9],
                        [18, 29 "v30.s[2]", 2, 10], [19, 29 "v30.s[3]", 3, 11],
                        [20, 29 "v31.s[0]", 4, 12], [21, 29 "v31.s[1]", 5, 13],
                        [22, 29 "v31.s[2]", 6, 14], [23, 29 "v31.s[3]", 7, 15],
                    ),
                ),
                concat!(
                    "str q8, [{out}]\nstr q9, [{out}, #32]\nstr q10, [{out}, #64]\nstr q11, [{out}, #96]\n",
                    "str q12, [{out}, #128]\nstr q13, [{out}, #160]\nstr q14, [{out}, #192]\nstr q15, [{out}, #224]",
                ),
                w = inout(reg) weights.add(super::SCALES + 16 * half) => _, ws = inout(reg) weights.add(8 * half) => _,
                c = inout(reg) tile.corrections() => _, token = in(reg) tile.step::<i32>(16),
                scale = in(reg) tile.step::<f32>(0), after = in(reg) tile.step::<[i8; 32]>(224),
                out = inout(reg) results.add(4 * half) => _,
            );
        }
    }
}

/// Half a group of INT4 weights of the second eight rows, as `half`.
#[rustfmt::skip]
macro_rules! second_half {
    ($step:literal) => {
        concat!(
            weights!("{v}", 20, 21, 22, 23, $step),
            nibbles!(20, 10, 28), nibbles!(21, 11, 28), nibbles!(22, 14, 28), nibbles!(23, 15, 28),
        )
    };
}

/// INT4, twice eight rows by the only token.
#[target_feature(enable = "neon,dotprod")]
pub(crate) fn i4_both(tile: &Tile<'_, { linear_i4::BLOCK }, 2, 1>, results: &mut [[f32; ROWS]; 2]) {
    // SAFETY: as in `i4_1`.
    unsafe {
        sweep!(
            tile, concat!(clear!(8 9 12 13), "movi v28.16b, #15"),
            concat!(
                "ld1r {{v16.4s}}, [{c}]\nld1r {{v17.4s}}, [{c}]\nld1r {{v18.4s}}, [{c}]\nld1r {{v19.4s}}, [{c}], #4\n",
                "ldr q29, [{w}], #16\nldr q26, [{v}], #16\n", activations!(24, 25, "#32"),
                half!("#64"), second_half!("#64"),
                by!([16 17, 24]), sixteen!([10 11, 20 21, 14 15, 22 23], [18 19, 24]),
                half!("#64"), second_half!("#64"),
                by!([16 17, 25]), sixteen!([10 11, 20 21, 14 15, 22 23], [18 19, 25]),
                row_scales!(29, 30, 31), row_scales!(26, 24, 25), "ld1r {{v29.4s}}, [{s}], #4\n",
                finish!(
                    [16, 30 "v29.4s", 0, 8], [17, 31 "v29.4s", 1, 12],
                    [18, 24 "v29.4s", 2, 9], [19, 25 "v29.4s", 3, 13],
                ),
            ),
            "stp q8, q12, [{out}]\nstp q9, q13, [{out}, #32]",
            w = inout(reg) tile.weights() => _, v = inout(reg) tile.second_weights() => _,
            c = inout(reg) tile.corrections() => _, out = inout(reg) results.as_mut_ptr() => _,
        );
    }
}

/// INT8, eight rows by one token.
#[target_feature(enable = "neon,dotprod")]
pub(crate) fn i8_1(tile: &Tile<'_, { linear_i8::BLOCK }, 1, 1>, results: &mut [[f32; ROWS]; 1]) {
    // SAFETY: as in `i4_1`.
    unsafe {
        sweep!(
            tile, clear!(8 12),
            concat!(
                clear!(16 20), "ldr q29, [{w}], #16\n", activations!(24, 25, "{after}"),
                eights!("#64"), by_eights!([16 20, 24]), eights!("#64"), by_eights!([16 20, 25]),
                row_scales!(29, 30, 31), "ld1r {{v29.4s}}, [{s}], {token}\n",
                finish!(
                    [16, 30 "v29.4s", 0, 8], [20, 31 "v29.4s", 1, 12],
                ),
            ),
            "stp q8, q12, [{out}]",
            w = inout(reg) tile.weights() => _, token = in(reg) tile.step::<f32>(0),
            after = in(reg) tile.step::<[i8; 32]>(0), out = inout(reg) results.as_mut_ptr() => _,
        );
    }
}

/// INT8, eight rows by two tokens.
#[target_feature(enable = "neon,dotprod")]
pub(crate) fn i8_2(tile: &Tile<'_, { linear_i8::BLOCK }, 1, 2>, results: &mut [[f32; ROWS]; 2]) {
    // SAFETY: as in `i4_1`.
    unsafe {
        sweep!(
            tile, clear!(8 9 12 13),
            concat!(
                zeros!(16 17 18 19), "ldr q29, [{w}], #16\n",
                activations!(24, 25, "#32"), activations!(26, 27, "{after}"),
                eights!("#64"), by_eights!([16 18, 24], [17 19, 26]),
                eights!("#64"), by_eights!([16 18, 25], [17 19, 27]),
                row_scales!(29, 30, 31), "ld1 {{v29.2s}}, [{s}], {token}\n",
                finish!(
                    [16, 30 "v29.s[0]", 0, 8], [18, 31 "v29.s[0]", 1, 12],
                    [17, 30 "v29.s[1]", 2, 9], [19, 31 "v29.s[1]", 3, 13],
                ),
            ),
            "stp q8, q12, [{out}]\nstp q9, q13, [{out}, #32]",
            w = inout(reg) tile.weights() => _, token = in(reg) tile.step::<f32>(0),
            after = in(reg) tile.step::<[i8; 32]>(32), zeros = in(reg) &raw const ZEROS,
            out = inout(reg) results.as_mut_ptr() => _,
        );
    }
}

/// INT8, eight rows by four tokens.
#[target_feature(enable = "neon,dotprod")]
pub(crate) fn i8_4(tile: &Tile<'_, { linear_i8::BLOCK }, 1, 4>, results: &mut [[f32; ROWS]; 4]) {
    // SAFETY: as in `i4_1`; the pointer to the scales stays a block's weights before the other.
    unsafe {
        sweep!(
            tile, clear!(8 9 10 11 12 13 14 15),
            concat!(
                zeros!(16 17 18 19), zeros!(20 21 22 23),
                activations!(24, 25, "#32"), activations!(26, 27, "#32"), activations!(28, 29, "#32"),
                activations!(30, 31, "{after}"),
                eights!("#64"),
                by_eights!([16 20, 24], [17 21, 26], [18 22, 28], [19 23, 30]),
                eights!("{scales}"),
                by_eights!([16 20, 25], [17 21, 27], [18 22, 29], [19 23, 31]),
                "ld1 {{v29.8h}}, [{ws}], {block}\n", row_scales!(29, 30, 31), "ld1 {{v29.4s}}, [{s}], {token}\n",
                finish!(
                    [16, 30 "v29.s[0]", 0, 8], [20, 31 "v29.s[0]", 1, 12],
                    [17, 30 "v29.s[1]", 2, 9], [21, 31 "v29.s[1]", 3, 13],
                    [18, 30 "v29.s[2]", 4, 10], [22, 31 "v29.s[2]", 5, 14],
                    [19, 30 "v29.s[3]", 6, 11], [23, 31 "v29.s[3]", 7, 15],
                ),
            ),
            "stp q8, q12, [{out}]\nstp q9, q13, [{out}, #32]\nstp q10, q14, [{out}, #64]\nstp q11, q15, [{out}, #96]",
            w = inout(reg) tile.weights().cast::<u8>().add(super::SCALES) => _, ws = inout(reg) tile.weights() => _,
            scales = in(reg) 64 + SCALES, block = in(reg) linear_i8::BLOCK, token = in(reg) tile.step::<f32>(0),
            after = in(reg) tile.step::<[i8; 32]>(96), zeros = in(reg) &raw const ZEROS,
            out = inout(reg) results.as_mut_ptr() => _,
        );
    }
}

/// INT8, twice eight rows by the only token.
#[target_feature(enable = "neon,dotprod")]
pub(crate) fn i8_both(tile: &Tile<'_, { linear_i8::BLOCK }, 2, 1>, results: &mut [[f32; ROWS]; 2]) {
    // SAFETY: as in `i4_1`.
    unsafe {
        sweep!(
            tile, clear!(8 9 12 13),
            concat!(
                zeros!(16 17 18 19), "ldr q29, [{w}], #16\nldr q26, [{v}], #16\n", activations!(24, 25, "#32"),
                eights!("#64"), weights!("{v}", 20, 21, 22, 23, "#64"), by_eights!([16 17, 24]),
                weights!("{w}", 0, 1, 2, 3, "#64"),
                dot!(18, 20, 24, 0), dot!(19, 21, 24, 0), dot!(18, 22, 24, 1), dot!(19, 23, 24, 1),
                weights!("{v}", 20, 21, 22, 23, "#64"), weights!("{w}", 4, 5, 6, 7, "#64"),
                dot!(18, 20, 24, 2), dot!(19, 21, 24, 2), dot!(18, 22, 24, 3), dot!(19, 23, 24, 3),
                weights!("{v}", 20, 21, 22, 23, "#64"), by_eights!([16 17, 25]),
                dot!(18, 20, 25, 0), dot!(19, 21, 25, 0), dot!(18, 22, 25, 1), dot!(19, 23, 25, 1),
                weights!("{v}", 20, 21, 22, 23, "#64"), row_scales!(29, 30, 31), row_scales!(26, 0, 1),
                dot!(18, 20, 25, 2), dot!(19, 21, 25, 2), dot!(18, 22, 25, 3), dot!(19, 23, 25, 3),
                "ld1r {{v29.4s}}, [{s}], #4\n",
                finish!(
                    [16, 30 "v29.4s", 2, 8], [17, 31 "v29.4s", 3, 12],
                    [18, 0 "v29.4s", 4, 9], [19, 1 "v29.4s", 5, 13],
                ),
            ),
            "stp q8, q12, [{out}]\nstp q9, q13, [{out}, #32]",
            w = inout(reg) tile.weights() => _, v = inout(reg) tile.second_weights() => _,
            zeros = in(reg) &raw const ZEROS,
            out = inout(reg) results.as_mut_ptr() => _,
        );
    }
}
