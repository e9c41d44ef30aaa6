use clawdbot_nn::metadata::{self, Vision};

use super::{Classifier, Ranked};
use crate::heads::HeadError;
use crate::heads::fixture::{program, vision};

fn metadata(softmax: bool) -> Vision {
    vision(metadata::Head::Classifier { scores: "scores".to_owned(), softmax }, [8, 8], 4)
}

fn rank(softmax: bool, scores: [f32; 4], top: usize) -> Vec<Ranked> {
    let classifier = Classifier::from_metadata(&metadata(softmax), &program(&[("scores", &[1, 1, 1, 4])])).unwrap();
    let mut ranking = vec![Ranked { label: 9, score: 9.0 }];
    classifier.rank(|_| &scores, top, &mut ranking);
    ranking
}

#[test]
fn the_best_come_first_and_equal_ones_in_their_order() {
    let labels = |ranking: Vec<Ranked>| ranking.iter().map(|ranked| ranked.label).collect::<Vec<_>>();
    assert_eq!(labels(rank(false, [0.1, 0.4, 0.1, 0.3], 3)), [1, 3, 0]);
    assert_eq!(labels(rank(false, [0.0; 4], 9)), [0, 1, 2, 3]);
    assert_eq!(labels(rank(false, [0.0, f32::NAN, 1.0, f32::INFINITY], 9)), [2, 0]);
    assert_eq!(rank(false, [0.0, 0.5, 0.25, 0.0], 1), [Ranked { label: 1, score: 0.5 }]);
}

#[test]
fn a_softmax_makes_shares_of_one() {
    // exp of 0, ln 3, and two that vanish; large logits do not overflow.
    for shift in [0.0, 100.0] {
        let ranking = rank(true, [shift, shift + 3.0_f32.ln(), shift - 60.0, shift - 80.0], 4);
        assert!((ranking[0].score - 0.75).abs() < 1e-5 && (ranking[1].score - 0.25).abs() < 1e-5, "{ranking:?}");
    }
}

#[test]
fn only_classifiers_that_fit_are_taken() {
    let error = Classifier::from_metadata(&metadata(false), &program(&[("scores", &[1, 5])])).unwrap_err();
    assert!(error.to_string().contains("[1, 5], but the head needs 4 elements"), "{error}");
    let raw = vision(metadata::Head::Raw, [8, 8], 4);
    let error = Classifier::from_metadata(&raw, &program(&[])).unwrap_err();
    assert_eq!(error, HeadError::NotAClassifier { kind: "raw" });
}
