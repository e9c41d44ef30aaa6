//! The unsafe edge of walks through memory: slices that lie a stride apart, checked once for many of them, and steps along
//! K without a check each.

use std::arch::aarch64::{int8x16_t, vdupq_n_s8};
use std::arch::asm;
use std::marker::PhantomData;

/// Products of one group along K in the packed weights: 8 output channels by 4.
pub(crate) type Group = [i8; 32];

/// R rows along K, and the weights of 8 output channels for them.
///
/// What `arm.rs` relies on where it steps by itself: behind each pointer of `rows` lie `left` elements, behind `weights` a
/// group for each four of them.
pub(crate) struct Piece<'a, const R: usize> {
    pub(crate) rows: [*const i8; R],
    pub(crate) weights: *const Group,
    pub(crate) left: usize,
    lifetime: PhantomData<&'a [i8]>,
}

impl<'a, const R: usize> Piece<'a, R> {
    /// Rows of one length.
    #[inline(always)]
    pub(crate) fn new(rows: [&'a [i8]; R], weights: &'a [Group]) -> Self {
        let left = rows[0].len();
        assert!(rows.iter().all(|row| row.len() == left) && weights.len() * 4 >= left, "a piece of one length");
        Self { rows: rows.map(<[i8]>::as_ptr), weights: weights.as_ptr(), left, lifetime: PhantomData }
    }

    /// Whether each row still has W elements.
    #[inline(always)]
    pub(crate) const fn has<const W: usize>(&self) -> bool {
        self.left >= W
    }

    /// The next W elements of each row and their W / 4 groups of weights. Ask [`Self::has`] first: then the check in here
    /// costs nothing.
    #[inline(always)]
    pub(crate) fn step<const W: usize, const GROUPS: usize>(&mut self) -> ([&'a [i8; W]; R], &'a [Group; GROUPS]) {
        const { assert!(GROUPS * 4 == W) }
        assert!(self.has::<W>(), "too few elements");
        self.left -= W;
        let (rows, weights) = (self.rows, self.weights);
        for row in &mut self.rows {
            *row = row.wrapping_add(W);
        }
        self.weights = weights.wrapping_add(GROUPS);
        // SAFETY: each row had `left` elements behind its pointer, and the weights a group for each four of them; both
        // are borrowed for 'a. The pointers move on by what `left` loses.
        unsafe { (std::array::from_fn(|row| &*rows[row].cast()), &*weights.cast()) }
    }
}

/// The same pointer, of which the compiler does not know what it was computed from. It would otherwise keep one pointer
/// for all rows and compute the others from it in the inner loop.
#[expect(clippy::pointers_in_nomem_asm_block, reason = "the pointer is not read, only hidden")]
#[inline(always)]
fn separate(mut pointer: *const i8) -> *const i8 {
    // SAFETY: no instruction at all.
    unsafe { asm!("/* {0} */", inout(reg) pointer, options(pure, nomem, nostack, preserves_flags)) };
    pointer
}

/// Where the pieces of a tile come from, in order along K.
pub(crate) trait Pieces<'a, const R: usize> {
    /// The next piece.
    fn next(&mut self) -> Option<Piece<'a, R>>;
}

/// Rows that are read at regular distances: a matrix (one piece), or the windows of neighbouring pixels (a piece for each
/// row of the window).
#[derive(Clone, Copy)]
pub(crate) struct Strided<'a> {
    pub(crate) input: &'a [i8],
    /// Where row 0 begins.
    pub(crate) start: usize,
    /// From row to row.
    pub(crate) row_stride: usize,
    /// How many pieces a row has.
    pub(crate) pieces: usize,
    /// From piece to piece.
    pub(crate) piece_stride: usize,
    /// Elements a piece.
    pub(crate) length: usize,
}

/// See [`Strided`]. ONE says that there is one piece, so that no loop over pieces is made.
pub(crate) struct StridedPieces<'a, const R: usize, const ONE: bool> {
    rows: [*const i8; R],
    weights: *const Group,
    pieces: usize,
    piece_stride: usize,
    length: usize,
    lifetime: PhantomData<&'a [i8]>,
}

