use clawdbot_flow::detection::{BoundingBox, Detection};
use clawdbot_flow::limits::DETECTIONS_MAX;
use clawdbot_nn::metadata::{AnchorCentres, AnchorMap, Head as HeadMetadata, SsdHead as SsdMetadata, Vision};
use clawdbot_nn::program::{Program, Value, ValueId};
use clawdbot_nn::tensor::DataType;

use crate::heads::{Head, HeadError};
use crate::preprocess::Placement;

/// Two maps: 2 x 3 cells with one anchor, one cell with two; and two labels.
fn metadata() -> SsdMetadata {
    SsdMetadata {
        boxes: "boxes".to_owned(),
        scores: "scores".to_owned(),
        maps: vec![
            AnchorMap { rows: 2, columns: 3, sizes: vec![[0.4, 0.2]], centres: None },
            AnchorMap { rows: 1, columns: 1, sizes: vec![[0.5, 0.5], [0.8, 0.6]], centres: None },
        ],
        box_scales: [10.0, 10.0, 5.0, 5.0],
        overlap_max: 0.6,
        background: true,
        best_class_only: false,
    }
}

fn vision(head: SsdMetadata) -> Vision {
    Vision {
        input: None,
        head: HeadMetadata::Ssd(head),
        labels: vec!["cat".to_owned(), "dog".to_owned()],
        states: Vec::new(),
    }
}

fn program(anchors: usize, columns: usize) -> Program {
    let value = |name: &str, last: usize| Value {
        name: name.to_owned(),
        shape: vec![1, anchors, last],
        data_type: DataType::F32,
        scale: Vec::new(),
        zero_point: 0,
    };
    // The scores come first, so an index into the outputs is not one into the values.
    Program {
        values: vec![value("other", 7), value("scores", columns), value("boxes", 4)],
        outputs: vec![ValueId(1), ValueId(2)],
        ..Program::default()
    }
}

fn head() -> Head {
    Head::from_metadata(&vision(metadata()), &program(8, 3)).unwrap()
}

/// What the head finds in a network's results that are nothing but `cells`: (anchor, label, logit, box).
fn detect(threshold: f32, placement: Placement, cells: &[(usize, usize, f32, [f32; 4])]) -> Vec<Detection> {
    let (mut boxes, mut scores) = (vec![0.0; 8 * 4], vec![-20.0; 8 * 3]);
    for &(anchor, label, logit, offsets) in cells {
        boxes[4 * anchor..][..4].copy_from_slice(&offsets);
        scores[3 * anchor + 1 + label] = logit;
    }
    let mut detections = vec![Detection { label: 9, score: 9.0, bounding_box: BoundingBox::default() }];
    head().detect(|index| [&scores[..], &boxes[..]][index], threshold, placement, &mut detections);
    detections
}

fn assert_box(given: BoundingBox, expected: [f32; 4]) {
    let given = [given.left, given.top, given.right, given.bottom];
    assert!(given.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5), "{given:?} is not {expected:?}");
}

#[test]
fn anchors_stand_in_order_and_boxes_decode_as_the_formula_says() {
    // Anchor 4 is map 0, row 1, column 1: centre (0.5, 0.75), height 0.4, width 0.2.
    let found = detect(0.5, Placement::WHOLE, &[(4, 1, 2.0, [0.0; 4])]);
    assert_eq!((found.len(), found[0].label), (1, 1));
    assert!((found[0].score - 1.0 / (1.0 + (-2.0_f32).exp())).abs() < 1e-6);
    assert_box(found[0].bounding_box, [0.4, 0.55, 0.6, 0.95]);
    // The last anchor, moved by a tenth of its size and grown e-fold: it leaves the picture, so it is cut.
    let found = detect(0.5, Placement::WHOLE, &[(7, 0, 2.0, [-1.0, 1.0, 5.0, -5.0])]);
    let half_width = 0.3 / 1.0_f32.exp();
    assert_box(found[0].bounding_box, [0.56 - half_width, 0.0, 0.56 + half_width, 1.0]);
}

