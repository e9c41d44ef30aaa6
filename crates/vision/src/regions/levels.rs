//! How large a look can be: from the network's input, pixel for pixel, to the whole picture.

use clawdbot_nn::metadata::{PictureInput, Resize};

use super::rectangle::Rectangle;
use crate::preprocess::Crop;

/// Pixels of the picture to one of the input, before the whole picture.
const STEPS: [usize; 3] = [1, 2, 4];
/// A level must bring this much (in quarters) less of the picture than the whole does, or it is no gain.
const GAIN_QUARTERS: usize = 5;
/// Pixels that the longer side of a thing should have on the network's input to be recognised.
const RECOGNISED_MIN: usize = 64;
/// Pixels that neighbouring parts of the tiling share at least: what lies on a border is whole in one of them.
const TILING_OVERLAP: usize = 32;

/// The sizes of looks at pictures of one size.
#[derive(Clone, Debug)]
pub(super) struct Levels {
    picture: [usize; 2],
    /// Closest first; the last is the whole picture.
    sizes: Vec<[usize; 2]>,
    /// By level: what the longer side of a thing must have in the picture.
    sides_min: Vec<usize>,
}

impl Levels {
    pub(super) fn new(picture: [usize; 2], input: &PictureInput) -> Self {
        let sides = [input.width.max(1), input.height.max(1)];
        let gains = |step: &usize| [0, 1].iter().any(|&axis| picture[axis] * 4 >= step * sides[axis] * GAIN_QUARTERS);
        let mut sizes: Vec<[usize; 2]> =
            STEPS.iter().filter(|step| gains(step)).map(|step| size(picture, sides, *step, input.resize)).collect();
        sizes.push(picture);
        let side_min = |size: &[usize; 2]| {
            let shrunk = [0, 1].map(|axis| (RECOGNISED_MIN * size[axis]).div_ceil(sides[axis]));
            shrunk[0].max(shrunk[1])
        };
        let mut sides_min: Vec<usize> = sizes.iter().map(side_min).collect();
        sides_min[0] = 0;
        Self { picture, sizes, sides_min }
    }

    /// Width and height.
    pub(super) const fn picture(&self) -> [usize; 2] {
        self.picture
    }

    /// At least one: the whole picture.
    pub(super) const fn count(&self) -> usize {
        self.sizes.len()
    }

    pub(super) const fn whole(&self) -> Crop {
        Crop::whole(self.picture[0], self.picture[1])
    }

    /// The level that a look was made at.
    pub(super) fn of(&self, look: &Crop) -> usize {
        self.sizes.iter().position(|size| *size == [look.width, look.height]).unwrap_or(self.count() - 1)
    }

    pub(super) fn fits(&self, place: &Rectangle, level: usize) -> bool {
        let size = place.size();
        size[0] <= self.sizes[level][0] && size[1] <= self.sizes[level][1]
    }

    /// The first level into which `place` fits.
    pub(super) fn closest(&self, place: &Rectangle) -> usize {
        (0..self.count()).find(|&level| self.fits(place, level)).unwrap_or(self.count() - 1)
    }

    /// The last level on which a thing at `place` is recognised.
    pub(super) fn widest(&self, place: &Rectangle) -> usize {
        let [width, height] = place.size();
        self.sides_min.iter().rposition(|least| width.max(height) >= *least).unwrap_or(0)
    }

    /// The look of `level` with `place` in its middle, as near as the picture's borders allow.
    pub(super) fn around(&self, place: &Rectangle, level: usize) -> Crop {
        let size = self.sizes[level];
        let [left, top] = [0, 1].map(|axis| {
            let first = place.centre()[axis].saturating_sub(size[axis] / 2).min(self.picture[axis] - size[axis]);
            // Even, where the picture's end does not forbid it: then all looks of a level share one plan of the preprocessor.
            if first + size[axis] < self.picture[axis] && first % 2 == 1 && first < place.first[axis] {
                first + 1
            } else {
                first
            }
        });
        Crop { left, top, width: size[0], height: size[1] }
    }

    /// Looks of the closest level that cover the picture between them, row by row.
    pub(super) fn tiling(&self) -> Vec<Crop> {
        let [width, height] = self.sizes[0];
        let lefts = places(self.picture[0], width);
        let tops = places(self.picture[1], height);
        tops.iter().flat_map(|&top| lefts.iter().map(move |&left| Crop { left, top, width, height })).collect()
    }
}

/// The part of the picture for `step` pixels of it to one of the input. A network that is given stretched pictures gets the
/// shape of its input; one with letterboxes gets what is left of it.
fn size(picture: [usize; 2], input: [usize; 2], step: usize, resize: Resize) -> [usize; 2] {
    let wanted = input.map(|side| side * step);
    let cut = [0, 1].map(|axis| wanted[axis].min(picture[axis]));
    match resize {
        Resize::Letterbox { .. } => cut,
        Resize::Stretch if cut[0] * wanted[1] <= cut[1] * wanted[0] => {
            [cut[0], (cut[0] * wanted[1] / wanted[0]).max(1)]
        }
        Resize::Stretch => [(cut[1] * wanted[0] / wanted[1]).max(1), cut[1]],
    }
}

/// Where looks of length `size` begin that cover `whole`, evenly spaced, with an overlap where there are several.
fn places(whole: usize, size: usize) -> Vec<usize> {
    let overlap = TILING_OVERLAP.min(size / 2);
    let count = whole.saturating_sub(overlap).div_ceil(size - overlap).max(1);
    let last = whole - size;
    (0..count).map(|index| if index + 1 == count { last } else { last * index / (count - 1) / 2 * 2 }).collect()
}
