//! `BlazeFace`, by its anchors' 16 numbers.

use clawdbot_nn::graph::{Graph, ValueId};
use clawdbot_nn::metadata::{AnchorMap, BlazeFaceHead, ColorOrder, Head, Resize};

use super::recognise::{Pixels, Recognised};
use super::trace::{behind, name};
use crate::normalise::Normalisation;

/// A box and six points.
const NUMBERS: usize = 16;
/// What the points are, in the order of the published networks.
const KEYPOINTS: [&str; 6] = ["right eye", "left eye", "nose", "mouth", "right ear", "left ear"];
/// Overlap from which two boxes are one face; that of the published graph of `MediaPipe`.
const OVERLAP_MAX: f32 = 0.3;

/// Recognises `BlazeFace`: two outputs over the same anchors, 16 numbers and 1 logit each, from layers over square maps of a square
/// picture.
pub(super) fn recognise(graph: &Graph, size: [usize; 2]) -> Option<Recognised> {
    let [height, width] = size;
    let &[first, second] = graph.outputs.get(..)? else { return None };
    let (boxes, scores) = if last(graph, first) == Some(NUMBERS) { (first, second) } else { (second, first) };
    if height != width || last(graph, boxes) != Some(NUMBERS) || last(graph, scores) != Some(1) {
        return None;
    }
    let (boxes_of, scores_of) = (behind(graph, boxes)?, behind(graph, scores)?);
    let mut maps = Vec::new();
    for (a, b) in boxes_of.iter().zip(&scores_of) {
        let anchors = b.channels[1];
        if a.cells != b.cells || a.channels[1] != NUMBERS * anchors || a.sigmoid || b.sigmoid {
            return None;
        }
        let sizes = vec![[1.0, 1.0]; anchors];
        maps.push(AnchorMap { rows: a.cells[0], columns: a.cells[1], sizes, centres: None });
    }
    let anchors: usize = maps.iter().map(|map| map.rows * map.columns * map.sizes.len()).sum();
    let fits = graph.values[boxes.0].shape == [1, anchors, NUMBERS] && graph.values[scores.0].shape == [1, anchors, 1];
    if !fits || boxes_of.len() != scores_of.len() {
        return None;
    }
    Some(Recognised {
        head: Head::BlazeFace(BlazeFaceHead {
            boxes: name(graph, boxes),
            scores: name(graph, scores),
            maps,
            scale: width as f32,
            keypoints: KEYPOINTS.map(ToOwned::to_owned).to_vec(),
            overlap_max: OVERLAP_MAX,
        }),
        classes: Some(1),
        pixels: Some(Pixels {
            normalisation: Normalisation { mean: vec![127.5], scale: vec![1.0 / 127.5] },
            color: ColorOrder::Rgb,
            resize: Resize::Letterbox { fill: 0 },
            reason: "every published BlazeFace takes them so",
        }),
        states: Vec::new(),
        ends_file: false,
        reason: format!(
            "head: BlazeFace of {anchors} anchors, because the outputs are {NUMBERS} numbers and 1 logit an anchor over square maps"
        ),
    })
}

fn last(graph: &Graph, value: ValueId) -> Option<usize> {
    graph.values[value.0].shape.last().copied()
}