impl<'a> Strided<'a> {
    /// The rows from `first` on by tiles of R, `tiles` of them, which must lie inside of the input; `panel` holds the
    /// weights of all pieces.
    #[inline(always)]
    pub(crate) fn tiles<const R: usize, const ONE: bool>(
        &self,
        first: usize,
        tiles: usize,
        panel: &'a [Group],
    ) -> impl Iterator<Item = StridedPieces<'a, R, ONE>> {
        let Self { row_stride, piece_stride, length, .. } = *self;
        let pieces = if ONE { 1 } else { self.pieces };
        let mut start = self.input.as_ptr().wrapping_add(self.start + first * row_stride);
        if tiles > 0 {
            let end =
                self.start + (first + tiles * R - 1) * row_stride + pieces.saturating_sub(1) * piece_stride + length;
            assert!(end <= self.input.len(), "rows beyond the input");
            assert!(length.is_multiple_of(4) && pieces * length <= panel.len() * 4, "more elements than weights");
        }
        let weights = panel.as_ptr();
        (0..tiles).map(move |_| {
            let mut rows = [start; R];
            for (index, row) in rows.iter_mut().enumerate() {
                *row = separate(row.wrapping_add(index * row_stride));
            }
            start = start.wrapping_add(R * row_stride);
            StridedPieces { rows, weights, pieces, piece_stride, length, lifetime: PhantomData }
        })
    }
}

impl<'a, const R: usize, const ONE: bool> Pieces<'a, R> for StridedPieces<'a, R, ONE> {
    #[inline(always)]
    fn next(&mut self) -> Option<Piece<'a, R>> {
        if self.pieces == 0 {
            return None;
        }
        let (rows, weights) = (self.rows, self.weights);
        self.pieces -= 1;
        if !ONE {
            // Behind the last piece the pointers may leave the input, and are not read any more.
            for row in &mut self.rows {
                *row = row.wrapping_add(self.piece_stride);
            }
            self.weights = weights.wrapping_add(self.length / 4);
        }
        Some(Piece { rows, weights, left: self.length, lifetime: PhantomData })
    }
}

/// W bytes of each of many rows, to read.
pub(crate) struct Cells<'a, const W: usize> {
    next: *const i8,
    stride: usize,
    left: usize,
    lifetime: PhantomData<&'a [i8]>,
}

impl<'a, const W: usize> Cells<'a, W> {
    /// `rows` times W bytes, `stride` apart, the first from `start` on.
    pub(crate) fn new(source: &'a [i8], start: usize, stride: usize, rows: usize) -> Self {
        assert!(rows == 0 || start + (rows - 1) * stride + W <= source.len(), "rows beyond the slice");
        Self { next: source.as_ptr().wrapping_add(start), stride, left: rows, lifetime: PhantomData }
    }

    /// Those of the next R rows.
    #[inline(always)]
    pub(crate) fn next<const R: usize>(&mut self) -> [&'a [i8; W]; R] {
        assert!(self.left >= R, "fewer rows than that");
        self.left -= R;
        let first = self.next;
        self.next = first.wrapping_add(R * self.stride);
        // SAFETY: `left` rows, this one among them, lie inside of the slice that `new` was given.
        std::array::from_fn(|row| unsafe { &*first.wrapping_add(row * self.stride).cast() })
    }
}

/// W bytes of each of many rows, to write.
pub(crate) struct CellsMut<'a, const W: usize> {
    next: *mut i8,
    stride: usize,
    left: usize,
    lifetime: PhantomData<&'a mut [i8]>,
}

impl<'a, const W: usize> CellsMut<'a, W> {
    /// `rows` times W bytes, `stride` apart, the first from `start` on.
    pub(crate) fn new(target: &'a mut [i8], start: usize, stride: usize, rows: usize) -> Self {
        assert!(rows == 0 || start + (rows - 1) * stride + W <= target.len(), "rows beyond the slice");
        assert!(rows < 2 || stride >= W, "rows that overlap");
        Self { next: target.as_mut_ptr().wrapping_add(start), stride, left: rows, lifetime: PhantomData }
    }

    /// Whether R rows are left.
    #[inline(always)]
    pub(crate) const fn has<const R: usize>(&self) -> bool {
        self.left >= R
    }

