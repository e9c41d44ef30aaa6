//! `MoveNet` single pose, by its four maps.

use clawdbot_nn::graph::{Activation, Graph, Op, ValueId};
use clawdbot_nn::metadata::{ColorOrder, Head, PoseHead, Resize};

use super::recognise::{Pixels, Recognised};
use super::trace::{behind, cut, name};
use crate::normalise::Normalisation;

/// COCO's keypoints, in its order.
const KEYPOINTS: [&str; 17] = [
    "nose",
    "left eye",
    "right eye",
    "left ear",
    "right ear",
    "left shoulder",
    "right shoulder",
    "left elbow",
    "right elbow",
    "left wrist",
    "right wrist",
    "left hip",
    "right hip",
    "left knee",
    "right knee",
    "left ankle",
    "right ankle",
];

/// Recognises `MoveNet`: layers over one map whose results are called `center`, `kpt_heatmap`, `kpt_regress` and `kpt_offset`, of 1,
/// 17, 34 and 34 channels. The network then ends there; what followed is the head's work.
pub(super) fn recognise(graph: &mut Graph) -> Option<Recognised> {
    let layers = graph.outputs.iter().filter_map(|&output| layer(graph, output)).collect::<Vec<_>>();
    let find = |mark: &str, channels: usize| -> Option<ValueId> {
        let fits = |value: &&ValueId| {
            let value = &graph.values[value.0];
            // TensorFlow's converter joins the names of all that it made one layer of, this layer's own first.
            let own = value.name.split(';').next().unwrap_or_default();
            own.contains(mark) && value.shape.last() == Some(&channels)
        };
        let mut found = layers.iter().filter(fits);
        let first = found.next()?;
        found.all(|other| other == first).then_some(*first)
    };
    let count = KEYPOINTS.len();
    let centre = find("center", 1)?;
    let maps = [centre, find("heatmap", count)?, find("regress", 2 * count)?, find("offset", 2 * count)?];
    let &[1, rows, columns, _] = graph.values[centre.0].shape.get(..)? else { return None };
    if maps.iter().any(|map| graph.values[map.0].shape[..3] != [1, rows, columns]) {
        return None;
    }
    let [centre, heatmaps, regressions, offsets] = maps.map(|map| name(graph, map));
    cut(graph, &maps);
    let keypoints = KEYPOINTS.map(ToOwned::to_owned).to_vec();
    Some(Recognised {
        head: Head::Pose(PoseHead { centre, heatmaps, regressions, offsets, rows, columns, keypoints }),
        classes: Some(1),
        pixels: Some(Pixels {
            normalisation: Normalisation { mean: vec![0.0], scale: vec![1.0] },
            color: ColorOrder::Rgb,
            resize: Resize::Letterbox { fill: 0 },
            reason: "every published MoveNet takes them so",
        }),
        states: Vec::new(),
        ends_file: true,
        reason: format!(
            "head: MoveNet's single pose, because four layers over {rows}x{columns} cells are called center, heatmap, regress and \
             offset; the network ends in these layers"
        ),
    })
}

/// The layer whose results an output is, before a sigmoid and copies of it.
fn layer(graph: &Graph, output: ValueId) -> Option<ValueId> {
    let [leaf] = <[_; 1]>::try_from(behind(graph, output)?).ok()?;
    let node = &graph.nodes[graph.producer(leaf.value)?];
    let plain = matches!(node.op, Op::Convolution { activation: Activation::None, .. });
    (plain && leaf.is_whole(graph)).then_some(leaf.value)
}
