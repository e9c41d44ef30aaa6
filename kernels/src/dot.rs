//! The unsafe edge of Arm's dot products: what a compiler that may order them as it likes would spill registers for.
//!
//! [`Tiles`] are those of a matrix product, six rows by sixteen channels in all the registers there are. Registers are named
//! and the loop along K is one piece: v8 to v31 are the sums, v0 to v5 sixteen elements of each row, v6 and v7 weights.

use std::arch::aarch64::{int8x16_t, int32x4_t};
use std::arch::asm;
use std::marker::PhantomData;

use crate::strided::{Group, Strided};

/// Rows of a tile.
pub(crate) const ROWS: usize = 6;

/// Output channels of a tile.
pub(crate) const CHANNELS: usize = 16;

/// Of each row: channels 0-3, 4-7, 8-11 and 12-15.
pub(crate) type Sums = [[int32x4_t; 4]; ROWS];

/// Group `lane` along K of sixteen (or eight) elements.
macro_rules! group {
    ($lane:literal) => {
        concat!(
            group!("{low}", $lane, "8", "12", "16", "20", "24", "28", "9", "13", "17", "21", "25", "29"),
            group!("{high}", $lane, "10", "14", "18", "22", "26", "30", "11", "15", "19", "23", "27", "31")
        )
    };
    ($weights:literal, $lane:literal, $a0:literal, $a1:literal, $a2:literal, $a3:literal, $a4:literal, $a5:literal,
        $b0:literal, $b1:literal, $b2:literal, $b3:literal, $b4:literal, $b5:literal) => {
        concat!(
            "ldp q6, q7, [",
            $weights,
            "], #32\n",
            group!(6, $lane, $a0, $a1, $a2, $a3, $a4, $a5),
            group!(7, $lane, $b0, $b1, $b2, $b3, $b4, $b5)
        )
    };
    ($weights:literal, $lane:literal, $s0:literal, $s1:literal, $s2:literal, $s3:literal, $s4:literal, $s5:literal) => {
        concat!(
            "sdot v",
            $s0,
            ".4s, v",
            $weights,
            ".16b, v0.4b[",
            $lane,
            "]\n",
            "sdot v",
            $s1,
            ".4s, v",
            $weights,
            ".16b, v1.4b[",
            $lane,
            "]\n",
            "sdot v",
            $s2,
            ".4s, v",
            $weights,
            ".16b, v2.4b[",
            $lane,
            "]\n",
            "sdot v",
            $s3,
            ".4s, v",
            $weights,
            ".16b, v3.4b[",
            $lane,
            "]\n",
            "sdot v",
            $s4,
            ".4s, v",
            $weights,
            ".16b, v4.4b[",
            $lane,
            "]\n",
            "sdot v",
            $s5,
            ".4s, v",
            $weights,
            ".16b, v5.4b[",
            $lane,
            "]\n",
        )
    };
}

/// An instruction for each row, with the row's number in two places.
macro_rules! each_row {
    ($a:literal, $b:literal, $c:literal) => {
        concat!(
            $a, 0, $b, 0, $c, $a, 1, $b, 1, $c, $a, 2, $b, 2, $c, $a, 3, $b, 3, $c, $a, 4, $b, 4, $c, $a, 5, $b, 5, $c
        )
    };
}

/// Moves the pointers of all rows.
macro_rules! move_rows {
    ($by:literal) => {
        concat!(
            "add {p0}, {p0}, ",
            $by,
            "\nadd {p1}, {p1}, ",
            $by,
            "\nadd {p2}, {p2}, ",
            $by,
            "\n",
            "add {p3}, {p3}, ",
            $by,
            "\nadd {p4}, {p4}, ",
            $by,
            "\nadd {p5}, {p5}, ",
            $by,
            "\n",
        )
    };
}

/// Each row's sums start at the bias.
macro_rules! start {
    () => {
        concat!(
            start!(8, 9, 10, 11),
            start!(12, 13, 14, 15),
            start!(16, 17, 18, 19),
            start!(20, 21, 22, 23),
            start!(24, 25, 26, 27),
            start!(28, 29, 30, 31)
        )
    };
    ($a:literal, $b:literal, $c:literal, $d:literal) => {
        concat!("ldp q", $a, ", q", $b, ", [{bias}]\nldp q", $c, ", q", $d, ", [{bias}, #32]\n")
    };
}

