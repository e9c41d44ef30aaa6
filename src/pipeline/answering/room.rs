//! Whether a language model has room in this machine's memory: plain arithmetic, told with its sum.

use clawdbot_flow::rooted::Root;

use super::Options;
use crate::pipeline::language::{self, LanguageError};

#[cfg(test)]
mod tests;

/// What stays free for cameras, broker and system.
pub(crate) const RESERVE_BYTES: u64 = 96 << 20;

/// There is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the language model wants {} MiB for its weights and {} MiB for keys, values and buffers, and {} MiB stay in reserve, \
     together {} MiB; {} MiB are available: end something else, take a smaller model, or lower llm.context or llm.slots",
    mebibytes(*weights), mebibytes(*cache), mebibytes(RESERVE_BYTES), mebibytes(weights + cache + RESERVE_BYTES),
    mebibytes(*available)
)]
pub(super) struct NoRoom {
    /// Bytes of the weights.
    pub(super) weights: u64,
    /// Bytes of keys, values and buffers.
    pub(super) cache: u64,
    /// Bytes that the kernel calls available.
    pub(super) available: u64,
}

/// What a language model wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Demand {
    /// Bytes of its weights.
    pub(crate) weights: u64,
    /// Bytes of keys, values and buffers.
    pub(crate) cache: u64,
}

/// What the model of `options` will want when the first question comes.
///
/// # Errors
/// When its file is no good, or its context too large.
pub(crate) fn demand(options: &Options) -> Result<Demand, LanguageError> {
    let model = language::open_model(&options.model)?;
    let cache = language::memory_bytes(&model, options.language())?;
    Ok(Demand { weights: model.bundle().file_bytes() as u64, cache })
}

/// Whether so many bytes have room now. A machine that does not say how much it has is believed to have enough.
///
/// # Errors
/// [`NoRoom`] with the sum.
pub(super) fn check(root: &Root, weights: u64, cache: u64) -> Result<(), NoRoom> {
    let Some(available) = available(root) else { return Ok(()) };
    // Weights that are in the page cache already count as available, so nothing is counted twice.
    let wanted = weights.saturating_add(cache).saturating_add(RESERVE_BYTES);
    if wanted > available { Err(NoRoom { weights, cache, available }) } else { Ok(()) }
}

/// `MemAvailable` of /proc/meminfo, in bytes.
fn available(root: &Root) -> Option<u64> {
    memory(root, "MemAvailable:")
}

/// A line of /proc/meminfo, in bytes.
pub(crate) fn memory(root: &Root, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(root.join("/proc/meminfo")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

const fn mebibytes(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 20)
}
