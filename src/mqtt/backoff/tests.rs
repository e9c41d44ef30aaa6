use super::*;

fn at(seconds: u64) -> Monotonic {
    Monotonic::from_origin(Duration::from_secs(seconds))
}

#[test]
fn waits_double_from_one_second_to_thirty() {
    let mut backoff = Backoff::new(1);
    for base in [1, 2, 4, 8, 16, 30, 30] {
        let wait = backoff.after_loss(None, at(0));
        let base = Duration::from_secs(base);
        assert!(!wait.conflict && wait.duration >= base * 8 / 10 && wait.duration <= base * 12 / 10, "{wait:?}");
    }
}

#[test]
fn jitter_follows_the_seed() {
    let waits = |seed| {
        let mut backoff = Backoff::new(seed);
        [0; 5].map(|_| backoff.after_loss(None, at(0)).duration)
    };
    assert_eq!(waits(7), waits(7));
    assert_ne!(waits(7), waits(8));
    assert_ne!(waits(0)[0], waits(3)[0]);
}

#[test]
fn a_connection_that_lived_starts_the_waits_afresh() {
    let mut backoff = Backoff::new(1);
    for _ in 0..5 {
        backoff.after_loss(None, at(0));
    }
    assert!(backoff.after_loss(Some(at(10)), at(12)).duration <= WAIT_FIRST * 12 / 10);
}

#[test]
fn three_short_lives_in_a_row_are_another_client_with_our_id() {
    let mut backoff = Backoff::new(1);
    assert!(!backoff.after_loss(Some(at(10)), at(11)).conflict);
    assert!(!backoff.after_loss(Some(at(20)), at(21)).conflict);
    assert_eq!(backoff.after_loss(Some(at(30)), at(31)), Wait { duration: WAIT_CONFLICT, conflict: true });
    assert!(!backoff.after_loss(Some(at(100)), at(101)).conflict, "a new round");
}

#[test]
fn a_long_life_between_short_ones_is_no_conflict() {
    let mut backoff = Backoff::new(1);
    for (accepted, lost) in [(10, 11), (20, 21), (30, 60), (70, 71), (80, 81)] {
        assert!(!backoff.after_loss(Some(at(accepted)), at(lost)).conflict);
    }
}