#[test]
fn the_threshold_is_a_score() {
    let cells = [(0, 0, 0.41, [0.0; 4]), (2, 0, 0.39, [0.0; 4]), (4, 1, 3.0, [0.0; 4])];
    // sigmoid(0.405...) = 0.6.
    let labels = |threshold| detect(threshold, Placement::WHOLE, &cells).len();
    assert_eq!([labels(0.6), labels(0.59), labels(0.96), labels(1.0), labels(f32::NAN)], [2, 3, 0, 0, 0]);
    // At 0, each class of each anchor is one; no two boxes overlap by more than 0.52.
    assert_eq!(labels(0.0), 16);
}

#[test]
fn a_letterboxed_picture_gets_its_own_fractions() {
    let input = clawdbot_nn::metadata::PictureInput {
        width: 100,
        height: 100,
        color: clawdbot_nn::metadata::ColorOrder::Rgb,
        resize: clawdbot_nn::metadata::Resize::Letterbox { fill: 114 },
    };
    let mut preprocessor = crate::preprocess::Preprocessor::new(&input, clawdbot_kernels::isa::Isa::detect()).unwrap();
    let picture = [0_u8; 200 * 100 * 3];
    let picture = crate::preprocess::Picture::rgb(200, 100, &picture).unwrap();
    let placement = preprocessor.run(&picture, &mut vec![0; preprocessor.input_bytes()]).unwrap();
    // Anchor 1 covers (0.4, 0.05) to (0.6, 0.45) of the input, of which the picture is the upper half; anchor 4 lies in
    // the border.
    let found = detect(0.5, placement, &[(1, 1, 2.0, [0.0; 4]), (4, 1, 2.0, [0.0; 4])]);
    assert_eq!(found.len(), 1);
    assert_box(found[0].bounding_box, [0.4, 0.1, 0.6, 0.9]);
}

#[test]
fn numbers_that_are_not_finite_are_no_detections() {
    let (nan, infinite) = (f32::NAN, f32::INFINITY);
    for rubbish in [nan, infinite, -infinite, f32::MAX] {
        for position in 0..4 {
            let mut offsets = [0.0; 4];
            offsets[position] = rubbish;
            for found in detect(0.5, Placement::WHOLE, &[(4, 1, 2.0, offsets), (0, 0, 1.0, [0.0; 4])]) {
                let BoundingBox { left, top, right, bottom } = found.bounding_box;
                assert!([left, top, right, bottom].iter().all(|side| (0.0..=1.0).contains(side)), "{found:?}");
            }
        }
    }
    assert_eq!(detect(0.5, Placement::WHOLE, &[(4, 1, nan, [0.0; 4]), (5, 1, -infinite, [0.0; 4])]), []);
    assert_eq!(detect(0.5, Placement::WHOLE, &[(4, 1, infinite, [0.0; 4])])[0].score, 1.0);
    assert_eq!(detect(0.5, Placement::WHOLE, &[(4, 1, 1.0, [0.0, 0.0, -infinite, 0.0])]), [], "no height");
}

#[test]
fn a_storm_of_candidates_is_bounded_and_leaves_the_best() {
    // 4000 anchors far apart; the later, the better.
    let maps = vec![AnchorMap { rows: 40, columns: 100, sizes: vec![[0.001, 0.001]], centres: None }];
    let mut head = Head::from_metadata(&vision(SsdMetadata { maps, ..metadata() }), &program(4000, 3)).unwrap();
    let boxes = vec![0.0; 4000 * 4];
    let scores: Vec<f32> = (0..4000_u16).flat_map(|anchor| [0.0, f32::from(anchor) / 1000.0, -1.0]).collect();
    let mut detections = Vec::new();
    head.detect(|index| [&scores[..], &boxes[..]][index], 0.0, Placement::WHOLE, &mut detections);
    assert_eq!(detections.len(), DETECTIONS_MAX);
    let expected = |rank: u16| 1.0 / (1.0 + (-f32::from(3999 - rank) / 1000.0).exp());
    for (rank, detection) in (0..).zip(&detections) {
        assert!((detection.score - expected(rank)).abs() < 1e-5, "{rank}: {detection:?}");
    }
}

