//! Rows of a matrix product, copied into the first cache in the form that a processor's multiplications eat.
//!
//! Both INT8 forms of x86 need something from each activation beside its byte (its magnitude, or 128 more), so rows are
//! copied anyway; then a window of a convolution costs no more than a row of a matrix. A *band* is as many rows as fit
//! the buffer. All panels of 16 output channels sweep over one band before the next is made, so both stay in the cache.
//!
//! A band is made of groups: what a multiplication takes from a row at a time. E is an element of the source, T a group.

use std::ops::Range;

use crate::geometry::Geometry;

/// Groups in a buffer: a fair part of a first cache of 32 KiB, whose rest holds the weights.
pub(crate) const GROUPS: usize = 2048;

/// The same for rows that are too long for that.
pub(crate) const GROUPS_MAX: usize = 16384;

/// Longest row of bytes, in elements.
pub(crate) const K_MAX: usize = 4 * GROUPS_MAX;

/// Rows that a band should hold, so that a tile is full.
const ROWS: usize = 6;

/// Output channels of a panel.
pub(crate) const PANEL: usize = 16;

/// Results of a band: they wait in the cache while panel after panel fills them.
const RESULTS: usize = 16384;

/// Whether bands of rows of `steps` groups fit the smaller buffer.
pub(crate) const fn short(steps: usize) -> bool {
    steps * ROWS <= GROUPS
}

/// Some rows, each of `steps` groups.
pub(crate) struct Band<'a, T> {
    groups: &'a [T],
    steps: usize,
    /// The number of the first row among all.
    pub(crate) first: usize,
    /// How many.
    pub(crate) rows: usize,
}

impl<'a, T> Band<'a, T> {
    /// The groups of the rows `row..row + R` of the band.
    #[inline(always)]
    pub(crate) fn tile<const R: usize>(&self, row: usize) -> [&'a [T]; R] {
        let mut rest = &self.groups[row * self.steps..][..R * self.steps];
        let mut tile: [&[T]; R] = [&[]; R];
        for slice in &mut tile {
            (*slice, rest) = rest.split_at(self.steps);
        }
        tile
    }
}

/// A source of rows.
pub(crate) trait Source<E> {
    /// How many rows there are.
    fn count(&self) -> usize;

    /// Calls `piece` with the pieces of the rows: where a piece begins, in elements, if the rows from `rows.start` on
    /// stand `length` apart, and its elements.
    fn pieces(&self, rows: Range<usize>, length: usize, piece: impl FnMut(usize, &[E]));
}

/// The rows of a matrix.
pub(crate) struct Matrix<'a, E> {
    pub(crate) rows: usize,
    pub(crate) width: usize,
    pub(crate) stride: usize,
    pub(crate) input: &'a [E],
}

impl<E> Source<E> for Matrix<'_, E> {
    #[inline(always)]
    fn count(&self) -> usize {
        self.rows
    }

    #[inline(always)]
    fn pieces(&self, rows: Range<usize>, length: usize, mut piece: impl FnMut(usize, &[E])) {
        if self.width == self.stride && self.width == length {
            return piece(0, &self.input[rows.start * length..rows.end * length]);
        }
        for (index, row) in rows.enumerate() {
            piece(index * length, &self.input[row * self.stride..][..self.width]);
        }
    }
}

/// Longest piece of padding, in elements.
const PADDING: usize = 256;

/// The windows over a picture: a row is an output pixel.
pub(crate) struct Windows<'a, E> {
    geometry: &'a Geometry,
    rows: Range<usize>,
    input: &'a [E],
    padding: [E; PADDING],
}

impl<'a, E: Copy> Windows<'a, E> {
    pub(crate) const fn new(geometry: &'a Geometry, rows: Range<usize>, input: &'a [E], pad_value: E) -> Self {
        Self { geometry, rows, input, padding: [pad_value; PADDING] }
    }

