use clawdbot_flow::detection::Detection;
use clawdbot_nn::metadata::{self, AnchorMap};

use crate::heads::fixture::{assert_box, program, vision};
use crate::heads::{Head, Keypoint};
use crate::preprocess::Placement;

/// 2 x 2 cells of two anchors, one keypoint, numbers in hundredths.
fn head() -> Head {
    let maps = vec![AnchorMap { rows: 2, columns: 2, sizes: vec![[1.0, 1.0]; 2], centres: None }];
    let head = metadata::BlazeFaceHead {
        boxes: "boxes".to_owned(),
        scores: "scores".to_owned(),
        maps,
        scale: 100.0,
        keypoints: vec!["nose".to_owned()],
        overlap_max: 0.3,
    };
    let vision = vision(metadata::Head::BlazeFace(head), [100, 100], 1);
    Head::from_metadata(&vision, &program(&[("scores", &[1, 8, 1]), ("boxes", &[1, 8, 6])])).unwrap()
}

fn detect(anchors: &[(usize, f32, [f32; 6])]) -> (Vec<Detection>, Vec<Keypoint>) {
    let (mut scores, mut boxes) = (vec![-30.0; 8], vec![0.0; 8 * 6]);
    for &(anchor, logit, numbers) in anchors {
        scores[anchor] = logit;
        boxes[6 * anchor..][..6].copy_from_slice(&numbers);
    }
    let (mut head, mut detections) = (head(), Vec::new());
    head.detect(|index| [&scores, &boxes][index], 0.5, Placement::WHOLE, &mut detections);
    assert_eq!(head.keypoint_names(), ["nose"]);
    (detections, head.keypoints().to_vec())
}

#[test]
fn faces_carry_their_keypoints_in_their_own_order() {
    // Anchor 1 stands at (0.25, 0.25), anchor 6 at (0.75, 0.75); anchor 7 sees the same face a little worse.
    let (found, points) = detect(&[
        (1, 1.0, [5.0, -5.0, 20.0, 30.0, 1.0, 2.0]),
        (7, 1.5, [1.0, 0.0, 40.0, 40.0, 9.0, 9.0]),
        (6, 2.0, [0.0, 0.0, 40.0, 40.0, -10.0, 10.0]),
    ]);
    assert_eq!(found.len(), 2);
    assert_box(found[0].bounding_box, [0.55, 0.55, 0.95, 0.95]);
    assert_box(found[1].bounding_box, [0.2, 0.05, 0.4, 0.35]);
    let expected = [(0.65, 0.85, found[0].score), (0.26, 0.27, found[1].score)];
    for (point, (x, y, score)) in points.iter().zip(expected) {
        assert!((point.x - x).abs() < 1e-6 && (point.y - y).abs() < 1e-6 && point.score == score, "{points:?}");
    }
    assert_eq!(points.len(), 2);
}

#[test]
fn rubbish_is_no_face() {
    for rubbish in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for place in 0..6 {
            let mut numbers = [0.0, 0.0, 10.0, 10.0, 0.0, 0.0];
            numbers[place] = rubbish;
            assert_eq!(detect(&[(0, 2.0, numbers)]), (Vec::new(), Vec::new()), "{place}: {rubbish}");
        }
    }
    assert_eq!(detect(&[(0, f32::NAN, [0.0, 0.0, 10.0, 10.0, 0.0, 0.0])]).0, []);
    assert_eq!(detect(&[(0, 2.0, [0.0, 0.0, -10.0, 10.0, 0.0, 0.0])]).0, [], "turned inside out");
}
