//! Rectangles of pixels by their edges.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "edges inside a picture, clamped to it before they become numbers of pixels"
)]

use clawdbot_flow::detection::BoundingBox;

use crate::preprocess::Crop;

/// Pixels around an item, beside a quarter of its side: the network wants to see what a thing stands on.
const MARGIN: usize = 8;

/// A whole overlap.
pub(super) const OVERLAP_ONE: u64 = 1 << 16;

/// Columns `left..right` and rows `top..bottom`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rectangle {
    /// Left and top edge.
    pub(super) first: [usize; 2],
    /// Right and bottom edge: behind the last pixel.
    pub(super) end: [usize; 2],
}

impl Rectangle {
    pub(super) const fn of_crop(crop: &Crop) -> Self {
        Self { first: [crop.left, crop.top], end: [crop.left + crop.width, crop.top + crop.height] }
    }

    /// The pixels that a box touches, as far as they lie in the picture; empty for a box outside, or of no numbers.
    pub(super) fn of_box(place: &BoundingBox, picture: [usize; 2]) -> Self {
        // NaN becomes 0.
        let pixel = |fraction: f32, side: usize| fraction.clamp(0.0, 1.0) * side as f32;
        let first = [pixel(place.left, picture[0]).floor() as usize, pixel(place.top, picture[1]).floor() as usize];
        let end = [pixel(place.right, picture[0]).ceil() as usize, pixel(place.bottom, picture[1]).ceil() as usize];
        Self { first, end }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.first[0] >= self.end[0] || self.first[1] >= self.end[1]
    }

    pub(super) fn size(&self) -> [usize; 2] {
        [0, 1].map(|axis| self.end[axis].saturating_sub(self.first[axis]))
    }

    pub(super) fn centre(&self) -> [usize; 2] {
        [0, 1].map(|axis| usize::midpoint(self.first[axis], self.end[axis]))
    }

    pub(super) fn contains(&self, other: &Self) -> bool {
        [0, 1].into_iter().all(|axis| self.first[axis] <= other.first[axis] && other.end[axis] <= self.end[axis])
    }

    pub(super) fn joined(&self, other: &Self) -> Self {
        let first = [0, 1].map(|axis| self.first[axis].min(other.first[axis]));
        Self { first, end: [0, 1].map(|axis| self.end[axis].max(other.end[axis])) }
    }

    /// Intersection over union, in 1/[`OVERLAP_ONE`].
    pub(super) fn overlap(&self, other: &Self) -> u64 {
        let shared = |axis: usize| {
            self.end[axis].min(other.end[axis]).saturating_sub(self.first[axis].max(other.first[axis])) as u64
        };
        let area = |of: &Self| of.size().map(|side| side as u64).into_iter().product::<u64>();
        let both = shared(0) * shared(1);
        (both * OVERLAP_ONE).checked_div(area(self) + area(other) - both).unwrap_or_default()
    }

    /// With a margin, as far as the picture goes.
    pub(super) fn with_margin(&self, picture: [usize; 2]) -> Self {
        let margin = self.size().map(|side| side / 4 + MARGIN);
        let first = [0, 1].map(|axis| self.first[axis].saturating_sub(margin[axis]));
        Self { first, end: [0, 1].map(|axis| (self.end[axis] + margin[axis]).min(picture[axis])) }
    }
}
