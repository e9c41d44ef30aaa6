//! The means that are left out are those that the converter has.

use super::*;

#[test]
fn every_mean_of_the_converter_is_measured() {
    let path = repository_root().join("crates/convert/src/means.rs");
    let text = std::fs::read_to_string(path).expect("the list of means");
    let named: Vec<&str> =
        text.split("name: \"").skip(1).map(|rest| rest.split('"').next().unwrap_or_default()).collect();
    assert_eq!(named, MEANS);
}

#[test]
fn a_network_is_measured_in_every_form() {
    for net in NETS {
        let forms = forms(net);
        assert_eq!(forms.len(), MEANS.len() + 4 + usize::from(net.name == "ssd"), "{}", net.name);
    }
}

#[test]
fn unknown_words_are_refused() {
    for words in [&["--net", "lenet"][..], &["--fast"], &["--net"]] {
        let words: Vec<String> = words.iter().map(ToString::to_string).collect();
        assert!(run_accuracy(&words).expect_err("nonsense").contains("usage"), "{words:?}");
    }
}
