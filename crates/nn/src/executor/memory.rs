//! The arena as one step sees it: its result to write, everything else to read.

use std::ops::Range;

/// The bytes around a result.
#[derive(Clone, Copy, Debug)]
pub(super) struct Memory<'a> {
    before: &'a [u8],
    after: &'a [u8],
    after_start: usize,
}

/// Splits `arena` at the result, which lies at `range`.
pub(super) fn split(arena: &mut [u8], range: Range<usize>) -> (Memory<'_>, &mut [u8]) {
    let (before, rest) = arena.split_at_mut(range.start);
    let (output, after) = rest.split_at_mut(range.len());
    (Memory { before, after, after_start: range.end }, output)
}

impl<'a> Memory<'a> {
    /// The elements at `range`, which does not overlap the result and is aligned: the plan sees to it.
    pub(super) fn elements<T: bytemuck::Pod>(&self, range: &Range<usize>) -> &'a [T] {
        bytemuck::cast_slice(self.bytes(range))
    }

    /// As [`Self::elements`].
    pub(super) fn bytes(&self, range: &Range<usize>) -> &'a [u8] {
        if range.end <= self.before.len() {
            &self.before[range.clone()]
        } else {
            &self.after[range.start - self.after_start..range.end - self.after_start]
        }
    }
}
