//! How long ago each part of the picture was looked at, for each level.
//!
//! The picture is cut into 32 x 32 tiles. A look at one level is one at every wider level too, as far as it goes.

use crate::preprocess::Crop;

/// Tiles a side.
const SIDE: usize = 32;

/// Pictures since each tile was looked at, at each level or closer. Counts stop at the largest u16.
#[derive(Clone, Debug)]
pub(super) struct Ages {
    picture: [usize; 2],
    levels: Vec<[u16; SIDE * SIDE]>,
}

impl Ages {
    pub(super) fn new(picture: [usize; 2], levels: usize) -> Self {
        Self { picture, levels: vec![[0; SIDE * SIDE]; levels] }
    }

    /// One picture more.
    pub(super) fn grow(&mut self) {
        for age in self.levels.as_flattened_mut() {
            *age = age.saturating_add(1);
        }
    }

    /// The age of the tile with the pixel `point` (column, row).
    pub(super) fn at(&self, level: usize, point: [usize; 2]) -> u32 {
        u32::from(self.levels[level][self.tile(point)])
    }

    /// `crop` was looked at, at `level`: its tiles are those whose middle lies in it.
    pub(super) fn reset(&mut self, level: usize, crop: &Crop) {
        let columns = middles(crop.left, crop.width, self.picture[0]);
        let rows = middles(crop.top, crop.height, self.picture[1]);
        for ages in &mut self.levels[level..] {
            for row in rows.clone() {
                ages[row * SIDE..][columns.clone()].fill(0);
            }
        }
    }

    fn tile(&self, point: [usize; 2]) -> usize {
        let [column, row] = [0, 1].map(|axis| (point[axis] * SIDE / self.picture[axis]).min(SIDE - 1));
        row * SIDE + column
    }
}

/// The tiles of a side of `whole` pixels whose middle lies in the `length` pixels from `first` on.
fn middles(first: usize, length: usize, whole: usize) -> std::ops::Range<usize> {
    // The middle of tile n lies at (2 n + 1) whole / (2 SIDE).
    let behind = |edge: usize| (2 * SIDE * edge).saturating_sub(whole).div_ceil(2 * whole).min(SIDE);
    behind(first)..behind(first + length)
}
