use proptest::prelude::*;

use super::*;

#[track_caller]
fn check(lookup: (usize, usize, usize), context: &[u32], expected: &[u32]) {
    let mut drafts = vec![99];
    Lookup::new(lookup.0, lookup.1, lookup.2).unwrap().draft(context, &mut drafts);
    assert_eq!(drafts, expected);
}

#[test]
fn what_followed_the_same_run_is_guessed() {
    check((2, 4, 3), &[1, 2, 3, 4, 5, 6, 1, 2], &[3, 4, 5]);
}

#[test]
fn the_longest_run_wins_then_the_latest() {
    check((1, 4, 1), &[7, 1, 2, 8, 1, 2, 9, 3, 2, 5, 7, 1, 2], &[8]);
    check((1, 1, 1), &[2, 8, 2, 9, 2], &[9]);
}

#[test]
fn too_short_a_run_guesses_nothing() {
    check((3, 4, 2), &[1, 2, 3, 4, 1, 2], &[]);
    check((1, 4, 2), &[1, 2, 3], &[]);
    check((1, 4, 2), &[], &[]);
    check((1, 4, 2), &[5], &[]);
    check((1, 4, 0), &[5, 5], &[]);
}

#[test]
fn a_repetition_goes_on() {
    check((1, 4, 5), &[1, 2, 1, 2, 1, 2], &[1, 2, 1, 2, 1]);
    check((1, 4, 3), &[5, 5], &[5, 5, 5]);
}

#[test]
fn settings_are_checked() {
    assert!(Lookup::new(0, 3, 1).is_err() && Lookup::new(4, 3, 1).is_err());
    assert!(Lookup::new(3, 3, 0).is_ok());
}

proptest! {
    /// Against the obvious search: for each run length from the longest, from the latest place.
    #[test]
    fn agrees_with_the_obvious_search(
        context in prop::collection::vec(0_u32..4, 0..40),
        run_min in 1_usize..4,
        more in 0_usize..4,
        drafts_max in 0_usize..6,
    ) {
        let (lookup, mut drafts) = (Lookup::new(run_min, run_min + more, drafts_max).unwrap(), Vec::new());
        lookup.draft(&context, &mut drafts);
        let place = (run_min..=run_min + more).rev().filter(|&run| run < context.len()).find_map(|run| {
            let suffix = &context[context.len() - run..];
            (run..context.len()).rev().find(|&end| &context[end - run..end] == suffix)
        });
        let mut expected = context.clone();
        if let Some(place) = place {
            (0..drafts_max).for_each(|step| expected.push(expected[place + step]));
        }
        prop_assert_eq!(&drafts[..], &expected[context.len()..]);
    }
}
