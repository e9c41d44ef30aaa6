//! Arguments in, options out.

use super::*;

fn check(arguments: &[&str]) -> Result<Options, String> {
    parse(&arguments.iter().map(|&argument| argument.to_owned()).collect::<Vec<_>>())
}

#[test]
fn nothing_asked_means_from_the_packages() {
    assert_eq!(check(&[]), Ok(Options::default()));
}

#[test]
fn every_option_is_taken() {
    let options = check(&["--model-file", "/m", "--pictures", "/p", "--calibrate", "/c", "--precision", "f16"])
        .expect("all are known");
    assert_eq!(options.model_file.as_deref(), Some(Path::new("/m")));
    assert_eq!(options.pictures.as_deref(), Some(Path::new("/p")));
    assert_eq!(options.calibrate.as_deref(), Some(Path::new("/c")));
    assert_eq!(options.precision.as_deref(), Some("f16"));
    assert!(!options.clip_only);
}

#[test]
fn unknown_and_unfinished_options_are_named() {
    assert!(check(&["--model-file"]).is_err_and(|error| error.contains("--model-file wants a value")));
    assert!(check(&["--modle-file", "x"]).is_err_and(|error| error.contains("\"--modle-file\"")));
}
