use super::{CANDIDATES_MAX, Candidate, Candidates};

#[test]
fn the_best_stay_whatever_their_order() {
    let count = 5 * CANDIDATES_MAX;
    let mut candidates = Candidates::new();
    // A permutation: 7919 is prime and does not divide the count.
    for index in (0..count).map(|index| index * 7919 % count) {
        let cell = u32::try_from(index).unwrap();
        candidates.push(Candidate { rank: f32::from(u16::try_from(index / 2).unwrap()), cell, label: 1 });
    }
    let best = candidates.best();
    assert_eq!(best.len(), CANDIDATES_MAX);
    let expected = |place: usize| {
        let pair = count / 2 - 1 - place / 2;
        u32::try_from(2 * pair + place % 2).unwrap()
    };
    assert!(best.iter().enumerate().all(|(place, candidate)| candidate.cell == expected(place)));
    candidates.clear();
    assert!(candidates.best().is_empty());
}
