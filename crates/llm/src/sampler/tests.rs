use proptest::prelude::*;

use super::*;

fn options() -> SamplingOptions {
    SamplingOptions { temperature: 1.0, top_k: 0, top_p: 1.0, ..SamplingOptions::default() }
}

fn sampler(options: SamplingOptions, vocabulary: usize) -> Sampler {
    Sampler::new(Sampling::new(options).unwrap(), vocabulary)
}

/// The ids that come up in 2000 draws, each once, sorted.
fn reachable(options: SamplingOptions, logits: &[f32]) -> Vec<u32> {
    let mut sampler = sampler(options, logits.len());
    let mut ids: Vec<u32> = (0..2000).map(|_| sampler.sample(logits, None).unwrap()).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

#[test]
fn temperature_0_takes_the_best_and_of_equals_the_lowest_id() {
    let mut greedy = sampler(SamplingOptions { temperature: 0.0, ..options() }, 4);
    assert_eq!(greedy.sample(&[1.0, 3.0, 3.0, 2.0], None), Ok(1));
    assert_eq!(greedy.sample(&[f32::NAN, f32::NEG_INFINITY, -5.0, -5.0], None), Ok(2));
    assert_eq!(greedy.sample(&[1.0, f32::INFINITY, f32::MAX, 2.0], None), Ok(1));
}

#[test]
fn a_seed_gives_these_tokens_for_ever() {
    let logits: Vec<f32> = (0_u8..100).map(|n| f32::from(n % 13) * 0.5).collect();
    let run = |seed| {
        let mut sampler = sampler(SamplingOptions { seed, ..SamplingOptions::default() }, 100);
        (0..12).map(|_| sampler.sample(&logits, None).unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(run(1), RECORDED);
    assert_ne!(run(2), RECORDED);
    assert_eq!(Random::new(1_234_567).bits(), 6_457_827_717_110_365_317, "the first number of the reference code");
}

const RECORDED: [u32; 12] = [11, 76, 48, 77, 77, 76, 49, 90, 51, 89, 77, 24];

#[test]
fn top_k_top_p_and_min_p_cut() {
    // Weights 1, e^-1, e^-2, e^-3: probabilities 0.644, 0.237, 0.087, 0.032.
    let logits = [1.0, 3.0, 0.0, 2.0];
    assert_eq!(reachable(options(), &logits), [0, 1, 2, 3]);
    assert_eq!(reachable(SamplingOptions { top_k: 2, ..options() }, &logits), [1, 3]);
    assert_eq!(reachable(SamplingOptions { top_p: 0.6, ..options() }, &logits), [1]);
    assert_eq!(reachable(SamplingOptions { top_p: 0.65, ..options() }, &logits), [1, 3]);
    assert_eq!(reachable(SamplingOptions { top_p: 0.0, ..options() }, &logits), [1]);
    assert_eq!(reachable(SamplingOptions { min_p: 0.1, ..options() }, &logits), [0, 1, 3]);
    assert_eq!(reachable(SamplingOptions { min_p: 1.0, ..options() }, &logits), [1]);
    assert_eq!(reachable(SamplingOptions { top_k: 3, top_p: 0.95, min_p: 0.3, ..options() }, &logits), [1, 3]);
}

#[test]
fn draws_follow_the_probabilities() {
    let mut sampler = sampler(options(), 3);
    let logits = [0.0, libm::logf(2.0), libm::logf(5.0)];
    let mut counts = [0_u16; 3];
    for _ in 0..8000 {
        counts[sampler.sample(&logits, None).unwrap() as usize] += 1;
    }
    // Four standard deviations of a binomial of 8000 are below 180.
    for (count, expected) in counts.iter().zip([1000_u16, 2000, 5000]) {
        assert!(count.abs_diff(expected) < 180, "{counts:?}");
    }
}

#[test]
fn penalties_hold_repeated_tokens_back() {
    let greedy = SamplingOptions { temperature: 0.0, ..options() };
    let check = |options: SamplingOptions, accepted: &[u32], logits: [f32; 3], expected| {
        let mut sampler = sampler(options, 3);
        accepted.iter().for_each(|&id| sampler.accept(id));
        assert_eq!(sampler.sample(&logits, None), Ok(expected), "{options:?}");
    };
    check(greedy, &[0], [2.0, 1.5, 0.0], 0);
    check(SamplingOptions { repetition_penalty: 2.0, ..greedy }, &[0], [2.0, 1.5, 0.0], 1);
    check(SamplingOptions { repetition_penalty: 2.0, ..greedy }, &[0], [-1.0, -1.5, -9.0], 1);
    check(SamplingOptions { presence_penalty: 1.0, ..greedy }, &[0, 0], [2.0, 0.5, 0.0], 0);
    check(SamplingOptions { frequency_penalty: 1.0, ..greedy }, &[0, 0], [2.0, 0.5, 0.0], 1);
    // What has left the window counts no more; ids beyond the vocabulary are no harm.
    check(SamplingOptions { presence_penalty: 2.0, penalty_window: 2, ..greedy }, &[0, 7, 1, 2], [2.0, 0.5, 0.0], 0);
    check(SamplingOptions { presence_penalty: 2.0, penalty_window: 0, ..greedy }, &[0], [2.0, 0.5, 0.0], 0);
}

#[test]
fn a_restart_forgets() {
    let greedy = SamplingOptions { temperature: 0.0, presence_penalty: 2.0, ..options() };
    let mut sampler = sampler(greedy, 2);
    sampler.accept(0);
    assert_eq!(sampler.sample(&[1.0, 0.0], None), Ok(1));
    sampler.restart(Sampling::new(greedy).unwrap());
    assert_eq!(sampler.sample(&[1.0, 0.0], None), Ok(0));
}

#[test]
fn a_mask_leaves_only_what_it_allows() {
    let mut mask = TokenMask::none(40);
    let logits: Vec<f32> = (0_u8..40).map(f32::from).collect();
    let mut sampler = sampler(options(), 40);
    assert_eq!(sampler.sample(&logits, Some(&mask)), Err(SampleError::NothingAllowed));
    mask.allow(33);
    mask.allow(99);
    assert_eq!(sampler.sample(&logits, Some(&mask)), Ok(33));
    assert!(!mask.allows(99) && !mask.allows(1));
    mask.set_words(&[1]);
    assert_eq!(sampler.sample(&logits, Some(&mask)), Ok(0));
}

#[test]
fn nonsense_is_an_error() {
    let mut sampler = sampler(options(), 2);
    assert_eq!(sampler.sample(&[f32::NAN, f32::NAN], None), Err(SampleError::NoNumber));
    assert_eq!(sampler.sample(&[f32::NEG_INFINITY, f32::NAN], None), Err(SampleError::NoNumber));
    assert_eq!(sampler.sample(&[0.0], None), Err(SampleError::Length { found: 1, expected: 2 }));
}

#[test]
fn a_parameter_out_of_range_is_named() {
    let refused = |options: SamplingOptions| Sampling::new(options).unwrap_err().to_string();
    let complaint = refused(SamplingOptions { top_p: 1.5, ..options() });
    assert_eq!(complaint, "top_p is 1.5, but must be from 0 to 1");
    assert!(refused(SamplingOptions { temperature: f32::NAN, ..options() }).contains("temperature is NaN"));
    assert!(refused(SamplingOptions { repetition_penalty: 0.0, ..options() }).starts_with("repetition_penalty"));
}

proptest! {
    /// Whatever the filters, only tokens of the law's set come up: checked against sorting everything.
    #[test]
    fn only_the_law_s_tokens_come_up(
        logits in prop::collection::vec(-4.0_f32..4.0, 1..300),
        top_k in 0_u32..100,
        top_p in 0.0_f32..=1.0,
        min_p in 0.0_f32..=0.5,
        temperature in 0.1_f32..3.0,
        seed: u64,
    ) {
        let options = SamplingOptions { temperature, top_k, top_p, min_p, seed, ..options() };
        let id = sampler(options, logits.len()).sample(&logits, None).unwrap();
        let mut ids: Vec<u32> = (0_u32..).take(logits.len()).collect();
        let logit = |id: &u32| logits[*id as usize];
        ids.sort_by(|a, b| logit(b).total_cmp(&logit(a)));
        let weight = |id: &u32| libm::exp(f64::from(logit(id) - logit(&ids[0])) / f64::from(temperature));
        let kept = if top_k == 0 { ids.len() } else { ids.len().min(top_k as usize) };
        let total: f64 = ids[..kept].iter().map(weight).sum();
        let place = ids.iter().position(|other| *other == id).unwrap();
        let before: f64 = ids[..place].iter().map(weight).sum();
        prop_assert!(place < kept);
        prop_assert!(place == 0 || before < f64::from(top_p) * total * (1.0 + 1e-5));
        prop_assert!(weight(&id) >= f64::from(min_p) * (1.0 - 1e-5));
    }

    #[test]
    fn floats_of_any_kind_never_panic(
        bits in prop::collection::vec(any::<u32>(), 1..50),
        accepted in prop::collection::vec(0_u32..60, 0..10),
        repetition_penalty in 0.1_f32..=10.0,
        frequency_penalty in -2.0_f32..=2.0,
        temperature in 0.0_f32..=10.0,
        seed: u64,
    ) {
        let logits: Vec<f32> = bits.into_iter().map(f32::from_bits).collect();
        let options = SamplingOptions { repetition_penalty, frequency_penalty, temperature, seed, ..options() };
        let mut sampler = sampler(options, logits.len());
        accepted.into_iter().for_each(|id| sampler.accept(id));
        match sampler.sample(&logits, None) {
            Ok(id) => prop_assert!(logits[id as usize] > f32::NEG_INFINITY),
            Err(error) => prop_assert_eq!(error, SampleError::NoNumber),
        }
    }
}
