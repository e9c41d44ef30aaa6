//! Results that several threads make, each a piece of them.

#[cfg(test)]
mod tests;

use std::sync::{Mutex, PoisonError};

use clawdbot_nn::workers::{THREADS_MAX, Workers};

/// What can be cut between tiles, so that threads write each half.
pub(crate) trait Cut: Send + Sized {
    /// How many tiles it has.
    fn tiles(&self) -> usize;

    /// The first `tiles` tiles, and the others.
    fn cut(self, tiles: usize) -> (Self, Self);
}

/// A slice in tiles of so many elements.
#[derive(Debug)]
pub(crate) struct Tiles<'a, T> {
    /// All of them.
    pub(crate) data: &'a mut [T],
    /// Elements of a tile.
    pub(crate) unit: usize,
}

impl<T: Send> Cut for Tiles<'_, T> {
    fn tiles(&self) -> usize {
        self.data.len() / self.unit
    }

    fn cut(self, tiles: usize) -> (Self, Self) {
        let Self { data, unit } = self;
        let (first, rest) = data.split_at_mut(tiles * unit);
        (Self { data: first, unit }, Self { data: rest, unit })
    }
}

/// Cuts `whole` into runs of tiles, one run a thread, and calls `job` with each run's first tile and the run. Allocates nothing.
pub(crate) fn in_parts<W: Cut>(workers: &Workers, whole: W, job: &(dyn Fn(usize, &mut W) + Sync)) {
    in_fine_parts(workers, usize::MAX, whole, job);
}

/// The same with more runs than threads where there is enough of it, so that a thread that is held up leaves the more to others. Runs
/// beyond one a thread have `least` tiles at least. There are as many for each thread, and none is longer than another by more than
/// a tile, so that no thread waits for the rest of them.
pub(crate) fn in_fine_parts<W: Cut>(workers: &Workers, least: usize, whole: W, job: &(dyn Fn(usize, &mut W) + Sync)) {
    let tiles = whole.tiles();
    let threads = workers.threads().min(tiles);
    let mut rest = Some(whole);
    if threads <= 1 {
        return rest.iter_mut().for_each(|whole| job(0, whole));
    }
    let cuts = Cuts::new(tiles, (tiles / least).clamp(threads, THREADS_MAX) / threads * threads);
    let mut pieces = (0..cuts.parts).map(|part| {
        let whole = rest.take()?;
        if part + 1 == cuts.parts {
            return Some(whole);
        }
        let (piece, left) = whole.cut(cuts.start(part + 1) - cuts.start(part));
        rest = Some(left);
        Some(piece)
    });
    // A lock that is taken once, by the one thread that gets the part: how a shared closure hands out what may be written.
    let parts: [Mutex<Option<W>>; THREADS_MAX] = std::array::from_fn(|_| Mutex::new(pieces.next().flatten()));
    workers.run(cuts.parts, &|part| {
        let mut piece = parts[part].lock().unwrap_or_else(PoisonError::into_inner);
        piece.iter_mut().for_each(|piece| job(cuts.start(part), piece));
    });
}

/// Tiles in parts that differ by one at most, the longer ones first.
#[derive(Clone, Copy)]
struct Cuts {
    parts: usize,
    /// Tiles of a part, but for one more in each of the `longer` first ones.
    each: usize,
    longer: usize,
}

impl Cuts {
    /// `parts` is not 0, and not more than `tiles`.
    const fn new(tiles: usize, parts: usize) -> Self {
        Self { parts, each: tiles / parts, longer: tiles % parts }
    }

    /// The first tile of a part.
    fn start(&self, part: usize) -> usize {
        part * self.each + part.min(self.longer)
    }
}
