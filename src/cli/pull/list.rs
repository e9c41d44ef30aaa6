//! The catalogue, as a table.

use std::path::Path;

use serde_json::{Value, json};

use super::super::{Failure, print};
use crate::pull::catalogue::{Catalogue, Entry};
use crate::pull::place::target_in;

/// Whether a model is here, by its size alone: hashing all of them would take minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Here {
    Not,
    Yes,
    /// Another one, or a part of it.
    Otherwise,
    /// Who asks may not look.
    Unknown,
}

impl Here {
    fn of(entry: &Entry, folder: &Path) -> Self {
        let target = target_in(folder, entry);
        match target.try_exists() {
            Ok(true) => {}
            Ok(false) => return Self::Not,
            Err(_) => return Self::Unknown,
        }
        let same = entry.files.iter().all(|file| {
            let path = if entry.is_folder() { target.join(&file.name) } else { target.clone() };
            std::fs::metadata(path).is_ok_and(|metadata| file.bytes.is_none_or(|bytes| bytes == metadata.len()))
        });
        if same { Self::Yes } else { Self::Otherwise }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Not => "-",
            Self::Yes => "here",
            Self::Otherwise => "another version is here",
            Self::Unknown => "? (ask as root)",
        }
    }
}

/// Prints it.
pub(super) fn list(catalogue: &Catalogue, folder: &Path, as_json: bool) -> Result<(), Failure> {
    if as_json {
        let models = catalogue.entries.iter().map(|entry| report(entry, folder)).collect::<Vec<_>>();
        return print(&json!({ "folder": folder, "models": models }).to_string());
    }
    let width = |of: fn(&Entry) -> usize| catalogue.entries.iter().map(of).max().unwrap_or(0);
    let (name, licence) = (width(|entry| entry.name.len()).max(4), width(|entry| entry.licence.len()).max(7));
    print(&format!("{:name$}  {:>8}  {:licence$}  in {}", "name", "MiB", "licence", folder.display()))?;
    for entry in &catalogue.entries {
        let size = entry.bytes().map_or_else(|| "?".to_owned(), |bytes| bytes.div_ceil(1 << 20).to_string());
        let here = Here::of(entry, folder).name();
        print(&format!("{:name$}  {size:>8}  {:licence$}  {here}", entry.name, entry.licence))?;
        print(&format!("{:name$}  {}", "", entry.about))?;
    }
    print("`clawdbot pull NAME` brings one here; docs/reference/pull.md says how to have a catalogue of your own")
}

fn report(entry: &Entry, folder: &Path) -> Value {
    let file = |file: &crate::pull::catalogue::File| json!({ "name": file.name, "url": file.url, "bytes": file.bytes, "sha256": file.sha256.to_string() });
    json!({
        "name": entry.name,
        "about": entry.about,
        "licence": entry.licence,
        "licence_url": entry.licence_url,
        "becomes": entry.becomes,
        "bytes": entry.bytes(),
        "files": entry.files.iter().map(file).collect::<Vec<_>>(),
        "path": target_in(folder, entry),
        "here": match Here::of(entry, folder) {
            Here::Yes => Some(true),
            Here::Not | Here::Otherwise => Some(false),
            Here::Unknown => None,
        },
    })
}
