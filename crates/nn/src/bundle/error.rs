//! Why a bundle cannot be opened or written.

use std::io;

use super::format::Kind;
use crate::metadata::language::InvalidLanguage;
use crate::program::verify::InvalidProgram;

/// A bundle that cannot be used: which one, and why.
#[derive(Debug, thiserror::Error)]
#[error("the model bundle `{name}` cannot be used: {fault}")]
pub struct BundleError {
    name: String,
    fault: Fault,
}

impl BundleError {
    pub(super) const fn new(name: String, fault: Fault) -> Self {
        Self { name, fault }
    }

    /// What is wrong.
    #[must_use]
    pub const fn fault(&self) -> &Fault {
        &self.fault
    }
}

/// What is wrong with a bundle, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The operating system refuses.
    #[error("{0}; check the path and its permissions")]
    Open(io::Error),
    /// The operating system refuses.
    #[error("it cannot be written: {0}; check the folder, its permissions and the free space")]
    Write(io::Error),
    /// The path names another file than the one that was opened.
    #[error("it was replaced or changed while it was being opened; try again")]
    Replaced,
    /// Fewer bytes than the header promises.
    #[error("it ends after {found} bytes, but its {part} needs {needed}; the copy is incomplete, fetch it again")]
    Truncated {
        /// What does not fit.
        part: &'static str,
        /// Length of the file.
        found: usize,
        /// Length that it should have at least.
        needed: u64,
    },
    /// More than we take.
    #[error("its {what} of {found} exceeds the limit of {max}; this is no bundle of ours")]
    TooLarge {
        /// Of what.
        what: &'static str,
        /// As given.
        found: u64,
        /// The limit.
        max: u64,
    },
    /// No safetensors file at all.
    #[error(
        "its header is not the JSON of a safetensors file ({0}); name a .claw.safetensors file made by `clawdbot convert`"
    )]
    NotSafetensors(String),
    /// A safetensors file of somebody else.
    #[error("it has no `{0}` in its metadata; make a bundle of the model with `clawdbot convert`")]
    NoMetadata(&'static str),
    /// Made for another build.
    #[error("it has format version `{0}`, this build reads 2; convert the model again, or update clawdbot")]
    Version(String),
    /// Bits of the header changed.
    #[error("its header is damaged (checksum {found}, computed {computed:08x}); fetch or convert it again")]
    HeaderDamaged {
        /// As stored.
        found: String,
        /// As it should be.
        computed: u32,
    },
    /// Bits of a tensor changed.
    #[error(
        "tensor `{tensor}` is damaged (checksum {found}, computed {computed:08x}); fetch or convert the bundle again"
    )]
    TensorDamaged {
        /// Which one.
        tensor: String,
        /// As stored, or `none`.
        found: String,
        /// As it should be.
        computed: u32,
    },
    /// A line of the table of tensors that makes no sense.
    #[error("tensor `{tensor}`: {reason}; convert the model again")]
    Tensor {
        /// Which one.
        tensor: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A part of the metadata that is not what it should be.
    #[error("`{key}` in its metadata is bad: {reason}; convert the model again")]
    Metadata {
        /// Which part.
        key: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A kind of model that this build does not run.
    #[error("it is a `{0}`, which this build does not run; it runs detector, classifier, raw and llm")]
    Kind(String),
    /// A kind of model that does something else than what it is wanted for.
    #[error("it is a `{found}`, but {wanted} is needed here; `clawdbot inspect` shows what a bundle is")]
    OtherKind {
        /// What it is.
        found: Kind,
        /// What it should be.
        wanted: &'static str,
    },
    /// A language model that must not run.
    #[error("what it says of its language model makes no sense: {0}; convert the model again")]
    Language(#[from] InvalidLanguage),
    /// A program that must not run.
    #[error("{0}; convert the model again")]
    Program(#[from] InvalidProgram),
}
