//! A reader of flatbuffers that trusts nothing: every offset and length is checked against the file before use.
//!
//! Layout, all little-endian: a table starts with an i32 that, subtracted from the table's own position, gives its vtable;
//! a vtable is `u16 own bytes, u16 table bytes, u16 offset[field]`, where offset 0 or a missing entry means "the default".
//! Strings, vectors and sub-tables are u32 offsets counted from where they stand; a vector is `u32 count, elements`.
//! (FlatBuffers documentation, "FlatBuffers Internals".)

/// Why a part of the file cannot be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum FlatbufferError {
    /// A position or a length points outside.
    #[error("`{field}` needs bytes {start} to {end}, but the file has {bytes}: it is truncated or damaged")]
    OutOfRange {
        /// The schema's name of the field.
        field: &'static str,
        /// First byte wanted.
        start: u64,
        /// First byte not wanted.
        end: u64,
        /// Length of the file.
        bytes: usize,
    },
    /// A vtable says something impossible about itself or its table.
    #[error("the table `{field}` at byte {position} has an impossible vtable: the file is damaged")]
    BadVtable {
        /// The schema's name of the field.
        field: &'static str,
        /// Where the table stands.
        position: usize,
    },
    /// A name that is no UTF-8.
    #[error("the text `{field}` is not UTF-8: the file is damaged")]
    NotText {
        /// The schema's name of the field.
        field: &'static str,
    },
}

/// `bytes[start..start + count * size]`, or the error that names `field`.
fn span<'a>(
    bytes: &'a [u8],
    field: &'static str,
    start: usize,
    count: usize,
    size: usize,
) -> Result<&'a [u8], FlatbufferError> {
    let length = count.checked_mul(size);
    let end = length.and_then(|length| start.checked_add(length));
    end.and_then(|end| bytes.get(start..end)).ok_or(FlatbufferError::OutOfRange {
        field,
        start: start as u64,
        end: (start as u64).saturating_add((count as u64).saturating_mul(size as u64)),
        bytes: bytes.len(),
    })
}

fn fixed<const N: usize>(bytes: &[u8], field: &'static str, start: usize) -> Result<[u8; N], FlatbufferError> {
    let mut fixed = [0; N];
    fixed.copy_from_slice(span(bytes, field, start, 1, N)?);
    Ok(fixed)
}

/// Follows the u32 offset that stands at `position`.
fn follow(bytes: &[u8], field: &'static str, position: usize) -> Result<usize, FlatbufferError> {
    let offset = u32::from_le_bytes(fixed(bytes, field, position)?);
    usize::try_from(offset).ok().and_then(|offset| position.checked_add(offset)).ok_or(FlatbufferError::OutOfRange {
        field,
        start: position as u64 + u64::from(offset),
        end: position as u64 + u64::from(offset),
        bytes: bytes.len(),
    })
}

/// A record whose fields may be absent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table<'a> {
    bytes: &'a [u8],
    position: usize,
    /// The `u16 offset[field]` part.
    offsets: &'a [u8],
    /// Bytes of the table itself, from its position.
    length: usize,
}

impl<'a> Table<'a> {
    /// The table that a whole file stands for.
    ///
    /// # Errors
    /// When it does not lie inside the file.
    pub(super) fn root(bytes: &'a [u8]) -> Result<Self, FlatbufferError> {
        Self::at(bytes, "root", follow(bytes, "root", 0)?)
    }

    fn at(bytes: &'a [u8], field: &'static str, position: usize) -> Result<Self, FlatbufferError> {
        let bad = FlatbufferError::BadVtable { field, position };
        let back = i32::from_le_bytes(fixed(bytes, field, position)?);
        let vtable = i64::try_from(position).ok().and_then(|position| position.checked_sub(i64::from(back)));
        let Some(vtable) = vtable.and_then(|vtable| usize::try_from(vtable).ok()) else { return Err(bad) };
        let own = usize::from(u16::from_le_bytes(fixed(bytes, field, vtable)?));
        let length = usize::from(u16::from_le_bytes(fixed(bytes, field, vtable.saturating_add(2))?));
        if own < 4 || own % 2 != 0 || length < 4 {
            return Err(bad);
        }
        span(bytes, field, position, 1, length)?;
        let offsets = &span(bytes, field, vtable, 1, own)?[4..];
        Ok(Self { bytes, position, offsets, length })
    }

    /// Where field number `id` of `size` bytes stands; `None` when absent.
    fn field(&self, id: usize, field: &'static str, size: usize) -> Result<Option<usize>, FlatbufferError> {
        let Some(offset) = self.offsets.chunks_exact(2).nth(id) else { return Ok(None) };
        let offset = usize::from(u16::from_le_bytes([offset[0], offset[1]]));
        match offset {
            0 => Ok(None),
            offset if offset < 4 || offset + size > self.length => {
                Err(FlatbufferError::BadVtable { field, position: self.position })
            }
            offset => Ok(Some(self.position + offset)),
        }
    }

