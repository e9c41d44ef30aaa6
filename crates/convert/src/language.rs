//! Language models: from a Hugging Face folder or a GGUF file to a bundle of kind `llm`.
//!
//! Both sources answer the same questions: what the architecture is ([`clawdbot_nn::metadata::language`]), and what row r of
//! a [`Role`](roles::Role) holds. What comes after knows neither format. One tile of eight rows is in memory at a time, so a
//! model may be larger than it.

mod balance;
mod calibrate;
pub mod error;
mod gguf;
mod huggingface;
mod report;
mod roles;
mod rounding;
#[cfg(test)]
mod tests;
mod write;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::draft::Provenance;
use crate::network::Compute;
use clawdbot_llm::watch::Reader;
use clawdbot_nn::gguf::MAGIC;
use clawdbot_nn::metadata::Origin;
use clawdbot_nn::metadata::language::{Architecture, Language, Precision};
pub use error::LanguageError;
#[cfg(test)]
use huggingface::compact as huggingface_compact;
pub use report::{LanguageReport, MatrixReport};
use roles::Weights;
use sha2::{Digest, Sha256};

/// How a model's matrices are to be packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LanguageTarget {
    /// All F16.
    F16,
    /// All INT8.
    Int8,
    /// INT4, but for the embedding and the head, which are INT8.
    Int4,
    /// The same with what suffers most in INT8 too: q, k and v; down in the first and last eighth of the layers; attention's output
    /// in the first eighth; gate and up in the first and the last layer.
    Mixed,
}

impl LanguageTarget {
    /// As the command line spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::F16 => "f16",
            Self::Int8 => "int8",
            Self::Int4 => "int4",
            Self::Mixed => "mixed",
        }
    }

    /// How the matrix called `name` of a model of so many layers is packed.
    #[must_use]
    pub fn precision(self, name: &str, layers: usize) -> Precision {
        let is_early = |layer: usize| layer < layers.div_ceil(8);
        let fragile = match Reader::of(name) {
            None | Some(Reader::Head) => true,
            Some(Reader::Qkv(_)) => self == Self::Mixed,
            // The recipe of these is llama.cpp's: it keeps them longest when it mixes precisions.
            Some(Reader::Down(layer)) => self == Self::Mixed && (is_early(layer) || layer >= layers - layers / 8),
            // Of these, the ones whose rounding costs several times as much as that of the rest (docs/reference/language.md).
            Some(Reader::Output(layer)) => self == Self::Mixed && is_early(layer),
            Some(Reader::GateUp(layer)) => self == Self::Mixed && (layer == 0 || layer + 1 == layers),
        };
        match self {
            Self::F16 => Precision::F16,
            Self::Int8 => Precision::Int8,
            Self::Int4 | Self::Mixed if fragile => Precision::Int8,
            Self::Int4 | Self::Mixed => Precision::Int4,
        }
    }
}

/// What is asked of [`LanguageDraft::convert`].
#[derive(Clone, Debug)]
pub struct LanguageRequest<'a> {
    /// How matrices are packed.
    pub target: LanguageTarget,
    /// A text like those that the model will read; not one that it is measured with afterwards.
    pub calibration: Option<&'a str>,
    /// Whether the report says what each matrix would lose in INT4 and in INT8.
    pub probe: bool,
    /// Whether to go on with what an interrupted run of the same request left beside the output. The report then lacks the matrices
    /// that it packed.
    pub resume: bool,
    /// What the model is run with, and who packs.
    pub compute: Compute,
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
    /// So many tokens of all of the calibration text were read.
    Read(u64, u64),
    /// So many tensors of all were looked at.
    Weighed(u64, u64),
    /// So many weights of all are packed.
    Packed(u64, u64),
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

/// What the packed weights depend on, beside the source and the converter's version, which the bundle names anyway.
fn fingerprint(target: LanguageTarget, calibration: Option<&str>) -> String {
    let hexadecimal = |text| Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    format!("{} {}", target.name(), calibration.map(hexadecimal).unwrap_or_default()).trim_end().to_owned()
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

    /// Packs everything into a bundle at `output`. With a calibration text, a copy of the model in F16 lies beside it meanwhile.
    ///
    /// # Errors
    /// When a weight is not finite, the source cannot be read, the bundle not written, or the model not run on the text.
    pub fn convert(
        &self,
        output: &Path,
        request: &LanguageRequest<'_>,
        progress: &mut dyn FnMut(LanguageProgress),
    ) -> Result<LanguageReport, LanguageError> {
        let &LanguageRequest { target, ref compute, .. } = request;
        let sha256 = self.weights.sha256(&mut |done, total| progress(LanguageProgress::Hashed(done, total)))?;
        let origin = Origin { source_sha256: sha256, ..self.origin.clone() };
        let mut plan = write::Plan { probe: request.probe, ..write::Plan::plain(target) };
        (plan.request, plan.resume) = (fingerprint(target, request.calibration), request.resume);
        let mut decisions = self.decisions.clone();
        if request.calibration.is_some() && target == LanguageTarget::F16 {
            decisions.push(String::from("the text was not used: F16 has nothing to choose"));
        } else if let Some(text) = request.calibration {
            let calibration = calibrate::calibrate(self, text, output, compute, progress)?;
            let told = &mut |done, total| progress(LanguageProgress::Weighed(done, total));
            plan.scales = balance::scales(self, &calibration, target, told)?;
            decisions.push(format!("{} tokens of a text say which weights matter", calibration.tokens));
            plan.calibration = Some(calibration);
        }
        let written = write::write(self, &origin, output, &plan, compute, progress)?;
        if written.found > 0 {
            let all = self.language.architecture.parameters();
            decisions.push(format!("{} of {all} weights had been packed by a run that was interrupted", written.found));
        }
        Ok(LanguageReport {
            source: origin.source_file,
            source_sha256: origin.source_sha256,
            format: self.format.to_owned(),
            precision: target.name().to_owned(),
            decisions,
            calibration_tokens: plan.calibration.map_or(0, |calibration| calibration.tokens),
            matrices: written.matrices,
            parameters: self.language.architecture.parameters(),
            file_bytes: written.file_bytes,
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
