//! Pages of keys and values: 32 positions of one head each, as bytes in an arena.
//!
//! A *block* is what one head of one layer keeps in one page. A table says where the blocks of consecutive pages of
//! positions lie, so that slots share pages and copy one only before they write to it. A block in I8:
//!
//! | part | layout | bytes |
//! |---|---|---|
//! | keys | `[4][head_dim/4][8][4]` i8: position 8o + r, values 4g..4g+4 at `[o][g][r]`, as a packed matrix of 32 rows | 32 x `head_dim` |
//! | values | `[head_dim/8][8][8][4]` i8: value 8c + r of positions 4g..4g+4 at `[c][g][r]`, as a packed matrix of `head_dim` rows | 32 x `head_dim` |
//! | scales | f32 of each key, then of each value: real = q * scale | 2 x 128 |
//!
//! and in F16 (binary16 bits, little-endian as all numbers here):
//!
//! | part | layout | bytes |
//! |---|---|---|
//! | keys | `[4][head_dim][8]`: value d of positions 8o..8o+8 at `[o][d]` | 64 x `head_dim` |
//! | values | `[head_dim/8][32][8]`: values 8c..8c+8 of position p at `[c][p]` | 64 x `head_dim` |
//!
//! F32 has the layout of F16 with four bytes a number: for measuring what the other two cost, and for nothing else, since
//! it takes twice the memory of F16.
//!
//! A block is all zeros when it is taken, and only `kv_store` writes to it, which stores finite numbers. So whatever
//! lies at positions that were not stored yet, or by another slot, is finite, and kernels may multiply it by zero.

/// Positions of a page.
pub const POSITIONS: usize = 32;
/// Longest head.
pub const HEAD_DIM_MAX: usize = 256;

/// What a stored number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// -127..=127 with a scale for each position.
    I8,
    /// IEEE binary16.
    F16,
    /// As computed.
    F32,
}

impl Format {
    /// Bytes of the keys of a block; the values take as many.
    #[must_use]
    pub const fn half_bytes(self, head_dim: usize) -> usize {
        match self {
            Self::I8 => POSITIONS * head_dim,
            Self::F16 => 2 * POSITIONS * head_dim,
            Self::F32 => 4 * POSITIONS * head_dim,
        }
    }

    /// Bytes of a block.
    #[must_use]
    pub const fn block_bytes(self, head_dim: usize) -> usize {
        let scales = match self {
            Self::I8 => 2 * size_of::<[f32; POSITIONS]>(),
            Self::F16 | Self::F32 => 0,
        };
        2 * self.half_bytes(head_dim) + scales
    }
}

/// Where the blocks of one head lie in the arena.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a> {
    /// Page number `i` holds positions `32 i..32 i + 32`; it is at place `pages[i]` of the arena.
    pub pages: &'a [u32],
    /// Bytes from place to place.
    pub stride: usize,
    /// Bytes from the beginning of a place to the block.
    pub offset: usize,
}

impl Table<'_> {
    /// Where the block with `position` begins.
    #[inline]
    pub(crate) fn start(&self, position: usize) -> usize {
        self.pages[position / POSITIONS] as usize * self.stride + self.offset
    }

    /// Panics unless the blocks of the positions `first..end` lie in an arena of `length` bytes.
    pub(crate) fn check(&self, first: usize, end: usize, bytes: usize, length: usize) {
        assert!(end.div_ceil(POSITIONS) <= self.pages.len(), "{} pages for {end} positions", self.pages.len());
        for position in (first / POSITIONS * POSITIONS..end).step_by(POSITIONS) {
            let page = self.pages[position / POSITIONS];
            let start = (page as usize).checked_mul(self.stride).and_then(|start| start.checked_add(self.offset));
            let fits = start.and_then(|start| start.checked_add(bytes)).is_some_and(|end| end <= length);
            assert!(fits, "page {page} at position {position} ends beyond an arena of {length} bytes");
        }
    }
}

/// Panics unless heads may be that long.
pub(crate) fn check_head_dim(head_dim: usize) {
    let fits = head_dim > 0 && head_dim <= HEAD_DIM_MAX && head_dim.is_multiple_of(8);
    assert!(fits, "heads of {head_dim} values: a multiple of 8 up to {HEAD_DIM_MAX} is needed");
}
