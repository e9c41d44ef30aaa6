//! The package's control files: what `dpkg` wants to know of it.

use std::fs;
use std::path::Path;

use super::changelog::MAINTAINER;
use crate::process;

/// The control file, with the fields that only a build knows in braces.
const TEMPLATE: &str = include_str!("../../../deploy/debian/control");

/// What only a build knows.
pub(super) struct Fields<'a> {
    pub(super) version: &'a str,
    pub(super) architecture: &'static str,
    pub(super) installed_kibibytes: u64,
    /// Packages that bring the libraries, with commas between.
    pub(super) libraries: &'a str,
}

/// The text of `DEBIAN/control`.
pub(super) fn text(fields: &Fields<'_>) -> String {
    TEMPLATE
        .replace("{version}", fields.version)
        .replace("{architecture}", fields.architecture)
        .replace("{maintainer}", MAINTAINER)
        .replace("{installed-size}", &fields.installed_kibibytes.to_string())
        .replace("{libraries}", fields.libraries)
}

/// What the files take when they are installed, as Debian's policy counts: every file rounded up to a kibibyte, and one for
/// each folder.
pub(super) fn installed_kibibytes(tree: &Path) -> Result<u64, String> {
    let mut sum = 0;
    for path in entries(tree)? {
        let file =
            fs::symlink_metadata(&path).map_err(|error| format!("cannot look at {}: {error}", path.display()))?;
        sum += if file.is_dir() { 1 } else { file.len().div_ceil(1024) };
    }
    Ok(sum)
}

/// The text of `DEBIAN/md5sums`: every file but those that an administrator may edit.
pub(super) fn md5sums(tree: &Path, configuration: &[&str]) -> Result<String, String> {
    let mut files = Vec::new();
    for path in entries(tree)? {
        let name = path.strip_prefix(tree).unwrap_or(&path).to_string_lossy().into_owned();
        if path.is_file() && !configuration.contains(&name.as_str()) {
            files.push(name);
        }
    }
    process::output(process::command("md5sum", &["--"]).args(files).current_dir(tree))
}

/// Everything below `tree`, sorted.
fn entries(tree: &Path) -> Result<Vec<std::path::PathBuf>, String> {
    let mut found = Vec::new();
    let mut folders = vec![tree.to_owned()];
    while let Some(folder) = folders.pop() {
        let inside = fs::read_dir(&folder).map_err(|error| format!("cannot list {}: {error}", folder.display()))?;
        for entry in inside.flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            }
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_filled_in() {
        let fields = Fields { version: "1.2.3", architecture: "arm64", installed_kibibytes: 77, libraries: "libc6" };
        let text = text(&fields);
        assert!(!text.contains(['{', '}']), "{text}");
        for line in
            ["Version: 1.2.3", "Architecture: arm64", "Installed-Size: 77", &format!("Maintainer: {MAINTAINER}")]
        {
            assert!(text.lines().any(|found| found == line), "{line} is missing in:\n{text}");
        }
        assert!(text.contains("Depends: libc6, "), "{text}");
    }

    #[test]
    fn sizes_and_sums_count_what_dpkg_counts() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("etc/x")).unwrap();
        fs::write(folder.path().join("etc/x/edited"), "a").unwrap();
        fs::write(folder.path().join("binary"), vec![0; 1025]).unwrap();
        assert_eq!(installed_kibibytes(folder.path()), Ok(2 + 1 + 2));
        let sums = md5sums(folder.path(), &["etc/x/edited"]).unwrap();
        assert_eq!(sums.lines().count(), 1);
        assert!(sums.ends_with("  binary\n"), "{sums}");
    }
}
