use super::{Evidence, choose};
use crate::recipe::YoloxConvention::{V0_1_0, V0_1_1};

fn evidence(confident: usize, scores: f64) -> Evidence {
    Evidence { confident, scores }
}

#[test]
fn the_clearly_better_one_is_chosen_and_told() {
    let (convention, why) = choose([(V0_1_1, evidence(2, 1.1)), (V0_1_0, evidence(30, 21.0))]).unwrap();
    assert_eq!(convention, V0_1_0);
    assert!(why.contains("yolox-0.1.0 finds 30 objects") && why.contains("yolox-0.1.1 finds 2 objects"), "{why}");
}

#[test]
fn pictures_that_do_not_tell_are_an_error() {
    for (a, b) in [(evidence(20, 14.0), evidence(15, 10.0)), (evidence(2, 1.8), evidence(0, 0.0))] {
        let message = choose([(V0_1_1, a), (V0_1_0, b)]).unwrap_err().to_string();
        assert!(message.contains("yolox-0.1.1") && message.contains("yolox-0.1.0"), "{message}");
    }
}
