use clawdbot_flow::detection::{BoundingBox, Detection};
use proptest::prelude::*;

use super::suppress;

fn detection(label: u16, score: f32, left: f32, top: f32, side: f32) -> Detection {
    Detection { label, score, bounding_box: BoundingBox { left, top, right: left + side, bottom: top + side } }
}

fn check(given: &[Detection], overlap_max: f32, kept_max: usize, kept: &[usize]) {
    let mut result = given.to_vec();
    suppress(&mut result, overlap_max, kept_max);
    let expected: Vec<_> = kept.iter().map(|&index| given[index]).collect();
    assert_eq!(result, expected);
}

#[test]
fn keeps_the_best_of_overlapping_boxes_of_one_label() {
    let given = [detection(0, 0.5, 0.0, 0.0, 0.5), detection(0, 0.9, 0.01, 0.0, 0.5), detection(0, 0.4, 0.6, 0.6, 0.2)];
    check(&given, 0.6, 300, &[1, 2]);
}

#[test]
fn labels_do_not_suppress_each_other() {
    let given = [detection(0, 0.9, 0.0, 0.0, 0.5), detection(1, 0.8, 0.0, 0.0, 0.5)];
    check(&given, 0.1, 300, &[0, 1]);
}

#[test]
fn a_suppressed_box_suppresses_nothing() {
    // 1 falls to 0; 2 overlaps 1 but not 0, so it stays.
    let given = [detection(0, 0.9, 0.0, 0.0, 0.4), detection(0, 0.8, 0.1, 0.0, 0.4), detection(0, 0.7, 0.2, 0.0, 0.4)];
    check(&given, 0.5, 300, &[0, 2]);
}

#[test]
fn stops_at_the_bound() {
    let given: Vec<_> = (0_u8..10).map(|n| detection(0, f32::from(n) / 10.0, f32::from(n), 0.0, 0.5)).collect();
    check(&given, 0.5, 3, &[9, 8, 7]);
    check(&given, 0.5, 0, &[]);
    check(&[], 0.5, 3, &[]);
}

#[test]
fn equal_scores_keep_their_order() {
    let given = [detection(3, 0.5, 0.0, 0.0, 0.1), detection(1, 0.5, 0.5, 0.5, 0.1), detection(2, 0.5, 0.2, 0.2, 0.1)];
    check(&given, 0.5, 300, &[0, 1, 2]);
}

#[test]
fn overlap_equal_to_the_bound_is_allowed() {
    // Intersection 0.5, union 1.5.
    let given = [detection(0, 0.9, 0.0, 0.0, 1.0), detection(0, 0.8, 0.0, 0.5, 1.0)];
    check(&given, 1.0 / 3.0, 300, &[0, 1]);
    check(&given, 0.333, 300, &[0]);
}

proptest! {
    #[test]
    fn no_two_kept_boxes_of_a_label_overlap_and_each_lost_one_has_a_better_neighbour(
        boxes in prop::collection::vec((0_u16..3, 0_u8..20, 0.0_f32..1.0, 0.0_f32..1.0, 0.01_f32..0.5), 0..80),
        overlap_max in 0.1_f32..0.9,
    ) {
        let given: Vec<_> = boxes
            .iter()
            .map(|&(label, score, left, top, side)| detection(label, f32::from(score) / 20.0, left, top, side))
            .collect();
        let mut kept = given.clone();
        suppress(&mut kept, overlap_max, usize::MAX);
        let overlap = |a: &Detection, b: &Detection| {
            a.label == b.label && a.bounding_box.intersection_over_union(&b.bounding_box) > overlap_max
        };
        for (index, a) in kept.iter().enumerate() {
            prop_assert!(kept[..index].iter().all(|b| b.score >= a.score && !overlap(a, b)));
        }
        for lost in given.iter().filter(|lost| !kept.contains(lost)) {
            prop_assert!(kept.iter().any(|better| better.score >= lost.score && overlap(better, lost)));
        }
    }
}
