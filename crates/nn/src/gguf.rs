//! GGUF, the file format of llama.cpp: the one parser. Versions 2 and 3, little-endian.
//!
//! Layout (by the page on GGUF in ggml's documentation): `GGUF`, version u32, number of tensors u64, number of keys u64; the keys,
//! each a string, a type u32 and a value; the tensors' descriptions, each a name, the number of dimensions u32, the
//! dimensions u64 with the contiguous one first, a type u32 and an offset u64; then, on the next multiple of
//! `general.alignment` (32 if absent), the data that offsets count from. A string is a length u64 and UTF-8 bytes.
//!
//! The file is mapped and used in place. Nothing of it is trusted: [`Gguf::open`] checks every count, length, offset and
//! product before it is used, takes no more memory than a few times the size of the keys, and names the key or tensor that is wrong.

mod cursor;
mod dequantize;
pub mod error;
mod parse;
#[cfg(test)]
mod tests;
mod types;
mod value;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

pub use error::{GgufError, GgufFault};
pub use types::BlockType;
pub use value::Value;

use crate::arena::AlignedBytes;
use crate::bundle::map::Mapping;
use crate::model::Storage;

/// What a GGUF file begins with.
pub const MAGIC: [u8; 4] = *b"GGUF";

/// An opened file.
#[derive(Debug)]
pub struct Gguf {
    name: String,
    version: u32,
    keys: BTreeMap<String, Value>,
    tensors: BTreeMap<String, Tensor>,
    storage: Storage,
}

/// A tensor's description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// How its rows are stored.
    pub block_type: BlockType,
    /// Length of a row: the contiguous dimension; a multiple of the block's.
    pub columns: usize,
    /// Number of rows: the product of all other dimensions.
    pub rows: usize,
    range: Range<usize>,
}

impl Gguf {
    /// Maps the file at `path` and checks all but the tensors' content.
    ///
    /// # Errors
    /// When it cannot be opened, is no GGUF file, or makes no sense; the message names the key or the tensor.
    pub fn open(path: &Path) -> Result<Self, GgufError> {
        let name = path.display().to_string();
        let named = |fault| GgufError::new(name.clone(), fault);
        let mapping = Mapping::open(path).map_err(|source| named(GgufFault::Open(source)))?;
        let mapping = mapping.ok_or_else(|| named(GgufFault::Replaced))?;
        Self::read(name.clone(), Storage::Mapped(mapping))
    }

    /// The same for a file that lies in memory, called `name` in messages; copies it.
    ///
    /// # Errors
    /// As [`Gguf::open`].
    pub fn from_bytes(name: &str, bytes: &[u8]) -> Result<Self, GgufError> {
        Self::read(name.to_owned(), Storage::Owned(AlignedBytes::copy_of(bytes)))
    }

    fn read(name: String, storage: Storage) -> Result<Self, GgufError> {
        match parse::parse(storage.as_ref()) {
            Ok(parse::Parsed { version, keys, tensors }) => Ok(Self { name, version, keys, tensors, storage }),
            Err(fault) => Err(GgufError::new(name, fault)),
        }
    }

    /// The file's version, 2 or 3.
    #[must_use]
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// All keys with their values, sorted.
    pub fn keys(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.keys.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// All tensors, sorted by name.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// The tensor called `name`.
    #[must_use]
    pub fn tensor(&self, name: &str) -> Option<&Tensor> {
        self.tensors.get(name)
    }

    /// The bytes of `tensor`, one row after the other, in place.
    #[must_use]
    pub fn bytes(&self, tensor: &Tensor) -> &[u8] {
        &self.storage.as_ref()[tensor.range.clone()]
    }

    /// All bytes of the file.
    #[must_use]
    pub fn file(&self) -> &[u8] {
        self.storage.as_ref()
    }

    /// Writes row `row` of the tensor called `name` to `out`, as floats.
    ///
    /// # Errors
    /// When there is no such tensor or row, `out` is not as long as a row, or its type is not one that is read.
    pub fn row(&self, name: &str, row: usize, out: &mut [f32]) -> Result<(), GgufError> {
        let fault = |reason: String| self.error(GgufFault::Tensor { tensor: name.to_owned(), reason });
        let tensor = self.tensor(name).ok_or_else(|| fault(String::from("the file has none of this name")))?;
        if row >= tensor.rows || out.len() != tensor.columns {
            let (rows, columns, length) = (tensor.rows, tensor.columns, out.len());
            return Err(fault(format!("row {row} of {length} values was asked for, but it has {rows} of {columns}")));
        }
        let bytes = self.bytes(tensor);
        let stride = bytes.len() / tensor.rows;
        if dequantize::row(tensor.block_type, &bytes[row * stride..(row + 1) * stride], out) {
            return Ok(());
        }
        let found = tensor.block_type.name();
        Err(fault(format!(
            "its type {found} is not read; supported: {}; make the file with one of these (llama-quantize)",
            dequantize::names()
        )))
    }

    /// The text under `key`; `None` if there is no such key.
    ///
    /// # Errors
    /// When the value is of another type. So for the others below.
    pub fn text(&self, key: &str) -> Result<Option<&str>, GgufError> {
        self.typed(key, "a text", |value| if let Value::Text(text) = value { Some(text.as_str()) } else { None })
    }

    /// The whole number under `key`, 0 or more.
    ///
    /// # Errors
    /// As [`Gguf::text`].
    pub fn count(&self, key: &str) -> Result<Option<usize>, GgufError> {
        self.typed(key, "a whole number, 0 or more", Value::as_count)
    }

    /// The number under `key`.
    ///
    /// # Errors
    /// As [`Gguf::text`].
    pub fn number(&self, key: &str) -> Result<Option<f64>, GgufError> {
        self.typed(key, "a number", Value::as_number)
    }

    /// The truth value under `key`.
    ///
    /// # Errors
    /// As [`Gguf::text`].
    pub fn flag(&self, key: &str) -> Result<Option<bool>, GgufError> {
        self.typed(key, "true or false", |value| if let Value::Bool(flag) = value { Some(*flag) } else { None })
    }

    /// The texts under `key`.
    ///
    /// # Errors
    /// As [`Gguf::text`].
    pub fn texts(&self, key: &str) -> Result<Option<&[String]>, GgufError> {
        self.typed(key, "texts", |value| if let Value::Texts(texts) = value { Some(&texts[..]) } else { None })
    }

    /// The whole numbers under `key`.
    ///
    /// # Errors
    /// As [`Gguf::text`].
    pub fn integers(&self, key: &str) -> Result<Option<&[i64]>, GgufError> {
        self.typed(key, "whole numbers", |value| if let Value::Integers(list) = value { Some(&list[..]) } else { None })
    }

    /// The value under `key`, whatever its type.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<&Value> {
        self.keys.get(key)
    }

    /// An error about this file, for those who find one in what it says.
    #[must_use]
    pub fn error(&self, fault: GgufFault) -> GgufError {
        GgufError::new(self.name.clone(), fault)
    }

    fn typed<'a, T>(
        &'a self,
        key: &str,
        wanted: &str,
        take: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, GgufError> {
        let Some(value) = self.keys.get(key) else { return Ok(None) };
        let wrong = || {
            let reason = format!("it is {}, but should be {wanted}", value.kind());
            self.error(GgufFault::Key { key: key.to_owned(), reason })
        };
        take(value).map(Some).ok_or_else(wrong)
    }
}
