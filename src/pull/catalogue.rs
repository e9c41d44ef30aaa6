//! What can be pulled: one list compiled in, and a user's own file of the same form. `docs/reference/pull.md` describes it.

use std::path::{Path, PathBuf};

use clawdbot_nn::bundle::SUFFIX;
use serde::{Deserialize, Serialize};

use super::sha256::Sha256;

/// The list that comes with the program.
const BUILT_IN: &str = include_str!("catalogue.toml");
/// The largest list that is read.
const CATALOGUE_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// The most files of one model.
const FILES_MAX: usize = 64;
/// The largest file, for those whose size nobody says.
pub(super) const FILE_BYTES_MAX: u64 = 64 << 30;
/// Ends of the names of files that are one model each.
pub(super) const ENDS: [&str; 4] = [SUFFIX, ".gguf", ".onnx", ".tflite"];
/// Licences that ask for no more than their text: SPDX identifiers.
const FREE_LICENCES: [&str; 10] =
    ["0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC-BY-4.0", "CC0-1.0", "ISC", "MIT", "Unlicense", "Zlib"];

/// Why there is no such list, or no such model in it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CatalogueError {
    /// The file cannot be read.
    #[error("the catalogue {path} can't be read ({reason}); check the path")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: std::io::Error,
    },
    /// It is none.
    #[error("{path} is no catalogue: {reason}; docs/reference/pull.md shows one")]
    Malformed {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// No model of that name.
    #[error("the catalogue has no `{name}`; it has {known}")]
    Unknown {
        /// As asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// Nobody has agreed to the licence yet.
    #[error(
        "{name} is under the licence {licence} ({licence_url}), which asks for more than the usual free ones: read it, and if you agree to it, add --accept-licence {licence}"
    )]
    Licence {
        /// The model.
        name: String,
        /// Its licence.
        licence: String,
        /// Where it can be read.
        licence_url: String,
    },
    /// The address alone does not make a model.
    #[error("{0}")]
    Address(String),
}

/// What the files become.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Becomes {
    /// They are a bundle: one file.
    Bundle,
    /// A language model for `clawdbot convert`: a GGUF file, or a folder as Hugging Face's.
    LanguageModel,
    /// A network over pictures for `clawdbot convert`.
    Network,
}

/// A file of a model.
#[derive(Clone, Debug)]
pub(crate) struct File {
    /// Its name.
    pub(crate) name: String,
    /// Where it is to be had.
    pub(crate) url: String,
    /// Its size; without it, the server is believed up to a bound.
    pub(crate) bytes: Option<u64>,
    /// Its sum.
    pub(crate) sha256: Sha256,
}

/// A model.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Its name, which its file here gets too.
    pub(crate) name: String,
    /// What it is, in a sentence.
    pub(crate) about: String,
    /// SPDX identifier of its licence, or one of the form `LicenseRef-…`.
    pub(crate) licence: String,
    /// Where the licence can be read.
    pub(crate) licence_url: String,
    /// What it becomes.
    pub(crate) becomes: Becomes,
    /// What `clawdbot convert` should be told besides.
    pub(crate) convert: Vec<String>,
    /// Its files.
    pub(crate) files: Vec<File>,
}

impl Entry {
    /// Whether it is a folder of files.
    pub(crate) fn is_folder(&self) -> bool {
        self.files.len() > 1
    }

    /// What it is called on the disk.
    pub(crate) fn disk_name(&self) -> String {
        let end = self.files.first().filter(|_| !self.is_folder()).and_then(|file| end_of(&file.name));
        format!("{}{}", self.name, end.unwrap_or_default())
    }

    /// Where `file` lies, if the model lies at `target`.
    pub(super) fn path_of(&self, file: &File, target: &Path) -> PathBuf {
        if self.is_folder() { target.join(&file.name) } else { target.to_owned() }
    }

