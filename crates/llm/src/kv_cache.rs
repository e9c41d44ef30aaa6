//! Where the keys and values of positions live: pages of [`PAGE_POSITIONS`] positions in one block of memory that is taken at
//! the start, and for each sequence a list of pages.
//!
//! ```text
//! page:  for each layer, for each KV head: a block with the keys and values of 32 positions (`clawdbot_kernels::pages`)
//! ```
//! Two sequences with the same beginning share its pages ([`KvCache::fork`]); who writes into a shared page gets a copy of his
//! own first. A page belongs to as many sequences as its count says and is free at 0.

#[cfg(test)]
mod tests;

use clawdbot_kernels::pages::{self, Format};
use clawdbot_nn::arena::AlignedBytes;

/// Positions in a page: the block over which attention's online softmax runs, so that no block straddles pages.
pub const PAGE_POSITIONS: usize = pages::POSITIONS;

/// Sizes that every sequence of a cache shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Layers that keep keys and values.
    pub layers: usize,
    /// Heads of keys and values in a layer.
    pub kv_heads: usize,
    /// Values of a head.
    pub head_dim: usize,
    /// How numbers are kept.
    pub format: Format,
}

impl Shape {
    /// Bytes of a page.
    #[must_use]
    pub const fn page_bytes(&self) -> usize {
        self.layers * self.kv_heads * self.format.block_bytes(self.head_dim)
    }

    /// Pages that so many positions need.
    #[must_use]
    pub const fn pages(positions: usize) -> usize {
        positions.div_ceil(PAGE_POSITIONS)
    }

    /// Where the blocks of one head of a layer lie, for a sequence with these pages.
    #[must_use]
    pub const fn table<'a>(&self, pages: &'a [u32], layer: usize, kv_head: usize) -> pages::Table<'a> {
        let offset = (layer * self.kv_heads + kv_head) * self.format.block_bytes(self.head_dim);
        pages::Table { pages, stride: self.page_bytes(), offset }
    }
}

/// No page is left. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the cache of {pages} pages ({} positions) is full, and {wanted} more are wanted; wait until an answer ends, ask for less \
     context, or give the model a larger cache",
    .pages * PAGE_POSITIONS
)]
pub struct Full {
    /// All pages of the cache.
    pub pages: usize,
    /// Pages that are missing.
    pub wanted: usize,
}

/// One sequence of tokens: the pages of its positions. Give it back with [`KvCache::release`]; dropping it loses the pages.
#[derive(Debug, Default)]
pub struct Sequence {
    table: Vec<u32>,
    length: usize,
}

impl Sequence {
    /// Of at most so many positions; takes the memory for its table now.
    #[must_use]
    pub fn with_capacity(positions: usize) -> Self {
        Self { table: Vec::with_capacity(Shape::pages(positions)), length: 0 }
    }

    /// Positions that hold a key and a value.
    #[must_use]
    pub const fn length(&self) -> usize {
        self.length
    }

    /// Its pages in the order of positions.
    #[must_use]
    pub fn table(&self) -> &[u32] {
        &self.table
    }
}

/// See the module.
#[derive(Debug)]
pub struct KvCache {
    shape: Shape,
    memory: AlignedBytes,
    /// Sequences that hold the page.
    counts: Vec<u32>,
    free: Vec<u32>,
}

impl KvCache {
    /// Takes memory for so many pages.
    #[must_use]
    pub fn new(shape: Shape, pages: u32) -> Self {
        let memory = AlignedBytes::zeroed(shape.page_bytes() * pages as usize);
        Self { shape, memory, counts: vec![0; pages as usize], free: (0..pages).rev().collect() }
    }

    /// Its sizes.
    #[must_use]
    pub const fn shape(&self) -> Shape {
        self.shape
    }

    /// Pages that no sequence holds.
    #[must_use]
    pub fn pages_free(&self) -> usize {
        self.free.len()
    }

    /// All pages.
    #[must_use]
    pub fn pages(&self) -> usize {
        self.counts.len()
    }

    /// All pages, one after the other, `page_bytes` each.
    #[must_use]
    pub fn memory(&self) -> &[u8] {
        self.memory.as_ref()
    }

