use super::*;

#[test]
fn every_duration_is_counted_where_it_belongs_and_to_a_sixteenth() {
    for micros in (0..5_000).chain([9_999, 65_535, 65_536, 1_000_000, 100_000_000]) {
        let at = bucket(micros);
        assert!(most(at) >= micros && (at == 0 || most(at - 1) < micros), "{micros} us in bucket {at}");
        assert!(most(at) - micros <= micros / STEPS, "{micros} us are told as {} us", most(at));
    }
    assert_eq!(bucket(u64::MAX), BUCKETS - 1);
}

#[test]
fn percentiles_are_of_all_and_never_longer_than_the_longest() {
    let meter = SpreadMeter::default();
    assert_eq!((meter.take().percentile(50), meter.take().longest()), (None, None));
    for micros in 1..=100_u64 {
        meter.add(Duration::from_micros(100 * micros));
    }
    let spread = meter.take();
    assert_eq!((spread.count(), spread.longest()), (100, Some(Duration::from_millis(10))));
    let told = |percent| spread.percentile(percent).unwrap().as_micros();
    assert!((5_000..=5_313).contains(&told(50)), "{}", told(50));
    assert!((9_900..=10_000).contains(&told(99)), "{}", told(99));
    assert_eq!((told(100), meter.take().count()), (10_000, 0));
}

#[test]
fn what_lasts_for_hours_is_told_as_it_is_by_the_longest() {
    let mut spread = Spread::default();
    spread.add(Duration::from_secs(7_200));
    assert_eq!(spread.longest(), Some(Duration::from_secs(7_200)));
    assert!(spread.percentile(50).unwrap() >= Duration::from_secs(60));
}

#[test]
fn a_joined_spread_is_that_of_all() {
    let (mut one, mut other, mut all) = (Spread::default(), Spread::default(), Spread::default());
    for (at, micros) in [30, 4_000, 7, 900].into_iter().enumerate() {
        let half = if at % 2 == 0 { &mut one } else { &mut other };
        half.add(Duration::from_micros(micros));
        all.add(Duration::from_micros(micros));
    }
    one.join(&other);
    assert_eq!(one, all);
}
