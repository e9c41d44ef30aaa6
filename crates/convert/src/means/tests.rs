//! Every name leaves out something, and all of them together leave nothing.

use super::*;

#[test]
fn each_mean_is_left_out_by_its_name() {
    for mean in MEANS {
        let left = Means::all_without([mean.name]).unwrap();
        assert_ne!(left, Means::ALL, "{}", mean.name);
        assert_eq!(left.without(mean), left, "{}", mean.name);
        assert!(mean.what.contains("; without: "), "{}: {}", mean.name, mean.what);
    }
    let all = Means::all_without(MEANS.iter().map(|mean| mean.name)).unwrap();
    assert_eq!(all, Means::naive());
    assert_eq!(Means::all_without(["all"]).unwrap(), Means::naive());
}

#[test]
fn nothing_is_done_by_the_naive() {
    let naive = Means::naive();
    let grids = GridRules { range: RangeRule::MinMax, zero_points: false, channels: ChannelScales::Nowhere };
    let weights = WeightRules { search: false, compensate: false, correct_bias: false };
    assert_eq!(naive, Means { grids, weights, equalise: false, fused_activations: false, exact_outputs: false });
}

#[test]
fn an_unknown_name_is_answered_with_those_there_are() {
    let message = Means::all_without(["ranges", "magic"]).unwrap_err();
    assert!(message.contains("`magic`") && message.contains("zero-points") && message.contains("all"), "{message}");
}
