//! The keypoints of one person, out of four maps (`MoveNet` single pose).
//!
//! | output | shape | range |
//! |---|---|---|
//! | centre | F32 `[1][rows][columns][1]` | logits: somebody's middle |
//! | heatmaps | F32 `[1][rows][columns][keypoints]` | logits: a keypoint of this kind |
//! | regressions | F32 `[1][rows][columns][2 x keypoints]`: y, x | cells, from somebody's middle to his keypoint |
//! | offsets | F32 `[1][rows][columns][2 x keypoints]`: y, x | cells, from a cell to the keypoint in it |
//!
//! 1. The person is the cell of the largest sigmoid(centre) / (d + 1.8), d its distance in cells to (rows / 2, columns / 2).
//! 2. A keypoint is expected where the regressions of that cell point to; it is the cell of the largest sigmoid(heatmap) /
//!    (d + 1.8), d its distance to what is expected.
//! 3. It lies at (cell + offset) / cells, and its score is its heatmap's sigmoid.
//!
//! Of equal ones the first counts. So `MoveNet`'s published TensorFlow Lite graph computes it after its prediction layers
//! (`movenet_single_pose_lightning`, its constants 1.8 and 1/48 included), there in 8 bits.
//!
//! The detection around the points: the score is their mean, the box holds those that score at least
//! [`POINT_SCORE_MIN`].

use clawdbot_flow::detection::{BoundingBox, Detection};
use clawdbot_nn::metadata;

use super::keypoints::Keypoint;
use super::logistic::sigmoid;
use super::to_picture;
use super::yolox::place;
use crate::preprocess::Placement;

#[cfg(test)]
mod tests;

/// Points that score less are guesses, and do not stretch a person's box.
pub const POINT_SCORE_MIN: f32 = 0.2;
/// Cells of distance that halve a cell's weight, about.
const DISTANCE_SOFTNESS: f32 = 1.8;

/// See [`metadata::PoseHead`].
#[derive(Debug)]
pub struct PoseHead {
    centre: usize,
    heatmaps: usize,
    regressions: usize,
    offsets: usize,
    rows: u32,
    columns: u32,
    names: Vec<String>,
    keypoints: Vec<Keypoint>,
}

impl PoseHead {
    /// `outputs` are where [`metadata::Head::outputs`] has been found.
    #[expect(clippy::cast_possible_truncation, reason = "a map has at most 2^18 cells")]
    pub(super) fn new(head: &metadata::PoseHead, outputs: &[usize]) -> Self {
        Self {
            centre: outputs[0],
            heatmaps: outputs[1],
            regressions: outputs[2],
            offsets: outputs[3],
            rows: head.rows as u32,
            columns: head.columns as u32,
            names: head.keypoints.clone(),
            keypoints: Vec::with_capacity(head.keypoints.len()),
        }
    }

    pub(super) fn keypoint_names(&self) -> &[String] {
        &self.names
    }

    pub(super) fn keypoints(&self) -> &[Keypoint] {
        &self.keypoints
    }

    pub(super) fn detect<'a>(
        &mut self,
        output: impl Fn(usize) -> &'a [f32],
        threshold: f32,
        placement: Placement,
        detections: &mut Vec<Detection>,
    ) {
        let count = self.names.len();
        let (centre, heatmaps) = (output(self.centre), output(self.heatmaps));
        let (regressions, offsets) = (output(self.regressions), output(self.offsets));
        assert_eq!(heatmaps.len(), count * centre.len(), "the heatmaps are not those of the program");
        assert_eq!(regressions.len(), 2 * count * centre.len(), "the regressions are not those of the program");
        assert_eq!(offsets.len(), 2 * count * centre.len(), "the offsets are not those of the program");
        detections.clear();
        self.keypoints.clear();
        let middle = [self.columns / 2, self.rows / 2].map(|half| place(half, u32::MAX)[0]);
        let Some(person) = best_cell(centre, 1, self.columns, middle) else { return };
        let [column, row] = place(u32::try_from(person).unwrap_or_default(), self.columns);
        for point in 0..count {
            let away = &regressions[2 * (person * count + point)..][..2];
            let expected = [column + away[1], row + away[0]];
            let Some(cell) = best_cell(&heatmaps[point..], count, self.columns, expected) else { return };
            let offset = &offsets[2 * (cell * count + point)..][..2];
            let [x, y] = place(u32::try_from(cell).unwrap_or_default(), self.columns);
            let [rows, columns] = [self.rows, self.columns].map(|cells| place(cells, u32::MAX)[0]);
            let (x, y) = placement.point_to_picture((x + offset[1]) / columns, (y + offset[0]) / rows);
            self.keypoints.push(Keypoint { x, y, score: sigmoid(heatmaps[cell * count + point]) });
        }
        detections.extend(around(&self.keypoints).filter(|person| person.score >= threshold));
        // The points lie in the picture's fractions already.
        detections.retain_mut(|person| to_picture(person, Placement::WHOLE));
        if detections.is_empty() {
            self.keypoints.clear();
        }
    }
}

/// Index of the cell with the largest sigmoid(logit) / (distance to (x, y) + 1.8), the logit of each cell being the first of
/// `step` elements; `None` when no cell has a number.
fn best_cell(logits: &[f32], step: usize, columns: u32, [x, y]: [f32; 2]) -> Option<usize> {
    let mut best: Option<(f32, usize)> = None;
    for (index, (cell, logit)) in (0_u32..).zip(logits.iter().step_by(step)).enumerate() {
        let [column, row] = place(cell, columns);
        let distance = libm::hypotf(column - x, row - y);
        let score = sigmoid(*logit) / (distance + DISTANCE_SOFTNESS);
        if score.is_finite() && best.is_none_or(|(most, _)| score > most) {
            best = Some((score, index));
        }
    }
    best.map(|(_, index)| index)
}

/// The person whom these points belong to; `None` when none is sure enough or one has no number.
#[expect(clippy::cast_precision_loss, reason = "there are at most 256 keypoints")]
fn around(keypoints: &[Keypoint]) -> Option<Detection> {
    if !keypoints.iter().all(|point| point.x.is_finite() && point.y.is_finite()) {
        return None;
    }
    let score = keypoints.iter().map(|point| point.score).sum::<f32>() / keypoints.len() as f32;
    let sure = keypoints.iter().filter(|point| point.score >= POINT_SCORE_MIN);
    let bounding_box =
        sure.map(|&Keypoint { x, y, .. }| BoundingBox { left: x, top: y, right: x, bottom: y }).reduce(|a, b| {
            BoundingBox {
                left: a.left.min(b.left),
                top: a.top.min(b.top),
                right: a.right.max(b.right),
                bottom: a.bottom.max(b.bottom),
            }
        })?;
    Some(Detection { label: 0, score, bounding_box })
}
