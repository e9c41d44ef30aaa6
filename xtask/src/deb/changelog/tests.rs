//! What stands in `changes/` becomes Debian's changelog, and a fragment that is none is refused.

use super::*;

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn release() -> Release {
    Release { version: "0.2.0~git1".to_owned(), epoch: 1_000_000_000 }
}

#[test]
fn versions_stand_newest_first_and_changes_by_number() {
    let folder = folder(&[
        ("README.md", "# How"),
        ("10-ten.md", "The tenth."),
        ("9-nine.md", "The\nninth.\n"),
        ("0.9.0/released", "2026-01-02 03:04:05\n"),
        ("0.9.0/1-one.md", "The first."),
        ("0.10.0/released", "2026-02-03\n"),
        ("0.10.0/2-two.md", "The second."),
    ]);
    let expected = "\
clawdbot (0.2.0~git1) unstable; urgency=medium

  * The ninth.
  * The tenth.

 -- The clawdbot developers <clawdbot@example.org>  Sun, 09 Sep 2001 01:46:40 +0000

clawdbot (0.10.0) unstable; urgency=medium

  * The second.

 -- The clawdbot developers <clawdbot@example.org>  Tue, 03 Feb 2026 00:00:00 +0000

clawdbot (0.9.0) unstable; urgency=medium

  * The first.

 -- The clawdbot developers <clawdbot@example.org>  Fri, 02 Jan 2026 03:04:05 +0000
";
    assert_eq!(text(folder.path(), &release()).as_deref(), Ok(expected));
}

#[test]
fn a_release_tells_of_its_own_changes_and_what_is_under_way_of_those_without_one() {
    let folder = folder(&[("3-new.md", "New."), ("0.9.0/released", "2026-01-02\n"), ("0.9.0/1-one.md", "Old.")]);
    assert_eq!(newest(folder.path(), "0.9.0"), Ok(vec!["Old.".to_owned()]));
    assert_eq!(newest(folder.path(), "1.0.0~git2"), Ok(vec!["New.".to_owned()]));
}

#[test]
fn long_changes_are_wrapped() {
    let lines = bullet(&"word ".repeat(30).trim_end().replace("word", "seventeen-letters"));
    assert!(lines.lines().all(|line| line.len() <= COLUMNS), "{lines}");
    assert!(lines.lines().skip(1).all(|line| line.starts_with("    seventeen")), "{lines}");
}

#[test]
fn what_is_no_change_is_refused() {
    assert!(change("new-thing.md", "Good.").is_err(), "a name without a number");
    assert!(change("1-x.md", "# Heading\n\nText.").is_err());
    assert!(change("1-x.md", " \n").is_err());
    assert!(change("1-x.md", &format!("{}.", "x".repeat(LETTERS_MAX))).is_err());
    assert_eq!(change("007-x.md", "Good.\n"), Ok(Change { number: 7, text: "Good.".to_owned() }));
}

#[test]
fn a_release_without_a_date_or_a_change_is_refused() {
    assert!(text(folder(&[("0.1.0/1-x.md", "Good.")]).path(), &release()).is_err());
    assert!(text(folder(&[("README.md", "# How")]).path(), &release()).is_err());
}

#[test]
fn this_repository_s_changes_are_sound() {
    let changes = crate::process::repository_root().join("changes");
    let text = text(&changes, &release()).unwrap();
    assert!(text.starts_with("clawdbot ("), "{text}");
}
