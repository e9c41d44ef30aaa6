//! `SHA256SUMS`: one line an artefact, as `sha256sum` writes and checks them.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::write as write_file;
use crate::process;

pub(super) const NAME: &str = "SHA256SUMS";

/// Writes the sums of every file in `folder`, and lets `sha256sum` read them back.
pub(super) fn write(folder: &Path) -> Result<PathBuf, String> {
    let mut names = Vec::new();
    let entries = std::fs::read_dir(folder).map_err(|error| format!("cannot list {}: {error}", folder.display()))?;
    for entry in entries.flatten() {
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    if names.is_empty() {
        return Err("there is no artefact, so there is nothing to sum".to_owned());
    }
    let mut text = String::new();
    for name in names {
        text += &format!("{}  {name}\n", sum(&folder.join(&name))?);
    }
    let path = folder.join(NAME);
    write_file(&path, text)?;
    check(folder)?;
    Ok(path)
}

/// Whether the files are still those that were summed.
fn check(folder: &Path) -> crate::Outcome {
    let arguments = ["--check", "--strict", "--quiet", NAME];
    process::run(process::command("sha256sum", &arguments).current_dir(folder))
}

/// A file's SHA-256 in hex.
pub(super) fn sum(path: &Path) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
    let mut file = std::fs::File::open(path).map_err(failed)?;
    let mut digest = Sha256::new();
    std::io::copy(&mut file, &mut digest).map_err(failed)?;
    Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_summed_and_a_changed_one_is_found() {
        let folder = tempfile::tempdir().unwrap();
        assert!(write(folder.path()).is_err(), "nothing to sum");
        std::fs::write(folder.path().join("b"), "abc").unwrap();
        std::fs::write(folder.path().join("a"), "").unwrap();
        let sums = std::fs::read_to_string(write(folder.path()).unwrap()).unwrap();
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(sums, format!("{empty}  a\n{abc}  b\n"));
        std::fs::write(folder.path().join("b"), "abd").unwrap();
        assert!(check(folder.path()).is_err());
    }
}
