//! The file names every crate, and every licence that it names has a text.

use super::*;

const OWN: &str = "Format: x\n\nFiles: *\nCopyright: us\nLicense: Expat or Apache-2.0\n";
const MIT: &str =
    "Permission is hereby granted, free of charge.\n\nThe above copyright notice and this permission notice.\n";
const BSD: &str = "Redistribution and use in source and binary forms. Neither the name.\n";

fn found(name: &str, licence: &str, file: &str) -> Crate {
    Crate {
        name: name.to_owned(),
        version: "1.0.0".to_owned(),
        licence: licence.to_owned(),
        files: vec![format!("Copyright 2020 {name}\n\n{file}")],
        ..Crate::default()
    }
}

#[test]
fn every_crate_has_a_paragraph_and_every_licence_its_text() {
    let crates = [found("a", "MIT OR Apache-2.0", MIT), found("b", "(MIT OR Apache-2.0) AND BSD-3-Clause", BSD)];
    let text = compose(OWN, &crates).unwrap();
    assert!(text.starts_with(OWN), "{text}");
    assert!(
        text.contains("\n\nFiles: registry/a-1.0.0/*\nCopyright: 2020 a\nLicense: Expat or Apache-2.0\n"),
        "{text}"
    );
    assert!(text.contains("\nLicense: Expat or Apache-2.0, and BSD-3-clause\n"), "{text}");
    assert!(
        text.contains("\n\nLicense: Expat\n Permission is hereby granted, free of charge.\n .\n The above"),
        "{text}"
    );
    assert!(text.contains("\n\nLicense: BSD-3-clause\n Redistribution"), "{text}");
    assert!(text.contains("\n\nLicense: Apache-2.0\n On Debian systems"), "{text}");
}

#[test]
fn a_licence_without_a_text_or_a_sense_is_an_error_that_names_the_crate() {
    let with = |licence: &str, file: &str| {
        compose(OWN, &[found("a", "MIT", MIT), found("b", "BSD-3-Clause", BSD), found("c", licence, file)])
    };
    assert!(with("MIT", MIT).is_ok());
    assert!(with("Sleepycat", "").is_err_and(|error| error.contains("Sleepycat")));
    assert!(with("MIT OR", MIT).is_err_and(|error| error.contains("of c")));
}
