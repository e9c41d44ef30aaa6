//! Detectors of the TensorFlow Object Detection API, without its post-processing or with it as one operator.

mod grid;

use std::collections::BTreeSet;

use clawdbot_nn::graph::{Activation, Graph, Op, ValueId};
use clawdbot_nn::metadata::{AnchorMap, ColorOrder, Head, Resize, SsdHead, State};

use super::recognise::{Pixels, Recognised};
use super::trace::{cut, name};
use crate::importers::DetectionPostProcess;
use crate::normalise::Normalisation;

const BOXES: &str = "raw_outputs/box_encodings";
const SCORES: &str = "raw_outputs/class_predictions";
const NORMALISED_INPUT: &str = "normalized_input_image_tensor";

/// Maps of features that predict boxes.
const MAPS: usize = 6;
/// Pixels a cell of the first map.
const FIRST_STRIDE: usize = 16;
/// Side of the anchors of the first and the last map, as a share of the picture's.
const SCALES: (f32, f32) = (0.2, 0.95);
/// Scale and ratio (width over height) of the first map's anchors.
const FIRST_ANCHORS: [(f32, f32); 3] = [(0.1, 1.0), (SCALES.0, 2.0), (SCALES.0, 0.5)];
/// Ratios of the others', which have one more square anchor between their scale and the next.
const RATIOS: [f32; 5] = [1.0, 2.0, 0.5, 3.0, 0.3333];

/// Recognises a detector by the names of its outputs and the number of its anchors, which must be that of the API's
/// default generator (`ssd_anchor_generator`: six maps, scales 0.2 to 0.95) for a picture of `size` rows and columns.
pub(super) fn recognise(graph: &Graph, size: [usize; 2]) -> Option<Recognised> {
    let output =
        |name: &str| graph.outputs.iter().map(|output| &graph.values[output.0]).find(|value| value.name == name);
    let (boxes, scores) = (output(BOXES)?, output(SCORES)?);
    let maps = anchor_maps(size);
    let anchors: usize = maps.iter().map(|map| map.rows * map.columns * map.sizes.len()).sum();
    let &[1, rows, columns] = scores.shape.get(..)? else { return None };
    if boxes.shape != [1, anchors, 4] || rows != anchors {
        return None;
    }
    let input = graph.inputs.first().map(|input| graph.values[input.0].name.as_str());
    let pixels = Pixels {
        normalisation: Normalisation { mean: vec![127.5], scale: vec![1.0 / 127.5] },
        color: ColorOrder::Rgb,
        resize: Resize::Stretch,
        reason: "because of the input's name",
    };
    Some(Recognised {
        head: Head::Ssd(SsdHead {
            boxes: BOXES.to_owned(),
            scores: SCORES.to_owned(),
            maps,
            box_scales: [10.0, 10.0, 5.0, 5.0],
            overlap_max: 0.6,
            background: true,
            best_class_only: false,
        }),
        classes: columns.checked_sub(1),
        pixels: (input == Some(NORMALISED_INPUT)).then_some(pixels),
        states: Vec::new(),
        ends_file: false,
        reason: format!(
            "head: SSD of the TensorFlow Object Detection API with its default {anchors} anchors, because the outputs are \
             called `{BOXES}` and `{SCORES}` and have as many rows"
        ),
    })
}

/// Recognises a detector whose file ends in `TFLite_Detection_PostProcess`, which names all that the head needs; the anchors must
/// be a grid. The network then ends in the logits before the scores' sigmoid, and in its states.
pub(super) fn recognise_post_process(graph: &mut Graph, found: &DetectionPostProcess) -> Option<Recognised> {
    let maps = grid::maps(&found.anchors)?;
    let sigmoid = &graph.nodes[graph.producer(found.scores)?];
    if sigmoid.op != Op::Activate(Activation::Logistic) {
        return None;
    }
    let (boxes, logits) = (found.boxes, sigmoid.inputs[0]);
    let states = states(graph, &[found.boxes, found.scores])?;
    let names: BTreeSet<&str> = states.iter().map(|state| state.output.as_str()).collect();
    let mut outputs = vec![boxes, logits];
    outputs.extend(graph.outputs.iter().filter(|output| names.contains(graph.values[output.0].name.as_str())));
    let (boxes, scores) = (name(graph, boxes), name(graph, logits));
    let remembers = if states.is_empty() { "" } else { "; it hands its states on to itself, from picture to picture" };
    let reason = format!(
        "head: SSD of {} anchors in {} maps, because the file ends in TFLite_Detection_PostProcess, which holds them{remembers}",
        found.anchors.len(),
        maps.len()
    );
    cut(graph, &outputs);
    Some(Recognised {
        head: Head::Ssd(SsdHead {
            boxes,
            scores,
            maps,
            box_scales: found.box_scales,
            overlap_max: found.overlap_max,
            background: found.background,
            best_class_only: !found.each_class,
        }),
        classes: Some(found.classes),
        pixels: None,
        states,
        ends_file: false,
        reason,
    })
}