    /// Those of the next R rows.
    #[inline(always)]
    pub(crate) fn next<const R: usize>(&mut self) -> [&'a mut [i8; W]; R] {
        assert!(self.left >= R, "fewer rows than that");
        self.left -= R;
        let first = self.next;
        self.next = first.wrapping_add(R * self.stride);
        // SAFETY: `left` rows, this one among them, lie inside of the slice that `new` was given. They do not overlap,
        // and each is handed out once.
        std::array::from_fn(|row| unsafe { &mut *first.wrapping_add(row * self.stride).cast() })
    }
}

/// Cells of sixteen bytes of R lines, column by column.
pub(crate) struct Lines<'a, const R: usize> {
    next: [*const i8; R],
    strides: [usize; R],
    left: usize,
    lifetime: PhantomData<&'a [i8]>,
}

impl<'a, const R: usize> Lines<'a, R> {
    /// `count` cells of each line, which is given by what it lies in, the start of its first cell and the distance from cell
    /// to cell.
    #[inline]
    pub(crate) fn new(lines: [(&'a [i8], usize, usize); R], count: usize) -> Self {
        for (source, start, stride) in lines {
            assert!(count == 0 || start + (count - 1) * stride + 16 <= source.len(), "cells beyond the line");
        }
        let next = lines.map(|(source, start, _)| source.as_ptr().wrapping_add(start));
        Self { next, strides: lines.map(|(.., stride)| stride), left: count, lifetime: PhantomData }
    }

    /// Whether C columns are left.
    #[inline(always)]
    pub(crate) const fn has<const C: usize>(&self) -> bool {
        self.left >= C
    }

    /// The next column. Ask [`Self::has`] first: then the check in here costs nothing.
    #[inline]
    #[target_feature(enable = "neon")]
    pub(crate) fn next(&mut self) -> [int8x16_t; R] {
        assert!(self.has::<1>(), "no column is left");
        self.left -= 1;
        let mut cells = [vdupq_n_s8(0); R];
        for ((cell, next), stride) in cells.iter_mut().zip(&mut self.next).zip(self.strides) {
            // SAFETY: `left` cells of the line, this one among them, lie inside of what `new` was given. Behind the last
            // one the pointer may leave it, and is not read any more.
            unsafe {
                asm!(
                    "ld1 {{{cell:v}.16b}}, [{next}], {stride}",
                    cell = lateout(vreg) *cell, next = inout(reg) *next, stride = in(reg) stride,
                    options(pure, readonly, nostack, preserves_flags)
                );
            }
        }
        cells
    }
}

/// `count` arrays of W elements, `stride` apart, the first from `start` on.
#[inline(always)]
pub(crate) fn cells<E, const W: usize>(
    source: &[E],
    start: usize,
    stride: usize,
    count: usize,
) -> impl Iterator<Item = &[E; W]> {
    let end = if count == 0 { 0 } else { start + (count - 1) * stride + W };
    assert!(end <= source.len(), "cells end at {end} of {}", source.len());
    let mut cell = source.as_ptr().wrapping_add(start);
    (0..count).map(move |_| {
        let here = cell;
        // Behind the last cell the pointer may leave the slice, and is not read any more.
        cell = cell.wrapping_add(stride);
        // SAFETY: each of the `count` arrays ends at `end` or before it, so inside of the slice.
        unsafe { &*here.cast() }
    })
}

/// `count` times R arrays of W elements to write, `stride` apart, the first from `start` on.
#[inline(always)]
pub(crate) fn cells_mut<const W: usize, const R: usize>(
    target: &mut [i8],
    start: usize,
    stride: usize,
    count: usize,
) -> impl Iterator<Item = [&mut [i8; W]; R]> {
    let end = if count == 0 { 0 } else { start + (count * R - 1) * stride + W };
    assert!(end <= target.len() && (count * R < 2 || stride >= W), "cells of {W}, {stride} apart, end at {end}");
    let mut cell = target.as_mut_ptr().wrapping_add(start);
    (0..count).map(move |_| {
        let here = cell;
        cell = cell.wrapping_add(R * stride);
        // SAFETY: as in `cells`; the arrays do not overlap, since the stride is at least their width.
        std::array::from_fn(|row| unsafe { &mut *here.wrapping_add(row * stride).cast() })
    })
}
