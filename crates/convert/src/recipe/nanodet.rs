//! `NanoDet` and `NanoDet`-Plus, by their distributions.

use clawdbot_nn::graph::Graph;
use clawdbot_nn::metadata::{ColorOrder, Head, NanoDetBranch, NanoDetHead, Resize};

use super::recognise::{Pixels, Recognised};
use super::trace::{Leaf, cut, leaves, name};
use crate::normalise::Normalisation;

/// Overlap from which the authors' demo takes two boxes for one object.
const OVERLAP_MAX: f32 = 0.6;
/// Bins a side of every published network, and those that are believed in others.
const BINS: std::ops::RangeInclusive<usize> = 4..=32;
/// Only Plus has a map this coarse.
const PLUS_STRIDE: usize = 64;

/// Recognises `NanoDet`: for each map classes with a sigmoid, then four equal distributions without, of one layer or of two. The
/// network then ends there.
pub(super) fn recognise(graph: &mut Graph, size: [usize; 2]) -> Option<Recognised> {
    let leaves = leaves(graph)?;
    let maps =
        leaves.chunk_by(|a, b| a.cells == b.cells).map(|map| branch(graph, map, size)).collect::<Option<Vec<_>>>()?;
    let (_, classes, bins) = *maps.first()?;
    if maps.iter().any(|&(_, other, others)| (other, others) != (classes, bins)) {
        return None;
    }
    let branches: Vec<NanoDetBranch> = maps.into_iter().map(|(branch, ..)| branch).collect();
    let plus = branches.iter().any(|branch| branch.stride == PLUS_STRIDE);
    let strides = branches.iter().map(|branch| branch.stride.to_string()).collect::<Vec<_>>().join(", ");
    let mut outputs: Vec<_> = leaves.iter().map(|leaf| leaf.value).collect();
    outputs.dedup();
    cut(graph, &outputs);
    let family =
        if plus { "NanoDet-Plus (it has a stride of 64)" } else { "NanoDet (it has no stride of 64, as Plus does)" };
    Some(Recognised {
        head: Head::NanoDet(NanoDetHead {
            branches,
            bins,
            centre: if plus { 0.0 } else { 0.5 },
            overlap_max: OVERLAP_MAX,
        }),
        classes: Some(classes),
        pixels: Some(Pixels {
            normalisation: Normalisation {
                mean: vec![103.53, 116.28, 123.675],
                scale: [57.375, 57.12, 58.395].map(|deviation: f32| 1.0 / deviation).to_vec(),
            },
            color: ColorOrder::Bgr,
            resize: Resize::Stretch,
            reason: "every published NanoDet takes them so",
        }),
        states: Vec::new(),
        ends_file: false,
        reason: format!(
            "head: {family} of {classes} classes and {bins} bins a side with strides {strides}, because the outputs are \
             classes with a sigmoid and four distributions without, a map; the network ends in the layers that predict them"
        ),
    })
}

/// One map's branch, its number of classes and of bins.
fn branch(graph: &Graph, leaves: &[Leaf], size: [usize; 2]) -> Option<(NanoDetBranch, usize, usize)> {
    let [classes, distances] = leaves else { return None };
    let (count, numbers) = (classes.channels[1], distances.channels[1]);
    let bins = numbers / 4;
    if !classes.sigmoid || distances.sigmoid || !numbers.is_multiple_of(4) || !BINS.contains(&bins) {
        return None;
    }
    let joined = classes.value == distances.value;
    let sound = if joined {
        let channels = graph.values[classes.value.0].shape.last().copied();
        classes.channels[0] == 0 && distances.channels[0] == count && channels == Some(count + numbers)
    } else {
        classes.is_whole(graph) && distances.is_whole(graph)
    };
    let branch = NanoDetBranch {
        stride: classes.stride(size)?,
        classes: name(graph, classes.value),
        distances: (!joined).then(|| name(graph, distances.value)),
    };
    sound.then_some((branch, count, bins))
}
