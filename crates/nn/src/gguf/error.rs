//! Why a GGUF file cannot be used.

use std::io;

/// A file that cannot be used: which one, and why.
#[derive(Debug, thiserror::Error)]
#[error("the GGUF file `{name}` cannot be used: {fault}")]
pub struct GgufError {
    name: String,
    fault: GgufFault,
}

impl GgufError {
    pub(super) const fn new(name: String, fault: GgufFault) -> Self {
        Self { name, fault }
    }

    /// What is wrong.
    #[must_use]
    pub const fn fault(&self) -> &GgufFault {
        &self.fault
    }
}

/// What is wrong with a GGUF file, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum GgufFault {
    /// The operating system refuses.
    #[error("{0}; check the path and its permissions")]
    Open(io::Error),
    /// The path names another file than the one that was opened.
    #[error("it was replaced or changed while it was being opened; try again")]
    Replaced,
    /// No GGUF file at all.
    #[error("it does not begin with `GGUF`; name a file in that format")]
    Magic,
    /// Made for other readers.
    #[error("it has version {0}, versions 2 and 3 are read; convert the model again with a current llama.cpp")]
    Version(u32),
    /// Numbers the other way round.
    #[error("it is big-endian; only little-endian files are read, fetch or convert it as one")]
    BigEndian,
    /// The file ends in the middle of something.
    #[error("it ends at byte {at} in the middle of {what}; the copy is incomplete, fetch it again")]
    Truncated {
        /// Of what.
        what: String,
        /// Where.
        at: usize,
    },
    /// More than we take.
    #[error("{what} is {found}, and {max} is the most that is read; the file is damaged, or no model for our boards")]
    TooLarge {
        /// Of what.
        what: String,
        /// As given.
        found: u64,
        /// The limit.
        max: u64,
    },
    /// A key that makes no sense.
    #[error("key `{key}`: {reason}")]
    Key {
        /// Which one.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A tensor that makes no sense.
    #[error("tensor `{tensor}`: {reason}")]
    Tensor {
        /// Which one.
        tensor: String,
        /// What is wrong with it.
        reason: String,
    },
}
