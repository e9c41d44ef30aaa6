//! Where the rows of a matrix product come from: a dense matrix, or the windows of a convolution. One inner loop serves
//! both. Windows over 4 channels are too narrow for it and are gathered into a small matrix first.
//!
//! A tile of R rows is read through a cursor, piece by piece along K; each piece has R slices of one length.

use std::ops::Range;

use crate::geometry::Geometry;

/// Longest piece of a window, in elements: what the row of padding holds.
const PIECE: usize = 256;

/// Bytes of gathered windows at a time: well within the first cache.
pub(crate) const GATHERED: usize = 8192;

/// Longest gathered window: a band has at least eight rows.
pub(crate) const GATHERED_K_MAX: usize = GATHERED / 8;

/// A source of rows.
pub(crate) trait Rows<T> {
    /// Reads one tile.
    type Cursor<'s, const R: usize>: Cursor<T, R>
    where
        Self: 's;

    /// How many rows there are.
    fn count(&self) -> usize;

    /// A cursor over the rows `first..first + R`, which must exist.
    fn cursor<const R: usize>(&self, first: usize) -> Self::Cursor<'_, R>;
}

/// Reads one tile along K.
pub(crate) trait Cursor<T, const R: usize> {
    /// The next piece: one slice a row, all of one length. For I8 that is a multiple of 8.
    fn next(&mut self) -> Option<[&[T]; R]>;
}

/// Rows of a matrix. Its cursor has one piece.
pub(crate) struct Matrix<'a, T> {
    pub(crate) rows: usize,
    pub(crate) width: usize,
    pub(crate) stride: usize,
    pub(crate) input: &'a [T],
}

/// See [`Matrix`].
pub(crate) struct Whole<'s, T, const R: usize>(Option<[&'s [T]; R]>);

impl<T> Rows<T> for Matrix<'_, T> {
    type Cursor<'s, const R: usize>
        = Whole<'s, T, R>
    where
        Self: 's;

    #[inline(always)]
    fn count(&self) -> usize {
        self.rows
    }

    #[inline(always)]
    fn cursor<const R: usize>(&self, first: usize) -> Whole<'_, T, R> {
        Whole(Some(std::array::from_fn(|row| &self.input[(first + row) * self.stride..][..self.width])))
    }
}

impl<T, const R: usize> Cursor<T, R> for Whole<'_, T, R> {
    #[inline(always)]
    fn next(&mut self) -> Option<[&[T]; R]> {
        self.0.take()
    }
}

/// Windows over a picture: a row is an output pixel, K runs over taps and channels.
pub(crate) struct Windows<'a, T> {
    geometry: &'a Geometry,
    rows: Range<usize>,
    input: &'a [T],
    padding: [T; PIECE],
}

impl<'a, T: Copy> Windows<'a, T> {
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

    /// Copies the windows of the output pixels from `first` on into rows of `k` bytes, as many as there are and as
    /// `buffer` holds (a multiple of eight), and answers their number. Only for pictures of 4 channels. `buffer` is zero
    /// where no tap is written, and stays so.
    pub(crate) fn gather(&self, first: usize, k: usize, buffer: &mut [T; GATHERED]) -> usize {
        let geometry = self.geometry;
        let rows = (GATHERED / k / 8 * 8).min(self.count() - first);
        for (row, buffer) in buffer.chunks_exact_mut(k).take(rows).enumerate() {
            let [corner] = self.corners::<1>(first + row);
            let mut tap = [0; 2];
            for cell in buffer.as_chunks_mut::<4>().0.iter_mut().take(geometry.taps()) {
                cell.copy_from_slice(self.cell(corner, tap, 0, 4));
                tap = next_tap(tap, geometry.kernel);
            }
        }
        rows
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

/// Walks the taps of R windows, and in each tap the channels by [`PIECE`].
pub(crate) struct Taps<'s, T, const R: usize> {
    windows: &'s Windows<'s, T>,
    corners: [[usize; 2]; R],
    tap: [usize; 2],
    channel: usize,
}

impl<T: Copy> Rows<T> for Windows<'_, T> {
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
        Taps { windows: self, corners: self.corners(first), tap: [0; 2], channel: 0 }
    }
}

/// The tap after `tap` in row-major order.
#[inline(always)]
const fn next_tap(tap: [usize; 2], kernel: [usize; 2]) -> [usize; 2] {
    if tap[1] + 1 == kernel[1] { [tap[0] + 1, 0] } else { [tap[0], tap[1] + 1] }
}

impl<T: Copy, const R: usize> Cursor<T, R> for Taps<'_, T, R> {
    #[inline(always)]
    fn next(&mut self) -> Option<[&[T]; R]> {
        let geometry = self.windows.geometry;
        if self.tap[0] == geometry.kernel[0] {
            return None;
        }
        let (tap, channel) = (self.tap, self.channel);
        let width = (geometry.channels - channel).min(PIECE);
        self.channel += width;
        if self.channel == geometry.channels {
            self.channel = 0;
            self.tap = next_tap(tap, geometry.kernel);
        }
        Some(self.corners.map(|corner| self.windows.cell(corner, tap, channel, width)))
    }
}