/// The full tiles of some rows, in order.
pub(crate) struct Tiles<'a> {
    rows: [*const i8; ROWS],
    weights: *const Group,
    bias: &'a [i32; CHANNELS],
    /// Tiles that are left.
    left: usize,
    pieces: usize,
    /// Elements a piece, a multiple of 8.
    length: usize,
    /// From the end of a piece to the next one, and of the last one to the next tile's first.
    steps: [isize; 2],
    /// Bytes from the weights of channels 0-7 to those of 8-15.
    panel: usize,
    lifetime: PhantomData<&'a [i8]>,
}

impl<'a> Tiles<'a> {
    /// The rows of `source` from its first on, `tiles` times six, which must lie inside of its input; `panels` holds the
    /// weights of channels 0-7 and then those of 8-15.
    pub(crate) fn new(source: &Strided<'a>, tiles: usize, panels: &'a [Group], bias: &'a [i32; CHANNELS]) -> Self {
        let Strided { input, start, row_stride, piece_stride, .. } = *source;
        let [pieces, length] = if source.pieces == 0 { [1, 0] } else { [source.pieces, source.length] };
        let (last, panel) = ((pieces - 1) * piece_stride, panels.len() / 2 * size_of::<Group>());
        if tiles > 0 {
            let end = start + (tiles * ROWS - 1) * row_stride + last + length;
            assert!(end <= input.len(), "rows beyond the input");
            assert!(length.is_multiple_of(8) && pieces * length * 8 <= panel, "more elements than weights");
        }
        let steps = [
            piece_stride.cast_signed() - length.cast_signed(),
            (ROWS * row_stride).cast_signed() - (last + length).cast_signed(),
        ];
        let first = input.as_ptr().wrapping_add(start);
        Self {
            rows: std::array::from_fn(|row| first.wrapping_add(row * row_stride)),
            weights: panels.as_ptr(),
            bias,
            left: tiles,
            pieces,
            length,
            steps,
            panel,
            lifetime: PhantomData,
        }
    }

    /// The sums of the next tile, which start at the bias; `None` behind the last one.
    #[inline]
    #[target_feature(enable = "neon,dotprod")]
    pub(crate) fn next(&mut self) -> Option<Sums> {
        if self.left == 0 {
            return None;
        }
        self.left -= 1;
        let [p0, p1, p2, p3, p4, p5] = &mut self.rows;
        let low = self.weights.cast::<i8>();
        let high = low.wrapping_add(self.panel);
        let (a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2, c3);
        let (d0, d1, d2, d3, e0, e1, e2, e3, f0, f1, f2, f3);
        // SAFETY: reads sixteen biases; and of `tiles` tiles, this one among them, the rows and of `pieces` pieces the
        // elements that `new` found inside of the input, and no more weights than elements. Behind the last tile the
        // pointers may leave the input, and are not read any more. Nothing is written.
        unsafe {
            asm!(
                start!(),
                "2:",
                "subs {k}, {length}, #16",
                "b.lt 4f",
                "3:",
                each_row!("ldr q", ", [{p", "}], #16\n"),
                group!(0),
                group!(1),
                group!(2),
                group!(3),
                "subs {k}, {k}, #16",
                "b.ge 3b",
                "4:",
                "tbz {length}, #3, 5f",
                each_row!("ldr d", ", [{p", "}], #8\n"),
                group!(0),
                group!(1),
                "5:",
                "subs {pieces}, {pieces}, #1",
                "b.eq 6f",
                move_rows!("{next_piece}"),
                "b 2b",
                "6:",
                move_rows!("{next_tile}"),
                p0 = inout(reg) *p0, p1 = inout(reg) *p1, p2 = inout(reg) *p2,
                p3 = inout(reg) *p3, p4 = inout(reg) *p4, p5 = inout(reg) *p5,
                low = inout(reg) low => _, high = inout(reg) high => _, bias = in(reg) self.bias,
                k = out(reg) _, length = in(reg) self.length, pieces = inout(reg) self.pieces => _,
                next_piece = in(reg) self.steps[0], next_tile = in(reg) self.steps[1],
                out("v0") _, out("v1") _, out("v2") _, out("v3") _,
                out("v4") _, out("v5") _, out("v6") _, out("v7") _,
                out("v8") a0, out("v9") a1, out("v10") a2, out("v11") a3,
                out("v12") b0, out("v13") b1, out("v14") b2, out("v15") b3,
                out("v16") c0, out("v17") c1, out("v18") c2, out("v19") c3,
                out("v20") d0, out("v21") d1, out("v22") d2, out("v23") d3,
                out("v24") e0, out("v25") e1, out("v26") e2, out("v27") e3,
                out("v28") f0, out("v29") f1, out("v30") f2, out("v31") f3,
                options(pure, readonly, nostack)
            );
        }
        Some([
            [a0, a1, a2, a3],
            [b0, b1, b2, b3],
            [c0, c1, c2, c3],
            [d0, d1, d2, d3],
            [e0, e1, e2, e3],
            [f0, f1, f2, f3],
        ])
    }
}