#[test]
fn a_head_that_does_not_fit_its_network_is_refused() {
    let error = |head: SsdMetadata, program: &Program| Head::from_metadata(&vision(head), program).unwrap_err();
    let missing = error(SsdMetadata { boxes: "bxoes".to_owned(), ..metadata() }, &program(8, 3));
    let present = vec!["scores".to_owned(), "boxes".to_owned()];
    assert_eq!(missing, HeadError::MissingOutput { wanted: "bxoes".to_owned(), present });
    assert!(matches!(error(metadata(), &program(9, 3)), HeadError::OutputShape { name, .. } if name == "boxes"));
    assert!(matches!(error(metadata(), &program(8, 4)), HeadError::OutputShape { name, .. } if name == "scores"));
    let mut integers = program(8, 3);
    integers.values[1].data_type = DataType::I8;
    assert_eq!(error(metadata(), &integers), HeadError::OutputType { name: "scores".to_owned(), given: DataType::I8 });

    let classifier = Vision { head: HeadMetadata::Raw, ..vision(metadata()) };
    assert_eq!(Head::from_metadata(&classifier, &program(8, 3)).unwrap_err(), HeadError::NotADetector { kind: "raw" });

    let map = |rows, columns, sizes: &[[f32; 2]]| AnchorMap { rows, columns, sizes: sizes.to_vec(), centres: None };
    let wrong = [
        SsdMetadata { maps: Vec::new(), ..metadata() },
        SsdMetadata { maps: vec![map(usize::MAX, usize::MAX, &[[0.1, 0.1]])], ..metadata() },
        SsdMetadata { maps: vec![map(usize::MAX, 1, &[]), map(1, 1, &[[0.1, 0.1]])], ..metadata() },
        SsdMetadata { maps: vec![map(1, 1, &[[0.1, f32::NAN]])], ..metadata() },
        SsdMetadata { maps: vec![map(1, 1, &[[0.0, 0.1]])], ..metadata() },
        SsdMetadata { box_scales: [10.0, 0.0, 5.0, 5.0], ..metadata() },
        SsdMetadata { overlap_max: f32::NAN, ..metadata() },
        SsdMetadata { overlap_max: 1.5, ..metadata() },
    ];
    for head in wrong {
        assert!(matches!(error(head.clone(), &program(8, 3)), HeadError::Metadata { .. }), "{head:?}");
    }
}

#[test]
fn the_best_class_of_an_anchor_speaks_for_it() {
    let head = SsdMetadata { best_class_only: true, ..metadata() };
    let mut head = Head::from_metadata(&vision(head), &program(8, 3)).unwrap();
    let boxes = [0.0; 8 * 4];
    let mut scores = [-20.0; 8 * 3];
    // Anchors 6 and 7 overlap by 0.25 / 0.48; anchor 0 has two classes above the threshold.
    for (at, logit) in [(1, 1.0), (2, 2.0), (3 * 6 + 1, 3.0), (3 * 7 + 2, 2.5)] {
        scores[at] = logit;
    }
    let mut detections = Vec::new();
    head.detect(|index| [&scores[..], &boxes[..]][index], 0.5, Placement::WHOLE, &mut detections);
    assert_eq!(detections.iter().map(|detection| detection.label).collect::<Vec<_>>(), [0, 1, 1]);
    let head = SsdMetadata { best_class_only: true, overlap_max: 0.5, ..metadata() };
    let mut head = Head::from_metadata(&vision(head), &program(8, 3)).unwrap();
    head.detect(|index| [&scores[..], &boxes[..]][index], 0.5, Placement::WHOLE, &mut detections);
    assert_eq!(
        detections.iter().map(|detection| detection.label).collect::<Vec<_>>(),
        [0, 1],
        "one object, two labels"
    );
}

#[test]
fn without_background_every_column_is_a_label_and_centres_may_be_given() {
    let centres = Some(AnchorCentres { rows: vec![0.25], columns: vec![0.75] });
    let maps = vec![AnchorMap { rows: 1, columns: 1, sizes: vec![[0.5, 0.5]], centres }];
    let head = SsdMetadata { maps, background: false, ..metadata() };
    let mut head = Head::from_metadata(&vision(head), &program(1, 2)).unwrap();
    let mut detections = Vec::new();
    head.detect(|index| [&[3.0, -3.0][..], &[0.0; 4]][index], 0.5, Placement::WHOLE, &mut detections);
    assert_eq!((detections.len(), detections[0].label), (1, 0));
    assert_box(detections[0].bounding_box, [0.5, 0.0, 1.0, 0.5]);
}
