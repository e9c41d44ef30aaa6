//! The attributes of custom operators: a map of scalars, read from a flexbuffer without trusting it.
//!
//! A flexbuffer is read from its end: the last byte is the width of the root value, the byte before it the root's type, in
//! front of them stands the root itself. A type byte is `type << 2 | log2(width of what it refers to)`. A reference is an
//! unsigned distance back from where it stands. A map refers to its values: in front of them stand their number, the width
//! of the vector of keys, and a reference to that; behind them a type byte each. ("FlexBuffers" in the FlatBuffers
//! documentation.)

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

/// No more attributes are read: known operators have a dozen.
const ATTRIBUTES_MAX: usize = 64;

const INT: u8 = 1;
const UINT: u8 = 2;
const FLOAT: u8 = 3;
const INDIRECT_INT: u8 = 6;
const INDIRECT_UINT: u8 = 7;
const INDIRECT_FLOAT: u8 = 8;
const MAP: u8 = 9;
const BOOL: u8 = 26;

/// The scalars of the map that `bytes` hold, by name, truth values as 0 and 1; others are left out. `None` when it is no
/// map, or damaged.
pub(super) fn scalars(bytes: &[u8]) -> Option<BTreeMap<String, f64>> {
    let (&width, rest) = bytes.split_last()?;
    let (&kind, rest) = rest.split_last()?;
    let width = checked_width(width)?;
    if kind >> 2 != MAP {
        return None;
    }
    let values = back(bytes, rest.len().checked_sub(width)?, width)?;
    let width = 1 << (kind & 3);
    let count = unsigned(bytes, values.checked_sub(width)?, width)?;
    let count = usize::try_from(count).ok().filter(|&count| count <= ATTRIBUTES_MAX)?;
    let keys_width = unsigned(bytes, values.checked_sub(2 * width)?, width)?;
    let keys_width = checked_width(u8::try_from(keys_width).ok()?)?;
    let keys = back(bytes, values.checked_sub(3 * width)?, width)?;
    let mut found = BTreeMap::new();
    for index in 0..count {
        let key = back(bytes, keys.checked_add(index * keys_width)?, keys_width)?;
        let name = bytes.get(key..)?.split(|&byte| byte == 0).next()?;
        let name = std::str::from_utf8(name).ok()?;
        let kind = *bytes.get(values.checked_add(count * width + index)?)?;
        if let Some(value) = scalar(bytes, values + index * width, width, kind)? {
            found.insert(name.to_owned(), value);
        }
    }
    Some(found)
}

/// The value of `kind` that stands at `at`; `Some(None)` when it is no scalar, `None` when it lies outside.
#[expect(clippy::cast_precision_loss, reason = "attributes are counts and thresholds")]
fn scalar(bytes: &[u8], at: usize, width: usize, kind: u8) -> Option<Option<f64>> {
    let (at, width, kind) = match kind >> 2 {
        indirect @ (INDIRECT_INT | INDIRECT_UINT | INDIRECT_FLOAT) => {
            (back(bytes, at, width)?, 1 << (kind & 3), indirect - INDIRECT_INT + INT)
        }
        direct => (at, width, direct),
    };
    Some(match kind {
        INT => Some(signed(bytes, at, width)? as f64),
        UINT | BOOL => Some(unsigned(bytes, at, width)? as f64),
        FLOAT => match width {
            4 => Some(f64::from(f32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))),
            8 => Some(f64::from_le_bytes(bytes.get(at..at.checked_add(8)?)?.try_into().ok()?)),
            _ => None,
        },
        _ => None,
    })
}

const fn checked_width(width: u8) -> Option<usize> {
    match width {
        1 | 2 | 4 | 8 => Some(width as usize),
        _ => None,
    }
}

/// What the reference at `at` refers to.
fn back(bytes: &[u8], at: usize, width: usize) -> Option<usize> {
    at.checked_sub(usize::try_from(unsigned(bytes, at, width)?).ok()?)
}

fn unsigned(bytes: &[u8], at: usize, width: usize) -> Option<u64> {
    let mut word = [0; 8];
    word[..width].copy_from_slice(bytes.get(at..at.checked_add(width)?)?);
    Some(u64::from_le_bytes(word))
}

fn signed(bytes: &[u8], at: usize, width: usize) -> Option<i64> {
    let spare = 64 - 8 * u32::try_from(width).ok()?;
    Some((unsigned(bytes, at, width)? << spare).cast_signed() >> spare)
}
