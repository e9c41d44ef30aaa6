//! Protocol Buffers' wire format, read in place: a message is a row of fields, each a number and a content. Nothing is
//! copied and nothing is allocated, so a file can claim what it likes; the format's two group types, long deprecated, are
//! refused. See "Encoding" in the Protocol Buffers documentation.

/// Why bytes are no message.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum WireError {
    /// A field reaches beyond its message.
    #[error("its `{message}` ends within a field: the file is truncated or damaged")]
    Truncated {
        /// Name of the message.
        message: &'static str,
    },
    /// A number of more than 64 bits.
    #[error("its `{message}` holds a number of more than 64 bits: the file is damaged")]
    Varint {
        /// Name of the message.
        message: &'static str,
    },
    /// A field of no kind.
    #[error("its `{message}` has field {number} of wire type {kind}, which is none: the file is damaged")]
    Kind {
        /// Name of the message.
        message: &'static str,
        /// Of the field.
        number: u64,
        /// As stored.
        kind: u64,
    },
    /// A field whose content is of another kind than the schema says.
    #[error("its `{message}` has field {number} in another form than ONNX's schema says: the file is damaged")]
    Content {
        /// Name of the message.
        message: &'static str,
        /// Of the field.
        number: u64,
    },
    /// A text that is not UTF-8.
    #[error("its `{message}` has in field {number} a text that is not UTF-8: the file is damaged")]
    Text {
        /// Name of the message.
        message: &'static str,
        /// Of the field.
        number: u64,
    },
}

/// What a field holds.
#[derive(Clone, Copy, Debug)]
enum Content<'a> {
    Varint(u64),
    Fixed64(&'a [u8]),
    Bytes(&'a [u8]),
    Fixed32(&'a [u8]),
}

/// The fields of a message, in the order of the file.
#[derive(Clone, Debug)]
pub(super) struct Fields<'a> {
    message: &'static str,
    rest: &'a [u8],
}

/// One of them.
#[derive(Clone, Debug)]
pub(super) struct Field<'a> {
    message: &'static str,
    /// Its number in the schema.
    pub(super) number: u64,
    content: Content<'a>,
}

impl<'a> Fields<'a> {
    /// Of a message; `message` is its name, for errors.
    pub(super) const fn new(message: &'static str, bytes: &'a [u8]) -> Self {
        Self { message, rest: bytes }
    }

    /// The next field; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Field<'a>>, WireError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let message = self.message;
        let tag = varint(&mut self.rest, message)?;
        let (number, kind) = (tag >> 3, tag & 7);
        let content = match kind {
            0 => Content::Varint(varint(&mut self.rest, message)?),
            1 => Content::Fixed64(self.take(8)?),
            2 => {
                let length = varint(&mut self.rest, message)?;
                let length = usize::try_from(length).map_err(|_| WireError::Truncated { message })?;
                Content::Bytes(self.take(length)?)
            }
            5 => Content::Fixed32(self.take(4)?),
            _ => return Err(WireError::Kind { message, number, kind }),
        };
        if number == 0 {
            return Err(WireError::Kind { message, number, kind });
        }
        Ok(Some(Field { message, number, content }))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], WireError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(WireError::Truncated { message: self.message })?;
        self.rest = rest;
        Ok(taken)
    }
}

impl<'a> Field<'a> {
    const fn mismatch(&self) -> WireError {
        WireError::Content { message: self.message, number: self.number }
    }

    /// A message within, or raw bytes.
    pub(super) const fn bytes(&self) -> Result<&'a [u8], WireError> {
        match self.content {
            Content::Bytes(bytes) => Ok(bytes),
            _ => Err(self.mismatch()),
        }
    }

    /// A text.
    pub(super) fn text(&self) -> Result<&'a str, WireError> {
        let error = WireError::Text { message: self.message, number: self.number };
        std::str::from_utf8(self.bytes()?).map_err(|_| error)
    }

    /// An integer, signed as ONNX has them all.
    pub(super) const fn integer(&self) -> Result<i64, WireError> {
        match self.content {
            Content::Varint(varint) => Ok(varint.cast_signed()),
            _ => Err(self.mismatch()),
        }
    }

    /// A float.
    pub(super) fn float(&self) -> Result<f32, WireError> {
        match self.content {
            Content::Fixed32(bytes) => Ok(words(bytes).map(f32::from_le_bytes).next().unwrap_or_default()),
            _ => Err(self.mismatch()),
        }
    }

    /// Appends repeated integers: one, or many packed.
    pub(super) fn integers(&self, all: &mut Vec<i64>) -> Result<(), WireError> {
        let mut packed = match self.content {
            Content::Bytes(packed) => packed,
            _ => {
                all.push(self.integer()?);
                return Ok(());
            }
        };
        while !packed.is_empty() {
            all.push(varint(&mut packed, self.message)?.cast_signed());
        }
        Ok(())
    }

    /// Appends repeated floats: one, or many packed.
    pub(super) fn floats(&self, all: &mut Vec<f32>) -> Result<(), WireError> {
        match self.content {
            Content::Fixed32(bytes) | Content::Bytes(bytes) if bytes.len().is_multiple_of(4) => {
                all.extend(words(bytes).map(f32::from_le_bytes));
                Ok(())
            }
            _ => Err(self.mismatch()),
        }
    }

    /// Appends repeated doubles: one, or many packed.
    pub(super) fn doubles(&self, all: &mut Vec<f64>) -> Result<(), WireError> {
        match self.content {
            Content::Fixed64(bytes) | Content::Bytes(bytes) if bytes.len().is_multiple_of(8) => {
                all.extend(words(bytes).map(f64::from_le_bytes));
                Ok(())
            }
            _ => Err(self.mismatch()),
        }
    }
}

/// Little-endian words of `N` bytes; a rest that is shorter is left out.
pub(super) fn words<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> + '_ {
    bytes.chunks_exact(N).map(|chunk| {
        let mut word = [0; N];
        word.copy_from_slice(chunk);
        word
    })
}

/// Seven bits a byte, lowest first, the highest bit says that more follow.
fn varint(bytes: &mut &[u8], message: &'static str) -> Result<u64, WireError> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first().ok_or(WireError::Truncated { message })?;
        *bytes = rest;
        let part = u64::from(byte & 0x7f);
        if shift == 63 && part > 1 {
            return Err(WireError::Varint { message });
        }
        value |= part << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(WireError::Varint { message })
}
