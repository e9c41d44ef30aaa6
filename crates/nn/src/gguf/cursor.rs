//! Reads numbers and strings one after the other, never past the end.

use super::error::GgufFault;

/// Longest string: a chat template or a token, with much room.
const STRING_BYTES_MAX: u64 = 16 << 20;

/// A place in the file.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) const fn at(&self) -> usize {
        self.at
    }

    /// Bytes that are left.
    pub(super) const fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// The next `length` bytes; `what` they are, for the message.
    pub(super) fn take(&mut self, length: usize, what: &dyn Fn() -> String) -> Result<&'a [u8], GgufFault> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let taken = rest.get(..length).ok_or_else(|| GgufFault::Truncated { what: what(), at: self.bytes.len() })?;
        self.at += length;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self, what: &dyn Fn() -> String) -> Result<[u8; N], GgufFault> {
        let taken = self.take(N, what)?;
        taken.try_into().map_err(|_| GgufFault::Truncated { what: what(), at: self.bytes.len() })
    }

    pub(super) fn u32(&mut self, what: &dyn Fn() -> String) -> Result<u32, GgufFault> {
        self.array(what).map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self, what: &dyn Fn() -> String) -> Result<u64, GgufFault> {
        self.array(what).map(u64::from_le_bytes)
    }

    /// A length and so many bytes of UTF-8.
    pub(super) fn string(&mut self, what: &dyn Fn() -> String) -> Result<&'a str, GgufFault> {
        let length = self.u64(what)?;
        if length > STRING_BYTES_MAX {
            let what = format!("the length of {}", what());
            return Err(GgufFault::TooLarge { what, found: length, max: STRING_BYTES_MAX });
        }
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let bytes = self.take(length, what)?;
        std::str::from_utf8(bytes)
            .map_err(|_| GgufFault::Key { key: what(), reason: String::from("its text is not UTF-8") })
    }
}
