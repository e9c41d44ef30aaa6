//! `BlazeFace`: faces and their keypoints, over a fixed grid of anchors.
//!
//! | output | shape | range |
//! |---|---|---|
//! | boxes | F32 `[1][anchors][4 + 2 x keypoints]`: x, y, width, height, then x, y of each keypoint | in `scale`ths of the picture |
//! | scores | F32 `[1][anchors][classes]` | logits |
//!
//! Centres and keypoints are counted from the anchor's centre, sizes are as they are. Source: Bazarevsky et al., "`BlazeFace`:
//! Sub-millisecond Neural Face Detection on Mobile GPUs", 2019, section 3. The paper blends boxes on one face; here the best of
//! them stands, like everywhere else.

use clawdbot_flow::detection::{BoundingBox, Detection};
use clawdbot_flow::limits;
use clawdbot_nn::metadata;

use super::anchors::{Anchor, anchors};
use super::candidates::{Candidate, Candidates};
use super::keypoints::Keypoint;
use super::logistic::{logit, sigmoid};
use super::{is_finite, to_picture};
use crate::nms;
use crate::preprocess::Placement;

#[cfg(test)]
mod tests;

/// A face and the anchor that it comes from.
#[derive(Clone, Copy, Debug)]
struct Face {
    detection: Detection,
    anchor: u32,
}

impl AsRef<Detection> for Face {
    fn as_ref(&self) -> &Detection {
        &self.detection
    }
}

/// See [`metadata::BlazeFaceHead`].
#[derive(Debug)]
pub struct BlazeFaceHead {
    boxes: usize,
    scores: usize,
    anchors: Vec<Anchor>,
    classes: usize,
    scale: f32,
    names: Vec<String>,
    overlap_max: f32,
    candidates: Candidates,
    faces: Vec<Face>,
    keypoints: Vec<Keypoint>,
}

impl BlazeFaceHead {
    /// `outputs` are where [`metadata::Head::outputs`] has been found.
    pub(super) fn new(head: &metadata::BlazeFaceHead, classes: usize, outputs: &[usize]) -> Self {
        Self {
            boxes: outputs[0],
            scores: outputs[1],
            anchors: anchors(&head.maps),
            classes,
            scale: head.scale,
            names: head.keypoints.clone(),
            overlap_max: head.overlap_max,
            candidates: Candidates::new(),
            faces: Vec::new(),
            keypoints: Vec::new(),
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
        let (boxes, scores) = (output(self.boxes), output(self.scores));
        let length = 4 + 2 * self.names.len();
        assert_eq!(boxes.len(), self.anchors.len() * length, "the boxes are not those of the program");
        assert_eq!(scores.len(), self.anchors.len() * self.classes, "the scores are not those of the program");
        let logit_min = logit(threshold);
        self.candidates.clear();
        for (cell, logits) in (0_u32..).zip(scores.chunks_exact(self.classes)) {
            // A logit that is no number compares as false, and so is no candidate.
            for (label, &rank) in (0_u16..).zip(logits).filter(|(_, logit)| **logit >= logit_min) {
                self.candidates.push(Candidate { rank, cell, label });
            }
        }
        let (anchors, scale) = (&self.anchors, self.scale);
        let row = |anchor: u32| {
            let index = usize::try_from(anchor).ok()?;
            Some((anchors[index], &boxes[index * length..][..length]))
        };
        let decoded = self.candidates.best().iter().filter_map(|candidate| {
            let (anchor, numbers) = row(candidate.cell)?;
            decode(candidate, anchor, numbers, scale)
        });
        self.faces.clear();
        self.faces.extend(decoded);
        nms::suppress_by(&mut self.faces, nms::same_label(self.overlap_max), limits::DETECTIONS_MAX);
        self.faces.retain_mut(|face| to_picture(&mut face.detection, placement));
        detections.clear();
        detections.extend(self.faces.iter().map(|face| face.detection));
        self.keypoints.clear();
        for face in &self.faces {
            let Some((anchor, numbers)) = row(face.anchor) else { continue };
            let (points, _) = numbers[4..].as_chunks::<2>();
            self.keypoints.extend(points.iter().map(|&[x, y]| {
                let (x, y) = placement.point_to_picture(x / scale + anchor.x, y / scale + anchor.y);
                Keypoint { x, y, score: face.detection.score }
            }));
        }
    }
}

/// The candidate's face in fractions of the network's input; `None` when a number of it is not finite.
fn decode(candidate: &Candidate, anchor: Anchor, numbers: &[f32], scale: f32) -> Option<Face> {
    let &[x, y, width, height] = numbers.first_chunk::<4>()?;
    let (x, y) = (x / scale + anchor.x, y / scale + anchor.y);
    let (half_width, half_height) = (0.5 * width / scale, 0.5 * height / scale);
    let bounding_box =
        BoundingBox { left: x - half_width, top: y - half_height, right: x + half_width, bottom: y + half_height };
    let finite = is_finite(&bounding_box) && numbers.iter().all(|number| number.is_finite());
    let detection = Detection { label: candidate.label, score: sigmoid(candidate.rank), bounding_box };
    finite.then_some(Face { detection, anchor: candidate.cell })
}
