//! From bytes to a verified bundle.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::Bundle;
use super::error::Fault;
use super::format::{
    FILE_BYTES_MAX, FORMAT_VERSION, HEADER_BYTES_MAX, KEY_HEADER_CRC, KEY_KIND, KEY_ORIGIN, KEY_PROGRAM,
    KEY_TENSOR_CRC, KEY_VERSION, KEY_VISION, Kind, LENGTH_BYTES, header_crc,
};
use super::table::{self, Header, Strings};
use super::vision;
use crate::arena::ALIGNMENT;
use crate::metadata::{Origin, Vision};
use crate::model::{Entry, Model, Storage};
use crate::program::Program;

/// What every bundle has: a header that is whole, and a table of tensors that fits the file.
pub(super) struct Container {
    pub(super) kind: Kind,
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) entries: BTreeMap<String, Entry>,
}

/// Checks the header and the table of `bytes`, not what the tensors hold. The order matters for the message: first what
/// kind of file it is, then whether it is whole, then whether what it says makes sense.
pub(super) fn container(bytes: &[u8]) -> Result<Container, Fault> {
    let (header_bytes, data) = split(bytes)?;
    let data_start = bytes.len() - data.len();
    let mut header: Header =
        serde_json::from_slice(header_bytes).map_err(|error| Fault::NotSafetensors(error.to_string()))?;
    let mut metadata = std::mem::take(&mut header.metadata);
    check_version(&metadata)?;
    check_header(header_bytes, &metadata)?;
    if !data_start.is_multiple_of(ALIGNMENT) {
        let reason = format!("its tensors begin at byte {data_start}, which is no multiple of {ALIGNMENT}");
        return Err(Fault::Tensor { tensor: String::from("(all)"), reason });
    }
    let entries = table::entries(header.lines, data, data_start)?;
    let kind = metadata.remove(KEY_KIND).ok_or(Fault::NoMetadata(KEY_KIND))?;
    let kind = Kind::parse(&kind).ok_or(Fault::Kind(kind))?;
    Ok(Container { kind, metadata, entries })
}

/// Checks all of `storage`.
pub(super) fn bundle(storage: Storage) -> Result<Bundle, Fault> {
    let bytes = storage.as_ref();
    let file_bytes = bytes.len();
    let Container { kind, metadata, entries } = container(bytes)?;
    if kind == Kind::Llm {
        return Err(Fault::OtherKind { found: kind, wanted: "a network over pictures" });
    }
    check_tensors(bytes, &entries, &metadata)?;

    let program: Program = parse(&metadata, KEY_PROGRAM)?;
    let origin: Origin = parse(&metadata, KEY_ORIGIN)?;
    let vision: Option<Vision> =
        if metadata.contains_key(KEY_VISION) { Some(parse(&metadata, KEY_VISION)?) } else { None };
    let model = Model::from_parts(program, entries, storage)?;
    vision::check(kind, vision.as_ref(), model.program())?;
    Ok(Bundle { kind, model: Arc::new(model), vision, origin, file_bytes })
}

/// The header's JSON, and the data after it.
fn split(bytes: &[u8]) -> Result<(&[u8], &[u8]), Fault> {
    let found = bytes.len();
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(Fault::TooLarge { what: "size", found: bytes.len() as u64, max: FILE_BYTES_MAX });
    }
    let truncated = |part, needed| Fault::Truncated { part, found, needed };
    let (length, rest) =
        bytes.split_first_chunk::<LENGTH_BYTES>().ok_or_else(|| truncated("first field", LENGTH_BYTES as u64))?;
    let length = u64::from_le_bytes(*length);
    let max = HEADER_BYTES_MAX as u64;
    let header_bytes = usize::try_from(length).ok().filter(|&length| length <= HEADER_BYTES_MAX);
    let header_bytes = header_bytes.ok_or(Fault::TooLarge { what: "header", found: length, max })?;
    rest.split_at_checked(header_bytes).ok_or_else(|| truncated("header", length + LENGTH_BYTES as u64))
}

fn check_version(metadata: &BTreeMap<String, String>) -> Result<(), Fault> {
    let version = metadata.get(KEY_VERSION).ok_or(Fault::NoMetadata(KEY_VERSION))?;
    if *version == FORMAT_VERSION.to_string() { Ok(()) } else { Err(Fault::Version(version.clone())) }
}

fn check_header(header: &[u8], metadata: &BTreeMap<String, String>) -> Result<(), Fault> {
    let found = metadata.get(KEY_HEADER_CRC).ok_or(Fault::NoMetadata(KEY_HEADER_CRC))?;
    let (computed, _) = header_crc(header).unwrap_or_default();
    if *found == format!("{computed:08x}") {
        Ok(())
    } else {
        Err(Fault::HeaderDamaged { found: found.clone(), computed })
    }
}

fn check_tensors(
    bytes: &[u8],
    entries: &BTreeMap<String, Entry>,
    metadata: &BTreeMap<String, String>,
) -> Result<(), Fault> {
    let sums: Strings = parse(metadata, KEY_TENSOR_CRC)?;
    entries.iter().try_for_each(|(name, entry)| check_tensor(name, &bytes[entry.range.clone()], &sums))
}

/// Compares the checksum of `bytes`, the tensor called `name`, with what `sums` says.
pub(super) fn check_tensor(name: &str, bytes: &[u8], sums: &Strings) -> Result<(), Fault> {
    let computed = crc32fast::hash(bytes);
    let found = sums.0.get(name).map_or("none", String::as_str);
    if found == format!("{computed:08x}") {
        return Ok(());
    }
    Err(Fault::TensorDamaged { tensor: name.to_owned(), found: found.to_owned(), computed })
}

pub(super) fn parse<T: DeserializeOwned>(metadata: &BTreeMap<String, String>, key: &'static str) -> Result<T, Fault> {
    let text = metadata.get(key).ok_or(Fault::NoMetadata(key))?;
    serde_json::from_str(text).map_err(|error| Fault::Metadata { key, reason: error.to_string() })
}
