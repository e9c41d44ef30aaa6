//! Single Shot Detector: a fixed grid of anchors, each with box offsets and a logit a class.
//!
//! | output | shape | range |
//! |---|---|---|
//! | boxes | F32 `[1][anchors][4]`: ty, tx, th, tw | any |
//! | scores | F32 `[1][anchors][classes + 1]`, column 0 background | logits |
//!
//! With the divisors s of the metadata and an anchor (ya, xa, ha, wa): centre y = ty / s0 x ha + ya, x = tx / s1 x wa +
//! xa, height = exp(th / s2) x ha, width = exp(tw / s3) x wa; score = 1 / (1 + exp(-logit)). Source: Liu et al., "SSD:
//! Single Shot MultiBox Detector", 2016, section 2; TensorFlow's `faster_rcnn_box_coder.py` for the divisors.
//!
//! Logits are compared with logit(threshold), so only survivors pay for an exp, and only they are decoded. exp comes from
//! `libm`: the same bits on every processor.

use clawdbot_flow::detection::{BoundingBox, Detection};
use clawdbot_flow::limits;
use clawdbot_nn::metadata;
use clawdbot_nn::program::Program;

use super::{HeadError, output_of_shape};
use crate::nms;
use crate::preprocess::Placement;

#[cfg(test)]
mod tests;

/// Candidates that go into suppression at most; the best ones.
pub const CANDIDATES_MAX: usize = 2048;
/// More anchors than any network for our boards has.
const ANCHORS_MAX: usize = 1 << 18;

/// A box that the network's offsets are relative to; in fractions of the network's input.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Anchor {
    y: f32,
    x: f32,
    height: f32,
    width: f32,
}

/// One class of one anchor whose score is high enough.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    logit: f32,
    anchor: u32,
    label: u16,
}

impl Candidate {
    /// Best first; a total order, so that the selection is the same everywhere.
    fn order(a: &Self, b: &Self) -> std::cmp::Ordering {
        b.logit.total_cmp(&a.logit).then(a.anchor.cmp(&b.anchor)).then(a.label.cmp(&b.label))
    }
}

/// See [`metadata::SsdHead`].
#[derive(Debug)]
pub struct SsdHead {
    boxes: usize,
    scores: usize,
    anchors: Vec<Anchor>,
    columns: usize,
    box_scales: [f32; 4],
    overlap_max: f32,
    candidates: Vec<Candidate>,
}

impl SsdHead {
    pub(super) fn new(head: &metadata::SsdHead, labels: usize, program: &Program) -> Result<Self, HeadError> {
        let wrong = |what: String| HeadError::Metadata { what };
        if labels == 0 || labels > usize::from(u16::MAX) {
            return Err(wrong(format!("it has {labels} labels, but there must be 1 to {}", u16::MAX)));
        }
        if !head.box_scales.iter().all(|scale| scale.is_finite() && *scale > 0.0) {
            return Err(wrong(format!("a box scale of {:?} is not above 0", head.box_scales)));
        }
        if !(0.0..=1.0).contains(&head.overlap_max) {
            return Err(wrong(format!("overlap_max is {}, but it must be 0 to 1", head.overlap_max)));
        }
        let anchors = anchors(&head.maps)?;
        let columns = labels + 1;
        Ok(Self {
            boxes: output_of_shape(program, &head.boxes, &[1, anchors.len(), 4])?,
            scores: output_of_shape(program, &head.scores, &[1, anchors.len(), columns])?,
            anchors,
            columns,
            box_scales: head.box_scales,
            overlap_max: head.overlap_max,
            candidates: Vec::with_capacity(2 * CANDIDATES_MAX),
        })
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
        detections.clear();
        detections.extend(self.candidates.iter().filter_map(|candidate| self.decode(candidate, boxes)));
        nms::suppress(detections, self.overlap_max, limits::DETECTIONS_MAX);
        detections.retain_mut(|detection| {
            detection.bounding_box = placement.to_picture(&detection.bounding_box).clamped();
            detection.bounding_box.area() > 0.0
        });
    }

