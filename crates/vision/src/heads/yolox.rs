//! YOLOX: each cell of each map predicts one box, without anchors.
//!
//! | output | shape | range |
//! |---|---|---|
//! | boxes, of each map | F32 `[1][rows][columns][4]`: dx, dy, log width, log height in strides | any |
//! | objectness, of each map | F32 `[1][rows][columns][1]` | logits |
//! | classes, of each map | F32 `[1][rows][columns][classes]` | logits |
//! | or all in one | F32 `[1][cells][5 + classes]`: box, objectness, classes | the last two 0..=1 |
//!
//! Centre = (dx + column, dy + row) strides, size = exp(log size) strides, score = sigmoid(objectness) x sigmoid(class).
//! Source: Ge et al., "YOLOX: Exceeding YOLO Series in 2021", section 2.
//!
//! A product of two numbers below 1 is at most either, so an objectness logit below logit(threshold) ends a cell with one
//! comparison; where it is above, the classes are compared with logit(threshold / objectness), and no class pays for an exp
//! but those that pass.

use clawdbot_flow::detection::{BoundingBox, Detection};
use clawdbot_nn::metadata::{self, PictureInput, YoloxResults};

use super::candidates::{Candidate, Candidates};
use super::logistic::{logit, sigmoid};
use super::{conclude, is_finite};
use crate::preprocess::Placement;

#[cfg(test)]
mod tests;

/// One map's cells.
#[derive(Clone, Copy, Debug)]
struct Map {
    /// Index of its first cell among all.
    first: u32,
    columns: u32,
    /// From cell to cell, in fractions of the network's input.
    step: [f32; 2],
}

/// Where a map's results lie.
#[derive(Clone, Copy, Debug)]
enum Source {
    /// Outputs: boxes, objectness, classes.
    Logits([usize; 3]),
    /// An output, and the place of the map's first element in it.
    Fused { output: usize, from: usize },
}

/// See [`metadata::YoloxHead`].
#[derive(Debug)]
pub struct YoloxHead {
    maps: Vec<(Map, Source, usize)>,
    classes: usize,
    overlap_max: f32,
    candidates: Candidates,
}

impl YoloxHead {
    /// `outputs` are where [`metadata::Head::outputs`] has been found.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "maps have at most 2^18 cells, pictures sides below 2^24"
    )]
    pub(super) fn new(head: &metadata::YoloxHead, input: &PictureInput, classes: usize, outputs: &[usize]) -> Self {
        let mut maps = Vec::new();
        let mut first = 0;
        for (index, stride) in head.strides().into_iter().enumerate() {
            let (rows, columns) = (input.height.div_ceil(stride), input.width.div_ceil(stride));
            let step = [input.width, input.height].map(|side| stride as f32 / side as f32);
            let source = match head.results {
                YoloxResults::Branches { .. } => {
                    Source::Logits([outputs[3 * index], outputs[3 * index + 1], outputs[3 * index + 2]])
                }
                YoloxResults::Fused { .. } => Source::Fused { output: outputs[0], from: first * (5 + classes) },
            };
            maps.push((Map { first: first as u32, columns: columns as u32, step }, source, rows * columns));
            first += rows * columns;
        }
        Self { maps, classes, overlap_max: head.overlap_max, candidates: Candidates::new() }
    }

    pub(super) fn detect<'a>(
        &mut self,
        output: impl Fn(usize) -> &'a [f32],
        threshold: f32,
        placement: Placement,
        detections: &mut Vec<Detection>,
    ) {
        self.candidates.clear();
        for &(map, source, cells) in &self.maps {
            match source {
                Source::Logits([boxes, objectness, classes]) => {
                    let (objectness, classes) = (output(objectness), output(classes));
                    assert_eq!(output(boxes).len(), 4 * cells, "the boxes are not those of the program");
                    assert_eq!(objectness.len(), cells, "the objectness is not that of the program");
                    assert_eq!(classes.len(), cells * self.classes, "the classes are not those of the program");
                    let rows = objectness.iter().copied().zip(classes.chunks_exact(self.classes));
                    select_logits(&mut self.candidates, map.first, rows, threshold);
                }
                Source::Fused { output: index, from } => {
                    let cell = 5 + self.classes;
                    let rows = output(index)[from..][..cells * cell].chunks_exact(cell);
                    let rows = rows.map(|row| (row[4], &row[5..]));
                    select_scores(&mut self.candidates, map.first, rows, threshold);
                }
            }
        }
        let (maps, cell) = (&self.maps, 5 + self.classes);
        let decoded = self.candidates.best().iter().filter_map(|candidate| {
            let (map, source, _) = maps.iter().rev().find(|(map, ..)| map.first <= candidate.cell)?;
            let index = usize::try_from(candidate.cell - map.first).ok()?;
            let numbers = match *source {
                Source::Logits([boxes, ..]) => output(boxes).get(4 * index..)?,
                Source::Fused { output: fused, from } => output(fused).get(from + cell * index..)?,
            };
            decode(candidate, map, *numbers.first_chunk::<4>()?)
        });
        detections.clear();
        detections.extend(decoded);
        conclude(detections, self.overlap_max, placement);
    }
}

/// Takes up what scores at least `threshold`, from (objectness, classes) of each cell as logits.
fn select_logits<'a>(
    candidates: &mut Candidates,
    first: u32,
    rows: impl Iterator<Item = (f32, &'a [f32])>,
    threshold: f32,
) {
    let objectness_min = logit(threshold);
    // A logit that is no number compares as false, and so is no candidate.
    for (cell, (objectness, classes)) in (first..).zip(rows).filter(|(_, (logit, _))| *logit >= objectness_min) {
        let object = sigmoid(objectness);
        let class_min = logit(threshold / object);
        for (label, &class) in (0_u16..).zip(classes).filter(|(_, logit)| **logit >= class_min) {
            candidates.push(Candidate { rank: object * sigmoid(class), cell, label });
        }
    }
}

/// As [`select_logits`], from scores.
fn select_scores<'a>(
    candidates: &mut Candidates,
    first: u32,
    rows: impl Iterator<Item = (f32, &'a [f32])>,
    threshold: f32,
) {
    let scores = 0.0..=1.0;
    for (cell, (object, classes)) in (first..).zip(rows) {
        if !(object >= threshold && scores.contains(&object)) {
            continue;
        }
        for (label, class) in (0_u16..).zip(classes) {
            if object * class >= threshold && scores.contains(class) {
                candidates.push(Candidate { rank: object * class, cell, label });
            }
        }
    }
}

/// The candidate's box in fractions of the network's input; `None` when it is not finite.
fn decode(candidate: &Candidate, map: &Map, [dx, dy, log_width, log_height]: [f32; 4]) -> Option<Detection> {
    let [column, row] = place(candidate.cell - map.first, map.columns);
    let [step_x, step_y] = map.step;
    let (x, y) = ((dx + column) * step_x, (dy + row) * step_y);
    let half_width = 0.5 * libm::expf(log_width) * step_x;
    let half_height = 0.5 * libm::expf(log_height) * step_y;
    let bounding_box =
        BoundingBox { left: x - half_width, top: y - half_height, right: x + half_width, bottom: y + half_height };
    is_finite(&bounding_box).then_some(Detection { label: candidate.label, score: candidate.rank, bounding_box })
}

/// Column and row of the cell with this index.
#[expect(clippy::cast_precision_loss, reason = "a map has at most 2^18 cells")]
pub(super) fn place(cell: u32, columns: u32) -> [f32; 2] {
    [(cell % columns) as f32, (cell / columns) as f32]
}
