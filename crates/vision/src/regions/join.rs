//! From the detections of several looks at one picture to those of the picture.
//!
//! | what | meaning |
//! |---|---|
//! | cut | a box that reaches to within [`BORDER_SHARE`] of its look's size of an edge of the look that is no edge of the picture |
//! | piece of | a cut box of which [`PIECE_SHARE`] lie in another box of its label |
//!
//! 1. A cut box that is a piece of one from another look is dropped when that one is not cut, or is larger: the other look
//!    saw more of the object.
//! 2. A cut box that is a piece of where a known object is expected is dropped when the object reaches beyond the look: the
//!    object is known, and this look could not see it.
//! 3. Any other cut box stays: half an object is better than none.
//! 4. Of boxes on one object the best stays ([`crate::nms`]), whichever look it is from. Scores stay what they were.

use clawdbot_flow::detection::{BoundingBox, Detection};
use clawdbot_flow::limits::DETECTIONS_MAX;

use super::RUNS_MAX;
use crate::nms;
use crate::preprocess::Crop;

#[cfg(test)]
mod tests;

/// A box that ends this near to its look's edge, in shares of the look's side, was cut by it: 4 pixels of 416.
const BORDER_SHARE: f32 = 0.01;
/// A box with this share of its area in another one is a piece of it.
const PIECE_SHARE: f32 = 0.6;

/// Joins the detections of one picture's looks.
#[derive(Clone, Debug)]
pub struct Joiner {
    overlap_max: f32,
    picture: [f32; 2],
    found: Vec<Found>,
}

/// A detection, and the look that it comes from.
#[derive(Clone, Copy, Debug)]
struct Found {
    detection: Detection,
    look: usize,
    /// The look in fractions of the picture.
    seen: BoundingBox,
    cut: bool,
}

impl AsRef<Detection> for Found {
    fn as_ref(&self) -> &Detection {
        &self.detection
    }
}

impl Joiner {
    /// For pictures of `width` x `height` pixels; `overlap_max` as for [`nms::suppress`].
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "sides are below 2^24")]
    pub fn new(width: usize, height: usize, overlap_max: f32) -> Self {
        let found = Vec::with_capacity(RUNS_MAX * DETECTIONS_MAX);
        Self { overlap_max, picture: [width as f32, height as f32], found }
    }

    /// Begins a new picture.
    pub fn clear(&mut self) {
        self.found.clear();
    }

    /// Takes the detections of one more look, in fractions of the picture. Those beyond the first [`RUNS_MAX`] looks'
    /// memory are left out.
    #[expect(clippy::cast_precision_loss, reason = "sides are below 2^24")]
    pub fn add(&mut self, crop: &Crop, detections: &[Detection]) {
        let look = self.found.last().map_or(0, |found| found.look + 1);
        let share = |pixels: usize, axis: usize| pixels as f32 / self.picture[axis];
        let (left, top) = (share(crop.left, 0), share(crop.top, 1));
        let (right, bottom) = (share(crop.left + crop.width, 0), share(crop.top + crop.height, 1));
        let seen = BoundingBox { left, top, right, bottom };
        let room = self.found.capacity() - self.found.len();
        let found =
            |&detection: &Detection| Found { look, seen, cut: is_cut(&detection.bounding_box, &seen), detection };
        self.found.extend(detections.iter().take(room).map(found));
    }

    /// Fills `detections`, best first. `known` are the objects that are expected in this picture.
    pub fn finish(&mut self, known: &[Detection], detections: &mut Vec<Detection>) {
        let mut kept = 0;
        for index in 0..self.found.len() {
            let one = self.found[index];
            // Dropped ones still stand behind `kept` or were overwritten by kept ones; both is fine: they lie within others.
            let seen_better = self.found.iter().any(|other| one.look != other.look && is_piece(&one, other));
            let expected = |object: &Detection| {
                object.label == one.detection.label
                    && share_in(&one.detection.bounding_box, &object.bounding_box) >= PIECE_SHARE
                    && reaches_beyond(&object.bounding_box, &one.seen)
            };
            if !(one.cut && (seen_better || known.iter().any(expected))) {
                self.found[kept] = one;
                kept += 1;
            }
        }
        self.found.truncate(kept);
        nms::suppress_by(&mut self.found, nms::same_label(self.overlap_max), DETECTIONS_MAX);
        detections.clear();
        detections.extend(self.found.iter().map(|found| found.detection));
        self.found.clear();
    }
}

/// Whether `one`, which is cut, is a piece of `other`.
fn is_piece(one: &Found, other: &Found) -> bool {
    let (small, large) = (&one.detection.bounding_box, &other.detection.bounding_box);
    one.detection.label == other.detection.label
        && (!other.cut || large.area() > small.area())
        && share_in(small, large) >= PIECE_SHARE
}

/// How much of `part` lies in `whole`, 0..=1.
fn share_in(part: &BoundingBox, whole: &BoundingBox) -> f32 {
    let width = (part.right.min(whole.right) - part.left.max(whole.left)).max(0.0);
    let height = (part.bottom.min(whole.bottom) - part.top.max(whole.top)).max(0.0);
    if part.area() > 0.0 { width * height / part.area() } else { 0.0 }
}

/// Whether a box ends at an edge of what was `seen` that is no edge of the picture.
fn is_cut(found: &BoundingBox, seen: &BoundingBox) -> bool {
    let (across, down) = (seen.width() * BORDER_SHARE, seen.height() * BORDER_SHARE);
    (seen.left > 0.0 && found.left < seen.left + across)
        || (seen.top > 0.0 && found.top < seen.top + down)
        || (seen.right < 1.0 && found.right > seen.right - across)
        || (seen.bottom < 1.0 && found.bottom > seen.bottom - down)
}

/// Whether an object has parts outside of what was `seen`.
fn reaches_beyond(object: &BoundingBox, seen: &BoundingBox) -> bool {
    share_in(&object.clamped(), seen) < 1.0 - BORDER_SHARE
}
