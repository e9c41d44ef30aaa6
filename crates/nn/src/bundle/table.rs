//! The header of a safetensors file: its JSON, and the table of tensors that it holds.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

use super::error::Fault;
use super::format::{METADATA, PADDING, PADDING_TYPE, TENSORS_MAX, parse_type};
use crate::arena::ALIGNMENT;
use crate::model::Entry;

/// One line of the table.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: [usize; 2],
}

/// The parsed header. Unlike a plain map, a name that appears twice is an error.
#[derive(Debug, Default)]
pub(super) struct Header {
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) lines: BTreeMap<String, Line>,
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HeaderVisitor)
    }
}

struct HeaderVisitor;

impl<'de> Visitor<'de> for HeaderVisitor {
    type Value = Header;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
        let mut header = Header::default();
        let mut described = false;
        while let Some(name) = map.next_key::<String>()? {
            let named = |error: A::Error| A::Error::custom(format_args!("`{name}`: {error}"));
            if name == METADATA {
                if described {
                    return Err(A::Error::custom(format_args!("`{METADATA}` appears twice")));
                }
                described = true;
                header.metadata = map.next_value::<Strings>().map_err(named)?.0;
            } else {
                let line = map.next_value::<Line>().map_err(named)?;
                if header.lines.len() == TENSORS_MAX {
                    return Err(A::Error::custom(format_args!("more than {TENSORS_MAX} tensors")));
                }
                if header.lines.contains_key(&name) {
                    return Err(A::Error::custom(format_args!("the tensor `{name}` appears twice")));
                }
                header.lines.insert(name, line);
            }
        }
        Ok(header)
    }
}

/// A map of strings in which no key appears twice.
#[derive(Debug)]
pub(super) struct Strings(pub(super) BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Strings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(StringsVisitor)
    }
}

struct StringsVisitor;

impl<'de> Visitor<'de> for StringsVisitor {
    type Value = Strings;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object of strings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Strings, A::Error> {
        let mut strings = BTreeMap::new();
        while let Some((key, value)) = map.next_entry::<String, String>()? {
            if strings.contains_key(&key) {
                return Err(A::Error::custom(format_args!("`{key}` appears twice")));
            }
            strings.insert(key, value);
        }
        Ok(Strings(strings))
    }
}

/// Turns the table into entries that count from the file's first byte. Proves that the tensors cover `data` (the file
/// from `data_start` on) without hole or overlap, each aligned, each exactly as long as its shape says, and that padding
/// is 0. Padding is left out of the result.
pub(super) fn entries(
    lines: BTreeMap<String, Line>,
    data: &[u8],
    data_start: usize,
) -> Result<BTreeMap<String, Entry>, Fault> {
    let mut order: Vec<(String, Line)> = lines.into_iter().collect();
    order.sort_by_key(|(_, line)| line.data_offsets);
    let mut entries = BTreeMap::new();
    let mut end = 0_usize;
    for (name, line) in order {
        let fault = |reason: String| Fault::Tensor { tensor: name.clone(), reason };
        let [from, to] = line.data_offsets;
        if from != end {
            let what = if from < end { "overlaps the tensor before it" } else { "leaves a hole before it" };
            return Err(fault(format!("it begins at {from} and {what}, which ends at {end}")));
        }
        let bytes = data.get(from..to).filter(|bytes| !bytes.is_empty()).ok_or_else(|| {
            fault(format!("the bytes {from}..{to} are empty or beyond the {} of the file's data", data.len()))
        })?;
        end = to;
        let padding = name.starts_with(PADDING);
        let element = if padding && line.dtype == PADDING_TYPE {
            1
        } else {
            let data_type = parse_type(&line.dtype).filter(|_| !padding);
            let data_type =
                data_type.ok_or_else(|| fault(format!("the data type `{}` has no use here", line.dtype)))?;
            if !from.is_multiple_of(ALIGNMENT) {
                return Err(fault(format!("it begins at {from}, which is no multiple of {ALIGNMENT}")));
            }
            let range = data_start + from..data_start + to;
            entries.insert(name.clone(), Entry { data_type, shape: line.shape.clone(), range });
            data_type.bytes()
        };
        let needed = line.shape.iter().try_fold(element, |product, &side| product.checked_mul(side));
        if needed != Some(bytes.len()) {
            let (shape, found) = (&line.shape, bytes.len());
            return Err(fault(format!("the shape {shape:?} of {} does not fill its {found} bytes", line.dtype)));
        }
        if padding && bytes.iter().any(|&byte| byte != 0) {
            return Err(fault(String::from("padding is not 0")));
        }
    }
    if end == data.len() {
        return Ok(entries);
    }
    let reason = format!("{} bytes after the last tensor belong to none", data.len() - end);
    Err(Fault::Tensor { tensor: String::from("(end of file)"), reason })
}