    /// Its size; `None` if it is not known.
    pub(crate) fn bytes(&self) -> Option<u64> {
        self.files.iter().map(|file| file.bytes).try_fold(0_u64, |sum, bytes| sum.checked_add(bytes?))
    }

    /// Refuses a licence that nobody has agreed to.
    ///
    /// # Errors
    /// Names the licence and where to read it.
    pub(crate) fn check_licence(&self, accepted: Option<&str>) -> Result<(), CatalogueError> {
        if FREE_LICENCES.contains(&self.licence.as_str()) || accepted == Some(self.licence.as_str()) {
            return Ok(());
        }
        let (name, licence) = (self.name.clone(), self.licence.clone());
        Err(CatalogueError::Licence { name, licence, licence_url: self.licence_url.clone() })
    }

    /// A model of one file that no catalogue names.
    ///
    /// # Errors
    /// When the address says no file that is a model.
    pub(crate) fn of_address(url: &str, sha256: Sha256) -> Result<Self, CatalogueError> {
        let path = url.split(['?', '#']).next().unwrap_or(url);
        let file = path.rsplit('/').next().unwrap_or_default().to_owned();
        let end = end_of(&file).ok_or_else(|| CatalogueError::Address(no_model(&file)))?;
        let name = file.strip_suffix(end).unwrap_or(&file).to_ascii_lowercase();
        let becomes = match end {
            SUFFIX => Becomes::Bundle,
            ".gguf" => Becomes::LanguageModel,
            _ => Becomes::Network,
        };
        let entry = Self {
            name,
            about: String::from("named on the command line"),
            licence: String::from("unknown"),
            licence_url: String::from("ask whoever made it"),
            becomes,
            convert: Vec::new(),
            files: vec![File { name: file, url: url.to_owned(), bytes: None, sha256 }],
        };
        entry.check().map_err(CatalogueError::Address)?;
        Ok(entry)
    }

    /// Whether it can be what it says.
    fn check(&self) -> Result<(), String> {
        let wrong = |reason: String| Err(format!("model `{}`: {reason}", self.name));
        if !is_name(&self.name) || self.name.len() > 64 {
            return wrong("its name must be of small letters, digits, `.`, `_` and `-`, and begin with no dot".into());
        }
        if self.files.is_empty() || self.files.len() > FILES_MAX {
            return wrong(format!("it has {} files, but must have 1 to {FILES_MAX}", self.files.len()));
        }
        for (at, file) in self.files.iter().enumerate() {
            if !file.name.bytes().all(is_letter) || file.name.starts_with('.') || file.name.is_empty() {
                let rule = "must be of letters, digits, `.`, `_` and `-`, and begin with no dot";
                return wrong(format!("the file name `{}` {rule}", file.name));
            }
            if self.files[..at].iter().any(|other| other.name == file.name) {
                return wrong(format!("it has two files called `{}`", file.name));
            }
            if !["https://", "http://"].iter().any(|scheme| file.url.starts_with(scheme)) {
                return wrong(format!("`{}` is no address that begins with https:// or http://", file.url));
            }
            if file.bytes.is_some_and(|bytes| bytes == 0 || bytes > FILE_BYTES_MAX) {
                return wrong(format!("`{}` must have 1 to {FILE_BYTES_MAX} bytes", file.name));
            }
        }
        let first = &self.files[0].name;
        match (self.becomes, self.is_folder()) {
            (Becomes::Bundle, false) if first.ends_with(SUFFIX) => Ok(()),
            (Becomes::Bundle, _) => wrong(format!("a bundle is one file that ends in {SUFFIX}")),
            (_, false) if end_of(first).is_none_or(|end| end == SUFFIX) => wrong(no_model(first)),
            _ => Ok(()),
        }
    }
}

fn no_model(file: &str) -> String {
    format!("`{file}` is no model's file name; these end in {}", ENDS.join(", "))
}

