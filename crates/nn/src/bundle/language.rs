//! A bundle of kind `llm`: a language model in the same container as every other bundle. `docs/reference/bundle.md` has the
//! table of its tensors.
//!
//! [`LanguageWriter`] writes one tensor after the other, so that a model need not fit into memory; [`LanguageBundle`] maps
//! the file and reads no more of it than the header, the norms and the tokenizer: the weights are touched when they are
//! used, and [`LanguageBundle::verify`] looks at all of them when asked.

mod read;
#[cfg(test)]
mod tests;
mod write;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

pub use write::{LanguageWriter, Packing, PlannedTensor};

use super::error::{BundleError, Fault};
use super::map::Mapping;
use super::table::Strings;
use crate::arena::AlignedBytes;
use crate::metadata::Origin;
use crate::metadata::language::{Language, Precision};
use crate::model::{Entry, Storage, TensorView};

/// An opened language model. Share it as `Arc`: any number of conversations run over one mapping.
#[derive(Debug)]
pub struct LanguageBundle {
    language: Language,
    origin: Origin,
    entries: BTreeMap<String, Entry>,
    matrices: BTreeMap<String, Size>,
    tokenizer: Option<Range<usize>>,
    sums: Strings,
    storage: Storage,
}

/// Size and packing of a matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Size {
    precision: Precision,
    rows: usize,
    columns: usize,
}

/// A packed matrix, used in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MatrixView<'a> {
    /// How it is packed.
    pub precision: Precision,
    /// N: results. The packed rows are these, rounded up to 8.
    pub rows: usize,
    /// K: values that each result reads; a multiple of 32.
    pub columns: usize,
    /// `[ceil(N/8)][K/32]` blocks (F16: `[ceil(N/8)][K][8]`); begins on a multiple of 64.
    pub bytes: &'a [u8],
}

impl<'a> MatrixView<'a> {
    /// Bytes of eight packed rows, one after the other: whoever splits a matrix cuts at multiples of this.
    #[must_use]
    pub fn tile_bytes(&self) -> usize {
        self.bytes.len() / self.rows.div_ceil(8).max(1)
    }

    /// The weights of an F16 matrix as bits, `[ceil(N/8)][K][8]`; `None` for the other two.
    #[must_use]
    pub fn halves(&self) -> Option<&'a [u16]> {
        if self.precision == Precision::F16 { bytemuck::try_cast_slice(self.bytes).ok() } else { None }
    }
}

impl LanguageBundle {
    /// Maps the file at `path` and checks all but the weights themselves.
    ///
    /// # Errors
    /// When the file cannot be opened, is no language model's bundle, or says what makes no sense; the message names the
    /// tensor or the field.
    pub fn open(path: &Path) -> Result<Self, BundleError> {
        let named = |fault| BundleError::new(path.display().to_string(), fault);
        let mapping = Mapping::open(path).map_err(|source| named(Fault::Open(source)))?;
        let mapping = mapping.ok_or_else(|| named(Fault::Replaced))?;
        read::language(Storage::Mapped(mapping)).map_err(named)
    }

    /// The same for a bundle that lies in memory, called `name` in messages; copies it.
    ///
    /// # Errors
    /// As [`LanguageBundle::open`].
    pub fn from_bytes(name: &str, bytes: &[u8]) -> Result<Self, BundleError> {
        let storage = Storage::Owned(AlignedBytes::copy_of(bytes));
        read::language(storage).map_err(|fault| BundleError::new(name.to_owned(), fault))
    }

    /// What it is.
    #[must_use]
    pub const fn language(&self) -> &Language {
        &self.language
    }

    /// Whence and under which terms.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Its `tokenizer.json`; a model that came without one takes and gives token ids only.
    #[must_use]
    pub fn tokenizer(&self) -> Option<&str> {
        let bytes = &self.storage.as_ref()[self.tokenizer.clone()?];
        // Opening has seen that it is UTF-8, and a mapped file does not change.
        simdutf8::basic::from_utf8(bytes).ok()
    }

    /// The matrix called `name`, say `layers.0.attention.qkv`; see
    /// [`Architecture::tensors`](crate::metadata::language::Architecture::tensors) for all names.
    #[must_use]
    pub fn matrix(&self, name: &str) -> Option<MatrixView<'_>> {
        let &Size { precision, rows, columns } = self.matrices.get(name)?;
        Some(MatrixView { precision, rows, columns, bytes: self.tensor(name)?.bytes })
    }

    /// The norm's weights or the bias called `name`, say `layers.0.attention.norm`.
    #[must_use]
    pub fn floats(&self, name: &str) -> Option<&[f32]> {
        self.tensor(name)?.as_f32()
    }

    /// Any tensor, as it is stored.
    #[must_use]
    pub fn tensor(&self, name: &str) -> Option<TensorView<'_>> {
        let Entry { data_type, shape, range } = self.entries.get(name)?;
        Some(TensorView { data_type: *data_type, shape, bytes: &self.storage.as_ref()[range.clone()] })
    }

    /// The whole file.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.storage.as_ref()
    }

    /// Where in [`LanguageBundle::bytes`] the tensor called `name` lies: for who reads it often and looks it up once.
    #[must_use]
    pub fn range(&self, name: &str) -> Option<Range<usize>> {
        Some(self.entries.get(name)?.range.clone())
    }

    /// Names of all tensors, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// Bytes of all matrices that one token reads: without the embedding's, unless it is the head too.
    #[must_use]
    pub fn bytes_per_token(&self) -> u64 {
        let tied = self.language.architecture.tied_embedding;
        let read = self.matrices.keys().filter(|name| tied || *name != "embedding");
        read.filter_map(|name| self.tensor(name)).map(|tensor| tensor.bytes.len() as u64).sum()
    }

    /// Size of the file.
    #[must_use]
    pub fn file_bytes(&self) -> usize {
        self.storage.as_ref().len()
    }

    /// Reads every tensor: its checksum, and that its scales and weights are numbers that the kernels may compute with.
    ///
    /// # Errors
    /// The first tensor that is damaged or bad.
    pub fn verify(&self) -> Result<(), Fault> {
        self.entries.keys().try_for_each(|name| self.verify_tensor(name))
    }
}
