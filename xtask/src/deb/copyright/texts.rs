//! Licence texts: which a file is, and which crates share one.

use std::collections::BTreeMap;

use super::crates::Crate;

/// What Debian keeps in one place for everybody.
const SHARED: [&str; 3] = ["Apache-2.0", "CC0-1.0", "MPL-2.0"];
/// A licence, the words that its text begins with, and a phrase that must follow.
const MARKS: &[(&str, &str, &str)] = &[
    ("MIT", "Permission is hereby granted, free of charge", "The above copyright notice and this permission notice"),
    ("BSD-3-Clause", "Redistribution and use in source", "Neither the name"),
    ("BSD-2-Clause", "Redistribution and use in source", "disclaimer"),
    ("ISC", "Permission to use, copy, modify", "provided that the above copyright notice"),
    ("0BSD", "Permission to use, copy, modify", "THE SOFTWARE IS PROVIDED"),
    ("Zlib", "This software is provided", "Altered source versions must be plainly marked"),
    ("BSL-1.0", "Boost Software License", "accompanying documentation"),
    ("Unicode-3.0", "UNICODE LICENSE V3", "Data Files"),
    ("Unlicense", "This is free and unencumbered software", "public domain"),
    ("Apache-2.0 WITH LLVM-exception", "LLVM Exceptions to the Apache 2.0 License", "embedded into an Object form"),
];

/// DEP-5's name of a licence.
pub(super) fn debian_name(spdx: &str) -> String {
    match spdx {
        "MIT" => "Expat".to_owned(),
        "BSD-3-Clause" => "BSD-3-clause".to_owned(),
        "BSD-2-Clause" => "BSD-2-clause".to_owned(),
        other => match other.split_once(" WITH ") {
            Some((licence, exception)) => format!("{licence} with {exception} exception"),
            None => other.to_owned(),
        },
    }
}

/// One wording of a licence.
struct Wording {
    /// Letters and digits alone: what makes two wordings the same.
    essence: String,
    text: String,
    /// Crates that ship it.
    crates: Vec<String>,
}

/// Every wording that the crates ship, by licence.
#[derive(Default)]
pub(super) struct Texts(BTreeMap<String, Vec<Wording>>);

impl Texts {
    /// Looks for the text of `licence` among the files of a crate.
    pub(super) fn learn(&mut self, licence: &str, found: &Crate) {
        let Some(text) = found.files.iter().find_map(|file| body(licence, file)) else { return };
        let essence: String = text.chars().filter(|letter| letter.is_alphanumeric()).collect();
        let essence = essence.to_lowercase();
        let wordings = self.0.entry(licence.to_owned()).or_default();
        match wordings.iter_mut().find(|wording| wording.essence == essence) {
            Some(wording) => wording.crates.push(found.name.clone()),
            None => wordings.push(Wording { essence, text, crates: vec![found.name.clone()] }),
        }
    }

    /// What the licence of a crate is called: DEP-5's name for the wording that most crates have, and for another one that
    /// name with the crate's behind it.
    pub(super) fn short_name(&self, licence: &str, found: &Crate) -> String {
        let name = debian_name(licence);
        if SHARED.contains(&licence) {
            return name;
        }
        let wordings = self.0.get(licence).map_or(&[][..], Vec::as_slice);
        match wordings.iter().find(|wording| wording.crates.contains(&found.name)) {
            Some(wording) if !std::ptr::eq(wording, usual(wordings)) => format!("{name}~{}", wording.crates[0]),
            _ => name,
        }
    }

    /// The text behind a name that [`Self::short_name`] gave.
    ///
    /// # Errors
    /// When no crate ships it and Debian has no copy.
    pub(super) fn text(&self, name: &str, licence: &str) -> Result<String, String> {
        if SHARED.contains(&licence) {
            return Ok(on_debian(licence));
        }
        let wordings = self.0.get(licence).map_or(&[][..], Vec::as_slice);
        if wordings.is_empty() {
            return Err(format!(
                "no crate ships the text of {licence}; add how it begins to MARKS in xtask/src/deb/copyright/texts.rs"
            ));
        }
        let of_crate = name.split_once('~').map(|(_, name)| name);
        let named = of_crate.and_then(|name| wordings.iter().find(|wording| wording.crates[0] == name));
        let text = &named.unwrap_or_else(|| usual(wordings)).text;
        match licence.split_once(" WITH ") {
            Some((shared, _)) => Ok(format!("{}\n\n{text}", on_debian(shared))),
            None => Ok(text.clone()),
        }
    }
}

/// The wording that most crates ship; of two, the first.
fn usual(wordings: &[Wording]) -> &Wording {
    let most = wordings.iter().map(|wording| wording.crates.len()).max().unwrap_or_default();
    let found = wordings.iter().find(|wording| wording.crates.len() == most);
    found.unwrap_or(&wordings[0])
}

fn on_debian(licence: &str) -> String {
    format!("On Debian systems the whole text is in /usr/share/common-licenses/{licence}.")
}

/// The text of `licence` in a file, from its first words on, without the copyright notices above it.
fn body(licence: &str, file: &str) -> Option<String> {
    let (_, begin, phrase) = MARKS.iter().find(|(name, ..)| *name == licence)?;
    let start = file.find(begin)?;
    let text = &file[start..];
    let in_one_line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    in_one_line.to_lowercase().contains(&phrase.to_lowercase()).then(|| without_apache(text.trim()))
}

/// Some files hold several licences. The longest is on every Debian, so its text is left out for a line that says where.
fn without_apache(text: &str) -> String {
    let mut kept = Vec::new();
    let mut is_inside = false;
    for line in text.lines() {
        if line.trim() == "Apache License" {
            is_inside = true;
            kept.push(on_debian("Apache-2.0"));
        }
        if !is_inside {
            kept.push(line.to_owned());
        }
        // The last line of the notice in its appendix.
        is_inside &= !line.trim().ends_with("limitations under the License.");
    }
    kept.join("\n")
}

#[cfg(test)]
mod tests;
