use clawdbot_flow::detection::{BoundingBox, Detection};

use super::Joiner;
use crate::preprocess::Crop;

const WHOLE: Crop = Crop { left: 0, top: 0, width: 1000, height: 1000 };
const LEFT: Crop = Crop { left: 0, top: 300, width: 400, height: 400 };
const RIGHT: Crop = Crop { left: 380, top: 300, width: 400, height: 400 };

/// In thousandths.
fn seen(label: u16, score: f32, [left, top, right, bottom]: [f32; 4]) -> Detection {
    let [left, top, right, bottom] = [left, top, right, bottom].map(|edge| edge / 1000.0);
    Detection { label, score, bounding_box: BoundingBox { left, top, right, bottom } }
}

#[track_caller]
fn check(looks: &[(Crop, &[Detection])], known: &[Detection], expected: &[Detection]) {
    let mut joiner = Joiner::new(1000, 1000, 0.5);
    let mut found = vec![seen(9, 1.0, [0.0, 0.0, 1.0, 1.0])];
    for (crop, detections) in looks {
        joiner.add(crop, detections);
    }
    joiner.finish(known, &mut found);
    assert_eq!(found, expected);
}

#[test]
fn one_look_is_passed_on_best_first() {
    let (a, b) = (seen(1, 0.4, [50.0, 350.0, 90.0, 400.0]), seen(2, 0.7, [150.0, 350.0, 190.0, 400.0]));
    check(&[(LEFT, &[a, b])], &[], &[b, a]);
    check(&[], &[], &[]);
}

#[test]
fn an_object_seen_twice_is_one_with_the_better_score() {
    let (near, far) = (seen(1, 0.6, [100.0, 350.0, 150.0, 450.0]), seen(1, 0.8, [102.0, 352.0, 151.0, 449.0]));
    check(&[(LEFT, &[near]), (WHOLE, &[far])], &[], &[far]);
    let other = seen(2, 0.5, [100.0, 350.0, 150.0, 450.0]);
    check(&[(LEFT, &[near]), (WHOLE, &[other])], &[], &[near, other]);
}

#[test]
fn half_an_object_gives_way_to_the_whole_even_with_a_better_score() {
    let half = seen(1, 0.9, [340.0, 400.0, 400.0, 500.0]);
    let whole = seen(1, 0.5, [340.0, 400.0, 480.0, 500.0]);
    check(&[(LEFT, &[half]), (WHOLE, &[whole])], &[], &[whole]);
    check(&[(WHOLE, &[whole]), (LEFT, &[half])], &[], &[whole]);
}

#[test]
fn half_an_object_stays_when_nobody_sees_more() {
    let half = seen(1, 0.9, [340.0, 400.0, 400.0, 500.0]);
    check(&[(LEFT, &[half])], &[], &[half]);
    check(&[(LEFT, &[half]), (WHOLE, &[])], &[], &[half]);
    // Another label, or a thing beside it, is not the whole of it.
    let other = seen(2, 0.5, [340.0, 400.0, 480.0, 500.0]);
    check(&[(LEFT, &[half]), (WHOLE, &[other])], &[], &[half, other]);
}

#[test]
fn of_two_halves_the_larger_stays() {
    let left = seen(1, 0.9, [370.0, 400.0, 400.0, 500.0]);
    let right = seen(1, 0.5, [380.0, 400.0, 480.0, 500.0]);
    check(&[(LEFT, &[left]), (RIGHT, &[right])], &[], &[right]);
}

#[test]
fn half_of_a_known_object_is_not_another_one() {
    let half = seen(1, 0.9, [340.0, 400.0, 400.0, 500.0]);
    let known = seen(1, 0.5, [335.0, 400.0, 480.0, 500.0]);
    check(&[(LEFT, &[half])], &[known], &[]);
    // The known one lies in the look: it is no half then, but news of it.
    let inside = seen(1, 0.5, [330.0, 400.0, 399.0, 500.0]);
    check(&[(LEFT, &[half])], &[inside], &[half]);
}

#[test]
fn the_picture_s_own_edge_cuts_nothing() {
    let at_edge = seen(1, 0.6, [0.0, 400.0, 60.0, 500.0]);
    let larger = seen(1, 0.5, [0.0, 350.0, 100.0, 600.0]);
    check(&[(LEFT, &[at_edge]), (WHOLE, &[larger])], &[], &[at_edge, larger]);
}
