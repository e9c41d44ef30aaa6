//! `NanoDet` and `NanoDet`-Plus: each cell predicts the distances from its centre to the four sides of a box, each as a
//! distribution.
//!
//! | output, of each map | shape | range |
//! |---|---|---|
//! | classes | F32 `[1][rows][columns][classes]`, in the same row the distances where these have no output | logits |
//! | distances | F32 `[1][rows][columns][4 x bins]`: left, top, right, bottom | logits over the bins |
//!
//! A side lies sum of i x softmax(bins)\[i\] strides from the centre, score = sigmoid(class). Only survivors pay for a softmax.
//! Source: Li et al., "Generalized Focal Loss", 2020, section 3.2; the centres are those of RangiLyu/nanodet: (column + 0.5,
//! row + 0.5) strides, in Plus (column, row).

use clawdbot_flow::detection::{BoundingBox, Detection};
use clawdbot_nn::metadata::{self, PictureInput};

use super::candidates::{Candidate, Candidates};
use super::logistic::{logit, sigmoid};
use super::yolox::place;
use super::{conclude, is_finite};
use crate::preprocess::Placement;

#[cfg(test)]
mod tests;

/// One map.
#[derive(Clone, Copy, Debug)]
struct Map {
    /// Index of its first cell among all.
    first: u32,
    columns: u32,
    cells: usize,
    /// From cell to cell, in fractions of the network's input.
    step: [f32; 2],
    /// The output with the classes, and how long a cell's row in it is.
    classes: (usize, usize),
    /// The output with the distances, how long a row is, and where in it they begin.
    distances: (usize, usize, usize),
}

/// See [`metadata::NanoDetHead`].
#[derive(Debug)]
pub struct NanoDetHead {
    maps: Vec<Map>,
    classes: usize,
    bins: usize,
    centre: f32,
    overlap_max: f32,
    candidates: Candidates,
}

impl NanoDetHead {
    /// `outputs` are where [`metadata::Head::outputs`] has been found.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "maps have at most 2^18 cells, pictures sides below 2^24"
    )]
    pub(super) fn new(head: &metadata::NanoDetHead, input: &PictureInput, classes: usize, outputs: &[usize]) -> Self {
        let mut outputs = outputs.iter().copied();
        let mut next = || outputs.next().unwrap_or_default();
        let (mut maps, mut first) = (Vec::new(), 0);
        for branch in &head.branches {
            let (rows, columns) = (input.height.div_ceil(branch.stride), input.width.div_ceil(branch.stride));
            let both = classes + 4 * head.bins;
            let scores = next();
            let (classes, distances) = match branch.distances {
                Some(_) => ((scores, classes), (next(), 4 * head.bins, 0)),
                None => ((scores, both), (scores, both, classes)),
            };
            let step = [input.width, input.height].map(|side| branch.stride as f32 / side as f32);
            let cells = rows * columns;
            maps.push(Map { first: first as u32, columns: columns as u32, cells, step, classes, distances });
            first += cells;
        }
        let &metadata::NanoDetHead { bins, centre, overlap_max, .. } = head;
        Self { maps, classes, bins, centre, overlap_max, candidates: Candidates::new() }
    }

    pub(super) fn detect<'a>(
        &mut self,
        output: impl Fn(usize) -> &'a [f32],
        threshold: f32,
        placement: Placement,
        detections: &mut Vec<Detection>,
    ) {
        let logit_min = logit(threshold);
        self.candidates.clear();
        for map in &self.maps {
            let (index, length) = map.classes;
            let rows = output(index);
            assert_eq!(rows.len(), map.cells * length, "the classes are not those of the program");
            for (cell, row) in (map.first..).zip(rows.chunks_exact(length)) {
                // A logit that is no number compares as false, and so is no candidate.
                for (label, &rank) in (0_u16..).zip(&row[..self.classes]).filter(|(_, logit)| **logit >= logit_min) {
                    self.candidates.push(Candidate { rank, cell, label });
                }
            }
        }
        let (maps, bins, centre) = (&self.maps, self.bins, self.centre);
        let decoded = self.candidates.best().iter().filter_map(|candidate| {
            let map = maps.iter().rev().find(|map| map.first <= candidate.cell)?;
            let (index, length, from) = map.distances;
            let cell = usize::try_from(candidate.cell - map.first).ok()?;
            let logits = output(index).get(cell * length + from..)?.get(..4 * bins)?;
            decode(candidate, map, logits, centre)
        });
        detections.clear();
        detections.extend(decoded);
        conclude(detections, self.overlap_max, placement);
    }
}

/// The candidate's box in fractions of the network's input; `None` when it is not finite.
fn decode(candidate: &Candidate, map: &Map, logits: &[f32], centre: f32) -> Option<Detection> {
    let mut sides = logits.chunks_exact(logits.len() / 4).map(expectation);
    let [left, top, right, bottom] = [sides.next()?, sides.next()?, sides.next()?, sides.next()?];
    let [column, row] = place(candidate.cell - map.first, map.columns);
    let ([x, y], [step_x, step_y]) = ([column + centre, row + centre], map.step);
    let bounding_box = BoundingBox {
        left: (x - left) * step_x,
        top: (y - top) * step_y,
        right: (x + right) * step_x,
        bottom: (y + bottom) * step_y,
    };
    let score = sigmoid(candidate.rank);
    is_finite(&bounding_box).then_some(Detection { label: candidate.label, score, bounding_box })
}

/// Sum of i x softmax(logits)\[i\]; no number when a logit is none, or +inf.
fn expectation(logits: &[f32]) -> f32 {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let (mut sum, mut weighted, mut bin) = (0.0, 0.0, 0.0);
    for logit in logits {
        let share = libm::expf(logit - most);
        sum += share;
        weighted += bin * share;
        bin += 1.0;
    }
    weighted / sum
}
