//! The crates that the binary links: those that cargo resolves for the target, without what only builds or tests use.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::{linked, process};

/// How the names begin of files that tell of licences; cases differ.
const FILES: [&str; 6] = ["licence", "license", "copying", "unlicense", "copyright", "notice"];
/// A notice that is longer has swallowed something else.
const NOTICE_LETTERS_MAX: usize = 200;

/// A crate that is linked, and what it says of its licence.
#[derive(Debug, Default)]
pub(super) struct Crate {
    pub(super) name: String,
    pub(super) version: String,
    /// The SPDX expression of its manifest.
    pub(super) licence: String,
    pub(super) authors: Vec<String>,
    /// The texts of its licence files, in the order of their names.
    pub(super) files: Vec<String>,
}

impl Crate {
    /// Who holds the copyright: the notices of its files, else the authors of its manifest, else nobody by name.
    pub(super) fn notices(&self) -> Vec<String> {
        let mut notices: Vec<String> = Vec::new();
        for line in self.files.iter().flat_map(|file| file.lines()) {
            if let Some(notice) = notice(line)
                && !notices.contains(&notice)
            {
                notices.push(notice);
            }
        }
        if notices.is_empty() {
            notices.extend(self.authors.iter().map(|author| author.trim().to_owned()));
        }
        if notices.is_empty() {
            notices.push(format!("the authors of {}, whom it does not name", self.name));
        }
        notices
    }
}

/// Every crate of the binary for `triple` that comes from a registry, by name.
pub(super) fn linked(triple: &str) -> Result<Vec<Crate>, String> {
    let linked: BTreeSet<(String, String)> =
        linked::of(triple)?.into_iter().map(|found| (found.name, found.version)).collect();
    let arguments = ["metadata", "--locked", "--format-version", "1", "--filter-platform", triple];
    let metadata: Value = serde_json::from_str(&process::output(&mut process::cargo(&arguments))?)
        .map_err(|error| format!("`cargo metadata` printed no JSON: {error}"))?;
    let packages = metadata.get("packages").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    // What has no source is our own; `deploy/debian/copyright` tells of it.
    let foreign = packages.iter().filter(|package| !package["source"].is_null());
    let mut crates = Vec::new();
    for package in foreign.filter(|package| linked.contains(&(text(package, "name"), text(package, "version")))) {
        crates.push(described(package)?);
    }
    crates.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    Ok(crates)
}

fn described(package: &Value) -> Result<Crate, String> {
    let name = text(package, "name");
    let manifest = PathBuf::from(text(package, "manifest_path"));
    let folder = manifest.parent().unwrap_or(&manifest);
    let licence = text(package, "license");
    if licence.is_empty() {
        return Err(format!("{name} names no licence in its manifest: read its files and decide"));
    }
    let authors = package["authors"].as_array().map_or(&[][..], Vec::as_slice);
    let authors = authors.iter().filter_map(|author| author.as_str().map(str::to_owned)).collect();
    Ok(Crate { files: licence_files(folder)?, version: text(package, "version"), name, licence, authors })
}

fn text(package: &Value, member: &str) -> String {
    package[member].as_str().unwrap_or_default().to_owned()
}

fn licence_files(folder: &Path) -> Result<Vec<String>, String> {
    let entries = std::fs::read_dir(folder).map_err(|error| format!("cannot list {}: {error}", folder.display()))?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(|path| is_licence(path)).collect();
    paths.sort();
    let texts = paths.iter().map(|path| {
        let bytes = std::fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    });
    texts.collect()
}

fn is_licence(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    path.is_file() && FILES.iter().any(|begin| name.starts_with(begin))
}

/// The holder and the years of a line such as `Copyright (c) 2016 Somebody`; `None` for other lines and for forms that
/// nobody filled in.
fn notice(line: &str) -> Option<String> {
    let line = line.trim_start_matches(|letter: char| !letter.is_alphanumeric()).trim_end();
    let begins = line.get(..9).is_some_and(|begin| begin.eq_ignore_ascii_case("copyright"));
    let rest = line.get(9..).filter(|_| begins)?;
    let is_notice = rest.contains("(c)") || rest.contains("(C)") || rest.contains('©') || rest.starts_with(" The ");
    let has_year = rest.trim_start().starts_with(|letter: char| letter.is_ascii_digit());
    let is_form = rest.contains(['[', '{', '<']) && !rest.contains('@') || rest.contains("yyyy");
    let marks = [' ', ':', ',', '©'];
    let holder = rest.replace("(c)", "").replace("(C)", "").trim_matches(marks).to_owned();
    let is_whole = !holder.is_empty() && holder.chars().count() <= NOTICE_LETTERS_MAX;
    ((is_notice || has_year) && !is_form && is_whole).then_some(holder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices_are_told_from_other_lines() {
        assert_eq!(notice("Copyright (c) 2016 Alex Crichton"), Some("2016 Alex Crichton".to_owned()));
        assert_eq!(
            notice("// copyright © 2019-2022, The X Developers."),
            Some("2019-2022, The X Developers.".to_owned())
        );
        assert_eq!(notice("   Copyright The Rust Authors"), Some("The Rust Authors".to_owned()));
        assert_eq!(notice("   Copyright [yyyy] [name of copyright owner]"), None);
        assert_eq!(notice("copyright notice and this permission notice shall be"), None);
        assert_eq!(notice("2. Grant of Copyright License. Subject to"), None);
    }

    #[test]
    fn holders_are_looked_for_in_three_places() {
        let mut found = Crate { name: "x".to_owned(), ..Crate::default() };
        assert_eq!(found.notices(), ["the authors of x, whom it does not name"]);
        found.authors.push("Ada <ada@example.org>".to_owned());
        assert_eq!(found.notices(), ["Ada <ada@example.org>"]);
        found.files = vec!["Copyright 2020 Bo\nCopyright 2020 Bo\n".to_owned(), "Copyright 2021 Cy".to_owned()];
        assert_eq!(found.notices(), ["2020 Bo", "2021 Cy"]);
    }
}
