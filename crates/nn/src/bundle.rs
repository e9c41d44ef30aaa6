//! The model bundle, `.claw.safetensors`: one file with a network, its weights and what it says of itself. The format is
//! written down in `docs/reference/bundle.md`.
//!
//! [`Writer`] makes one; [`Bundle::open`] maps one and uses it in place. A bad file is an error that names the tensor or
//! step and the reason, never a panic; a damaged one is found by its checksums.
//!
//! A bundle of kind `llm` holds a language model instead of a program: [`language`] opens and writes those, [`kind`] says
//! which of the two a file is.

pub mod error;
mod format;
pub mod language;
pub(crate) mod map;
mod read;
mod table;
#[cfg(test)]
mod tests;
mod vision;
mod write;

use std::path::Path;
use std::sync::Arc;

pub use error::{BundleError, Fault};
pub use format::{FILE_BYTES_MAX, FORMAT_VERSION, HEADER_BYTES_MAX, Kind, SUFFIX, TENSORS_MAX};
pub use write::Writer;

use crate::arena::{ALIGNMENT, AlignedBytes};
use crate::metadata::{Origin, Vision};
use crate::model::{Model, Storage, TensorView};
use crate::program::Program;

/// What the bundle at `path` is for, from its header alone.
///
/// # Errors
/// When the file cannot be opened, or its header or table is no bundle's.
pub fn kind(path: &Path) -> Result<Kind, BundleError> {
    let named = |fault| BundleError::new(path.display().to_string(), fault);
    let mapping = map::Mapping::open(path).map_err(|source| named(Fault::Open(source)))?;
    let mapping = mapping.ok_or_else(|| named(Fault::Replaced))?;
    read::container(mapping.as_ref()).map(|container| container.kind).map_err(named)
}

/// An opened, verified bundle. Share it, or [`Bundle::model`], as `Arc`: all executors use one mapping.
#[derive(Debug)]
pub struct Bundle {
    kind: Kind,
    model: Arc<Model>,
    vision: Option<Vision>,
    origin: Origin,
    file_bytes: usize,
}

impl Bundle {
    /// Maps and verifies the file at `path`.
    ///
    /// # Errors
    /// When the file cannot be opened, is no bundle, is damaged, or holds what must not run.
    pub fn open(path: &Path) -> Result<Self, BundleError> {
        let named = |fault| BundleError::new(path.display().to_string(), fault);
        let mapping = map::Mapping::open(path).map_err(|source| named(Fault::Open(source)))?;
        let mapping = mapping.ok_or_else(|| named(Fault::Replaced))?;
        read::bundle(Storage::Mapped(mapping)).map_err(named)
    }

    /// Verifies a bundle that is part of the program, called `name` in messages. Used in place when it happens to be
    /// aligned, else copied once.
    ///
    /// # Errors
    /// As [`Bundle::open`].
    pub fn from_static(name: &str, bytes: &'static [u8]) -> Result<Self, BundleError> {
        let storage = if bytes.as_ptr().align_offset(ALIGNMENT) == 0 {
            Storage::Static(bytes)
        } else {
            Storage::Owned(AlignedBytes::copy_of(bytes))
        };
        read::bundle(storage).map_err(|fault| BundleError::new(name.to_owned(), fault))
    }

    /// Verifies a bundle that lies in memory, called `name` in messages; copies it.
    ///
    /// # Errors
    /// As [`Bundle::open`].
    pub fn from_bytes(name: &str, bytes: &[u8]) -> Result<Self, BundleError> {
        let storage = Storage::Owned(AlignedBytes::copy_of(bytes));
        read::bundle(storage).map_err(|fault| BundleError::new(name.to_owned(), fault))
    }

    /// What it is for.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The network with its weights: what an executor takes.
    #[must_use]
    pub const fn model(&self) -> &Arc<Model> {
        &self.model
    }

    /// The network.
    #[must_use]
    pub fn program(&self) -> &Program {
        self.model.program()
    }

    /// The tensor called `name`.
    #[must_use]
    pub fn tensor(&self, name: &str) -> Option<TensorView<'_>> {
        self.model.tensor(name)
    }

    /// How a picture goes in and results come out; `None` for a bundle that is not about pictures.
    #[must_use]
    pub const fn vision(&self) -> Option<&Vision> {
        self.vision.as_ref()
    }

    /// Whence and under which terms.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Size of the file.
    #[must_use]
    pub const fn file_bytes(&self) -> usize {
        self.file_bytes
    }
}
