//! The unsafe edge of the matrix product by widening multiplications: four rows by eight channels, in all the registers
//! there are.
//!
//! Registers are named and the loop along K is one piece, for the reasons of [`crate::dot`]: v8 to v23 are the sums, v24 to
//! v31 the weights of four groups along K, v0 to v3 those groups of a row, v4 to v7 products.

use std::arch::aarch64::{int32x4_t, vdupq_n_s32, vzip1q_s32, vzip2q_s32};
use std::arch::asm;
use std::marker::PhantomData;

use crate::strided::{Group, Strided};

/// Rows of a tile.
pub(crate) const ROWS: usize = 4;

/// Of each row: channels 0-3 and 4-7.
pub(crate) type Sums = [[int32x4_t; 2]; ROWS];

/// A row's next sixteen elements, times the weights of four groups.
macro_rules! sixteen {
    ($row:literal, $s0:literal, $s1:literal, $s2:literal, $s3:literal) => {
        concat!(
            "ld4r {{v0.4s, v1.4s, v2.4s, v3.4s}}, [",
            $row,
            "], #16\n",
            "smull v4.8h, v24.8b, v0.8b\nsmull2 v5.8h, v24.16b, v0.16b\n",
            "smull v6.8h, v25.8b, v0.8b\nsmull2 v7.8h, v25.16b, v0.16b\n",
            "smlal v4.8h, v26.8b, v1.8b\nsmlal2 v5.8h, v26.16b, v1.16b\n",
            "smlal v6.8h, v27.8b, v1.8b\nsmlal2 v7.8h, v27.16b, v1.16b\n",
            "sadalp v",
            $s0,
            ".4s, v4.8h\nsmull v4.8h, v28.8b, v2.8b\n",
            "sadalp v",
            $s1,
            ".4s, v5.8h\nsmull2 v5.8h, v28.16b, v2.16b\n",
            "sadalp v",
            $s2,
            ".4s, v6.8h\nsmull v6.8h, v29.8b, v2.8b\n",
            "sadalp v",
            $s3,
            ".4s, v7.8h\nsmull2 v7.8h, v29.16b, v2.16b\n",
            "smlal v4.8h, v30.8b, v3.8b\nsmlal2 v5.8h, v30.16b, v3.16b\n",
            "smlal v6.8h, v31.8b, v3.8b\nsmlal2 v7.8h, v31.16b, v3.16b\n",
            "sadalp v",
            $s0,
            ".4s, v4.8h\nsadalp v",
            $s1,
            ".4s, v5.8h\n",
            "sadalp v",
            $s2,
            ".4s, v6.8h\nsadalp v",
            $s3,
            ".4s, v7.8h\n",
        )
    };
}

/// A row's next eight elements, times the weights of two groups.
macro_rules! eight {
    ($row:literal, $s0:literal, $s1:literal, $s2:literal, $s3:literal) => {
        concat!(
            "ld2r {{v0.4s, v1.4s}}, [",
            $row,
            "], #8\n",
            "smull v4.8h, v24.8b, v0.8b\nsmull2 v5.8h, v24.16b, v0.16b\n",
            "smull v6.8h, v25.8b, v0.8b\nsmull2 v7.8h, v25.16b, v0.16b\n",
            "smlal v4.8h, v26.8b, v1.8b\nsmlal2 v5.8h, v26.16b, v1.16b\n",
            "smlal v6.8h, v27.8b, v1.8b\nsmlal2 v7.8h, v27.16b, v1.16b\n",
            "sadalp v",
            $s0,
            ".4s, v4.8h\nsadalp v",
            $s1,
            ".4s, v5.8h\n",
            "sadalp v",
            $s2,
            ".4s, v6.8h\nsadalp v",
            $s3,
            ".4s, v7.8h\n",
        )
    };
}

/// For all rows.
macro_rules! rows {
    ($each:ident) => {
        concat!(
            $each!("{p0}", 8, 9, 10, 11),
            $each!("{p1}", 12, 13, 14, 15),
            $each!("{p2}", 16, 17, 18, 19),
            $each!("{p3}", 20, 21, 22, 23)
        )
    };
}

/// The sums of a row as they start.
macro_rules! start {
    ($row:literal, $s0:literal, $s1:literal, $s2:literal, $s3:literal) => {
        concat!("ldp q", $s0, ", q", $s1, ", [{start}]\nldp q", $s2, ", q", $s3, ", [{start}, #32]\n")
    };
}

/// The full tiles of some rows, in order.
pub(crate) struct Tiles<'a> {
    rows: [*const i8; ROWS],
    weights: *const Group,
    /// Channels 0-1, 2-3, 4-5 and 6-7, two partial sums each.
    start: [int32x4_t; 4],
    /// Tiles that are left.
    left: usize,
    pieces: usize,
    /// Elements a piece, a multiple of 8.
    length: usize,
    /// From the end of a piece to the next one, and of the last one to the next tile's first.
    steps: [isize; 2],
    lifetime: PhantomData<&'a [i8]>,
}

