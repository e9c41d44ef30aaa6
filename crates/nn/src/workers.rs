//! The compute pool that the application lends. It starts no thread: threads that the application made (and pinned) call
//! [`Workers::worker_loop`], and whoever computes calls [`Workers::run`], taking part itself.
//!
//! ```text
//! let workers = Workers::new();
//! std::thread::scope(|scope| {
//!     scope.spawn(|| workers.worker_loop());
//!     workers.run(2, &|part| compute(part));
//!     workers.stop();
//! });
//! ```
//!
//! A job's parts go to whoever is free: each thread takes its own first and then others' that nobody has begun. So a thread that the
//! system does not run for a while (a camera's thread has its core) holds up the part that it is at, and nothing else.
//!
//! Within one inference a fork and join comes every few microseconds, so a thread that waits looks for work a short while
//! before it sleeps; between frames all of them sleep. Nothing here allocates after [`Workers::new`].

#[cfg(test)]
mod tests;

use std::any::Any;
use std::hint::spin_loop;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Threads that may take part in one run, the caller included; and so the most parts that a step is cut into.
pub const THREADS_MAX: usize = SHARES as usize;

/// How often a waiting thread looks before it sleeps: some tens of microseconds.
const LOOKS: usize = 2_000;

type Job<'a> = &'a (dyn Fn(usize) + Sync);

/// See the module.
#[derive(Debug, Default)]
pub struct Workers {
    state: Mutex<State>,
    /// Twin of [`State::signal`] that can be read without the lock.
    signal: AtomicUsize,
    /// Which shares of the present job are taken: a bit for each, below the job's number.
    taken: AtomicU64,
    /// Shares of the present job that are not finished.
    left: AtomicUsize,
    wake: Condvar,
    done: Condvar,
    /// Held by the one caller whose job is running.
    turn: Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    job: Option<Lent>,
    /// Of the last job; none is 0.
    number: u64,
    /// Counts jobs and the stop.
    signal: usize,
    /// Threads inside [`Workers::worker_loop`].
    attached: usize,
    /// Of these, how many sleep on [`Workers::wake`].
    sleeping: usize,
    stopped: bool,
    panic: Option<Box<dyn Any + Send>>,
}

/// Bits of [`Workers::taken`] that stand for shares.
const SHARES: u32 = 16;

/// A job that lives as long as [`Workers::run`] waits for it, which the type does not say.
#[derive(Clone, Copy)]
struct Lent {
    job: Job<'static>,
    parts: usize,
    /// What threads take: parts, or several of them where there are more than bits.
    shares: usize,
    /// Threads that were there when it was published.
    participants: usize,
    /// Tells it from all others, in the bits that [`SHARES`] leaves.
    number: u64,
}

impl std::fmt::Debug for Lent {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} parts for {} threads", self.parts, self.participants)
    }
}

impl Lent {
    /// Runs the parts of a share.
    fn run(&self, share: usize) {
        (share..self.parts).step_by(self.shares).for_each(self.job);
    }

    /// Which of the `free` shares `participant` takes: the first of its own, or of others' the last, which they come to last.
    fn choose(&self, free: u64, participant: usize) -> Option<u32> {
        let own: u64 = (participant..self.shares).step_by(self.participants).map(|share| 1 << share).sum();
        match (free & own, free) {
            (0, 0) => None,
            (0, others) => Some(others.ilog2()),
            (own, _) => Some(own.trailing_zeros()),
        }
    }
}

