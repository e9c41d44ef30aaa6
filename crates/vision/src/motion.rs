//! Where something moves: a picture's luma on a small grid, compared with what the grid showed before.
//!
//! | what | shape, unit, range |
//! |---|---|
//! | picture | [`Picture`] of the size that [`Motion::new`] was told |
//! | grid | at most 160 x 120 square cells; a cell is the mean luma of its pixels in 1/64 level, 0..=16320 |
//! | result | [`Scene`]: rectangles in pixels of the picture, or "everything" |
//!
//! In integers, the same on every processor. Four steps, each a module: `grid` makes the cells, `background` says which
//! cells differ from what stood there before, `patches` joins them to rectangles; here is decided what that means.
//!
//! - Where nothing moves the background follows quickly (1/16 of the difference a picture), so that dusk and dawn are
//!   absorbed; where something moves, slowly (1/128), so that it is not taken for background at once.
//! - What counts as different adapts: to the noise of the whole picture, and in each cell to how restless the cell was of
//!   late, so that leaves in the wind and what has come to rest fall silent.
//! - When a quarter of the cells differ at once, or more patches than [`PATCHES_MAX`] come out, that is no object but a lamp,
//!   a cloud or a camera that was pushed: the answer is "everything", and the background follows quickly everywhere. When
//!   half of them differ, it is replaced.
//!
//! Rates are per picture, meant for 5 to 30 pictures a second. All memory is taken by [`Motion::new`].

use crate::preprocess::{Crop, Picture};

mod background;
mod grid;
mod patches;
#[cfg(test)]
mod tests;

use background::{Background, Pace};
use grid::Grid;
use patches::Patches;

/// Rectangles that one picture can have; more are "everything".
pub const PATCHES_MAX: usize = 32;
/// One of so many cells: when as many differ at once, it is no object.
const STORM_SHARE: usize = 4;
/// One of so many cells: when as many differ at once, the scene is another one.
const REPLACED_SHARE: usize = 2;

/// Why motion cannot be looked for.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum MotionError {
    /// No grid fits.
    #[error(
        "pictures of {width} x {height} pixels are too large or too small to look for motion: a side must have 1 to {}",
        grid::PICTURE_SIDE_MAX
    )]
    Size {
        /// In pixels.
        width: usize,
        /// In pixels.
        height: usize,
    },
    /// The picture is not what was agreed.
    #[error("a picture of {width} x {height} pixels came, but motion is looked for in those of {} x {}", wanted[0], wanted[1])]
    OtherSize {
        /// In pixels.
        width: usize,
        /// In pixels.
        height: usize,
        /// Width and height in pixels.
        wanted: [usize; 2],
    },
}

/// Something that moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patch {
    /// Where, in pixels of the picture: whole cells, as far as they lie in it.
    pub place: Crop,
    /// Cells that differ; the rest of the place lies between them.
    pub cells: u32,
}

/// What one picture shows of motion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scene<'a> {
    /// Too much has changed to tell objects apart: look at the whole picture. True for the first picture.
    pub everything: bool,
    /// What moves, from the top; empty when everything does.
    pub patches: &'a [Patch],
}

/// The motion in one camera's pictures.
#[derive(Clone, Debug)]
pub struct Motion {
    grid: Grid,
    background: Background,
    patches: Patches,
}

impl Motion {
    /// Nothing seen yet, of pictures of `width` x `height` pixels.
    ///
    /// # Errors
    /// When a side is 0 or absurd.
    pub fn new(width: usize, height: usize) -> Result<Self, MotionError> {
        let grid = Grid::new(width, height).ok_or(MotionError::Size { width, height })?;
        let [columns, rows] = grid.cells();
        Ok(Self { background: Background::new(columns, rows), patches: Patches::new(columns, rows), grid })
    }

    /// The side of a cell in pixels.
    #[must_use]
    pub const fn cell_side(&self) -> usize {
        self.grid.side()
    }

    /// The luma of the last picture in cells, row by row, in 1/64 level; and how many cells a row has.
    #[must_use]
    pub fn cells(&self) -> (&[i16], usize) {
        (self.grid.levels(), self.grid.cells()[0])
    }

    /// What moves between the pictures before and `picture`. Allocates nothing.
    ///
    /// # Errors
    /// When the picture has another size than [`Motion::new`] was told.
    pub fn look(&mut self, picture: &Picture<'_>) -> Result<Scene<'_>, MotionError> {
        let (width, height, wanted) = (picture.width(), picture.height(), self.grid.picture());
        if [width, height] != wanted {
            return Err(MotionError::OtherSize { width, height, wanted });
        }
        self.grid.fill(picture);
        let cells = self.grid.levels().len();
        let Some(lit) = self.background.compare(self.grid.levels(), self.patches.mask_mut()) else {
            return Ok(Scene { everything: true, patches: &[] });
        };
        let everything = lit * STORM_SHARE >= cells || (lit > 0 && !self.patches.find(&self.grid));
        let pace = match (everything, lit * REPLACED_SHARE >= cells) {
            (true, true) => Pace::AtOnce,
            (true, false) => Pace::Storm,
            (false, _) => Pace::Calm,
        };
        self.background.follow(self.grid.levels(), self.patches.mask(), pace);
        Ok(Scene { everything, patches: self.patches.found(everything || lit == 0) })
    }
}