/// Columns of a window by sixteen channels: of each, four channels a register, four cells a channel.
pub(crate) type Column = [int8x16_t; 4];

/// What the sums of a window of three columns need beside its cells.
#[repr(C)]
pub(crate) struct Window {
    pub(crate) bias: [i32; CHANNELS],
    /// Of each column: its weights in the places of its cells.
    pub(crate) columns: [[[i8; 16]; 4]; 3],
}

impl Window {
    /// The sums of channels 0-3, 4-7, 8-11 and 12-15. The weights stay in memory, so that the columns, which windows share,
    /// can stay in registers.
    #[inline]
    #[target_feature(enable = "neon,dotprod")]
    pub(crate) fn sums(&self, [a, b, c]: [&Column; 3]) -> [int32x4_t; 4] {
        let (s0, s1, s2, s3);
        // SAFETY: reads the 64 bytes of `bias` and, behind them, the 192 of `columns`.
        unsafe {
            asm!(
                "ldp {s0:q}, {s1:q}, [{numbers}]",
                "ldp {s2:q}, {s3:q}, [{numbers}, #32]",
                "ldp {w0:q}, {w1:q}, [{numbers}, #64]",
                "sdot {s0:v}.4s, {w0:v}.16b, {a0:v}.16b",
                "sdot {s1:v}.4s, {w1:v}.16b, {a1:v}.16b",
                "ldp {w0:q}, {w1:q}, [{numbers}, #96]",
                "sdot {s2:v}.4s, {w0:v}.16b, {a2:v}.16b",
                "sdot {s3:v}.4s, {w1:v}.16b, {a3:v}.16b",
                "ldp {w0:q}, {w1:q}, [{numbers}, #128]",
                "sdot {s0:v}.4s, {w0:v}.16b, {b0:v}.16b",
                "sdot {s1:v}.4s, {w1:v}.16b, {b1:v}.16b",
                "ldp {w0:q}, {w1:q}, [{numbers}, #160]",
                "sdot {s2:v}.4s, {w0:v}.16b, {b2:v}.16b",
                "sdot {s3:v}.4s, {w1:v}.16b, {b3:v}.16b",
                "ldp {w0:q}, {w1:q}, [{numbers}, #192]",
                "sdot {s0:v}.4s, {w0:v}.16b, {c0:v}.16b",
                "sdot {s1:v}.4s, {w1:v}.16b, {c1:v}.16b",
                "ldp {w0:q}, {w1:q}, [{numbers}, #224]",
                "sdot {s2:v}.4s, {w0:v}.16b, {c2:v}.16b",
                "sdot {s3:v}.4s, {w1:v}.16b, {c3:v}.16b",
                s0 = out(vreg) s0, s1 = out(vreg) s1, s2 = out(vreg) s2, s3 = out(vreg) s3,
                w0 = out(vreg) _, w1 = out(vreg) _, numbers = in(reg) &raw const *self,
                a0 = in(vreg) a[0], a1 = in(vreg) a[1], a2 = in(vreg) a[2], a3 = in(vreg) a[3],
                b0 = in(vreg) b[0], b1 = in(vreg) b[1], b2 = in(vreg) b[2], b3 = in(vreg) b[3],
                c0 = in(vreg) c[0], c1 = in(vreg) c[1], c2 = in(vreg) c[2], c3 = in(vreg) c[3],
                options(pure, readonly, nostack, preserves_flags)
            );
        }
        [s0, s1, s2, s3]
    }
}