impl Workers {
    /// A pool without threads: until some call [`Workers::worker_loop`], the caller does everything itself.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Threads that take part in a run now, the caller included.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.state().attached + 1
    }

    /// Makes the calling thread work until [`Workers::stop`]. Returns at once when [`THREADS_MAX`] are at work already, or
    /// after the stop.
    pub fn worker_loop(&self) {
        let (participant, mut seen) = {
            let mut state = self.state();
            if state.stopped || state.attached + 1 >= THREADS_MAX {
                return;
            }
            state.attached += 1;
            (state.attached, state.signal)
        };
        while let Some(job) = self.next_job(&mut seen) {
            self.work(job, participant);
        }
    }

    /// Calls `job` once for each of 0..`parts`, spread over the threads, and returns when all have returned. Callers on
    /// several threads take turns. `job` must not call `run` itself.
    ///
    /// # Panics
    /// When `job` does, after the other parts have run.
    pub fn run(&self, parts: usize, job: Job<'_>) {
        if parts <= 1 {
            (0..parts).for_each(job);
            return;
        }
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: only the lifetime changes. The job is called in `work` alone, by a thread that has taken a share of it, which
        // it counts out of `left` after its last use of the job; a share can be taken once, and only while `taken` holds
        // this job's number. `finish` returns when `left` is 0, so when every share was taken and counted out; `work` catches
        // the panics of this thread, so `finish` is reached. A worker that still holds the reference then finds no share to
        // take, of this job or under its number of any other, and so never calls it.
        let job = unsafe { std::mem::transmute::<Job<'_>, Job<'static>>(job) };
        let lent = self.publish(job, parts);
        self.work(lent, 0);
        self.finish();
    }

    /// Runs shares of `lent` until all are taken.
    fn work(&self, lent: Lent, participant: usize) {
        while let Some(share) = self.take(&lent, participant) {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| lent.run(share))) {
                self.state().panic = Some(panic);
            }
            if self.left.fetch_sub(1, Ordering::AcqRel) == 1 && participant != 0 {
                // Under the lock, so that the caller cannot fall asleep between its look at `left` and this call.
                let _state = self.state();
                self.done.notify_one();
            }
        }
    }

    /// A share of `lent` that nobody has begun.
    fn take(&self, lent: &Lent, participant: usize) -> Option<usize> {
        let all = (1 << lent.shares) - 1;
        let mut taken = self.taken.load(Ordering::Acquire);
        while taken >> SHARES == lent.number {
            let share = lent.choose(!taken & all, participant)?;
            match self.taken.compare_exchange_weak(taken, taken | 1 << share, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Some(share as usize),
                Err(now) => taken = now,
            }
        }
        None
    }

    /// Waits for the shares that other threads have taken.
    fn finish(&self) {
        for _ in 0..LOOKS {
            if self.left.load(Ordering::Acquire) == 0 {
                break;
            }
            spin_loop();
        }
        let mut state = self.state();
        while self.left.load(Ordering::Acquire) != 0 {
            state = self.done.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.job = None;
        let panic = state.panic.take();
        drop(state);
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    }

    /// Makes every [`Workers::worker_loop`] return, after the job that is running.
    pub fn stop(&self) {
        let mut state = self.state();
        state.stopped = true;
        self.raise(&mut state);
    }

    fn publish(&self, job: Job<'static>, parts: usize) -> Lent {
        let mut state = self.state();
        state.number = (state.number + 1) % (1 << (u64::BITS - SHARES));
        let shares = parts.min(THREADS_MAX);
        let lent = Lent { job, parts, shares, participants: state.attached + 1, number: state.number };
        self.left.store(shares, Ordering::Relaxed);
        self.taken.store(lent.number << SHARES, Ordering::Release);
        state.job = Some(lent);
        self.raise(&mut state);
        lent
    }

    fn raise(&self, state: &mut State) {
        state.signal = state.signal.wrapping_add(1);
        self.signal.store(state.signal, Ordering::Release);
        if state.sleeping > 0 {
            self.wake.notify_all();
        }
    }

    /// Waits for a job that is newer than `seen`, the signal that the worker knows; `None` after the stop.
    fn next_job(&self, seen: &mut usize) -> Option<Lent> {
        for _ in 0..LOOKS {
            if self.signal.load(Ordering::Acquire) != *seen {
                break;
            }
            spin_loop();
        }
        let mut state = self.state();
        loop {
            if state.signal != *seen {
                *seen = state.signal;
                if state.job.is_some() {
                    return state.job;
                }
            }
            if state.stopped {
                state.attached -= 1;
                return None;
            }
            state.sleeping += 1;
            state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.sleeping -= 1;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
