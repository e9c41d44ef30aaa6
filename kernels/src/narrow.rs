//! Windows over a picture of four channels, the first layer of a network, without a copy of each window.
//!
//! A row of a window is a run of cells of a line. So lines are turned once into what a multiplication eats, with their
//! padding, and tiles read their windows straight from them, four bytes at a time. Where the fourth channel meets zero
//! weights only (there are three colours), it is left out where that makes the run shorter: the 18 bytes of six cells are
//! five fours, not six.

use std::arch::x86_64::{__m128i, _mm_setr_epi8, _mm_shuffle_epi8};
use std::ops::Range;

use crate::bands::PANEL;
use crate::gemm::Gemm;
use crate::geometry::Geometry;

/// Cells of a line in the buffer: two registers more than 1 KiB, so that lines do not all want the same place in the cache.
const CELLS: usize = 264;

/// Bytes of a line.
pub(crate) const BYTES: usize = 4 * CELLS;

/// Lines of the highest window.
const LINES: usize = 8;

/// Widest window: a strip has at least a hundred pixels at a step of two.
const WIDTH: usize = 16;

/// Groups of weights that are arranged anew for three channels.
const GROUPS: usize = 512;

/// Lines of W bytes.
pub(crate) type Lines<const W: usize> = [[u8; W]; LINES];

/// Before there are any.
pub(crate) const fn no_lines<const W: usize>() -> Lines<W> {
    [[0; W]; LINES]
}

/// Room for [`Weights::three`].
pub(crate) const NO_GROUPS: [[i8; 32]; GROUPS] = [[0; 32]; GROUPS];

/// Whether [`sweep`] takes such windows.
pub(crate) const fn fits(geometry: &Geometry) -> bool {
    let [height, width] = geometry.kernel;
    geometry.channels == 4 && height <= LINES && width <= WIDTH && geometry.stride[1] <= WIDTH
}

/// The weights of windows whose cells have P bytes: by blocks of 8 output channels, by lines, by groups of four bytes.
#[derive(Clone, Copy)]
pub(crate) struct Weights<'a, const P: usize> {
    groups: &'a [[i8; 32]],
    /// Groups of a block.
    block: usize,
    /// Lines of a window, and groups of each.
    window: [usize; 2],
}

impl<'a> Weights<'a, 4> {
    /// As they are packed.
    pub(crate) const fn four(gemm: &Gemm<'a>, kernel: [usize; 2]) -> Self {
        Self { groups: gemm.weights.as_chunks().0, block: gemm.k / 4, window: kernel }
    }
}

impl<'a> Weights<'a, 3> {
    /// Without the fourth channel, five groups for six cells; `None` where it has weights, or for other windows.
    pub(crate) fn three(gemm: &Gemm<'_>, kernel: [usize; 2], groups: &'a mut [[i8; 32]; GROUPS]) -> Option<Self> {
        let [height, width] = kernel;
        let (steps, blocks) = (5, gemm.n.div_ceil(8));
        let packed = gemm.weights.as_chunks::<32>().0;
        let is_empty = |group: &[i8; 32]| group.as_chunks::<4>().0.iter().all(|cell| cell[3] == 0);
        if width != 6 || blocks * height * steps > GROUPS || !packed[..blocks * gemm.k / 4].iter().all(is_empty) {
            return None;
        }
        for (index, group) in groups[..blocks * height * steps].iter_mut().enumerate() {
            let (block, line, step) = (index / (height * steps), index / steps % height, index % steps);
            let source = &packed[block * gemm.k / 4 + line * width..][..width];
            for (at, weight) in group.iter_mut().enumerate() {
                let byte = 4 * step + at % 4;
                *weight = source.get(byte / 3).map_or(0, |cell| cell[at / 4 * 4 + byte % 3]);
            }
        }
        Some(Self { groups, block: height * steps, window: [height, steps] })
    }
}