    /// Fills `candidates` with the best of those whose score is at least `threshold`, best first.
    fn select(&mut self, scores: &[f32], threshold: f32) {
        let logit_min = logit(threshold);
        self.candidates.clear();
        for (anchor, logits) in (0_u32..).zip(scores.chunks_exact(self.columns)) {
            // A logit that is no number compares as false, and so is no candidate.
            for (label, &logit) in (0_u16..).zip(&logits[1..]).filter(|(_, logit)| **logit >= logit_min) {
                if self.candidates.len() == 2 * CANDIDATES_MAX {
                    self.candidates.select_nth_unstable_by(CANDIDATES_MAX, Candidate::order);
                    self.candidates.truncate(CANDIDATES_MAX);
                }
                self.candidates.push(Candidate { logit, anchor, label });
            }
        }
        self.candidates.sort_unstable_by(Candidate::order);
        self.candidates.truncate(CANDIDATES_MAX);
    }

    /// The candidate's box in fractions of the network's input; `None` when it is not finite.
    fn decode(&self, candidate: &Candidate, boxes: &[[f32; 4]]) -> Option<Detection> {
        let index = usize::try_from(candidate.anchor).ok()?;
        let (anchor, [ty, tx, th, tw]) = (self.anchors[index], boxes[index]);
        let [y_scale, x_scale, height_scale, width_scale] = self.box_scales;
        let y = ty / y_scale * anchor.height + anchor.y;
        let x = tx / x_scale * anchor.width + anchor.x;
        let half_height = 0.5 * libm::expf(th / height_scale) * anchor.height;
        let half_width = 0.5 * libm::expf(tw / width_scale) * anchor.width;
        let bounding_box =
            BoundingBox { left: x - half_width, top: y - half_height, right: x + half_width, bottom: y + half_height };
        let BoundingBox { left, top, right, bottom } = bounding_box;
        let finite = [left, top, right, bottom].iter().all(|side| side.is_finite());
        finite.then(|| Detection { label: candidate.label, score: sigmoid(candidate.logit), bounding_box })
    }
}

/// The logit whose sigmoid is `score`; -inf at and below 0, +inf at and above 1.
fn logit(score: f32) -> f32 {
    let score = score.clamp(0.0, 1.0);
    libm::logf(score / (1.0 - score))
}

fn sigmoid(logit: f32) -> f32 {
    1.0 / (1.0 + libm::expf(-logit))
}

/// All anchors in the order of the network's results: map, y, x, size.
fn anchors(maps: &[metadata::AnchorMap]) -> Result<Vec<Anchor>, HeadError> {
    let wrong = |what: String| HeadError::Metadata { what };
    // An empty map is refused on its own: its rows times columns could be any number to walk through.
    let count = maps.iter().try_fold(0_usize, |sum, map| {
        let cells = map.rows.checked_mul(map.columns)?.checked_mul(map.sizes.len())?;
        sum.checked_add(cells).filter(|&sum| cells > 0 && sum <= ANCHORS_MAX)
    });
    let Some(count) = count.filter(|&count| count > 0) else {
        return Err(wrong(format!("its maps must have 1 to {ANCHORS_MAX} anchors together, and none may be empty")));
    };
    let mut anchors = Vec::with_capacity(count);
    for (index, map) in maps.iter().enumerate() {
        if let Some(size) = map.sizes.iter().flatten().find(|size| !size.is_finite() || **size <= 0.0) {
            return Err(wrong(format!("an anchor of map {index} has a side of {size}, which is not above 0")));
        }
        for row in 0..map.rows {
            for column in 0..map.columns {
                let (y, x) = (centre(row, map.rows), centre(column, map.columns));
                anchors.extend(map.sizes.iter().map(|&[height, width]| Anchor { y, x, height, width }));
            }
        }
    }
    Ok(anchors)
}

#[expect(clippy::cast_precision_loss, reason = "a map has at most 2^18 cells")]
fn centre(index: usize, count: usize) -> f32 {
    (index as f32 + 0.5) / count as f32
}
