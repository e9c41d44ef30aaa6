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
    sort_by_score(detections);
    let mut kept = 0;
    for index in 0..detections.len() {
        if kept == kept_max {
            break;
        }
        let candidate = detections[index];
        let overlaps = |better: &Detection| {
            better.label == candidate.label
                && better.bounding_box.intersection_over_union(&candidate.bounding_box) > overlap_max
        };
        if !detections[..kept].iter().any(overlaps) {
            detections[kept] = candidate;
            kept += 1;
        }
    }
    detections.truncate(kept);
}

/// Best score first, stable, without the allocation of `slice::sort_by` on long slices: insertion into the sorted part.
fn sort_by_score(detections: &mut [Detection]) {
    // Candidates come from a selection that is nearly sorted already (see heads::ssd), so this is close to linear.
    for index in 1..detections.len() {
        let detection = detections[index];
        let place = detections[..index].partition_point(|other| other.score.total_cmp(&detection.score).is_ge());
        if place < index {
            detections.copy_within(place..index, place + 1);
            detections[place] = detection;
        }
    }
}
