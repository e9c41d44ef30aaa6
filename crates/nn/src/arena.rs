//! Memory for activations, taken once, aligned so that every vector load and every cache line starts where it should.

/// What every offset in an arena and every tensor in a bundle is a multiple of, in bytes: a cache line.
pub const ALIGNMENT: usize = 64;

/// Zeroed bytes whose first one lies on a multiple of [`ALIGNMENT`].
#[derive(Debug)]
pub struct AlignedBytes {
    storage: Vec<u8>,
    start: usize,
    length: usize,
}

impl AlignedBytes {
    /// `length` zero bytes.
    #[must_use]
    pub fn zeroed(length: usize) -> Self {
        let storage = vec![0_u8; length + ALIGNMENT];
        let start = storage.as_ptr().align_offset(ALIGNMENT);
        Self { storage, start, length }
    }

    /// A copy of `bytes`.
    #[must_use]
    pub fn copy_of(bytes: &[u8]) -> Self {
        let mut copy = Self::zeroed(bytes.len());
        copy.as_mut().copy_from_slice(bytes);
        copy
    }
}

impl AsRef<[u8]> for AlignedBytes {
    fn as_ref(&self) -> &[u8] {
        &self.storage[self.start..self.start + self.length]
    }
}

impl AsMut<[u8]> for AlignedBytes {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.storage[self.start..self.start + self.length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_on_a_cache_line_whatever_the_length() {
        for length in [0, 1, 63, 64, 65, 4096] {
            let bytes = AlignedBytes::zeroed(length);
            assert_eq!(bytes.as_ref().len(), length);
            assert_eq!(bytes.as_ref().as_ptr().align_offset(ALIGNMENT), 0);
        }
        assert_eq!(AlignedBytes::copy_of(&[1, 2, 3]).as_ref(), &[1, 2, 3]);
    }
}