impl<'a> Tiles<'a> {
    /// The rows of `source` from its first on, `tiles` times four, which must lie inside of its input; `panel` holds the
    /// weights of eight channels.
    #[target_feature(enable = "neon")]
    pub(crate) fn new(source: &Strided<'a>, tiles: usize, panel: &'a [Group], [low, high]: [int32x4_t; 2]) -> Self {
        let Strided { input, start, row_stride, piece_stride, .. } = *source;
        let [pieces, length] = if source.pieces == 0 { [1, 0] } else { [source.pieces, source.length] };
        let last = (pieces - 1) * piece_stride;
        if tiles > 0 {
            let end = start + (tiles * ROWS - 1) * row_stride + last + length;
            assert!(end <= input.len(), "rows beyond the input");
            assert!(length.is_multiple_of(8) && pieces * length <= panel.len() * 4, "more elements than weights");
        }
        let steps = [
            piece_stride.cast_signed() - length.cast_signed(),
            (ROWS * row_stride).cast_signed() - (last + length).cast_signed(),
        ];
        let (first, zero) = (input.as_ptr().wrapping_add(start), vdupq_n_s32(0));
        Self {
            rows: std::array::from_fn(|row| first.wrapping_add(row * row_stride)),
            weights: panel.as_ptr(),
            start: [vzip1q_s32(low, zero), vzip2q_s32(low, zero), vzip1q_s32(high, zero), vzip2q_s32(high, zero)],
            left: tiles,
            pieces,
            length,
            steps,
            lifetime: PhantomData,
        }
    }

    /// The sums of the next tile, which start at the bias; `None` behind the last one.
    ///
    /// Two products share 16 bits, which they fit if no weight is -128.
    #[inline]
    #[target_feature(enable = "neon")]
    pub(crate) fn next(&mut self) -> Option<Sums> {
        if self.left == 0 {
            return None;
        }
        self.left -= 1;
        let [p0, p1, p2, p3] = &mut self.rows;
        let (a0, a1, b0, b1, c0, c1, d0, d1);
        // SAFETY: reads what the sums start with; and of `tiles` tiles, this one among them, the rows and of `pieces`
        // pieces the elements that `new` found inside of the input, and no more weights than elements. Behind the last
        // tile the pointers may leave the input, and are not read any more. Nothing is written.
        unsafe {
            asm!(
                rows!(start),
                "2:",
                "subs {k}, {length}, #16",
                "b.lt 4f",
                "3:",
                "ldp q24, q25, [{w}], #128\nldp q26, q27, [{w}, #-96]",
                "ldp q28, q29, [{w}, #-64]\nldp q30, q31, [{w}, #-32]",
                rows!(sixteen),
                "subs {k}, {k}, #16",
                "b.ge 3b",
                "4:",
                "tbz {length}, #3, 5f",
                "ldp q24, q25, [{w}], #64\nldp q26, q27, [{w}, #-32]",
                rows!(eight),
                "5:",
                "subs {pieces}, {pieces}, #1",
                "b.eq 6f",
                "add {p0}, {p0}, {next_piece}\nadd {p1}, {p1}, {next_piece}",
                "add {p2}, {p2}, {next_piece}\nadd {p3}, {p3}, {next_piece}",
                "b 2b",
                "6:",
                "add {p0}, {p0}, {next_tile}\nadd {p1}, {p1}, {next_tile}",
                "add {p2}, {p2}, {next_tile}\nadd {p3}, {p3}, {next_tile}",
                "addp v8.4s, v8.4s, v9.4s\naddp v9.4s, v10.4s, v11.4s",
                "addp v10.4s, v12.4s, v13.4s\naddp v11.4s, v14.4s, v15.4s",
                "addp v12.4s, v16.4s, v17.4s\naddp v13.4s, v18.4s, v19.4s",
                "addp v14.4s, v20.4s, v21.4s\naddp v15.4s, v22.4s, v23.4s",
                p0 = inout(reg) *p0, p1 = inout(reg) *p1, p2 = inout(reg) *p2, p3 = inout(reg) *p3,
                w = inout(reg) self.weights => _, start = in(reg) &raw const self.start,
                k = out(reg) _, length = in(reg) self.length, pieces = inout(reg) self.pieces => _,
                next_piece = in(reg) self.steps[0], next_tile = in(reg) self.steps[1],
                out("v0") _, out("v1") _, out("v2") _, out("v3") _,
                out("v4") _, out("v5") _, out("v6") _, out("v7") _,
                out("v8") a0, out("v9") a1, out("v10") b0, out("v11") b1,
                out("v12") c0, out("v13") c1, out("v14") d0, out("v15") d1,
                out("v16") _, out("v17") _, out("v18") _, out("v19") _,
                out("v20") _, out("v21") _, out("v22") _, out("v23") _,
                out("v24") _, out("v25") _, out("v26") _, out("v27") _,
                out("v28") _, out("v29") _, out("v30") _, out("v31") _,
                options(pure, readonly, nostack)
            );
        }
        Some([[a0, a1], [b0, b1], [c0, c1], [d0, d1]])
    }
}
