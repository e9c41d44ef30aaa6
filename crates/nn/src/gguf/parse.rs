//! From bytes to keys and checked tensors.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::cursor::Cursor;
use super::error::GgufFault;
use super::types::BlockType;
use super::value::Value;
use super::{MAGIC, Tensor};

/// Keys of one file.
const KEYS_MAX: u64 = 1 << 16;
/// Tensors of one file.
const TENSORS_MAX: u64 = 1 << 17;
/// Dimensions of one tensor; ggml has no more.
const DIMENSIONS_MAX: u32 = 4;
/// The key with the data's alignment, and what it is without.
const ALIGNMENT_KEY: &str = "general.alignment";
const ALIGNMENT_DEFAULT: usize = 32;
const ALIGNMENT_MAX: usize = 1 << 16;

/// What a file says.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) version: u32,
    pub(super) keys: BTreeMap<String, Value>,
    pub(super) tensors: BTreeMap<String, Tensor>,
}

/// A tensor's description before its place is checked.
struct Described {
    block_type: BlockType,
    columns: usize,
    rows: usize,
    bytes: usize,
    offset: u64,
}

pub(super) fn parse(bytes: &[u8]) -> Result<Parsed, GgufFault> {
    let mut cursor = Cursor::new(bytes);
    let version = version(&mut cursor)?;
    let count = |cursor: &mut Cursor<'_>, what: &str, max: u64| {
        let found = cursor.u64(&|| what.to_owned())?;
        if found <= max { Ok(found) } else { Err(GgufFault::TooLarge { what: what.to_owned(), found, max }) }
    };
    let tensor_count = count(&mut cursor, "the number of tensors", TENSORS_MAX)?;
    let key_count = count(&mut cursor, "the number of keys", KEYS_MAX)?;
    let keys = keys(&mut cursor, key_count)?;
    let alignment = alignment(&keys)?;
    let mut described = BTreeMap::new();
    for _ in 0..tensor_count {
        let name = cursor.string(&|| String::from("a tensor's name"))?;
        let tensor = describe(&mut cursor, name)?;
        match described.entry(name.to_owned()) {
            Entry::Vacant(vacant) => vacant.insert(tensor),
            Entry::Occupied(_) => return Err(fault(name, String::from("the name appears twice"))),
        };
    }
    let data_start = cursor.at().checked_next_multiple_of(alignment).unwrap_or(usize::MAX);
    let tensors = place(described, data_start, alignment, bytes.len())?;
    Ok(Parsed { version, keys, tensors })
}

fn version(cursor: &mut Cursor<'_>) -> Result<u32, GgufFault> {
    let what = || String::from("the first field");
    let magic: [u8; 4] = cursor.array(&what)?;
    if magic != MAGIC {
        return Err(GgufFault::Magic);
    }
    let version = cursor.u32(&what)?;
    match version {
        2 | 3 => Ok(version),
        swapped if (1..=0xffff).contains(&swapped.swap_bytes()) => Err(GgufFault::BigEndian),
        other => Err(GgufFault::Version(other)),
    }
}

fn keys(cursor: &mut Cursor<'_>, count: u64) -> Result<BTreeMap<String, Value>, GgufFault> {
    let mut keys = BTreeMap::new();
    let mut elements = 0;
    for _ in 0..count {
        let key = cursor.string(&|| String::from("a key's name"))?;
        let value = Value::read(cursor, key, &mut elements)?;
        if keys.insert(key.to_owned(), value).is_some() {
            return Err(GgufFault::Key { key: key.to_owned(), reason: String::from("it appears twice") });
        }
    }
    Ok(keys)
}

fn alignment(keys: &BTreeMap<String, Value>) -> Result<usize, GgufFault> {
    let Some(value) = keys.get(ALIGNMENT_KEY) else { return Ok(ALIGNMENT_DEFAULT) };
    let found = value.as_count().filter(|alignment| alignment.is_power_of_two() && *alignment <= ALIGNMENT_MAX);
    found.ok_or_else(|| {
        let reason = format!("it is {value:?}, but must be a power of two, at most {ALIGNMENT_MAX}");
        GgufFault::Key { key: ALIGNMENT_KEY.to_owned(), reason }
    })
}

fn describe(cursor: &mut Cursor<'_>, name: &str) -> Result<Described, GgufFault> {
    let what = || format!("the description of tensor `{name}`");
    let dimensions = cursor.u32(&what)?;
    if !(1..=DIMENSIONS_MAX).contains(&dimensions) {
        return Err(fault(name, format!("it has {dimensions} dimensions, but 1 to {DIMENSIONS_MAX} are possible")));
    }
    let shape = (0..dimensions).map(|_| cursor.u64(&what)).collect::<Result<Vec<u64>, _>>()?;
    let id = cursor.u32(&what)?;
    let offset = cursor.u64(&what)?;
    let block_type = BlockType::of(id).ok_or_else(|| fault(name, format!("its type {id} is not known")))?;
    let sides: Option<Vec<usize>> = shape.iter().map(|&side| usize::try_from(side).ok()).collect();
    let sized = sides.as_deref().and_then(|sides| {
        let (&columns, outer) = sides.split_first()?;
        let rows = outer.iter().try_fold(1_usize, |product, &side| product.checked_mul(side))?;
        let blocks = (columns / block_type.values()).checked_mul(rows)?;
        Some((columns, rows, blocks.checked_mul(block_type.bytes())?))
    });
    let Some((columns, rows, bytes)) = sized else {
        return Err(fault(name, format!("its dimensions {shape:?} are larger than any file")));
    };
    if columns == 0 || rows == 0 {
        return Err(fault(name, format!("it is empty: its dimensions are {shape:?}")));
    }
    if !columns.is_multiple_of(block_type.values()) {
        let (kind, values) = (block_type.name(), block_type.values());
        return Err(fault(
            name,
            format!("its rows of {columns} are no multiple of the {values} that make a {kind} block"),
        ));
    }
    Ok(Described { block_type, columns, rows, bytes, offset })
}

/// Where each tensor lies in the file: aligned, inside, and none on another.
fn place(
    described: BTreeMap<String, Described>,
    data_start: usize,
    alignment: usize,
    file_bytes: usize,
) -> Result<BTreeMap<String, Tensor>, GgufFault> {
    let mut order: Vec<(String, Described)> = described.into_iter().collect();
    order.sort_by_key(|(_, tensor)| tensor.offset);
    let mut tensors = BTreeMap::new();
    let mut end = data_start;
    for (name, Described { block_type, columns, rows, bytes, offset }) in order {
        if !offset.is_multiple_of(alignment as u64) {
            return Err(fault(&name, format!("its offset {offset} is no multiple of the alignment {alignment}")));
        }
        let start = usize::try_from(offset).ok().and_then(|offset| data_start.checked_add(offset));
        let range = start.and_then(|start| Some(start..start.checked_add(bytes)?));
        let range = range.filter(|range| range.end <= file_bytes).ok_or_else(|| {
            let reason = format!(
                "its {bytes} bytes from {offset} on (data begins at {data_start}) end behind the file's {file_bytes}; the copy \
                 is incomplete, fetch it again"
            );
            fault(&name, reason)
        })?;
        if range.start < end {
            return Err(fault(&name, format!("its offset {offset} lies inside the tensor before it")));
        }
        end = range.end;
        tensors.insert(name, Tensor { block_type, columns, rows, range });
    }
    Ok(tensors)
}

fn fault(tensor: &str, reason: String) -> GgufFault {
    GgufFault::Tensor { tensor: tensor.to_owned(), reason }
}
