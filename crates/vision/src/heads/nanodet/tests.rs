use clawdbot_flow::detection::Detection;
use clawdbot_nn::metadata::{self, NanoDetBranch};

use super::expectation;
use crate::heads::Head;
use crate::heads::fixture::{assert_box, program, vision};
use crate::preprocess::Placement;

/// Bins 0 to 3 a side.
const BINS: usize = 4;

fn head(centre: f32, apart: bool) -> Head {
    let branch = |stride: usize| NanoDetBranch {
        stride,
        classes: format!("cls{stride}"),
        distances: apart.then(|| format!("dis{stride}")),
    };
    let head = metadata::NanoDetHead { branches: vec![branch(8), branch(16)], bins: BINS, centre, overlap_max: 0.6 };
    let apart_outputs: [(&str, &[usize]); 4] =
        [("cls8", &[1, 2, 2, 2]), ("dis8", &[1, 2, 2, 16]), ("cls16", &[1, 1, 1, 2]), ("dis16", &[1, 1, 1, 16])];
    let joined: [(&str, &[usize]); 2] = [("cls8", &[1, 2, 2, 18]), ("cls16", &[1, 1, 1, 18])];
    let program = if apart { program(&apart_outputs) } else { program(&joined) };
    // 15 pixels are two strides of 8, rounded up, and one of 16.
    Head::from_metadata(&vision(metadata::Head::NanoDet(head), [16, 15], 2), &program).unwrap()
}

/// Logits with all weight on one bin of each side.
fn certain(bins: [usize; 4]) -> [f32; 16] {
    let mut logits = [-40.0; 16];
    bins.iter().enumerate().for_each(|(side, bin)| logits[side * BINS + bin] = 0.0);
    logits
}

fn detect(centre: f32, apart: bool, cells: [([f32; 2], [f32; 16]); 5]) -> Vec<Detection> {
    let (first, second) = cells.split_at(4);
    let classes = |cells: &[([f32; 2], [f32; 16])]| cells.iter().flat_map(|cell| cell.0).collect::<Vec<_>>();
    let distances = |cells: &[([f32; 2], [f32; 16])]| cells.iter().flat_map(|cell| cell.1).collect::<Vec<_>>();
    let joined = |cells: &[([f32; 2], [f32; 16])]| -> Vec<f32> {
        cells.iter().flat_map(|cell| cell.0.into_iter().chain(cell.1)).collect()
    };
    let outputs = if apart {
        vec![classes(first), distances(first), classes(second), distances(second)]
    } else {
        vec![joined(first), joined(second)]
    };
    let mut detections = Vec::new();
    head(centre, apart).detect(|index| &outputs[index], 0.5, Placement::WHOLE, &mut detections);
    detections
}

const NOBODY: ([f32; 2], [f32; 16]) = ([-9.0; 2], [0.0; 16]);

#[test]
fn distances_count_from_the_centre_of_a_cell() {
    let mut cells = [NOBODY; 5];
    // Row 1, column 0: one stride to the left and right, half of two bins up, none down.
    let mut distances = certain([1, 0, 1, 0]);
    distances[BINS + 1] = 0.0;
    cells[2] = ([-9.0, 2.0], distances);
    cells[4] = ([1.0, -9.0], certain([0, 0, 1, 1]));
    for apart in [true, false] {
        let found = detect(0.5, apart, cells);
        assert_eq!(found.iter().map(|one| one.label).collect::<Vec<_>>(), [1, 0]);
        assert!((found[0].score - 0.880_797).abs() < 1e-5, "{found:?}");
        // Centre (4, 12); left is cut at the picture's edge.
        assert_box(found[0].bounding_box, [0.0, 8.0 / 15.0, 12.0 / 16.0, 12.0 / 15.0]);
        assert_box(found[1].bounding_box, [8.0 / 16.0, 8.0 / 15.0, 1.0, 1.0]);
    }
    // In Plus the centre is the corner: (0, 8).
    assert_box(detect(0.0, false, cells)[0].bounding_box, [0.0, 4.0 / 15.0, 8.0 / 16.0, 8.0 / 15.0]);
}

#[test]
fn an_expectation_is_that_of_the_softmax() {
    assert!((expectation(&[0.0, 0.0, 0.0, 0.0]) - 1.5).abs() < 1e-6);
    // Shares 1/4 and 3/4, large logits or small.
    for shift in [0.0, 80.0, -80.0] {
        let given = expectation(&[shift, shift + 3.0_f32.ln(), shift - 90.0]);
        assert!((given - 0.75).abs() < 1e-5, "{shift}: {given}");
    }
    for rubbish in [f32::NAN, f32::INFINITY] {
        assert!(expectation(&[0.0, rubbish]).is_nan());
    }
}

#[test]
fn rubbish_is_no_detection() {
    for rubbish in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX] {
        let mut cells = [NOBODY; 5];
        cells[0] = ([rubbish, -9.0], certain([1; 4]));
        cells[1] = ([2.0, -9.0], [rubbish; 16]);
        cells[3] = ([2.0, f32::NAN], certain([0, 1, 1, 0]));
        for found in detect(0.5, true, cells) {
            let sides = [found.bounding_box.left, found.bounding_box.top, found.bounding_box.right, found.score];
            assert!(sides.iter().all(|side| (0.0..=1.0).contains(side)), "{rubbish}: {found:?}");
        }
    }
}