    /// The cells of one row of a window from the picture's column `left` on, which may lie outside.
    #[inline(always)]
    fn line(&self, row: usize, left: usize, at: usize, piece: &mut impl FnMut(usize, &[E])) {
        let Geometry { input_height, input_width, channels, kernel, .. } = *self.geometry;
        let inside = row < input_height;
        if inside && left < input_width && left + kernel[1] <= input_width {
            return piece(at, &self.input[(row * input_width + left) * channels..][..kernel[1] * channels]);
        }
        for cell in 0..kernel[1] {
            let column = left.wrapping_add(cell);
            let at = at + cell * channels;
            if inside && column < input_width {
                piece(at, &self.input[(row * input_width + column) * channels..][..channels]);
            } else {
                for start in (0..channels).step_by(PADDING) {
                    piece(at + start, &self.padding[..PADDING.min(channels - start)]);
                }
            }
        }
    }
}

impl<E: Copy> Source<E> for Windows<'_, E> {
    #[inline(always)]
    fn count(&self) -> usize {
        self.rows.len() * self.geometry.output_width
    }

    #[inline(always)]
    fn pieces(&self, rows: Range<usize>, length: usize, mut piece: impl FnMut(usize, &[E])) {
        let geometry = self.geometry;
        let width = geometry.kernel[1] * geometry.channels;
        let (mut y, mut x) = (self.rows.start + rows.start / geometry.output_width, rows.start % geometry.output_width);
        for index in 0..rows.len() {
            // A negative coordinate wraps and so lies outside of the picture.
            let top = (y * geometry.stride[0]).wrapping_sub(geometry.padding_top);
            let left = (x * geometry.stride[1]).wrapping_sub(geometry.padding_left);
            for line in 0..geometry.kernel[0] {
                self.line(top.wrapping_add(line), left, index * length + line * width, &mut piece);
            }
            x += 1;
            if x == geometry.output_width {
                (x, y) = (0, y + 1);
            }
        }
    }
}

/// Makes band after band of rows of `steps` groups in `buffer` and hands each to `panel` with the first of each 16 of `n`
/// output channels. `convert` turns G elements each into a group.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn sweep<E, T, const G: usize>(
    buffer: &mut [T],
    source: &impl Source<E>,
    [steps, n]: [usize; 2],
    convert: impl Fn(&[E], &mut [T]),
    mut panel: impl FnMut(Band<'_, T>, usize),
) {
    let fitting = buffer.len() / steps.max(1);
    let worth = (RESULTS / n.max(1)).max(8 * ROWS).next_multiple_of(4 * ROWS);
    let most = fitting.min(worth);
    let mut first = 0;
    while first < source.count() {
        let rows = most.min(source.count() - first);
        source.pieces(first..first + rows, steps * G, |at, elements| convert(elements, &mut buffer[at / G..]));
        for n in (0..n).step_by(PANEL) {
            panel(Band { groups: buffer, steps, first, rows }, n);
        }
        first += rows;
    }
}

/// How many of the `rest` rows the next tile takes, if a full one takes `full`: what would leave a small last tile is
/// shared evenly between the last two.
#[inline(always)]
pub(crate) const fn tile_rows(rest: usize, full: usize) -> usize {
    if rest > full && rest < 2 * full {
        rest.div_ceil(2)
    } else if rest < full {
        rest
    } else {
        full
    }
}

/// The first `length` elements of each slice. A loop, because closures in functions with target features are not inlined
/// into those of `core`.
#[inline(always)]
pub(crate) fn cut<T, const R: usize>(mut slices: [&[T]; R], length: usize) -> [&[T]; R] {
    for slice in &mut slices {
        *slice = &slice[..length];
    }
    slices
}

/// `length` elements of each slice from `start` on; see [`cut`].
#[inline(always)]
pub(crate) fn part<T, const R: usize>(mut slices: [&[T]; R], start: usize, length: usize) -> [&[T]; R] {
    for slice in &mut slices {
        *slice = &slice[start..][..length];
    }
    slices
}

/// The groups of B blocks of weights up to the last eight products, if those have no weights: channels that pad a pixel.
#[inline(always)]
pub(crate) fn without_padding<const B: usize>(weights: [&[[i8; 32]]; B]) -> [&[[i8; 32]]; B] {
    let before = weights[0].len().saturating_sub(2);
    let mut any = false;
    for block in weights {
        for group in &block[before..] {
            any |= *group != [0; 32];
        }
    }
    if any { weights } else { cut(weights, before) }
}