    /// Readies `sequence` for `positions` more: pages for them, none of which anybody else holds.
    ///
    /// # Errors
    /// When there are too few free pages; nothing was changed then.
    pub fn reserve(&mut self, sequence: &mut Sequence, positions: usize) -> Result<(), Full> {
        let have = sequence.table.len();
        let need = Shape::pages(sequence.length + positions).max(have);
        let first = sequence.length / PAGE_POSITIONS;
        let shared = sequence.table.iter().skip(first).filter(|&&page| self.counts[page as usize] > 1).count();
        let wanted = need - have + shared;
        if wanted > self.free.len() {
            return Err(Full { pages: self.pages(), wanted: wanted - self.free.len() });
        }
        for at in first..need {
            match sequence.table.get(at).copied() {
                Some(page) if self.counts[page as usize] > 1 => {
                    let own = self.take();
                    self.copy(page, own);
                    self.counts[page as usize] -= 1;
                    sequence.table[at] = own;
                }
                Some(_) => {}
                None => {
                    let page = self.take();
                    sequence.table.push(page);
                }
            }
        }
        Ok(())
    }

    /// All pages, to write the next positions of `sequence` into its own.
    ///
    /// # Panics
    /// When the page that these begin in is shared: the caller did not [`KvCache::reserve`].
    pub fn memory_for(&mut self, sequence: &Sequence) -> &mut [u8] {
        let written = sequence.table.iter().skip(sequence.length / PAGE_POSITIONS);
        written.for_each(|&page| assert_eq!(self.counts[page as usize], 1, "a shared page is not written"));
        self.memory.as_mut()
    }

    /// Tells that the next `positions` of `sequence` are written.
    ///
    /// # Panics
    /// When there are no pages for them.
    pub fn advance(&self, sequence: &mut Sequence, positions: usize) {
        let length = sequence.length + positions;
        assert!(Shape::pages(length) <= sequence.table.len(), "{length} positions were not reserved");
        sequence.length = length;
    }

    /// Forgets what `sequence` holds beyond `length`: drafts that were wrong, or another end of a shared beginning.
    pub fn truncate(&mut self, sequence: &mut Sequence, length: usize) {
        if length < sequence.length {
            sequence.length = length;
        }
        let keep = Shape::pages(sequence.length);
        while sequence.table.len() > keep {
            if let Some(page) = sequence.table.pop() {
                self.drop_page(page);
            }
        }
    }

    /// Gives all pages of `sequence` back; it is empty then and can be used again.
    pub fn release(&mut self, sequence: &mut Sequence) {
        self.truncate(sequence, 0);
    }

    /// Makes `target`, which gives its own pages back, the first `length` positions of `source`, sharing the pages.
    pub fn fork(&mut self, source: &Sequence, length: usize, target: &mut Sequence) {
        self.release(target);
        target.length = length.min(source.length);
        for &page in &source.table[..Shape::pages(target.length)] {
            self.counts[page as usize] += 1;
            target.table.push(page);
        }
    }

    /// The bytes of the pages that hold the first `length` positions of `sequence`, for [`KvCache::import`].
    #[must_use]
    pub fn export(&self, sequence: &Sequence, length: usize) -> Vec<u8> {
        let bytes = self.shape.page_bytes();
        let pages = &sequence.table[..Shape::pages(length.min(sequence.length))];
        let page = |&page: &u32| &self.memory.as_ref()[page as usize * bytes..][..bytes];
        pages.iter().flat_map(page).copied().collect()
    }

    /// Makes `sequence`, which is empty, the `length` positions that [`KvCache::export`] of a cache of the same shape wrote.
    /// False when `bytes` are not so many, or there are not so many pages; nothing was changed then.
    #[must_use]
    pub fn import(&mut self, bytes: &[u8], length: usize, sequence: &mut Sequence) -> bool {
        let page_bytes = self.shape.page_bytes();
        if Shape::pages(length).checked_mul(page_bytes) != Some(bytes.len()) || self.reserve(sequence, length).is_err()
        {
            return false;
        }
        for (&page, bytes) in sequence.table.iter().zip(bytes.chunks_exact(page_bytes)) {
            self.memory.as_mut()[page as usize * page_bytes..][..page_bytes].copy_from_slice(bytes);
        }
        sequence.length = length;
        true
    }

    /// A free page, counted once. Callers made sure that there is one.
    fn take(&mut self) -> u32 {
        let page = self.free.pop().unwrap_or_else(|| unreachable!("pages were counted before they are taken"));
        self.counts[page as usize] = 1;
        page
    }

    fn drop_page(&mut self, page: u32) {
        let count = &mut self.counts[page as usize];
        *count -= 1;
        if *count == 0 {
            self.free.push(page);
        }
    }

    fn copy(&mut self, from: u32, to: u32) {
        let bytes = self.shape.page_bytes();
        let start = from as usize * bytes;
        self.memory.as_mut().copy_within(start..start + bytes, to as usize * bytes);
    }
}
