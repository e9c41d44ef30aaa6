//! Single Shot Detector: a fixed grid of anchors, each with box offsets and a logit a class.
//!
//! | output | shape | range |
//! |---|---|---|
//! | boxes | F32 `[1][anchors][4]`: ty, tx, th, tw | any |
//! | scores | F32 `[1][anchors][classes]`, with a column 0 of background before them where the metadata says so | logits |
//!
//! With the divisors s of the metadata and an anchor (ya, xa, ha, wa): centre y = ty / s0 x ha + ya, x = tx / s1 x wa +
//! xa, height = exp(th / s2) x ha, width = exp(tw / s3) x wa; score = 1 / (1 + exp(-logit)). Source: Liu et al., "SSD:
//! Single Shot MultiBox Detector", 2016, section 2; TensorFlow's `faster_rcnn_box_coder.py` for the divisors.

use clawdbot_flow::detection::{BoundingBox, Detection};
use clawdbot_flow::limits;
use clawdbot_nn::metadata;

use super::anchors::{Anchor, anchors};
use super::candidates::{Candidate, Candidates};
use super::logistic::{logit, sigmoid};
use super::{conclude, is_finite, to_picture};
use crate::nms;
use crate::preprocess::Placement;

#[cfg(test)]
mod tests;

/// See [`metadata::SsdHead`].
#[derive(Debug)]
pub struct SsdHead {
    boxes: usize,
    scores: usize,
    anchors: Vec<Anchor>,
    /// Scores an anchor, and how many of them are background.
    columns: usize,
    background: usize,
    box_scales: [f32; 4],
    overlap_max: f32,
    best_class_only: bool,
    candidates: Candidates,
}

impl SsdHead {
    /// `outputs` are where [`metadata::Head::outputs`] has been found.
    pub(super) fn new(head: &metadata::SsdHead, labels: usize, outputs: &[usize]) -> Self {
        let background = usize::from(head.background);
        Self {
            boxes: outputs[0],
            scores: outputs[1],
            anchors: anchors(&head.maps),
            columns: labels + background,
            background,
            box_scales: head.box_scales,
            overlap_max: head.overlap_max,
            best_class_only: head.best_class_only,
            candidates: Candidates::new(),
        }
    }

    pub(super) fn detect<'a>(
        &mut self,
        output: impl Fn(usize) -> &'a [f32],
        threshold: f32,
        placement: Placement,
        detections: &mut Vec<Detection>,
    ) {
        let (boxes, scores) = (output(self.boxes), output(self.scores));
        assert_eq!(boxes.len(), self.anchors.len() * 4, "the boxes are not those of the program");
        assert_eq!(scores.len(), self.anchors.len() * self.columns, "the scores are not those of the program");
        self.select(scores, threshold);
        let (boxes, _) = boxes.as_chunks::<4>();
        let (anchors, box_scales) = (&self.anchors, self.box_scales);
        let decoded = self.candidates.best().iter().filter_map(|candidate| {
            let index = usize::try_from(candidate.cell).ok()?;
            decode(candidate, anchors[index], boxes[index], box_scales)
        });
        detections.clear();
        detections.extend(decoded);
        if self.best_class_only {
            let overlap_max = self.overlap_max;
            let same =
                |a: &Detection, b: &Detection| a.bounding_box.intersection_over_union(&b.bounding_box) > overlap_max;
            nms::suppress_by(detections, same, limits::DETECTIONS_MAX);
            detections.retain_mut(|detection| to_picture(detection, placement));
        } else {
            conclude(detections, self.overlap_max, placement);
        }
    }

    /// Fills `candidates` with those whose score is at least `threshold`.
    fn select(&mut self, scores: &[f32], threshold: f32) {
        let logit_min = logit(threshold);
        self.candidates.clear();
        for (cell, logits) in (0_u32..).zip(scores.chunks_exact(self.columns)) {
            // A logit that is no number compares as false, and so is no candidate.
            let above = (0_u16..).zip(&logits[self.background..]).filter(|(_, logit)| **logit >= logit_min);
            let candidates = above.map(|(label, &rank)| Candidate { rank, cell, label });
            if self.best_class_only {
                // Of equal logits the first, as TensorFlow Lite takes it.
                let best = candidates.reduce(|best, next| if next.rank > best.rank { next } else { best });
                best.into_iter().for_each(|best| self.candidates.push(best));
            } else {
                candidates.for_each(|candidate| self.candidates.push(candidate));
            }
        }
    }
}

/// The candidate's box in fractions of the network's input; `None` when it is not finite.
fn decode(
    candidate: &Candidate,
    anchor: Anchor,
    [ty, tx, th, tw]: [f32; 4],
    [y_scale, x_scale, height_scale, width_scale]: [f32; 4],
) -> Option<Detection> {
    let y = ty / y_scale * anchor.height + anchor.y;
    let x = tx / x_scale * anchor.width + anchor.x;
    let half_height = 0.5 * libm::expf(th / height_scale) * anchor.height;
    let half_width = 0.5 * libm::expf(tw / width_scale) * anchor.width;
    let bounding_box =
        BoundingBox { left: x - half_width, top: y - half_height, right: x + half_width, bottom: y + half_height };
    let score = sigmoid(candidate.rank);
    is_finite(&bounding_box).then_some(Detection { label: candidate.label, score, bounding_box })
}
