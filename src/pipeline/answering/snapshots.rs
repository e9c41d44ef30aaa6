//! Beginnings that every conversation shares, kept on the disk: after a restart the first question need not compute them.
//!
//! ```text
//! "clawdbot prefixes 1\n"  u32 length, identity  then for each: u32 tokens, u64 bytes, tokens (u32), pages
//! ```
//! Little-endian. The identity names the weights and the form of keys and values; a file with another one is as good as none,
//! and so is a broken one: what it holds is computed again.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use clawdbot_llm::engine::Snapshot;

#[cfg(test)]
mod tests;

const MAGIC: &[u8] = b"clawdbot prefixes 1\n";
/// Beginnings in a file at most.
const SNAPSHOTS_MAX: usize = 64;
/// Bytes of a file at most.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// Writes `snapshots` beside `path` and puts the file in its place, so that a crash leaves the old one or the new one.
///
/// # Errors
/// As the file system says.
pub(super) fn write(path: &Path, identity: &str, snapshots: &[Snapshot]) -> io::Result<()> {
    let beside = path.with_extension("part");
    let mut file = io::BufWriter::new(File::create(&beside)?);
    file.write_all(MAGIC)?;
    file.write_all(&length(identity.len())?)?;
    file.write_all(identity.as_bytes())?;
    for Snapshot { tokens, pages } in snapshots.iter().take(SNAPSHOTS_MAX) {
        file.write_all(&length(tokens.len())?)?;
        file.write_all(&(pages.len() as u64).to_le_bytes())?;
        for token in tokens {
            file.write_all(&token.to_le_bytes())?;
        }
        file.write_all(pages)?;
    }
    let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    fs::rename(&beside, path)
}

/// What `path` holds for `identity`; empty when it holds nothing of use.
pub(super) fn read(path: &Path, identity: &str) -> Vec<Snapshot> {
    let Ok(file) = File::open(path) else { return Vec::new() };
    let size = file.metadata().map_or(0, |metadata| metadata.len());
    if size > FILE_BYTES_MAX {
        return Vec::new();
    }
    let mut bytes = Vec::new();
    if file.take(FILE_BYTES_MAX).read_to_end(&mut bytes).is_err() {
        return Vec::new();
    }
    parse(&bytes, identity).unwrap_or_default()
}

fn parse(bytes: &[u8], identity: &str) -> Option<Vec<Snapshot>> {
    let mut rest = bytes.strip_prefix(MAGIC)?;
    let length = usize::try_from(u32::from_le_bytes(take(&mut rest)?)).ok()?;
    if cut(&mut rest, length)? != identity.as_bytes() {
        return None;
    }
    let mut snapshots = Vec::new();
    while !rest.is_empty() && snapshots.len() < SNAPSHOTS_MAX {
        let tokens = usize::try_from(u32::from_le_bytes(take(&mut rest)?)).ok()?;
        let pages = usize::try_from(u64::from_le_bytes(take(&mut rest)?)).ok()?;
        let tokens = cut(&mut rest, tokens.checked_mul(4)?)?.chunks_exact(4);
        let tokens = tokens.map(|id| u32::from_le_bytes([id[0], id[1], id[2], id[3]])).collect();
        snapshots.push(Snapshot { tokens, pages: cut(&mut rest, pages)?.to_vec() });
    }
    Some(snapshots)
}

fn cut<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(taken)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    cut(rest, N)?.try_into().ok()
}

fn length(length: usize) -> io::Result<[u8; 4]> {
    let refused = |_| io::Error::new(io::ErrorKind::InvalidInput, "more than 2^32 entries");
    u32::try_from(length).map(u32::to_le_bytes).map_err(refused)
}
