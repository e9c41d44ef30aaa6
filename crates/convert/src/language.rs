//! Language models: from a Hugging Face folder or a GGUF file to a bundle of kind `llm`.
//!
//! Both sources answer the same questions: what the architecture is ([`clawdbot_nn::metadata::language`]), and what row r of
//! a [`Role`](roles::Role) holds. What comes after knows neither format. One tile of eight rows is in memory at a time, so a
//! model may be larger than it.

pub mod error;
mod gguf;
mod huggingface;
mod roles;
#[cfg(test)]
mod tests;
mod write;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use clawdbot_nn::gguf::MAGIC;
use clawdbot_nn::metadata::Origin;
use clawdbot_nn::metadata::language::{Architecture, Language, Precision};
use serde::Serialize;

use crate::draft::Provenance;
pub use error::LanguageError;
#[cfg(test)]
use huggingface::compact as huggingface_compact;
use roles::Weights;

/// How a model's matrices are to be packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LanguageTarget {
    /// All F16.
    F16,
    /// All INT8.
    Int8,
    /// INT4, but for the embedding and the head, which are INT8.
    Int4,
}

impl LanguageTarget {
    /// As the command line spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::F16 => "f16",
            Self::Int8 => "int8",
            Self::Int4 => "int4",
        }
    }

    /// How the matrix called `name` is packed.
    #[must_use]
    pub fn precision(self, name: &str) -> Precision {
        match self {
            Self::F16 => Precision::F16,
            Self::Int4 if name != "embedding" && name != "head" => Precision::Int4,
            Self::Int4 | Self::Int8 => Precision::Int8,
        }
    }
}

/// A model that was read and understood, not yet packed.
pub struct LanguageDraft {
    format: &'static str,
    language: Language,
    tokenizer: Option<String>,
    /// Without the checksum, which [`LanguageDraft::convert`] computes.
    origin: Origin,
    decisions: Vec<String>,
    weights: Box<dyn Weights>,
    /// Of the source; [`Architecture::feed_forward`] is filled up.
    feed_forward: usize,
}

/// What goes on, for a progress bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LanguageProgress {
    /// So many bytes of all went into the source's checksum.
    Hashed(u64, u64),
    /// So many weights of all are packed.
    Packed(u64, u64),
}

/// What was done.
#[derive(Clone, Debug, Serialize)]
pub struct LanguageReport {
    /// The source file's or folder's name.
    pub source: String,
    /// Its SHA-256; of several files, that of the lines which `sha256sum` prints for them.
    pub source_sha256: String,
    /// Its format.
    pub format: String,
    /// What was asked: `f16`, `int8`, `int4`.
    pub precision: String,
    /// One sentence each.
    pub decisions: Vec<String>,
    /// Weights of all matrices and norms.
    pub parameters: u64,
    /// Size of the bundle.
    pub file_bytes: u64,
}

/// Whether `path` is a language model that [`LanguageDraft::open`] takes: a folder with a `config.json`, or a GGUF file.
#[must_use]
pub fn recognises(path: &Path) -> bool {
    if path.is_dir() {
        return path.join("config.json").is_file();
    }
    let mut magic = [0; 4];
    File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok() && magic == MAGIC
}

impl LanguageDraft {
    /// Reads what the model says of itself, and sees that all its tensors are there and none is left over.
    ///
    /// # Errors
    /// When a file is missing, damaged or not supported; the message names the file, and the field or tensor.
    pub fn open(path: &Path, provenance: &Provenance) -> Result<Self, LanguageError> {
        let mut draft = if path.is_dir() { huggingface::open(path)? } else { gguf::open(path)? };
        draft.origin.source_file.clone_from(&provenance.file_name);
        let stem = provenance.file_name.strip_suffix(".gguf").unwrap_or(&provenance.file_name);
        draft.origin.name = provenance.name.clone().unwrap_or_else(|| stem.to_owned());
        if let Some(licence) = &provenance.licence {
            draft.origin.licence.clone_from(licence);
        }
        draft.language.check()?;
        Ok(draft)
    }

    /// What it is.
    #[must_use]
    pub const fn language(&self) -> &Language {
        &self.language
    }

    /// Its `tokenizer.json`.
    #[must_use]
    pub fn tokenizer(&self) -> Option<&str> {
        self.tokenizer.as_deref()
    }

    /// Whence it comes.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// What was decided, a sentence each.
    #[must_use]
    pub fn decisions(&self) -> &[String] {
        &self.decisions
    }

    /// Packs everything into a bundle at `output`.
    ///
    /// # Errors
    /// When a weight is not finite, or the source cannot be read or the bundle not written.
    pub fn convert(
        &self,
        output: &Path,
        target: LanguageTarget,
        progress: &mut dyn FnMut(LanguageProgress),
    ) -> Result<LanguageReport, LanguageError> {
        let sha256 = self.weights.sha256(&mut |done, total| progress(LanguageProgress::Hashed(done, total)))?;
        let origin = Origin { source_sha256: sha256, ..self.origin.clone() };
        let file_bytes = write::write(self, &origin, output, target, progress)?;
        Ok(LanguageReport {
            source: origin.source_file,
            source_sha256: origin.source_sha256,
            format: self.format.to_owned(),
            precision: target.name().to_owned(),
            decisions: self.decisions.clone(),
            parameters: self.language.architecture.parameters(),
            file_bytes,
        })
    }
}

/// What a source found out before it was compared with the weights.
struct Described {
    architecture: Architecture,
    /// Before it is filled up to a multiple of 32.
    feed_forward: usize,
    decisions: Vec<String>,
}

impl Described {
    /// Fills up the feed-forward part's size, the only one where zeros change no result.
    fn fill_up(&mut self) {
        let filled = self.feed_forward.saturating_add(31) / 32 * 32;
        if filled != self.feed_forward {
            let from = self.feed_forward;
            self.decisions.push(format!("the feed-forward part's {from} values are filled up with zeros to {filled}"));
        }
        self.architecture.feed_forward = filled;
    }
}

/// An SPDX expression for how model hubs spell a licence; a name that is not one of SPDX becomes a `LicenseRef-`.
fn spdx(name: &str) -> String {
    match name {
        "apache-2.0" => String::from("Apache-2.0"),
        "mit" => String::from("MIT"),
        "" | "other" | "unknown" => String::from("unknown"),
        "cc-by-4.0" | "cc-by-sa-4.0" | "cc-by-nc-4.0" | "cc0-1.0" => name.to_uppercase(),
        other => format!("LicenseRef-{other}"),
    }
}
