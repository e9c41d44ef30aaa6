//! Every file of `shared/data` becomes the graph that it should.

use clawdbot_nn::graph::{Graph, Op, ValueId};

use super::kinds;
use crate::fixtures::data;
use crate::importers::tflite::{Imported, read};

fn imported(path: &str) -> Option<Imported> {
    Some(read(&data(path)?).unwrap())
}

/// The names and shapes of the outputs.
fn outputs(graph: &Graph) -> Vec<(&str, &[usize])> {
    let named = |output: &ValueId| {
        let value = &graph.values[output.0];
        (value.name.as_str(), &value.shape[..])
    };
    graph.outputs.iter().map(named).collect()
}

/// In a full-integer model every activation has a grid, and every weight constant its steps.
fn check_annotations(path: &str, graph: &Graph) {
    let grid = |value: ValueId| graph.quantizations.get(&value).map(|grid| (grid.scale.len(), grid.zero_point));
    for node in &graph.nodes {
        let name = &node.name;
        let (scales, zero_point) = grid(node.output).unwrap_or_else(|| panic!("{path}: `{name}` has no grid"));
        assert!(scales == 1 && (-128..=127).contains(&zero_point), "{path}: `{name}`");
        let channels = graph.values[node.output.0].shape.last().copied();
        if let (Op::Convolution { .. } | Op::DepthwiseConvolution { .. }, &[_, weights, _]) =
            (&node.op, &node.inputs[..])
        {
            // What is made here (ones, copies) has no steps in the file.
            let made = ["ones", "copies"].iter().any(|made| graph.values[weights.0].name.ends_with(made));
            assert_eq!(grid(weights), channels.filter(|_| !made).map(|n| (n, 0)), "{path}: weights of `{name}`");
        }
    }
}

#[test]
fn full_integer_models_have_a_grid_everywhere() {
    let files: [(&str, usize, &str, &[usize]); 6] = [
        ("classify/mobilenet_v1_0.25_128_quant.tflite", 31, "MobilenetV1/Predictions/Reshape_1", &[1, 1001]),
        ("classify/mobilenet_v2_1.0_224_quant.tflite", 66, "MobilenetV2/Predictions/Softmax", &[1, 1001]),
        ("classify/tf2_mobilenet_v2_1.0_224_ptq.tflite", 66, "Identity", &[1, 1001]),
        ("misc/resnet8_cifar_int8.tflite", 18, "Identity_int8", &[1, 10]),
        ("misc/vww_96_int8.tflite", 33, "Identity_int8", &[1, 2]),
        ("detect/yolox-nano/yolox_nano_416_int8_naive.tflite", 376, "PartitionedCall:0", &[1, 3549, 85]),
    ];
    for (path, nodes, name, shape) in files {
        let Some(Imported { graph, unread, detection, .. }) = imported(path) else { return };
        assert!(unread.is_none() && detection.is_none(), "{path}: {unread:?}");
        assert_eq!((graph.nodes.len(), outputs(&graph)), (nodes, vec![(name, shape)]), "{path}");
        check_annotations(path, &graph);
    }
}

#[test]
fn unsigned_zero_points_are_moved_and_unsigned_weights_recentred() {
    let Some(Imported { graph, .. }) = imported("classify/mobilenet_v2_1.0_224_quant.tflite") else { return };
    let input = &graph.quantizations[&graph.inputs[0]];
    assert_eq!((input.scale[0], input.zero_point), (0.0078125, 0));
    let mut beyond = 0;
    for node in graph.nodes.iter().filter(|node| matches!(node.op, Op::Convolution { .. })) {
        let scale = graph.quantizations[&node.inputs[1]].scale[0];
        for weight in graph.constants[&node.inputs[1]].as_f32().unwrap() {
            let steps = weight / scale;
            assert!((steps - steps.round()).abs() < 1e-3 && steps.abs() <= 255.0, "`{}`: {steps} steps", node.name);
            beyond += usize::from(steps.abs().round() > 127.0);
        }
    }
    assert!(beyond > 0, "no weight needs more than 7 bits beside its sign: this file tests nothing");
}

