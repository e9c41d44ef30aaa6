//! Networks that are known by their last layers, small and made up.

use clawdbot_nn::graph::{Activation, Graph, Node, Op, Value, ValueId, Window};
use clawdbot_nn::metadata::{NanoDetBranch, State, YoloxResults};

use super::super::recognise::{Recognised, recognise};
use super::super::*;
use crate::importers::DetectionPostProcess;

const SIDE: usize = 64;

/// A graph under construction: pictures of 64 x 64.
struct Made {
    graph: Graph,
}

impl Made {
    fn new() -> Self {
        let mut made = Self { graph: Graph::default() };
        let input = made.value("images", &[1, SIDE, SIDE, 3]);
        made.graph.inputs.push(input);
        made
    }

    fn value(&mut self, name: &str, shape: &[usize]) -> ValueId {
        self.graph.values.push(Value { name: name.to_owned(), shape: shape.to_vec() });
        ValueId(self.graph.values.len() - 1)
    }

    fn node(&mut self, op: Op, inputs: &[ValueId], name: &str, shape: &[usize]) -> ValueId {
        let output = self.value(name, shape);
        self.graph.nodes.push(Node { name: format!("{name} node"), op, inputs: inputs.to_vec(), output });
        output
    }

    /// A prediction layer straight on the picture.
    fn layer(&mut self, name: &str, stride: usize, channels: usize, activation: Activation) -> ValueId {
        let cells = SIDE.div_ceil(stride);
        let (weights, bias) = (self.value("weights", &[channels]), self.value("bias", &[channels]));
        let window = Window { kernel: [stride; 2], stride: [stride; 2], padding: [0; 4] };
        let op = Op::Convolution { window, activation, pad_value: 0.0, residual: false };
        let input = self.graph.inputs[0];
        self.node(op, &[input, weights, bias], name, &[1, cells, cells, channels])
    }

    fn shape(&self, value: ValueId) -> Vec<usize> {
        self.graph.values[value.0].shape.clone()
    }

    fn sigmoid(&mut self, value: ValueId) -> ValueId {
        let shape = self.shape(value);
        self.node(Op::Activate(Activation::Logistic), &[value], "sigmoid", &shape)
    }

    /// Channels from `first` on.
    fn slice(&mut self, value: ValueId, first: usize, count: usize) -> ValueId {
        let [batch, rows, columns, _] = self.shape(value)[..] else { panic!("no picture") };
        let op = Op::Slice { begin: vec![0, 0, 0, first], step: vec![1; 4] };
        self.node(op, &[value], "slice", &[batch, rows, columns, count])
    }

    /// `[1][cells][channels]`.
    fn flat(&mut self, value: ValueId, name: &str) -> ValueId {
        let [_, rows, columns, channels] = self.shape(value)[..] else { panic!("no picture") };
        self.node(Op::Reshape, &[value], name, &[1, rows * columns, channels])
    }

    fn join(&mut self, values: &[ValueId], axis: usize, name: &str) -> ValueId {
        let mut shape = self.shape(values[0]);
        shape[axis] = values.iter().map(|&value| self.shape(value)[axis]).sum();
        self.node(Op::Concatenate { axis }, values, name, &shape)
    }

    fn recognise(&mut self) -> Option<Recognised> {
        recognise(&mut self.graph, None, [SIDE, SIDE])
    }

    fn outputs(&self) -> Vec<&str> {
        self.graph.outputs.iter().map(|output| self.graph.values[output.0].name.as_str()).collect()
    }
}

/// YOLOX of two maps; `fused` sigmoids stand in the layers.
fn yolox(fused: bool, classes: usize) -> Made {
    let mut made = Made::new();
    let mut maps = Vec::new();
    for stride in [8, 16] {
        let boxes = made.layer(&format!("box{stride}"), stride, 4, Activation::None);
        let activation = if fused { Activation::Logistic } else { Activation::None };
        let mut scores = ["obj", "cls"].map(|kind| {
            let channels = if kind == "obj" { 1 } else { classes };
            made.layer(&format!("{kind}{stride}"), stride, channels, activation)
        });
        if !fused {
            scores = scores.map(|layer| made.sigmoid(layer));
        }
        let all = made.join(&[boxes, scores[0], scores[1]], 3, "map");
        maps.push(made.flat(all, "cells"));
    }
    let output = made.join(&maps, 1, "output");
    made.graph.outputs = vec![output];
    made
}

