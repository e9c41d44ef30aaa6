//! Cutting a result into bands of rows, one for each thread, without unsafe: the bands are disjoint slices, each behind a
//! lock that nobody contends for (about 20 ns a band).

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use crate::workers::{THREADS_MAX, Workers};

/// Work that is worth waking a thread for: multiplications, or elements of a cheap operator times 8.
const WORK_PER_PART: usize = 65_536;

/// A result of `rows` rows, each of which `work` stands for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rows {
    /// How many.
    pub(super) count: usize,
    /// Elements in memory of one.
    pub(super) elements: usize,
    /// Multiplications that one costs.
    pub(super) work: usize,
}

impl Rows {
    fn parts(&self, threads: usize) -> usize {
        let worth = (self.count.saturating_mul(self.work) / WORK_PER_PART).max(1);
        threads.min(worth).min(self.count).min(THREADS_MAX)
    }
}

/// Calls `job` with disjoint ranges of rows that cover `rows`, and the part of `output` that holds them. `output` holds
/// `rows`; of the last it need not hold what lies between its last result and the next row.
pub(super) fn in_bands<T: Send>(
    workers: &Workers,
    rows: Rows,
    output: &mut [T],
    job: impl Fn(Range<usize>, &mut [T]) + Sync,
) {
    let parts = rows.parts(workers.threads());
    if parts <= 1 {
        job(0..rows.count, output);
        return;
    }
    let band = |part: usize| rows.count * part / parts..rows.count * (part + 1) / parts;
    let mut rest = output;
    let bands: [Mutex<&mut [T]>; THREADS_MAX] = std::array::from_fn(|part| {
        let length = if part + 1 < parts { band(part).len() * rows.elements } else { rest.len() };
        let (band, others) = std::mem::take(&mut rest).split_at_mut(length);
        rest = others;
        Mutex::new(band)
    });
    workers.run(parts, &|part| {
        let mut output = bands[part].lock().unwrap_or_else(PoisonError::into_inner);
        job(band(part), &mut output);
    });
}
