//! A result that several threads make, each a piece of it.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tile_is_made_once_by_any_number_of_threads() {
        for (threads, tiles) in [(1, 5), (2, 5), (3, 2), (4, 9), (2, 0)] {
            let workers = Workers::new();
            let mut result = vec![0_usize; tiles * 3];
            std::thread::scope(|scope| {
                for _ in 1..threads {
                    scope.spawn(|| workers.worker_loop());
                }
                while workers.threads() < threads {
                    std::thread::yield_now();
                }
                in_parts(&workers, &mut result, 3, &|first, piece| {
                    for (at, value) in piece.iter_mut().enumerate() {
                        *value += first * 3 + at + 1;
                    }
                });
                workers.stop();
            });
            assert!(result.iter().enumerate().all(|(at, &value)| value == at + 1), "{threads}, {tiles}: {result:?}");
        }
    }
}
