//! A picture's luma on a grid of square cells.
//!
//! | argument | meaning, range |
//! |---|---|
//! | side | pixels of a cell's side, one of [`SIDES`], the least with at most 160 x 120 cells |
//! | level | `(sum * floor(2^20 / side)) >> 16`, where `sum` is that of four rows of the cell: the mean in 1/64 level, cut off |
//!
//! Four rows a cell, evenly spaced, all of their pixels: that is the whole cell up to a side of four, and enough of a larger
//! one, whose noise has averaged out by then. Sides have no prime factors but 2 and 3, so that pixels can be added in twos,
//! threes and fours, which compilers turn into vector instructions; a remainder that fills no cell is not looked at.
//! RGB has no luma; `(R + 2 G + B) / 4` stands for it.
//!
//! The loops are functions that are not inlined: of arguments a compiler knows that they do not overlap, and only then does it
//! make vector instructions of them for sure.

use crate::preprocess::{Picture, Planes};

/// The most columns.
const COLUMNS_MAX: usize = 160;
/// The most rows.
const ROWS_MAX: usize = 120;
/// What a cell's side may be, in pixels.
const SIDES: [usize; 12] = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64];
/// Beyond it no side is large enough in one direction.
pub(super) const PICTURE_SIDE_MAX: usize = ROWS_MAX * SIDES[SIDES.len() - 1];
/// Rows of a cell that are read.
const SAMPLED: usize = 4;

/// The grid over pictures of one size.
#[derive(Clone, Debug)]
pub(super) struct Grid {
    picture: [usize; 2],
    side: usize,
    columns: usize,
    levels: Vec<i16>,
    /// A row of sums, and room to make it shorter.
    sums: [Vec<u16>; 2],
}

impl Grid {
    /// `None` when a side is 0 or too long.
    pub(super) fn new(width: usize, height: usize) -> Option<Self> {
        let fits = |side: &usize| width / side <= COLUMNS_MAX && height / side <= ROWS_MAX;
        let sides = 1..=PICTURE_SIDE_MAX;
        if !sides.contains(&width) || !sides.contains(&height) {
            return None;
        }
        // In a picture that is a strip the cells are as small as the strip.
        let side = SIDES.into_iter().find(fits)?;
        let side = SIDES.into_iter().rfind(|&known| known <= side.min(width).min(height))?;
        let (columns, rows) = ((width / side).min(COLUMNS_MAX), (height / side).min(ROWS_MAX));
        let sums = || vec![0; columns * side];
        Some(Self { picture: [width, height], side, columns, levels: vec![0; columns * rows], sums: [sums(), sums()] })
    }

    /// Width and height of the pictures.
    pub(super) const fn picture(&self) -> [usize; 2] {
        self.picture
    }

    /// Pixels of a cell's side.
    pub(super) const fn side(&self) -> usize {
        self.side
    }

    /// Columns and rows.
    pub(super) fn cells(&self) -> [usize; 2] {
        [self.columns, self.levels.len() / self.columns]
    }

    /// Row by row, in 1/64 level.
    pub(super) fn levels(&self) -> &[i16] {
        &self.levels
    }

    /// Reads the picture's luma.
    pub(super) fn fill(&mut self, picture: &Picture<'_>) {
        let Self { side, columns, levels, sums: [sums, spare], .. } = self;
        for (row, levels) in levels.chunks_exact_mut(*columns).enumerate() {
            let lines: [usize; SAMPLED] =
                std::array::from_fn(|index| row * *side + (2 * index + 1) * *side / (2 * SAMPLED));
            match picture.planes {
                Planes::Rgb8(plane) => add_packed(lines.map(|y| plane.row(y)), sums, |pixel| {
                    (u16::from(pixel[0]) + 2 * u16::from(pixel[1]) + u16::from(pixel[2]) + 2) >> 2
                }),
                Planes::YCbCr8(plane) => add_packed(lines.map(|y| plane.row(y)), sums, |pixel| u16::from(pixel[0])),
                Planes::Yuyv(plane) => add_pairs(lines.map(|y| plane.row(y)), sums),
                Planes::Nv12 { luma, .. } | Planes::I420 { luma, .. } => add(lines.map(|y| luma.row(y)), sums),
            }
            fold_to(*side, sums, spare, levels);
        }
    }
}

/// Four lines of luma, added pixel by pixel.
#[inline(never)]
fn add(lines: [&[u8]; SAMPLED], sums: &mut [u16]) {
    let [a, b, c, d] = lines.map(|line| &line[..sums.len()]);
    for ((((sum, a), b), c), d) in sums.iter_mut().zip(a).zip(b).zip(c).zip(d) {
        *sum = u16::from(*a) + u16::from(*b) + u16::from(*c) + u16::from(*d);
    }
}

/// The same of pairs of luma and chroma: the first byte of two.
#[inline(never)]
fn add_pairs(lines: [&[u8]; SAMPLED], sums: &mut [u16]) {
    let [a, b, c, d] = lines.map(|line| &line.as_chunks().0[..sums.len()]);
    let luma = |pair: &[u8; 2]| u16::from_le_bytes(*pair) & 0xFF;
    for ((((sum, a), b), c), d) in sums.iter_mut().zip(a).zip(b).zip(c).zip(d) {
        *sum = luma(a) + luma(b) + luma(c) + luma(d);
    }
}

/// The same of packed pixels, line by line: compilers do not take apart the three samples of four lines at once.
#[inline(never)]
fn add_packed(lines: [&[u8]; SAMPLED], sums: &mut [u16], luma: impl Fn(&[u8; 3]) -> u16) {
    sums.fill(0);
    for line in lines {
        for (sum, pixel) in sums.iter_mut().zip(line.as_chunks().0) {
            *sum += luma(pixel);
        }
    }
}

/// Adds `side` neighbours to one level each. What is added last becomes a level in the same pass.
fn fold_to(side: usize, sums: &mut Vec<u16>, spare: &mut Vec<u16>, levels: &mut [i16]) {
    let mut left = side;
    let mut length = sums.len();
    while left > 4 {
        let by = if left.is_multiple_of(4) { 4 } else { 2 };
        length /= by;
        match by {
            4 => fold::<4>(sums, &mut spare[..length]),
            _ => fold::<2>(sums, &mut spare[..length]),
        }
        std::mem::swap(sums, spare);
        left /= by;
    }
    let factor = u32::try_from((1_usize << 20) / side).unwrap_or_default();
    match left {
        4 => level::<4>(sums, factor, levels),
        3 => level::<3>(sums, factor, levels),
        2 => level::<2>(sums, factor, levels),
        _ => level::<1>(sums, factor, levels),
    }
}

#[inline(never)]
fn fold<const BY: usize>(sums: &[u16], shorter: &mut [u16]) {
    for (short, long) in shorter.iter_mut().zip(sums.as_chunks::<BY>().0) {
        *short = long.iter().sum();
    }
}

#[inline(never)]
fn level<const BY: usize>(sums: &[u16], factor: u32, levels: &mut [i16]) {
    for (level, sums) in levels.iter_mut().zip(sums.as_chunks::<BY>().0) {
        let sum: u16 = sums.iter().sum();
        *level = ((u32::from(sum) * factor) >> 16) as i16;
    }
}
