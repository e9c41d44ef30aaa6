//! Slices at the edge of a page: whatever reads or writes beyond them dies.

use std::ops::{Deref, DerefMut};

/// Which end of the slice touches a forbidden page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edge {
    /// The first element follows a forbidden page.
    Start,
    /// A forbidden page follows the last element.
    End,
}

impl Edge {
    /// Both.
    pub(crate) const BOTH: [Self; 2] = [Self::Start, Self::End];
}

/// A slice between two forbidden pages.
pub(crate) struct Guarded<T: Copy> {
    mapping: *mut libc::c_void,
    mapped: usize,
    first: *mut T,
    length: usize,
}

impl<T: Copy> Guarded<T> {
    /// A copy of `source` that touches the page at `edge`.
    pub(crate) fn new(source: &[T], edge: Edge) -> Self {
        // SAFETY: asks the system for a number.
        let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).expect("a page size");
        let bytes = size_of_val(source);
        let inner = bytes.next_multiple_of(page).max(page);
        let mapped = inner + 2 * page;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: a fresh private mapping that aliases nothing.
        let mapping = unsafe { libc::mmap(std::ptr::null_mut(), mapped, libc::PROT_NONE, flags, -1, 0) };
        assert!(mapping != libc::MAP_FAILED, "mmap of {mapped} bytes: {}", std::io::Error::last_os_error());
        let offset = match edge {
            Edge::Start => page,
            Edge::End => page + inner - bytes,
        };
        // SAFETY: the pages between the first and the last of the mapping become ours to use; `offset` and the length lie
        // in them. T's alignment holds because pages are aligned and `bytes` is a multiple of T's size.
        let first = unsafe {
            let usable = mapping.byte_add(page);
            assert_eq!(libc::mprotect(usable, inner, libc::PROT_READ | libc::PROT_WRITE), 0);
            let first = mapping.byte_add(offset).cast::<T>();
            std::ptr::copy_nonoverlapping(source.as_ptr(), first, source.len());
            first
        };
        Self { mapping, mapped, first, length: source.len() }
    }
}

impl<T: Copy> Deref for Guarded<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: `new` placed `length` initialised elements at `first`; the mapping lives as long as `self`.
        unsafe { std::slice::from_raw_parts(self.first, self.length) }
    }
}

impl<T: Copy> DerefMut for Guarded<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`; `&mut self` makes it the only reference.
        unsafe { std::slice::from_raw_parts_mut(self.first, self.length) }
    }
}

impl<T: Copy> Drop for Guarded<T> {
    fn drop(&mut self) {
        // SAFETY: the mapping of `new`, once; no reference outlives `self`.
        unsafe { libc::munmap(self.mapping, self.mapped) };
    }
}
