//! YOLOX, by its decoupled prediction layers; and which of its two conventions a file's pixels follow.

use clawdbot_nn::graph::Graph;
use clawdbot_nn::metadata::{ColorOrder, Head, Resize, YoloxBranch, YoloxHead, YoloxResults};

use super::recognise::{Pixels, Recognised};
use super::trace::{Leaf, cut, leaves, name};
use crate::normalise::Normalisation;

/// Overlap from which the authors' demo takes two boxes for one object.
const OVERLAP_MAX: f32 = 0.45;
/// Grey level of the border in both conventions.
const FILL: u8 = 114;

/// How a YOLOX was trained to take pixels. Nothing in a file tells which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum YoloxConvention {
    /// Release 0.1.0: RGB, scaled to 0..1, `ImageNet`'s mean and deviation.
    V0_1_0,
    /// Release 0.1.1 and later: BGR, grey levels as they are.
    V0_1_1,
}

impl YoloxConvention {
    /// Both, the current one first.
    pub const ALL: [Self; 2] = [Self::V0_1_1, Self::V0_1_0];

    /// As the command line spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::V0_1_0 => "yolox-0.1.0",
            Self::V0_1_1 => "yolox-0.1.1",
        }
    }

    /// What it means.
    pub(super) fn pixels(self) -> Pixels {
        let resize = Resize::Letterbox { fill: FILL };
        match self {
            Self::V0_1_0 => Pixels {
                normalisation: Normalisation {
                    mean: [0.485, 0.456, 0.406].map(|mean: f32| 255.0 * mean).to_vec(),
                    scale: [0.229, 0.224, 0.225].map(|deviation: f32| 1.0 / (255.0 * deviation)).to_vec(),
                },
                color: ColorOrder::Rgb,
                resize,
                reason: "the convention yolox-0.1.0 (normalised RGB)",
            },
            Self::V0_1_1 => Pixels {
                normalisation: Normalisation { mean: vec![0.0], scale: vec![1.0] },
                color: ColorOrder::Bgr,
                resize,
                reason: "the convention yolox-0.1.1 (BGR, grey levels as they are)",
            },
        }
    }
}

/// Recognises YOLOX by what only it has: for each map three layers, a box of 4 numbers without a sigmoid, 1 objectness and the
/// classes with one. The network then ends there.
pub(super) fn recognise(graph: &mut Graph, size: [usize; 2]) -> Option<Recognised> {
    let leaves = leaves(graph)?;
    let maps =
        leaves.chunk_by(|a, b| a.cells == b.cells).map(|map| branch(graph, map, size)).collect::<Option<Vec<_>>>()?;
    let classes = maps.first()?.1;
    if maps.iter().any(|(_, other)| *other != classes) {
        return None;
    }
    let branches: Vec<YoloxBranch> = maps.into_iter().map(|(branch, _)| branch).collect();
    let strides = branches.iter().map(|branch| branch.stride.to_string()).collect::<Vec<_>>().join(", ");
    let outputs: Vec<_> = leaves.iter().map(|leaf| leaf.value).collect();
    cut(graph, &outputs);
    Some(Recognised {
        head: Head::Yolox(YoloxHead { results: YoloxResults::Branches { branches }, overlap_max: OVERLAP_MAX }),
        classes: Some(classes),
        pixels: None,
        states: Vec::new(),
        ends_file: false,
        reason: format!(
            "head: YOLOX of {classes} classes with strides {strides}, because the outputs come from three layers a map: 4 \
             numbers without a sigmoid, 1 and {classes} with one; the network ends in these layers"
        ),
    })
}

/// One map's branch and its number of classes.
fn branch(graph: &Graph, leaves: &[Leaf], size: [usize; 2]) -> Option<(YoloxBranch, usize)> {
    let [boxes, objectness, classes] = leaves else { return None };
    let whole = leaves.iter().all(|leaf| leaf.is_whole(graph));
    let kinds = [(boxes, Some(4), false), (objectness, Some(1), true), (classes, None, true)];
    let fits = |(leaf, count, sigmoid): &(&Leaf, Option<usize>, bool)| {
        leaf.sigmoid == *sigmoid && count.is_none_or(|count| leaf.channels[1] == count)
    };
    if !whole || !kinds.iter().all(fits) {
        return None;
    }
    let branch = YoloxBranch {
        stride: boxes.stride(size)?,
        boxes: name(graph, boxes.value),
        objectness: name(graph, objectness.value),
        classes: name(graph, classes.value),
    };
    Some((branch, classes.channels[1]))
}