#[test]
fn yolox_is_cut_at_its_prediction_layers() {
    for fused in [false, true] {
        let mut made = yolox(fused, 80);
        let found = made.recognise().unwrap();
        assert_eq!(made.outputs(), ["box8", "obj8", "cls8", "box16", "obj16", "cls16"]);
        assert_eq!(made.graph.nodes.len(), 6, "nothing but the layers is left");
        let plain = |node: &Node| matches!(node.op, Op::Convolution { activation: Activation::None, .. });
        assert!(made.graph.nodes.iter().all(plain), "logits, not scores");
        let Head::Yolox(head) = found.head else { panic!("no YOLOX") };
        let YoloxResults::Branches { branches } = head.results else { panic!("not by branches") };
        assert_eq!(branches.iter().map(|branch| branch.stride).collect::<Vec<_>>(), [8, 16]);
        assert_eq!((found.classes, &*branches[1].objectness), (Some(80), "obj16"));
    }
}

#[test]
fn yolox_asks_for_its_convention() {
    let decide = |wishes: &Wishes| {
        let mut made = yolox(false, 80);
        let found = made.recognise();
        super::super::decide(&mut made.graph, found, "", wishes)
    };
    let message = decide(&Wishes::default()).unwrap_err().to_string();
    assert!(message.contains("yolox-0.1.1 (BGR") && message.contains("yolox-0.1.0 (RGB"), "{message}");
    for (convention, color, first_mean) in
        [(YoloxConvention::V0_1_1, ColorOrder::Bgr, 0.0), (YoloxConvention::V0_1_0, ColorOrder::Rgb, 123.675)]
    {
        let recipe = decide(&Wishes { convention: Some(convention), ..Wishes::default() }).unwrap();
        let vision = recipe.vision.unwrap();
        let input = vision.input.unwrap();
        assert_eq!((input.color, input.resize), (color, Resize::Letterbox { fill: 114 }));
        assert!((recipe.normalisation.unwrap().mean[0] - first_mean).abs() < 1e-3);
        assert_eq!((vision.labels.len(), &*vision.labels[79]), (80, "toothbrush"));
        assert!(recipe.decisions.iter().any(|decision| decision.contains(convention.name())), "{:?}", recipe.decisions);
    }
    let said = Normalisation { mean: vec![0.0], scale: vec![1.0] };
    let told = Wishes { normalisation: Some(said), color: Some(ColorOrder::Bgr), ..Wishes::default() };
    assert!(decide(&told).is_ok());
    assert_eq!(decide(&Wishes { color: None, ..told }).unwrap_err(), RecipeError::Convention);
}

#[test]
fn a_convention_for_anything_else_is_refused() {
    let mut made = Made::new();
    let output = made.layer("scores", 64, 2, Activation::None);
    made.graph.outputs = vec![output];
    let wishes = Wishes { convention: Some(YoloxConvention::V0_1_1), ..Wishes::default() };
    let found = made.recognise();
    let error = super::super::decide(&mut made.graph, found, "", &wishes).unwrap_err();
    assert_eq!(error, RecipeError::NoYolox { given: "yolox-0.1.1" });
}

#[test]
fn what_is_only_like_yolox_is_not_taken_for_it() {
    // Boxes behind a sigmoid, as YOLOv5 has them.
    let mut made = Made::new();
    let layers = [("box", 4), ("obj", 1), ("cls", 3)]
        .map(|(name, channels)| made.layer(name, 8, channels, Activation::Logistic));
    let output = made.join(&layers, 3, "output");
    made.graph.outputs = vec![output];
    let before = made.graph.clone();
    assert_eq!(made.recognise(), None);
    assert_eq!(made.graph, before, "a graph that is not recognised stays as it is");
}

/// `NanoDet` with these strides, classes and distances of one layer; two outputs a map, or one of all.
fn nanodet(strides: &[usize], one_output: bool) -> Made {
    let mut made = Made::new();
    let mut maps = Vec::new();
    for &stride in strides {
        let layer = made.layer(&format!("layer{stride}"), stride, 5 + 32, Activation::None);
        let classes = made.slice(layer, 0, 5);
        let (classes, distances) = (made.sigmoid(classes), made.slice(layer, 5, 32));
        if one_output {
            let all = made.join(&[classes, distances], 3, "map");
            maps.push(made.flat(all, "cells"));
        } else {
            maps.extend([made.flat(classes, "cls"), made.flat(distances, "dis")]);
        }
    }
    made.graph.outputs = if one_output { vec![made.join(&maps, 1, "output")] } else { maps };
    made
}

