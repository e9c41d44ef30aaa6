//! What is new, from the same `changes/` of which the package's changelog is made.

use std::path::PathBuf;

use super::work::Work;
use super::{git, write};
use crate::deb::changelog;
use crate::process::{self, repository_root};

pub(super) fn make(work: &Work) -> Result<Vec<PathBuf>, String> {
    let changes = changelog::newest(&repository_root().join("changes"), &work.release.version)?;
    let commit = process::output(&mut git(&["rev-parse", "HEAD"]))?;
    let path = work.named("notes.md");
    write(&path, text(&work.release.version, commit.trim(), &changes))?;
    Ok(vec![path])
}

fn text(version: &str, commit: &str, changes: &[String]) -> String {
    let changes: String = changes.iter().map(|change| format!("- {change}\n")).collect();
    format!(
        "# clawdbot {version}\n\nOf commit {commit}. What is new:\n\n{changes}\n\
         Verify what you downloaded: `minisign -Vm SHA256SUMS -p deploy/minisign.pub`, with the key of the repository and not \
         the one that lies beside, then `sha256sum --check --ignore-missing SHA256SUMS`.\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_is_a_line() {
        let text = text("1.2.0", "abc", &["One.".to_owned(), "Two.".to_owned()]);
        assert!(
            text.starts_with("# clawdbot 1.2.0\n\nOf commit abc.") && text.contains("\n- One.\n- Two.\n\n"),
            "{text}"
        );
    }
}