    fn scalar<const N: usize>(&self, id: usize, field: &'static str) -> Result<Option<[u8; N]>, FlatbufferError> {
        self.field(id, field, N)?.map(|position| fixed(self.bytes, field, position)).transpose()
    }

    /// Field number `id`, an unsigned byte or a truth value.
    ///
    /// # Errors
    /// When it lies outside its table, as all that follow.
    pub(super) fn u8(&self, id: usize, field: &'static str, default: u8) -> Result<u8, FlatbufferError> {
        Ok(self.scalar(id, field)?.map_or(default, u8::from_le_bytes))
    }

    /// A signed byte.
    pub(super) fn i8(&self, id: usize, field: &'static str, default: i8) -> Result<i8, FlatbufferError> {
        Ok(self.scalar(id, field)?.map_or(default, i8::from_le_bytes))
    }

    /// A signed integer.
    pub(super) fn i32(&self, id: usize, field: &'static str, default: i32) -> Result<i32, FlatbufferError> {
        Ok(self.scalar(id, field)?.map_or(default, i32::from_le_bytes))
    }

    /// An unsigned integer.
    pub(super) fn u32(&self, id: usize, field: &'static str, default: u32) -> Result<u32, FlatbufferError> {
        Ok(self.scalar(id, field)?.map_or(default, u32::from_le_bytes))
    }

    /// A long unsigned integer.
    pub(super) fn u64(&self, id: usize, field: &'static str, default: u64) -> Result<u64, FlatbufferError> {
        Ok(self.scalar(id, field)?.map_or(default, u64::from_le_bytes))
    }

    /// A real number.
    pub(super) fn f32(&self, id: usize, field: &'static str, default: f32) -> Result<f32, FlatbufferError> {
        Ok(self.scalar(id, field)?.map_or(default, f32::from_le_bytes))
    }

    /// A table.
    pub(super) fn table(&self, id: usize, field: &'static str) -> Result<Option<Self>, FlatbufferError> {
        let Some(position) = self.field(id, field, 4)? else { return Ok(None) };
        Self::at(self.bytes, field, follow(self.bytes, field, position)?).map(Some)
    }

    /// A vector of elements of `size` bytes; empty when absent.
    pub(super) fn vector(&self, id: usize, field: &'static str, size: usize) -> Result<Vector<'a>, FlatbufferError> {
        let empty = Vector { bytes: self.bytes, field, start: 0, elements: &[], size };
        let Some(position) = self.field(id, field, 4)? else { return Ok(empty) };
        let start = follow(self.bytes, field, position)?;
        let count = u32::from_le_bytes(fixed(self.bytes, field, start)?);
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        // The count's own four bytes were just read, so this addition cannot overflow.
        let elements = span(self.bytes, field, start + 4, count, size)?;
        Ok(Vector { start: start + 4, elements, ..empty })
    }

    /// Text; empty when absent.
    pub(super) fn text(&self, id: usize, field: &'static str) -> Result<&'a str, FlatbufferError> {
        std::str::from_utf8(self.vector(id, field, 1)?.elements).map_err(|_| FlatbufferError::NotText { field })
    }
}

/// A row of elements that is known to lie inside the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Vector<'a> {
    bytes: &'a [u8],
    field: &'static str,
    start: usize,
    elements: &'a [u8],
    size: usize,
}

impl<'a> Vector<'a> {
    /// How many elements.
    pub(super) const fn len(&self) -> usize {
        self.elements.len() / self.size
    }

    /// The elements as they are stored.
    pub(super) const fn raw(&self) -> &'a [u8] {
        self.elements
    }

    /// Elements of `N` bytes, the size that the vector was read with.
    fn chunks<const N: usize>(&self) -> impl Iterator<Item = [u8; N]> + 'a {
        self.elements.chunks_exact(N).map(|chunk| {
            let mut element = [0; N];
            element.copy_from_slice(chunk);
            element
        })
    }

    /// As signed integers.
    pub(super) fn i32s(&self) -> Vec<i32> {
        self.chunks().map(i32::from_le_bytes).collect()
    }

    /// As long signed integers.
    pub(super) fn i64s(&self) -> Vec<i64> {
        self.chunks().map(i64::from_le_bytes).collect()
    }

    /// As real numbers.
    pub(super) fn f32s(&self) -> Vec<f32> {
        self.chunks().map(f32::from_le_bytes).collect()
    }

    /// As tables.
    ///
    /// # Errors
    /// When one lies outside the file.
    pub(super) fn tables(&self) -> Result<Vec<Table<'a>>, FlatbufferError> {
        (0..self.len())
            .map(|index| {
                let position = self.start + 4 * index;
                Table::at(self.bytes, self.field, follow(self.bytes, self.field, position)?)
            })
            .collect()
    }
}
