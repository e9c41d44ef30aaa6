use clawdbot_flow::detection::Detection;
use clawdbot_nn::metadata;

use crate::heads::fixture::{assert_box, program, vision};
use crate::heads::{Head, Keypoint};
use crate::preprocess::Placement;

const ROWS: usize = 6;
const COLUMNS: usize = 8;
const CELLS: usize = ROWS * COLUMNS;

/// Four maps of 6 x 8 cells, two keypoints.
struct Maps {
    centre: Vec<f32>,
    heatmaps: Vec<f32>,
    regressions: Vec<f32>,
    offsets: Vec<f32>,
}

impl Maps {
    fn empty() -> Self {
        Self {
            centre: vec![-9.0; CELLS],
            heatmaps: vec![-9.0; 2 * CELLS],
            regressions: vec![0.0; 4 * CELLS],
            offsets: vec![0.0; 4 * CELLS],
        }
    }

    /// Somebody in cell (row 2, column 3), with a keypoint two rows up and one two columns to the right.
    fn somebody() -> Self {
        let mut maps = Self::empty();
        let person = 2 * COLUMNS + 3;
        maps.centre[person] = 2.0;
        maps.regressions[4 * person..][..4].copy_from_slice(&[-2.0, 0.0, 0.0, 2.0]);
        maps.heatmaps[2 * 3] = 1.0;
        maps.heatmaps[2 * (2 * COLUMNS + 5) + 1] = 3.0;
        maps.offsets[4 * 3..][..2].copy_from_slice(&[0.5, 0.25]);
        maps.offsets[4 * (2 * COLUMNS + 5) + 2..][..2].copy_from_slice(&[0.0, -0.5]);
        maps
    }

    fn detect(&self, threshold: f32) -> (Vec<Detection>, Vec<Keypoint>) {
        let head = metadata::PoseHead {
            centre: "centre".to_owned(),
            heatmaps: "heatmaps".to_owned(),
            regressions: "regressions".to_owned(),
            offsets: "offsets".to_owned(),
            rows: ROWS,
            columns: COLUMNS,
            keypoints: vec!["nose".to_owned(), "knee".to_owned()],
        };
        let outputs: [(&str, &[usize]); 4] = [
            ("centre", &[1, ROWS, COLUMNS, 1]),
            ("heatmaps", &[1, ROWS, COLUMNS, 2]),
            ("regressions", &[1, ROWS, COLUMNS, 4]),
            ("offsets", &[1, ROWS, COLUMNS, 4]),
        ];
        let vision = vision(metadata::Head::Pose(head), [64, 48], 1);
        let mut head = Head::from_metadata(&vision, &program(&outputs)).unwrap();
        let mut detections = Vec::new();
        let maps = [&self.centre, &self.heatmaps, &self.regressions, &self.offsets];
        head.detect(|index| maps[index], threshold, Placement::WHOLE, &mut detections);
        (detections, head.keypoints().to_vec())
    }
}

#[test]
fn keypoints_are_looked_for_where_the_person_expects_them() {
    let mut maps = Maps::somebody();
    // A surer nose, but of somebody else at the other end of the picture.
    maps.heatmaps[2 * (CELLS - 1)] = 4.0;
    let (found, points) = maps.detect(0.5);
    let expected = [(3.25 / 8.0, 0.5 / 6.0, 0.731_058), (4.5 / 8.0, 2.0 / 6.0, 0.952_574)];
    for (point, (x, y, score)) in points.iter().zip(expected) {
        let same = [(point.x, x), (point.y, y), (point.score, score)].iter().all(|(a, b)| (a - b).abs() < 1e-5);
        assert!(same, "{points:?}");
    }
    assert_eq!((points.len(), found.len(), found[0].label), (2, 1, 0));
    assert!((found[0].score - 0.841_816).abs() < 1e-5);
    assert_box(found[0].bounding_box, [3.25 / 8.0, 0.5 / 6.0, 4.5 / 8.0, 2.0 / 6.0]);
}

#[test]
fn somebody_in_the_middle_outweighs_somebody_at_the_edge() {
    let mut maps = Maps::somebody();
    maps.heatmaps[0] = 0.0;
    maps.centre[0] = 2.1;
    let nose = |maps: &Maps| maps.detect(0.0).1[0].score;
    assert!((nose(&maps) - 0.731_058).abs() < 1e-5);
    // The corner's person is taken when there is hardly another; his regressions are 0, so his nose is in the corner too.
    maps.centre[2 * COLUMNS + 3] = -2.0;
    assert!((nose(&maps) - 0.5).abs() < 1e-5);
}

#[test]
fn too_low_a_score_and_rubbish_are_nobody() {
    assert_eq!(Maps::somebody().detect(0.9), (Vec::new(), Vec::new()));
    assert_eq!(Maps::empty().detect(0.0), (Vec::new(), Vec::new()), "no keypoint is sure");
    for rubbish in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut maps = Maps::somebody();
        maps.offsets.fill(rubbish);
        assert_eq!(maps.detect(0.5), (Vec::new(), Vec::new()));
        let mut maps = Maps::somebody();
        maps.regressions.fill(rubbish);
        let (found, points) = maps.detect(0.5);
        assert!(found.len() <= 1 && points.iter().all(|point| point.x.is_finite() && point.y.is_finite()));
    }
    let mut maps = Maps::somebody();
    maps.centre.fill(f32::NAN);
    assert_eq!(maps.detect(0.5), (Vec::new(), Vec::new()));
}
