//! Non-maximum suppression: of several boxes on one object, keep the best.
//!
//! | argument | meaning, range |
//! |---|---|
//! | `detections` | in any order; scores and boxes finite |
//! | `overlap_max` | intersection over union from which two boxes of one label are one object, 0..=1 |
//! | `kept_max` | results wanted at most |
//!
//! Greedy, each label for itself: go through the boxes from the best score down, keep one unless it overlaps a kept box
//! of its label by more than `overlap_max`. Source: Felzenszwalb et al., "Object Detection with Discriminatively Trained
//! Part-Based Models", 2010, section 7.2; the same rule as `torchvision.ops.batched_nms`.
//!
//! In place, no allocation; time is detections x kept. Equal scores keep the order in which they came, so that the result
//! does not depend on the processor.

use clawdbot_flow::detection::Detection;

#[cfg(test)]
mod tests;

/// Leaves in `detections` the kept ones, best score first. `detections` must come in the order that equal scores shall
/// keep.
pub fn suppress(detections: &mut Vec<Detection>, overlap_max: f32, kept_max: usize) {
    suppress_by(detections, same_label(overlap_max), kept_max);
}

/// Whether two boxes are one object by the rule of [`suppress`].
pub fn same_label(overlap_max: f32) -> impl Fn(&Detection, &Detection) -> bool {
    move |a, b| a.label == b.label && a.bounding_box.intersection_over_union(&b.bounding_box) > overlap_max
}

/// As [`suppress`], for whatever carries a detection, and with the caller's `same`(better, worse) for what is one object.
pub fn suppress_by<T: Copy + AsRef<Detection>>(
    found: &mut Vec<T>,
    same: impl Fn(&Detection, &Detection) -> bool,
    kept_max: usize,
) {
    sort_by_score(found);
    let mut kept = 0;
    for index in 0..found.len() {
        if kept == kept_max {
            break;
        }
        let candidate = found[index];
        if !found[..kept].iter().any(|better| same(better.as_ref(), candidate.as_ref())) {
            found[kept] = candidate;
            kept += 1;
        }
    }
    found.truncate(kept);
}

/// Best score first, stable, without the allocation of `slice::sort_by` on long slices: insertion into the sorted part.
fn sort_by_score<T: Copy + AsRef<Detection>>(found: &mut [T]) {
    let score = |found: &T| found.as_ref().score;
    // Candidates come from a selection that is nearly sorted already (see heads::candidates), so this is close to linear.
    for index in 1..found.len() {
        let moved = found[index];
        let place = found[..index].partition_point(|other| score(other).total_cmp(&score(&moved)).is_ge());
        if place < index {
            found.copy_within(place..index, place + 1);
            found[place] = moved;
        }
    }
}