/// What the network hands on to itself: each input behind the picture with the output that is called the same but for `init_`
/// and the path, and is of its shape. `None` when an input or an output has no partner.
fn states(graph: &Graph, results: &[ValueId]) -> Option<Vec<State>> {
    let short = |value: ValueId| {
        let full = &graph.values[value.0].name;
        let last = full.rsplit('/').next().unwrap_or(full);
        last.strip_prefix("init_").unwrap_or(last).to_owned()
    };
    let rest: Vec<ValueId> = graph.outputs.iter().copied().filter(|output| !results.contains(output)).collect();
    let inputs = graph.inputs.get(1..)?;
    let partner = |&input: &ValueId| {
        let same = |output: &&ValueId| {
            short(**output) == short(input) && graph.values[output.0].shape == graph.values[input.0].shape
        };
        let output = *rest.iter().find(same)?;
        Some(State { input: name(graph, input), output: name(graph, output) })
    };
    let states = inputs.iter().map(partner).collect::<Option<Vec<_>>>()?;
    (states.len() == rest.len()).then_some(states)
}

/// The default anchors. Liu et al., "SSD: Single Shot MultiBox Detector", 2016, equation 4; sides are the scale times
/// or over the root of the ratio.
fn anchor_maps(size: [usize; 2]) -> Vec<AnchorMap> {
    let scale = |map: usize| {
        if map < MAPS { SCALES.0 + (SCALES.1 - SCALES.0) * map as f32 / (MAPS - 1) as f32 } else { 1.0 }
    };
    let sides = |(scale, ratio): (f32, f32)| [scale / ratio.sqrt(), scale * ratio.sqrt()];
    let mut cells = size.map(|side| side.div_ceil(FIRST_STRIDE));
    (0..MAPS)
        .map(|map| {
            let sizes = if map == 0 {
                FIRST_ANCHORS.map(sides).to_vec()
            } else {
                let between = ((scale(map) * scale(map + 1)).sqrt(), 1.0);
                RATIOS.iter().map(|&ratio| sides((scale(map), ratio))).chain([sides(between)]).collect()
            };
            let made = AnchorMap { rows: cells[0], columns: cells[1], sizes, centres: None };
            cells = cells.map(|side| side.div_ceil(2));
            made
        })
        .collect()
}

/// `ssd_mobilenetv2_oidv4_fp16.tflite` out of the npm package `@mediapipe/objectron` 0.4.1675468480, whose asset file
/// holds the label map beside it.
const OBJECTRON_SHA256: &str = "d0a5255bf8c4f5a0bc4240741a76c41d5e939f7655078f945f50ab53a9375da6";
const OBJECTRON_LABELS: [&str; 23] = [
    "Bicycle",
    "Boot",
    "Laptop",
    "Person",
    "Chair",
    "Cattle",
    "Desk",
    "Cat",
    "Computer mouse",
    "Computer monitor",
    "Box",
    "Mug",
    "Coffee cup",
    "Stationary bicycle",
    "Table",
    "Bottle",
    "High heels",
    "Vehicle",
    "Footwear",
    "Dog",
    "Book",
    "Camera",
    "Car",
];

/// The labels of a file that we know by its hash.
#[must_use]
pub fn known_labels(source_sha256: &str) -> Option<Vec<String>> {
    (source_sha256 == OBJECTRON_SHA256).then(|| OBJECTRON_LABELS.map(ToOwned::to_owned).to_vec())
}

/// Short name and licence of a file that we know by its hash.
#[must_use]
pub fn known_origin(source_sha256: &str) -> Option<(&'static str, &'static str)> {
    (source_sha256 == OBJECTRON_SHA256).then_some(("ssd-mobilenet-v2-oid", "Apache-2.0"))
}
