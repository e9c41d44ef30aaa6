//! Networks that are known by their structure.

use clawdbot_nn::graph::Graph;
use clawdbot_nn::metadata::{ColorOrder, Head, Resize, State};

use super::{blazeface, nanodet, pose, ssd, yolox};
use crate::importers::DetectionPostProcess;
use crate::normalise::Normalisation;

/// How a kind of network takes a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Pixels {
    /// To fold into the first layer.
    pub normalisation: Normalisation,
    /// Which colour is channel 0.
    pub color: ColorOrder,
    /// How a picture of another size goes in.
    pub resize: Resize,
    /// Why, to be told to the user.
    pub reason: &'static str,
}

/// A network whose results somebody can read.
#[derive(Clone, Debug, PartialEq)]
pub struct Recognised {
    /// How.
    pub head: Head,
    /// Labels that it needs.
    pub classes: Option<usize>,
    /// How it takes a picture, where its kind alone tells.
    pub pixels: Option<Pixels>,
    /// What it hands on to itself.
    pub states: Vec<State>,
    /// Whether the head does the work of everything in the file behind the graph's end.
    pub ends_file: bool,
    /// By what it was recognised.
    pub reason: String,
}

/// Recognises a detector over pictures of `size` rows and columns; cuts the graph where its head begins. `detection` is the
/// post-processing that an importer found. A graph that is not recognised stays as it is.
pub fn recognise(graph: &mut Graph, detection: Option<&DetectionPostProcess>, size: [usize; 2]) -> Option<Recognised> {
    if let Some(detection) = detection {
        return ssd::recognise_post_process(graph, detection);
    }
    ssd::recognise(graph, size)
        .or_else(|| yolox::recognise(graph, size))
        .or_else(|| nanodet::recognise(graph, size))
        .or_else(|| blazeface::recognise(graph, size))
        .or_else(|| pose::recognise(graph))
}
