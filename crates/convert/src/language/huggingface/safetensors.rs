//! The header of a safetensors file: its table of tensors, checked against the file's length. Weights are read later, row by
//! row, so only the header is ever in memory.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use crate::language::LanguageError;

/// Longest header that the format allows.
const HEADER_BYTES_MAX: u64 = 100_000_000;
/// Tensors of one file.
const TENSORS_MAX: usize = 1 << 17;

/// How numbers are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Number {
    F32,
    F16,
    Bf16,
}

/// A tensor of one or two dimensions; a vector has one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tensor {
    pub(super) number: Number,
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// Of its first byte in the file.
    pub(super) offset: u64,
}

impl Number {
    pub(super) const fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }
}

/// One line of the table.
#[derive(Debug, serde::Deserialize)]
struct Line {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: [u64; 2],
}

/// The table; a name that appears twice is an error.
struct Table(BTreeMap<String, Line>);

impl<'de> Deserialize<'de> for Table {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(TableVisitor)
    }
}

struct TableVisitor;

impl<'de> Visitor<'de> for TableVisitor {
    type Value = Table;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Table, A::Error> {
        let mut table = BTreeMap::new();
        while let Some(name) = map.next_key::<String>()? {
            if name == "__metadata__" {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let line = map.next_value::<Line>();
            let line = line.map_err(|error| A::Error::custom(format_args!("`{name}`: {error}")))?;
            if table.len() == TENSORS_MAX || table.contains_key(&name) {
                return Err(A::Error::custom(format_args!("the tensor `{name}` appears twice, or is one too many")));
            }
            table.insert(name, line);
        }
        Ok(Table(table))
    }
}

/// What a file holds.
pub(super) struct Listed {
    pub(super) tensors: BTreeMap<String, Tensor>,
    /// Tensors of types or dimensions that are not read, with the reason.
    pub(super) unread: BTreeMap<String, String>,
}

/// The tensors in `file`, which lies at `path`.
pub(super) fn list(file: &mut File, path: &Path) -> Result<Listed, LanguageError> {
    let name = || path.display().to_string();
    let read_error = |error| LanguageError::Read { file: name(), error };
    let bad = |reason: String| LanguageError::File { file: name(), reason };
    let length = file.metadata().map_err(read_error)?.len();
    let mut prefix = [0; 8];
    file.read_exact(&mut prefix).map_err(read_error)?;
    let header = u64::from_le_bytes(prefix);
    let data_start = header.checked_add(8).filter(|&start| header <= HEADER_BYTES_MAX && start <= length);
    let Some(data_start) = data_start else {
        return Err(bad(format!("its header of {header} bytes is longer than the file of {length} or than any")));
    };
    let mut text = vec![0; usize::try_from(header).unwrap_or(0)];
    file.read_exact(&mut text).map_err(read_error)?;
    let Table(table) = serde_json::from_slice(&text).map_err(|error| bad(format!("its header: {error}")))?;
    check_places(&table, length - data_start).map_err(bad)?;
    let mut listed = Listed { tensors: BTreeMap::new(), unread: BTreeMap::new() };
    for (name, line) in table {
        match tensor(&line, data_start) {
            Ok(Some(tensor)) => drop(listed.tensors.insert(name, tensor)),
            Ok(None) => {
                let (dtype, shape) = (&line.dtype, &line.shape);
                let reason = format!("{dtype} {shape:?} is not read; F32, F16 and BF16 of one or two dimensions are");
                listed.unread.insert(name, reason);
            }
            Err(reason) => return Err(LanguageError::Tensor { tensor: name, reason }),
        }
    }
    Ok(listed)
}

/// The tensors must fill the data without holes or overlaps.
fn check_places(table: &BTreeMap<String, Line>, data_bytes: u64) -> Result<(), String> {
    let mut order: Vec<(&[u64; 2], &String)> = table.iter().map(|(name, line)| (&line.data_offsets, name)).collect();
    order.sort_unstable();
    let mut end = 0;
    for (&[from, to], name) in order {
        if from != end || to < from || to > data_bytes {
            return Err(format!("tensor `{name}` has the bytes {from}..{to}, but {end}.. of {data_bytes} are next"));
        }
        end = to;
    }
    if end == data_bytes { Ok(()) } else { Err(format!("{} bytes at its end belong to no tensor", data_bytes - end)) }
}

/// A tensor as it is read; `None` for types and dimensions that are not.
fn tensor(line: &Line, data_start: u64) -> Result<Option<Tensor>, String> {
    let number = match line.dtype.as_str() {
        "F32" => Number::F32,
        "F16" => Number::F16,
        "BF16" => Number::Bf16,
        _ => return Ok(None),
    };
    let (rows, columns) = match line.shape[..] {
        [columns] => (1, columns),
        [rows, columns] => (rows, columns),
        _ => return Ok(None),
    };
    let [from, to] = line.data_offsets;
    let bytes = rows.checked_mul(columns).and_then(|count| count.checked_mul(number.bytes() as u64));
    if bytes != Some(to - from) {
        return Err(format!("its shape {:?} of {} does not fill its {} bytes", line.shape, line.dtype, to - from));
    }
    let sizes = usize::try_from(rows).ok().zip(usize::try_from(columns).ok());
    let offset = data_start.checked_add(from);
    let read = sizes.zip(offset).map(|((rows, columns), offset)| Tensor { number, rows, columns, offset });
    read.map(Some).ok_or_else(|| String::from("it is larger than any file"))
}