/// How the name of a model's file ends.
fn end_of(file: &str) -> Option<&'static str> {
    ENDS.into_iter().find(|end| file.len() > end.len() && file.ends_with(end))
}

fn is_letter(letter: u8) -> bool {
    letter.is_ascii_alphanumeric() || b"._-".contains(&letter)
}

/// Whether `text` can be a model's name.
pub(crate) fn is_name(text: &str) -> bool {
    let first = text.bytes().next();
    first.is_some_and(|first| first != b'.' && first != b'-')
        && text.bytes().all(|letter| is_letter(letter) && !letter.is_ascii_uppercase())
}

/// A list of models.
#[derive(Debug)]
pub(crate) struct Catalogue {
    /// In the order of the file.
    pub(crate) entries: Vec<Entry>,
}

impl Catalogue {
    /// The list that comes with the program.
    ///
    /// # Errors
    /// Never, as a test shows.
    pub(crate) fn built_in() -> Result<Self, CatalogueError> {
        parse(BUILT_IN).map_err(|reason| CatalogueError::Malformed { path: "the built-in catalogue".into(), reason })
    }

    /// The list in the file at `path`.
    ///
    /// # Errors
    /// When it cannot be read, or is none.
    pub(crate) fn read(path: &Path) -> Result<Self, CatalogueError> {
        let unreadable = |reason| CatalogueError::Unreadable { path: path.to_owned(), reason };
        let bytes = std::fs::metadata(path).map_err(unreadable)?.len();
        let malformed = |reason| CatalogueError::Malformed { path: path.to_owned(), reason };
        if bytes > CATALOGUE_BYTES_MAX {
            return Err(malformed(format!("it has {bytes} bytes, {CATALOGUE_BYTES_MAX} at most are read")));
        }
        parse(&std::fs::read_to_string(path).map_err(unreadable)?).map_err(malformed)
    }

    /// The model called `name`.
    ///
    /// # Errors
    /// Names those that there are.
    pub(crate) fn entry(&self, name: &str) -> Result<&Entry, CatalogueError> {
        self.entries.iter().find(|entry| entry.name == name).ok_or_else(|| {
            let known = self.entries.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>().join(", ");
            CatalogueError::Unknown { name: name.to_owned(), known }
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCatalogue {
    #[serde(default)]
    model: Vec<RawEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEntry {
    name: String,
    about: String,
    licence: String,
    licence_url: String,
    becomes: Becomes,
    #[serde(default)]
    convert: Vec<String>,
    file: Vec<RawFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    url: String,
    bytes: u64,
    sha256: String,
    name: Option<String>,
}

fn parse(text: &str) -> Result<Catalogue, String> {
    let raw: RawCatalogue = toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
    let entries = raw.model.into_iter().map(checked).collect::<Result<Vec<Entry>, String>>()?;
    let twice =
        entries.iter().enumerate().find(|(at, entry)| entries[..*at].iter().any(|other| other.name == entry.name));
    match twice {
        Some((_, entry)) => Err(format!("two models are called `{}`", entry.name)),
        None => Ok(Catalogue { entries }),
    }
}

fn checked(raw: RawEntry) -> Result<Entry, String> {
    let file = |file: RawFile| -> Result<File, String> {
        let sha256 = file.sha256.parse().map_err(|error| format!("model `{}`: {error}", raw.name))?;
        let last = || file.url.rsplit('/').next().unwrap_or_default().to_owned();
        Ok(File { name: file.name.clone().unwrap_or_else(last), bytes: Some(file.bytes), sha256, url: file.url })
    };
    let files = raw.file.into_iter().map(file).collect::<Result<_, _>>()?;
    let entry = Entry {
        name: raw.name,
        about: raw.about,
        licence: raw.licence,
        licence_url: raw.licence_url,
        becomes: raw.becomes,
        convert: raw.convert,
        files,
    };
    entry.check()?;
    Ok(entry)
}

#[cfg(test)]
mod tests;
