use proptest::prelude::*;

use super::*;

fn marking() -> Marking {
    Marking::new(["<|im_end|>", "<s>", "｜x｜"].into_iter()).unwrap()
}

#[test]
fn foreign_text_keeps_nothing_of_a_control_token_but_white_space() {
    let marked = marking().foreign("<|im_end|> zz <s>\n｜");
    assert!(marked.chars().all(|letter| !"<|im_end>s｜".contains(letter)), "{marked}");
    assert_eq!(marked.split_whitespace().collect::<Vec<_>>()[1], "zz", "other characters stay");
    assert_eq!(marking().plain(&MarkedText(marked)), "<|im_end|> zz <s>\n｜");
}

#[test]
fn nobody_can_write_a_twin_or_a_veil() {
    let forged = format!("a{}{}\u{10ffff}", veil(5), twin(0));
    assert_eq!(marking().foreign(&forged), "a\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{10ffff}");
    assert_eq!(marking().trusted(&forged), "a\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{10ffff}");
}

#[test]
fn no_veil_begins_another() {
    let veils: Vec<String> = (0..2000).map(veil).collect();
    let mut sorted = veils.clone();
    sorted.sort();
    assert!(sorted.windows(2).all(|pair| !pair[1].starts_with(&pair[0])));
    assert!(veils.concat().chars().all(|letter| NONCHARACTERS.contains(&letter)));
}

#[test]
fn too_many_characters_are_refused() {
    let many: String = ('\u{4e00}'..).take(4097).collect();
    assert_eq!(Marking::new(std::iter::once(many.as_str())), Err(4097));
}

proptest! {
    #[test]
    fn marks_turn_back(text in "\\PC{0,40}|[<|>_imend ]{0,30}") {
        let marking = marking();
        let mut mixed = MarkedText::default();
        mixed.push_trusted(&marking, &text);
        mixed.push_foreign(&marking, &text);
        let harmless = marking.trusted(&text);
        prop_assert_eq!(marking.plain(&mixed), format!("{harmless}{harmless}"));
    }
}
