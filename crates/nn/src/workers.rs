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
//! Within one inference a fork and join comes every few microseconds, so a thread that waits looks for work a short while
//! before it sleeps; between frames all of them sleep. Nothing here allocates after [`Workers::new`].

#[cfg(test)]
mod tests;

use std::any::Any;
use std::hint::spin_loop;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Threads that may take part in one run, the caller included; and so the most parts that a step is cut into.
pub const THREADS_MAX: usize = 16;

/// How often a waiting thread looks before it sleeps: some tens of microseconds.
const LOOKS: usize = 2_000;

type Job<'a> = &'a (dyn Fn(usize) + Sync);

/// See the module.
#[derive(Debug, Default)]
pub struct Workers {
    state: Mutex<State>,
    /// Twin of [`State::signal`] that can be read without the lock.
    signal: AtomicUsize,
    /// Workers that have not finished the present job.
    pending: AtomicUsize,
    wake: Condvar,
    done: Condvar,
    /// Held by the one caller whose job is running.
    turn: Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    job: Option<Lent>,
    /// Counts jobs and the stop.
    signal: usize,
    /// Threads inside [`Workers::worker_loop`].
    attached: usize,
    /// Of these, how many sleep on [`Workers::wake`].
    sleeping: usize,
    stopped: bool,
    panic: Option<Box<dyn Any + Send>>,
}

/// A job that lives as long as [`Workers::run`] waits for it, which the type does not say.
#[derive(Clone, Copy)]
struct Lent {
    job: Job<'static>,
    parts: usize,
    participants: usize,
    /// [`State::signal`] when it was published: a worker takes a job once, also when [`Workers::stop`] wakes it again.
    number: usize,
}

impl std::fmt::Debug for Lent {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} parts for {} threads", self.parts, self.participants)
    }
}

impl Lent {
    /// Runs the parts that fall to `participant`.
    fn run(&self, participant: usize) {
        (participant..self.parts).step_by(self.participants).for_each(self.job);
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
        let (participant, mut seen, mut taken) = {
            let mut state = self.state();
            if state.stopped || state.attached + 1 >= THREADS_MAX {
                return;
            }
            state.attached += 1;
            (state.attached, state.signal, state.signal)
        };
        while let Some(job) = self.next_job(participant, &mut seen, taken) {
            taken = job.number;
            let outcome = catch_unwind(AssertUnwindSafe(|| job.run(participant)));
            if let Err(panic) = outcome {
                self.state().panic = Some(panic);
            }
            if self.pending.fetch_sub(1, Ordering::AcqRel) == 1 {
                // Under the lock, so that the caller cannot fall asleep between its look at `pending` and this call.
                let _state = self.state();
                self.done.notify_one();
            }
        }
    }

    /// Calls `job` once for each of 0..`parts`, spread over the threads, and returns when all have returned. Callers on
    /// several threads take turns. `job` must not call `run` itself.
    ///
    /// # Panics
    /// When `job` does.
    pub fn run(&self, parts: usize, job: Job<'_>) {
        if parts <= 1 {
            (0..parts).for_each(job);
            return;
        }
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: only the lifetime changes. The job is handed to no one but the workers that `publish` counts, and
        // `finish`, whose drop also runs when `job` panics here, returns only after each of these has counted itself out
        // of `pending`, which it does after its last use of the job, and after the job was taken out of the state. So
        // nothing uses it after this function returns.
        let job = unsafe { std::mem::transmute::<Job<'_>, Job<'static>>(job) };
        let (lent, finish) = self.publish(job, parts);
        lent.run(0);
        drop(finish);
        if let Some(panic) = self.state().panic.take() {
            resume_unwind(panic);
        }
    }

    /// Makes every [`Workers::worker_loop`] return, after the job that is running.
    pub fn stop(&self) {
        let mut state = self.state();
        state.stopped = true;
        self.raise(&mut state);
    }

    fn publish(&self, job: Job<'static>, parts: usize) -> (Lent, Finish<'_>) {
        let mut state = self.state();
        let number = state.signal.wrapping_add(1);
        // Workers that are leaving are not counted on: once one has left, numbers of others exceed their count.
        let attached = if state.stopped { 0 } else { state.attached };
        let lent = Lent { job, parts, participants: attached + 1, number };
        self.pending.store(attached, Ordering::Relaxed);
        state.job = Some(lent);
        self.raise(&mut state);
        (lent, Finish(self))
    }

    fn raise(&self, state: &mut State) {
        state.signal = state.signal.wrapping_add(1);
        self.signal.store(state.signal, Ordering::Release);
        if state.sleeping > 0 {
            self.wake.notify_all();
        }
    }

    /// Waits for a job other than number `taken` that counts on `participant`; `None` after the stop. `seen` is the signal
    /// that the worker knows.
    fn next_job(&self, participant: usize, seen: &mut usize, taken: usize) -> Option<Lent> {
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
                let job = state.job.filter(|job| job.number != taken && participant < job.participants);
                if job.is_some() {
                    return job;
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

/// Waits for the workers when it goes.
struct Finish<'a>(&'a Workers);

impl Drop for Finish<'_> {
    fn drop(&mut self) {
        let workers = self.0;
        for _ in 0..LOOKS {
            if workers.pending.load(Ordering::Acquire) == 0 {
                break;
            }
            spin_loop();
        }
        let mut state = workers.state();
        while workers.pending.load(Ordering::Acquire) != 0 {
            state = workers.done.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.job = None;
    }
}
