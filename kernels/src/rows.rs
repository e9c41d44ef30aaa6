//! Where the rows of a matrix product come from: a dense matrix, or the windows of a convolution. One inner loop serves
//! both. Windows over 4 channels are too narrow for it: see [`crate::strip`];
//! what that does not take is gathered into a small matrix first.
//!
//! A tile of R rows is read through a cursor, piece by piece along K; each piece has R slices of one length.

use std::ops::Range;

use crate::geometry::Geometry;
use crate::strided::{Group, Piece, Pieces, Strided};

/// Longest piece of a window, in elements: what the row of padding holds.
const PIECE: usize = 256;

/// Bytes of gathered windows at a time: well within the first cache.
pub(crate) const GATHERED: usize = 8192;

/// Longest gathered window: a band has at least eight rows.
pub(crate) const GATHERED_K_MAX: usize = GATHERED / 8;

/// A source of rows.
pub(crate) trait Rows<T: 'static> {
    /// Reads one tile.
    type Cursor<'s, const R: usize>: Cursor<'s, T, R>
    where
        Self: 's;

    /// How many rows there are.
    fn count(&self) -> usize;

    /// A cursor over the rows `first..first + R`, which must exist.
    fn cursor<const R: usize>(&self, first: usize) -> Self::Cursor<'_, R>;
}

/// Reads one tile along K.
pub(crate) trait Cursor<'s, T: 'static, const R: usize> {
    /// The next piece: one slice a row, all of one length. For I8 that is a multiple of 8.
    fn next(&mut self) -> Option<[&'s [T]; R]>;
}

/// Windows over a picture: a row is an output pixel, K runs over taps and channels.
pub(crate) struct Windows<'a, T: 'static> {
    geometry: &'a Geometry,
    rows: Range<usize>,
    input: &'a [T],
    padding: [T; PIECE],
}

impl<'a, T: Copy + 'static> Windows<'a, T> {
    pub(crate) const fn new(geometry: &'a Geometry, rows: Range<usize>, input: &'a [T], pad_value: T) -> Self {
        Self { geometry, rows, input, padding: [pad_value; PIECE] }
    }

    /// Upper left cell of the window of each output pixel; a negative coordinate wraps and so lies outside of the input.
    #[inline(always)]
    fn corners<const R: usize>(&self, first: usize) -> [[usize; 2]; R] {
        let geometry = self.geometry;
        let mut y = self.rows.start + first / geometry.output_width;
        let mut x = first % geometry.output_width;
        std::array::from_fn(|_| {
            let top = (y * geometry.stride[0]).wrapping_sub(geometry.padding_top);
            let left = (x * geometry.stride[1]).wrapping_sub(geometry.padding_left);
            x += 1;
            if x == geometry.output_width {
                (x, y) = (0, y + 1);
            }
            [top, left]
        })
    }

    /// Whether windows with these corners see no padding.
    #[inline(always)]
    fn are_inside(&self, corners: &[[usize; 2]]) -> bool {
        let Geometry { kernel, input_height, input_width, .. } = *self.geometry;
        let ends = |corner: usize, kernel: usize, size: usize| corner < size && size - corner >= kernel;
        corners.iter().all(|&[y, x]| ends(y, kernel[0], input_height) && ends(x, kernel[1], input_width))
    }

    /// The row of taps `row`, `width` elements, of a window inside of the input.
    #[inline(always)]
    fn row(&self, corner: [usize; 2], row: usize, width: usize) -> &[T] {
        let Geometry { input_width, channels, .. } = *self.geometry;
        &self.input[((corner[0] + row) * input_width + corner[1]) * channels..][..width]
    }

    /// `width` channels from `channel` on of a cell of a window.
    #[inline(always)]
    fn cell(&self, corner: [usize; 2], tap: [usize; 2], channel: usize, width: usize) -> &[T] {
        let geometry = self.geometry;
        let (row, column) = (corner[0].wrapping_add(tap[0]), corner[1].wrapping_add(tap[1]));
        if row < geometry.input_height && column < geometry.input_width {
            &self.input[(row * geometry.input_width + column) * geometry.channels + channel..][..width]
        } else {
            &self.padding[..width]
        }
    }
}

/// Rows that lie one behind the other.
#[derive(Clone, Copy)]
pub(crate) struct Dense<'a, T> {
    pub(crate) input: &'a [T],
    /// Elements of a row, at least one.
    pub(crate) width: usize,
}

impl<T: Copy + 'static> Rows<T> for Dense<'_, T> {
    type Cursor<'s, const R: usize>
        = Once<'s, T, R>
    where
        Self: 's;

    #[inline(always)]
    fn count(&self) -> usize {
        self.input.len() / self.width
    }

    #[inline(always)]
    fn cursor<const R: usize>(&self, first: usize) -> Once<'_, T, R> {
        let rows = &self.input[first * self.width..][..R * self.width];
        Once(Some(std::array::from_fn(|row| &rows[row * self.width..][..self.width])))
    }
}

/// One piece.
pub(crate) struct Once<'s, T, const R: usize>(Option<[&'s [T]; R]>);

impl<'s, T: 'static, const R: usize> Cursor<'s, T, R> for Once<'s, T, R> {
    #[inline(always)]
    fn next(&mut self) -> Option<[&'s [T]; R]> {
        self.0.take()
    }
}

/// Neighbouring output pixels; their numbers count from the first of the asked rows.
pub(crate) enum Run<'a> {
    /// Windows inside of the input; a multiple of the tile's rows.
    Inside(Strided<'a>, Range<usize>),
    /// Windows anywhere.
    Anywhere(Range<usize>),
}