#[test]
fn nanodet_and_plus_are_told_apart() {
    for (strides, one_output, centre) in [(&[8, 16, 32][..], false, 0.5), (&[8, 16, 32, 64], true, 0.0)] {
        let mut made = nanodet(strides, one_output);
        let found = made.recognise().unwrap();
        let names: Vec<String> = strides.iter().map(|stride| format!("layer{stride}")).collect();
        assert_eq!(made.outputs(), names);
        let Head::NanoDet(head) = found.head else { panic!("no NanoDet") };
        let branch = |&stride: &usize| NanoDetBranch { stride, classes: format!("layer{stride}"), distances: None };
        assert_eq!(head.branches, strides.iter().map(branch).collect::<Vec<_>>());
        assert_eq!((head.bins, head.centre, found.classes), (8, centre, Some(5)));
        assert_eq!(found.pixels.unwrap().color, ColorOrder::Bgr);
    }
}

#[test]
fn blazeface_is_known_by_its_anchors() {
    let mut made = Made::new();
    let mut outputs = [Vec::new(), Vec::new()];
    for (stride, anchors) in [(8, 2), (16, 6)] {
        for (output, numbers) in outputs.iter_mut().zip([16, 1]) {
            let layer = made.layer("layer", stride, numbers * anchors, Activation::None);
            let cells = (SIDE / stride) * (SIDE / stride);
            output.push(made.node(Op::Reshape, &[layer], "anchors", &[1, cells * anchors, numbers]));
        }
    }
    let [boxes, scores] = outputs;
    made.graph.outputs = vec![made.join(&boxes, 1, "boxes"), made.join(&scores, 1, "scores")];
    let Head::BlazeFace(head) = made.recognise().unwrap().head else { panic!("no BlazeFace") };
    let maps: Vec<_> = head.maps.iter().map(|map| (map.rows, map.columns, map.sizes.len())).collect();
    assert_eq!((maps, head.scale, head.keypoints.len()), (vec![(8, 8, 2), (4, 4, 6)], 64.0, 6));
}

#[test]
fn movenet_is_known_by_its_four_maps() {
    let mut made = Made::new();
    let maps = [
        ("center_0/conv", 1),
        ("kpt_regress_0/conv", 34),
        ("kpt_heatmap_0/conv", 17),
        ("kpt_offset_0/conv;kpt_regress_0/conv;bias", 34),
    ];
    let layers = maps.map(|(name, channels)| made.layer(name, 4, channels, Activation::None));
    let scores = [made.sigmoid(layers[0]), made.sigmoid(layers[2])];
    made.graph.outputs = vec![scores[0], layers[1], scores[1], layers[3]];
    let found = made.recognise().unwrap();
    assert!(found.ends_file);
    assert_eq!(made.outputs(), ["center_0/conv", "kpt_heatmap_0/conv", "kpt_regress_0/conv", maps[3].0]);
    let Head::Pose(head) = found.head else { panic!("no pose") };
    assert_eq!((head.rows, head.columns, head.keypoints.len()), (16, 16, 17));
}

#[test]
fn a_post_process_names_its_head_and_its_states() {
    let mut made = Made::new();
    let state = made.value("raw_inputs/init_memory", &[1, 1, 1, 3]);
    made.graph.inputs.push(state);
    let boxes = made.layer("boxes layer", 64, 4, Activation::None);
    let boxes = made.node(Op::Reshape, &[boxes], "boxes", &[1, 1, 4]);
    let scores = made.layer("scores layer", 64, 3, Activation::None);
    let logits = made.node(Op::Reshape, &[scores], "logits", &[1, 1, 3]);
    let scores = made.sigmoid(logits);
    let next = made.node(Op::Activate(Activation::Relu), &[state], "raw_outputs/memory", &[1, 1, 1, 3]);
    made.graph.outputs = vec![boxes, scores, next];
    let detection = DetectionPostProcess {
        boxes,
        scores,
        background: true,
        classes: 2,
        anchors: vec![[0.5, 0.5, 0.1, 0.2]],
        box_scales: [10.0, 10.0, 5.0, 5.0],
        score_min: 0.0,
        overlap_max: 0.6,
        each_class: false,
        detections_max: 10,
        results: Vec::new(),
    };
    let mut graph = made.graph.clone();
    let found = recognise(&mut graph, Some(&detection), [SIDE, SIDE]).unwrap();
    assert_eq!(graph.outputs, [boxes, logits, next]);
    let expected = State { input: "raw_inputs/init_memory".to_owned(), output: "raw_outputs/memory".to_owned() };
    assert_eq!(found.states, [expected]);
    let Head::Ssd(head) = found.head else { panic!("no SSD") };
    assert!(head.background && head.best_class_only);
    assert_eq!((head.maps.len(), &*head.scores), (1, "logits"));
    // A state that does not come out again makes it another network than we know.
    made.graph.outputs.pop();
    assert_eq!(recognise(&mut made.graph, Some(&detection), [SIDE, SIDE]), None);
}
