//! What may be said to the command, and what it says last.

use super::*;

fn parsed(text: &str) -> Result<Options, String> {
    let arguments: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    Options::parse(&arguments)
}

fn work() -> Work {
    let release = crate::deb::release::Release { version: "1.0.0".to_owned(), epoch: 1 };
    Work { release, builds: Vec::new(), out: PathBuf::from("/out"), scratch: tempfile::tempdir().unwrap() }
}

#[test]
fn a_rehearsal_may_leave_out_what_it_names() {
    let options = parsed("--dry-run --without image --without deb --amd64-binary a --arm64-binary /b").unwrap();
    assert!(options.wants("source") && !options.wants("image") && options.wants_binaries());
    assert!(options.amd64_binary.as_ref().is_some_and(|path| path.is_absolute()));
    let options = parsed("--dry-run --only notes --only source").unwrap();
    assert!(options.wants("notes") && !options.wants("sbom") && !options.wants_binaries());
    assert!(parsed("--dry-run --without kernel").is_err_and(|error| error.contains("there are notes, source")));
}

#[test]
fn what_is_published_is_whole_and_signed() {
    assert!(parsed("").is_err_and(|error| error.contains("publishes nothing") && error.contains("--dry-run")));
    assert!(parsed("--key k").is_ok());
    for text in ["--key k --without image", "--key k --only deb", "--key k --arm64-binary b"] {
        assert!(parsed(text).is_err_and(|error| error.contains("rehearsal only")), "{text}");
    }
    assert!(parsed("--publish").is_err_and(|error| error.contains("usage:")));
}

#[test]
fn the_last_line_counts_what_is_missing() {
    let line = closing(&parsed("--dry-run").unwrap(), &work(), 3, &["image", "deb"]);
    assert_eq!(
        line,
        "rehearsal of 1.0.0: 3 artefacts in /out, signed with a REHEARSAL KEY that is gone; 2 of 8 pieces were LEFT OUT: image, deb"
    );
    assert!(closing(&parsed("--dry-run").unwrap(), &work(), 9, &[]).ends_with("nothing was left out"));
    let line = closing(&parsed("--key k").unwrap(), &work(), 9, &[]);
    assert!(line.contains("NOTHING was published: RELEASE-CHECKLIST.md"), "{line}");
}

#[test]
fn every_piece_that_takes_binaries_is_one() {
    for name in OF_BINARIES {
        assert!(PIECES.iter().any(|piece| piece.name == name), "{name}");
    }
}

#[test]
fn artefacts_of_two_commits_are_refused() {
    // Its version is not this checkout's.
    assert!(work().is_still_of_one_commit().is_err_and(|error| error.contains("another commit")));
}
