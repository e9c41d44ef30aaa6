//! A result that several threads make, each a piece of it.

#[cfg(test)]
mod tests;

use std::sync::{Mutex, PoisonError};

use clawdbot_nn::workers::{THREADS_MAX, Workers};

/// Cuts `result` into runs of tiles, `unit` elements each, one run a thread, and calls `job` with each run's first tile and its
/// elements. Allocates nothing.
pub(crate) fn in_parts<T: Send>(
    workers: &Workers,
    result: &mut [T],
    unit: usize,
    job: &(dyn Fn(usize, &mut [T]) + Sync),
) {
    let tiles = result.len() / unit;
    let threads = workers.threads().min(tiles);
    if threads <= 1 {
        return job(0, result);
    }
    let each = tiles.div_ceil(threads);
    let mut pieces = result.chunks_mut(each * unit);
    // A lock that is taken once, by the one thread that gets the part: how a shared closure hands out what may be written.
    let parts: [Mutex<&mut [T]>; THREADS_MAX] = std::array::from_fn(|_| Mutex::new(pieces.next().unwrap_or_default()));
    workers.run(tiles.div_ceil(each), &|part| {
        let mut piece = parts[part].lock().unwrap_or_else(PoisonError::into_inner);
        job(part * each, &mut piece);
    });
}
