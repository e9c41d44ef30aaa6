//! What may be said to the command.

use super::*;

fn parsed(text: &str) -> Result<Options, String> {
    let arguments: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    parse(&arguments)
}

#[test]
fn everything_has_a_default() {
    let options = parsed("").unwrap();
    assert_eq!(options.architecture, Architecture::Amd64);
    assert!(!options.prove && options.binary.is_none());
}

#[test]
fn paths_are_made_whole() {
    let options = parsed("--arch arm64 --binary a/clawdbot --manual-from /b --prove").unwrap();
    assert_eq!(options.architecture, Architecture::Arm64);
    assert!(options.prove && options.binary.is_some_and(|path| path.is_absolute() && path.ends_with("a/clawdbot")));
    assert_eq!(options.manual_from, Some(PathBuf::from("/b")));
}

#[test]
fn what_is_not_known_or_not_complete_is_refused() {
    assert!(parsed("--arch armhf").is_err());
    assert!(parsed("--arch").is_err_and(|error| error.contains("wants a value")));
    assert!(parsed("--fast").is_err_and(|error| error.contains("usage:")));
}
