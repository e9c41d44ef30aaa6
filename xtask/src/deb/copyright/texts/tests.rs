//! Texts are known by their words, and the same text has one name.

use super::*;

const MIT: &str = "Permission is hereby granted, free of charge, to any person.\n\
                   The above copyright notice and this permission notice shall be included.";

fn with(name: &str, file: &str) -> Crate {
    Crate { name: name.to_owned(), files: vec![file.to_owned()], ..Crate::default() }
}

#[test]
fn the_wording_of_most_crates_has_the_plain_name() {
    let other = format!("{MIT}\n\nAnd one thing more.");
    let crates = [
        with("odd", &other),
        with("a", &format!("Copyright 2020 A\n\n{MIT}\n")),
        with("b", &MIT.replace(" notice", "\n notice")),
    ];
    let mut texts = Texts::default();
    for found in &crates {
        texts.learn("MIT", found);
    }
    let names: Vec<String> = crates.iter().map(|found| texts.short_name("MIT", found)).collect();
    assert_eq!(names, ["Expat~odd", "Expat", "Expat"]);
    assert_eq!(texts.text("Expat", "MIT").as_deref(), Ok(MIT));
    assert_eq!(texts.text("Expat~odd", "MIT"), Ok(other));
}

#[test]
fn likenesses_are_told_apart() {
    let two = "Redistribution and use in source and binary forms ... this disclaimer";
    assert!(body("BSD-2-Clause", two).is_some());
    assert_eq!(body("BSD-3-Clause", two), None);
    let isc = "Permission to use, copy, modify, and/or distribute, provided that the above\ncopyright notice";
    assert!(body("ISC", isc).is_some() && body("0BSD", isc).is_none());
}

#[test]
fn a_text_that_nobody_ships_is_an_error_and_one_that_debian_has_is_none() {
    let texts = Texts::default();
    assert!(texts.text("ISC", "ISC").is_err_and(|error| error.contains("ISC")));
    assert!(texts.text("Apache-2.0", "Apache-2.0").is_ok_and(|text| text.contains("/usr/share/common-licenses/")));
}

#[test]
fn a_second_licence_that_debian_has_is_left_out_of_a_text() {
    let file =
        format!("{MIT}\n---\n   Apache License\n  Version 2.0\n  limitations under the License.\n---\nAnd musl.");
    let text = body("MIT", &file).unwrap();
    assert_eq!(text, format!("{MIT}\n---\n{}\n---\nAnd musl.", on_debian("Apache-2.0")));
}

#[test]
fn names_are_debian_s() {
    assert_eq!(debian_name("MIT"), "Expat");
    assert_eq!(debian_name("Apache-2.0 WITH LLVM-exception"), "Apache-2.0 with LLVM-exception exception");
    assert_eq!(debian_name("Zlib"), "Zlib");
}