impl<'a> Windows<'a, i8> {
    /// Copies the windows of the output pixels from `first` on into rows of `k` bytes, as many as there are and as
    /// `buffer` holds (a multiple of eight), and answers their number. Only for pictures of 4 channels. `buffer` is zero
    /// where no tap is written, and stays so.
    pub(crate) fn gather(&self, first: usize, k: usize, buffer: &mut [i8; GATHERED]) -> usize {
        let rows = (GATHERED / k / 8 * 8).min(self.count() - first);
        for (row, buffer) in buffer.chunks_exact_mut(k).take(rows).enumerate() {
            self.gather_one(first + row, buffer);
        }
        rows
    }

    /// The window of one output pixel, cell by cell.
    fn gather_one(&self, pixel: usize, buffer: &mut [i8]) {
        let geometry = self.geometry;
        let [corner] = self.corners::<1>(pixel);
        let mut tap = [0; 2];
        for cell in buffer.as_chunks_mut::<4>().0.iter_mut().take(geometry.taps()) {
            cell.copy_from_slice(self.cell(corner, tap, 0, 4));
            tap = next_tap(tap, geometry.kernel);
        }
    }

    /// All pixels, in order.
    pub(crate) fn runs(&self, tile: usize) -> impl Iterator<Item = Run<'a>> {
        let geometry = *self.geometry;
        let (first_row, count, input) = (self.rows.start, self.count(), self.input);
        let columns = geometry.columns_inside();
        let inside = columns.len() / tile * tile;
        let mut pixel = 0;
        std::iter::from_fn(move || {
            if pixel == count {
                return None;
            }
            let start = pixel;
            let (y, x) = (first_row + pixel / geometry.output_width, pixel % geometry.output_width);
            let next = |y: usize| (inside > 0).then(|| geometry.rows_inside(y)).flatten();
            if x == columns.start
                && let Some(top) = next(y)
            {
                pixel += inside;
                let left = x * geometry.stride[1] - geometry.padding_left;
                let source = Strided {
                    input,
                    start: (top * geometry.input_width + left) * geometry.channels,
                    row_stride: geometry.stride[1] * geometry.channels,
                    pieces: geometry.kernel[0],
                    piece_stride: geometry.input_width * geometry.channels,
                    length: geometry.kernel[1] * geometry.channels,
                };
                return Some(Run::Inside(source, start..pixel));
            }
            // To where the next run inside begins: in this row, or in the next.
            let row = pixel - x;
            pixel = if x < columns.start && next(y).is_some() {
                row + columns.start
            } else if next(y + 1).is_some() {
                row + geometry.output_width + columns.start
            } else {
                row + geometry.output_width
            };
            pixel = pixel.min(count);
            Some(Run::Anywhere(start..pixel))
        })
    }

    /// The windows of R neighbouring pixels from `first` on.
    #[inline(always)]
    pub(crate) fn tile<'s, const R: usize>(&'s self, first: usize, panel: &'s [Group]) -> TapPieces<'s, R> {
        let corners = self.corners(first);
        TapPieces { taps: Taps { windows: self, corners, whole: false, tap: [0; 2], channel: 0 }, panel }
    }
}

/// See [`Windows::tile`].
pub(crate) struct TapPieces<'s, const R: usize> {
    taps: Taps<'s, i8, R>,
    panel: &'s [Group],
}

impl<'s, const R: usize> Pieces<'s, R> for TapPieces<'s, R> {
    #[inline(always)]
    fn next(&mut self) -> Option<Piece<'s, R>> {
        let rows = self.taps.next()?;
        let (weights, rest) = self.panel.split_at(rows[0].len() / 4);
        self.panel = rest;
        Some(Piece::new(rows, weights))
    }
}

/// Walks the taps of R windows, and in each tap the channels by [`PIECE`]; if all windows lie inside of the input, a row of
/// taps at a time.
pub(crate) struct Taps<'s, T: 'static, const R: usize> {
    windows: &'s Windows<'s, T>,
    corners: [[usize; 2]; R],
    whole: bool,
    tap: [usize; 2],
    channel: usize,
}

impl<T: Copy + 'static> Rows<T> for Windows<'_, T> {
    type Cursor<'s, const R: usize>
        = Taps<'s, T, R>
    where
        Self: 's;

    #[inline(always)]
    fn count(&self) -> usize {
        self.rows.len() * self.geometry.output_width
    }

    #[inline(always)]
    fn cursor<const R: usize>(&self, first: usize) -> Taps<'_, T, R> {
        let corners = self.corners(first);
        Taps { windows: self, corners, whole: self.are_inside(&corners), tap: [0; 2], channel: 0 }
    }
}

/// The tap after `tap` in row-major order.
#[inline(always)]
const fn next_tap(tap: [usize; 2], kernel: [usize; 2]) -> [usize; 2] {
    if tap[1] + 1 == kernel[1] { [tap[0] + 1, 0] } else { [tap[0], tap[1] + 1] }
}

impl<'s, T: Copy + 'static, const R: usize> Cursor<'s, T, R> for Taps<'s, T, R> {
    #[inline(always)]
    fn next(&mut self) -> Option<[&'s [T]; R]> {
        let geometry = self.windows.geometry;
        if self.tap[0] == geometry.kernel[0] {
            return None;
        }
        let (tap, channel) = (self.tap, self.channel);
        if self.whole {
            let width = geometry.kernel[1] * geometry.channels;
            self.tap[0] += 1;
            return Some(self.corners.map(|corner| self.windows.row(corner, tap[0], width)));
        }
        let width = (geometry.channels - channel).min(PIECE);
        self.channel += width;
        if self.channel == geometry.channels {
            self.channel = 0;
            self.tap = next_tap(tap, geometry.kernel);
        }
        Some(self.corners.map(|corner| self.windows.cell(corner, tap, channel, width)))
    }
}