impl<'a, const P: usize> Weights<'a, P> {
    /// Those of B x 8 output channels from `n` on.
    #[inline(always)]
    pub(crate) fn blocks<const B: usize>(&self, n: usize) -> [&'a [[i8; 32]]; B] {
        std::array::from_fn(|block| &self.groups[(n / 8 + block) * self.block..][..self.block])
    }

    /// How many lines a window has, and groups in each.
    #[inline(always)]
    pub(crate) const fn window(&self) -> [usize; 2] {
        self.window
    }
}

/// Three bytes of each of four cells, then four zeros.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn colours(cells: __m128i) -> __m128i {
    _mm_shuffle_epi8(cells, _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1))
}

/// Some output pixels of a row.
pub(crate) struct Strip {
    /// Bytes from pixel to pixel.
    step: usize,
    /// How many pixels.
    pub(crate) pixels: usize,
    /// The first one's number among those of the asked rows.
    pub(crate) first: usize,
}

impl Strip {
    /// `bytes` bytes from where the windows of the pixels `x..x + R` begin in `line`.
    #[inline(always)]
    pub(crate) fn cells<'a, const R: usize>(&self, line: &'a [u8], x: usize, bytes: usize) -> [&'a [u8]; R] {
        let mut cells: [&[u8]; R] = [&[]; R];
        for (pixel, slice) in cells.iter_mut().enumerate() {
            *slice = &line[(x + pixel) * self.step..][..bytes];
        }
        cells
    }
}

/// The picture and which of its windows are asked.
pub(crate) struct Windows<'a> {
    pub(crate) geometry: &'a Geometry,
    pub(crate) rows: Range<usize>,
    pub(crate) input: &'a [i8],
    pub(crate) pad_value: i8,
}

/// Makes strip after strip in `lines` and hands each to `panel` with the first of each 16 of `n` output channels. `put`
/// puts cells of four channels into a line, from a number of bytes on, P bytes of each; it may spoil some cells behind
/// them.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn sweep<L, const P: usize>(
    lines: &mut L,
    windows: &Windows<'_>,
    n: usize,
    put: impl Fn(&mut L, [usize; 2], &[i8]),
    mut panel: impl FnMut(&L, &Strip, usize),
) {
    let Geometry { kernel, stride, padding_top, padding_left, output_width, .. } = *windows.geometry;
    // A cell less than fits: what is spoilt behind the last stays in the line.
    let most = (CELLS - 4 - kernel[1]) / stride[1] + 1;
    let mut first = 0;
    for y in windows.rows.clone() {
        for x in (0..output_width).step_by(most) {
            let pixels = most.min(output_width - x);
            let cells = (pixels - 1) * stride[1] + kernel[1];
            let left = (x * stride[1]).cast_signed() - padding_left.cast_signed();
            for line in 0..kernel[0] {
                let row = (y * stride[0] + line).wrapping_sub(padding_top);
                windows.line(row, left, cells, |cell, elements| put(lines, [line, P * cell], elements));
            }
            let strip = Strip { step: P * stride[1], pixels, first };
            for n in (0..n).step_by(PANEL) {
                panel(lines, &strip, n);
            }
            first += pixels;
        }
    }
}

impl Windows<'_> {
    /// Puts `cells` cells of the picture's `row` from column `left` on; both may lie outside.
    #[inline(always)]
    fn line(&self, row: usize, left: isize, cells: usize, mut put: impl FnMut(usize, &[i8])) {
        let Geometry { input_height, input_width, .. } = *self.geometry;
        let before = left.min(0).unsigned_abs().min(cells);
        let start = left.max(0).cast_unsigned().min(input_width);
        let inside = if row < input_height { (input_width - start).min(cells - before) } else { 0 };
        if inside > 0 {
            put(before, &self.input[(row * input_width + start) * 4..][..inside * 4]);
        }
        for cell in (0..before).chain(before + inside..cells) {
            put(cell, &[self.pad_value; 4]);
        }
    }
}