#[test]
fn weights_alone_may_be_integers() {
    let path = "detect/yolox-nano/yolox_nano_416_dynamic_range_quant.tflite";
    let Some(Imported { graph, unread, .. }) = imported(path) else { return };
    assert!(unread.is_none(), "{unread:?}");
    assert_eq!(outputs(&graph), [("Identity", &[1, 3549, 85][..])]);
    let weighted =
        graph.nodes.iter().filter(|node| matches!(node.op, Op::Convolution { .. } | Op::DepthwiseConvolution { .. }));
    let steps = weighted.filter(|node| graph.quantizations.contains_key(&node.inputs[1])).count();
    assert_eq!(steps, graph.quantizations.len(), "only weights have grids");
    assert_eq!(steps, 76);
}

#[test]
fn a_detectors_post_processing_is_set_apart() {
    let Some(Imported { graph, detection, unread, .. }) = imported("detect/ssd-traffic/traffic_model.tflite") else {
        return;
    };
    assert!(unread.is_none(), "{unread:?}");
    let inputs: Vec<_> = graph.inputs.iter().map(|input| graph.values[input.0].shape.clone()).collect();
    assert_eq!(inputs, [vec![1, 256, 256, 3], vec![1, 8, 8, 320], vec![1, 8, 8, 320]]);
    let shapes: [(&str, &[usize]); 4] = [
        ("concat", &[1, 26880, 4]),
        ("convert_scores", &[1, 26880, 4]),
        ("raw_outputs/lstm_c", &[1, 8, 8, 320]),
        ("raw_outputs/lstm_h", &[1, 8, 8, 320]),
    ];
    assert_eq!(outputs(&graph), shapes);
    check_annotations("ssd-traffic", &graph);
    let detection = detection.unwrap();
    assert_eq!([detection.boxes, detection.scores], graph.outputs[..2]);
    assert_eq!((detection.classes, detection.background, detection.detections_max), (3, true, 40));
    assert_eq!(
        (detection.box_scales, detection.score_min, detection.overlap_max),
        ([10.0, 10.0, 5.0, 5.0], -20.0, 0.6)
    );
    assert_eq!(detection.anchors.len(), 26880);
    // The third input holds steps of 1/259; the first anchor stands in the middle of the first of 32 x 32 cells.
    assert!(detection.anchors[0][..2].iter().all(|at| (at - 0.5 / 32.0).abs() < 0.004), "{:?}", detection.anchors[0]);
}

#[test]
fn a_network_whose_end_a_head_replaces_ends_where_that_begins() {
    let Some(Imported { graph, unread, .. }) = imported("misc/movenet_single_pose_lightning_ptq.tflite") else {
        return;
    };
    let shapes: Vec<_> = outputs(&graph).into_iter().map(|(_, shape)| shape.to_vec()).collect();
    assert_eq!(shapes, [1, 34, 17, 34].map(|channels| vec![1, 48, 48, channels]));
    check_annotations("movenet", &graph);
    let message = unread.expect("its decoding is not supported").to_string();
    for kind in ["MUL by a constant of the shape [48, 48, 1]", "ARG_MAX", "FLOOR_DIV", "GATHER_ND", "SQRT"] {
        assert!(message.contains(kind), "{kind} is not in: {message}");
    }
}

#[test]
fn channels_behind_the_last_come_from_a_convolution() {
    let Some(Imported { graph, unread, .. }) = imported("misc/face_detection_short_range.tflite") else { return };
    assert!(unread.is_none(), "{unread:?}");
    assert_eq!(outputs(&graph), [("regressors", &[1, 896, 16][..]), ("classificators", &[1, 896, 1][..])]);
    // 11 PADs widen by channels, and become convolutions beside the file's 21.
    let count = |kind| kinds(&graph).iter().filter(|&&other| other == kind).count();
    assert_eq!([count("convolution"), count("depthwise"), count("pad")], [32, 16, 0]);
}
