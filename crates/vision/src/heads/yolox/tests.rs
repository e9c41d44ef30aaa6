use clawdbot_flow::detection::Detection;
use clawdbot_nn::metadata::{self, YoloxBranch, YoloxResults};

use crate::heads::fixture::{assert_box, program, vision};
use crate::heads::{Head, HeadError};
use crate::preprocess::Placement;

const OUTPUTS: [(&str, &[usize]); 6] = [
    ("cls8", &[1, 2, 3, 2]),
    ("box8", &[1, 2, 3, 4]),
    ("obj8", &[1, 2, 3, 1]),
    ("box16", &[1, 1, 2, 4]),
    ("obj16", &[1, 1, 2, 1]),
    ("cls16", &[1, 1, 2, 2]),
];

fn branch(stride: usize) -> YoloxBranch {
    let name = |kind: &str| format!("{kind}{stride}");
    YoloxBranch { stride, boxes: name("box"), objectness: name("obj"), classes: name("cls") }
}

fn metadata(results: YoloxResults) -> metadata::Head {
    metadata::Head::Yolox(metadata::YoloxHead { results, overlap_max: 0.45 })
}

/// Pictures of 24 x 16, strides 8 and 16: six cells and two; two labels.
fn branches() -> Head {
    let results = YoloxResults::Branches { branches: vec![branch(8), branch(16)] };
    Head::from_metadata(&vision(metadata(results), [24, 16], 2), &program(&OUTPUTS)).unwrap()
}

fn fused() -> Head {
    let results = YoloxResults::Fused { output: "all".to_owned(), strides: vec![8, 16] };
    Head::from_metadata(&vision(metadata(results), [24, 16], 2), &program(&[("all", &[1, 8, 7])])).unwrap()
}

/// Eight cells of box, objectness and two classes as logits; all far below any threshold but those given.
fn cells(given: &[(usize, [f32; 7])]) -> Vec<[f32; 7]> {
    let mut cells = vec![[0.0, 0.0, 0.0, 0.0, -30.0, -30.0, -30.0]; 8];
    given.iter().for_each(|&(at, cell)| cells[at] = cell);
    cells
}

fn detect_branches(cells: &[[f32; 7]], threshold: f32) -> Vec<Detection> {
    let pick = |cells: &[[f32; 7]], from: usize, to: usize| -> Vec<f32> {
        cells.iter().flat_map(|cell| cell[from..to].to_vec()).collect()
    };
    let (first, second) = cells.split_at(6);
    let outputs = [
        pick(first, 5, 7),
        pick(first, 0, 4),
        pick(first, 4, 5),
        pick(second, 0, 4),
        pick(second, 4, 5),
        pick(second, 5, 7),
    ];
    let mut detections = Vec::new();
    branches().detect(|index| &outputs[index], threshold, Placement::WHOLE, &mut detections);
    detections
}

fn detect_fused(cells: &[[f32; 7]], threshold: f32) -> Vec<Detection> {
    let sigmoid = |logit: f32| 1.0 / (1.0 + (-logit).exp());
    let row =
        |cell: &[f32; 7]| [cell[0], cell[1], cell[2], cell[3], sigmoid(cell[4]), sigmoid(cell[5]), sigmoid(cell[6])];
    let output: Vec<f32> = cells.iter().flat_map(row).collect();
    let mut detections = Vec::new();
    fused().detect(|_| &output, threshold, Placement::WHOLE, &mut detections);
    detections
}

#[test]
fn both_forms_decode_alike() {
    // Cell (1, 1) of the first map, 1.5 strides wide, and cell (1, 0) of the second, half a stride high.
    let cells = cells(&[
        (4, [0.5, 0.25, 1.5_f32.ln(), 0.0, 3.0, 2.0, -30.0]),
        (7, [0.0, 0.5, 0.0, 0.5_f32.ln(), 2.0, -30.0, 1.0]),
    ]);
    for found in [detect_branches(&cells, 0.3), detect_fused(&cells, 0.3)] {
        assert_eq!(found.iter().map(|one| one.label).collect::<Vec<_>>(), [0, 1]);
        // sigmoid(3) sigmoid(2) and sigmoid(2) sigmoid(1).
        assert!((found[0].score - 0.839_03).abs() < 1e-5 && (found[1].score - 0.643_914).abs() < 1e-5, "{found:?}");
        // Centre (1.5, 1.25) x 8 px, 12 x 8 px; centre (1, 0.5) x 16 px, 16 x 8 px.
        assert_box(found[0].bounding_box, [6.0 / 24.0, 6.0 / 16.0, 18.0 / 24.0, 14.0 / 16.0]);
        assert_box(found[1].bounding_box, [8.0 / 24.0, 4.0 / 16.0, 24.0 / 24.0, 12.0 / 16.0]);
    }
}

#[test]
fn the_product_meets_the_threshold_though_each_factor_does() {
    // sigmoid(0.5) = 0.622 each, 0.387 together.
    let cells = cells(&[(0, [0.0, 0.0, 0.0, 0.0, 0.5, 0.5, -30.0])]);
    for (threshold, count) in [(0.38, 1), (0.39, 0), (0.6, 0), (1.0, 0)] {
        assert_eq!(detect_branches(&cells, threshold).len(), count, "{threshold}");
        assert_eq!(detect_fused(&cells, threshold).len(), count, "{threshold}");
    }
}

#[test]
fn one_object_in_neighbouring_cells_is_one_detection() {
    let cells = cells(&[
        (0, [0.5, 0.5, 0.0, 0.0, 3.0, 3.0, -30.0]),
        (1, [-0.5, 0.5, 0.0, 0.0, 4.0, 4.0, -30.0]),
        (2, [0.5, 0.5, 0.0, 0.0, 3.0, 3.0, -30.0]),
    ]);
    assert_eq!(detect_branches(&cells, 0.3).len(), 2);
}

#[test]
fn rubbish_is_no_detection() {
    for rubbish in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX] {
        for place in 0..7 {
            let mut cell = [0.0, 0.0, 0.0, 0.0, 3.0, 3.0, -30.0];
            cell[place] = rubbish;
            let cells = cells(&[(2, cell)]);
            for found in detect_branches(&cells, 0.3).into_iter().chain(detect_fused(&cells, 0.3)) {
                let sides = [found.bounding_box.left, found.bounding_box.top, found.bounding_box.right, found.score];
                assert!(sides.iter().all(|side| (0.0..=1.0).contains(side)), "{place} {rubbish}: {found:?}");
            }
        }
    }
}

#[test]
fn maps_that_do_not_fit_the_picture_are_refused() {
    let refused = |results: YoloxResults, outputs: &[(&str, &[usize])]| {
        Head::from_metadata(&vision(metadata(results), [24, 16], 2), &program(outputs)).unwrap_err()
    };
    let results = YoloxResults::Branches { branches: vec![branch(8), branch(0)] };
    assert!(refused(results, &OUTPUTS).to_string().contains("a stride is 0"));
    let results = YoloxResults::Fused { output: "all".to_owned(), strides: vec![8] };
    let error = refused(results, &[("all", &[1, 8, 7])]);
    assert!(matches!(error, HeadError::OutputShape { .. }), "{error}");
    let results = YoloxResults::Branches { branches: Vec::new() };
    assert!(refused(results, &OUTPUTS).to_string().contains("1 to 262144 cells"));
}
