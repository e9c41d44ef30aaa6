//! The comparison sees what differs and nothing else.

use super::*;

const ONE: &str = r#"{"image": "/a.png", "ms": 12.5, "detections": [{"label": "Cat", "score": 0.84}]}"#;
const TWO: &str = r#"{"image": "/b.png", "ms": 99.0, "detections": [{"label": "Cat", "score": 0.83}]}"#;

#[test]
fn detections_are_taken_from_lines_lists_and_objects_alike() {
    let lines = parse_detections(&format!("{ONE}\n{TWO}\n")).expect("two answers");
    assert_eq!(lines.len(), 2);
    assert_eq!(parse_detections(&format!("[{ONE}, {TWO}]")).expect("a list"), lines);
    assert_eq!(parse_detections(&format!("{{\"pictures\": [{ONE}, {TWO}]}}")).expect("an object"), lines);
}

#[test]
fn times_do_not_matter_but_scores_do() {
    let one = parse_detections(ONE).expect("an answer");
    let slower = parse_detections(&ONE.replace("12.5", "80.0")).expect("an answer");
    let two = parse_detections(TWO).expect("an answer");
    assert_eq!(compare("cortex-a53", &one, &slower), Ok(()));
    assert!(compare("cortex-a53", &one, &two).is_err_and(|error| error.contains("0.83")));
}

#[test]
fn something_else_than_json_is_an_error() {
    assert!(parse_detections("cat: 0.84").is_err());
}

#[test]
fn what_is_not_known_is_refused() {
    for arguments in [&["--fast"][..], &["--hermetic", "x"], &["--reproducible", "a", "b"]] {
        let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        assert!(run(&arguments).is_err_and(|error| error.contains("usage:")));
    }
}
