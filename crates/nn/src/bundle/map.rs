//! A file, mapped read-only. The only unsafe of the bundle reader.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The bytes of a file, used in place.
#[derive(Debug)]
pub(crate) struct Mapping(memmap2::Mmap);

impl Mapping {
    /// Maps the file at `path`. Answers `None` when the file was replaced or changed its size meanwhile.
    ///
    /// # Errors
    /// What the operating system says.
    pub(crate) fn open(path: &Path) -> io::Result<Option<Self>> {
        let file = File::open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        // SAFETY: the mapping is read-only and private to us; it stays sound as long as nobody truncates or rewrites the
        // file. Bundles are replaced by rename only (docs/reference/bundle.md), which leaves this inode as it is; a file
        // that was being replaced while we opened it is refused just below.
        let map = unsafe { memmap2::Mmap::map(&file)? };
        let opened = file.metadata()?;
        let named = std::fs::metadata(path)?;
        let same = opened.dev() == named.dev() && opened.ino() == named.ino();
        let whole = usize::try_from(opened.len()) == Ok(map.len());
        Ok((same && whole).then_some(Self(map)))
    }
}

impl AsRef<[u8]> for Mapping {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}
