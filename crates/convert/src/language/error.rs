//! Why a language model cannot be converted.

use std::io;

use clawdbot_nn::bundle::BundleError;
use clawdbot_nn::gguf::GgufError;
use clawdbot_nn::metadata::language::InvalidLanguage;

/// Why a language model cannot be converted: what, why, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum LanguageError {
    /// The operating system refuses.
    #[error("`{file}` cannot be read: {error}; check the path, and that the download is complete")]
    Read {
        /// Which.
        file: String,
        /// Why.
        error: io::Error,
    },
    /// A file that is not what its name says.
    #[error("`{file}` makes no sense: {reason}; fetch it again")]
    File {
        /// Which.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An architecture that we do not run.
    #[error("the architecture `{found}` is not supported; supported: {supported}")]
    Architecture {
        /// As the file calls it.
        found: String,
        /// Those that are.
        supported: String,
    },
    /// A field of the model's description that is missing, makes no sense, or asks for what we do not do.
    #[error("`{field}` of the model's {what}: {reason}")]
    Field {
        /// `config.json`, or the GGUF file's keys.
        what: &'static str,
        /// Which.
        field: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A tensor that is missing, too many, or of another size.
    #[error("tensor `{tensor}`: {reason}")]
    Tensor {
        /// Which.
        tensor: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A calibration text that is no good, or a model that cannot be run on it.
    #[error("the model cannot be run on the calibration text: {0}")]
    Calibration(String),
    /// A GGUF file.
    #[error(transparent)]
    Gguf(#[from] GgufError),
    /// The bundle cannot be written.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// A model that our layouts or limits cannot hold.
    #[error("the model cannot be run here: {0}")]
    Invalid(#[from] InvalidLanguage),
}

impl LanguageError {
    pub(super) fn tensor(tensor: &str, reason: impl Into<String>) -> Self {
        Self::Tensor { tensor: tensor.to_owned(), reason: reason.into() }
    }
}
