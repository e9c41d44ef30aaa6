use proptest::prelude::*;

use super::*;

fn scanner(strings: &[&str]) -> StopScanner {
    StopScanner::new(strings.iter().map(|&string| string.to_owned()).collect()).unwrap()
}

/// What is released after each piece, and at the end.
fn check(strings: &[&str], pieces: &[&str], expected: &[&str], outcome: Outcome) {
    let mut scanner = scanner(strings);
    let mut last = Outcome::Continues;
    let mut found = Vec::new();
    for piece in pieces {
        let mut released = String::new();
        last = scanner.push(piece, &mut released);
        found.push(released);
    }
    let mut rest = String::new();
    scanner.finish(&mut rest);
    found.push(rest);
    assert_eq!((found.iter().map(String::as_str).collect::<Vec<_>>(), last), (expected.to_vec(), outcome));
}

#[test]
fn a_stop_string_in_pieces_ends_the_answer() {
    check(&["</s>"], &["one <", "/", "s", "> two"], &["one ", "", "", "", ""], Outcome::Stopped(0));
}

#[test]
fn text_that_turns_out_to_be_none_is_released() {
    check(&["</s>"], &["a <", "/b", "<"], &["a ", "</b", "", "<"], Outcome::Continues);
}

#[test]
fn a_false_start_inside_a_stop_string_is_followed() {
    check(&["aab"], &["aa", "a", "b"], &["", "a", "", ""], Outcome::Stopped(0));
}

#[test]
fn the_first_to_be_complete_wins_and_then_the_longest() {
    check(&["abc", "b"], &["abc"], &["a", ""], Outcome::Stopped(1));
    check(&["c", "bc"], &["abc"], &["a", ""], Outcome::Stopped(1));
    check(&["bc", "bc"], &["abc"], &["a", ""], Outcome::Stopped(0));
}

#[test]
fn letters_of_several_bytes_are_not_cut() {
    check(&["Größe"], &["die Gr", "öß", "e!"], &["die ", "", "", ""], Outcome::Stopped(0));
    check(&["日本"], &["x日", "曜"], &["x", "日曜", ""], Outcome::Continues);
}

#[test]
fn without_stop_strings_nothing_is_held() {
    check(&[], &["a", "b"], &["a", "b", ""], Outcome::Continues);
}

#[test]
fn after_a_stop_nothing_is_taken() {
    check(&["x"], &["ax", "b"], &["a", "", ""], Outcome::Stopped(0));
}

#[test]
fn bad_lists_are_refused() {
    let refused = |strings: Vec<String>| StopScanner::new(strings).unwrap_err();
    assert_eq!(refused(vec!["a".to_owned(), String::new()]), StopError::Empty(1));
    assert_eq!(refused(vec!["a".repeat(257)]), StopError::TooLong { index: 0, bytes: 257 });
    assert_eq!(refused(vec!["a".to_owned(); 17]), StopError::TooMany(17));
}

proptest! {
    #[test]
    fn the_result_does_not_depend_on_how_the_text_is_cut(
        text in "[abé]{0,40}",
        strings in prop::collection::vec("[abé]{1,5}", 0..4),
        cuts in prop::collection::vec(0_usize..8, 0..20),
    ) {
        let mut whole = StopScanner::new(strings.clone()).unwrap();
        let mut expected = String::new();
        let outcome = whole.push(&text, &mut expected);
        whole.finish(&mut expected);

        let mut scanner = StopScanner::new(strings.clone()).unwrap();
        let (mut found, mut rest) = (String::new(), text.as_str());
        let mut last = Outcome::Continues;
        for cut in cuts.into_iter().chain([usize::MAX]) {
            let at = rest.char_indices().nth(cut).map_or(rest.len(), |(at, _)| at);
            last = scanner.push(&rest[..at], &mut found);
            rest = &rest[at..];
        }
        scanner.finish(&mut found);
        prop_assert_eq!((&found, last), (&expected, outcome));
        // Nothing of a stop string is ever shown, and nothing before it is lost.
        prop_assert!(text.starts_with(&found) && strings.iter().all(|string| !found.contains(string.as_str())));
        if let Outcome::Stopped(index) = outcome {
            prop_assert!(text[found.len()..].starts_with(&strings[index]));
        } else {
            prop_assert_eq!(found, text);
        }
    }
}
