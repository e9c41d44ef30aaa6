//! The compute pool's threads: started, pinned and ended here, lent to whoever computes. And company for a bench: one
//! thread that does what cameras do.

use std::sync::Arc;
use std::thread;

use clawdbot_nn::workers::{THREADS_MAX, Workers};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::turns::Turns;

/// Runs `work` with a pool of `threads` threads, `work`'s own included; the others are pinned to one core each and end
/// with it. `threads` is cut to [`threads_available`].
pub(crate) fn with_workers<R>(threads: usize, work: impl FnOnce(Arc<Workers>) -> R) -> R {
    let workers = Arc::new(Workers::new());
    let cores = cores();
    thread::scope(|scope| {
        for index in 1..threads.clamp(1, THREADS_MAX) {
            let workers = &workers;
            // From the last core down: the first one serves the interrupts on most boards.
            let core = cores.len().checked_sub(index).and_then(|at| cores.get(at).copied());
            let spawned = thread::Builder::new().name(format!("compute-{index}")).spawn_scoped(scope, move || {
                Turns::Long.ask();
                core.inspect(|&core| pin(core));
                workers.worker_loop();
            });
            if let Err(error) = spawned {
                tracing::warn!("compute thread {index} cannot be started ({error}); the pool goes on with fewer");
            }
        }
        let stop = StopAtEnd(&workers);
        let result = work(Arc::clone(&workers));
        drop(stop);
        result
    })
}

/// Runs `work` while `company` runs on a thread called `name`. When `work` has ended, also by a panic, `end` is to end the
/// company, which is waited for.
///
/// # Errors
/// When the system gives no thread; nothing has run then.
pub(crate) fn with_company<R>(
    name: &str,
    company: impl FnOnce() + Send,
    end: impl Fn(),
    work: impl FnOnce() -> R,
) -> std::io::Result<R> {
    struct AtEnd<F: Fn()>(F);
    impl<F: Fn()> Drop for AtEnd<F> {
        fn drop(&mut self) {
            (self.0)();
        }
    }
    thread::scope(|scope| {
        thread::Builder::new().name(name.to_owned()).spawn_scoped(scope, company)?;
        let _end = AtEnd(end);
        Ok(work())
    })
}

/// Ends the workers also when the work panics; otherwise the scope would wait for them for ever.
struct StopAtEnd<'a>(&'a Workers);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// Threads that can compute at once: the cores that this process may use, at most [`THREADS_MAX`].
pub(crate) fn threads_available() -> usize {
    cores().len().clamp(1, THREADS_MAX)
}

/// The cores that this process may use.
fn cores() -> Vec<usize> {
    let Ok(set) = sched_getaffinity(None) else { return Vec::new() };
    (0..CpuSet::MAX_CPU).filter(|&core| set.is_set(core)).collect()
}

/// Ties the calling thread to `core`. A sandbox may forbid it; then the scheduler places the thread, which is slower but
/// not wrong.
fn pin(core: usize) {
    let mut set = CpuSet::new();
    set.set(core);
    if let Err(error) = sched_setaffinity(None, &set) {
        tracing::debug!("a compute thread cannot be pinned to core {core}: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn every_part_runs_once_on_any_number_of_threads() {
        for threads in [0, 1, 2, 5] {
            let sum = AtomicUsize::new(0);
            with_workers(threads, |workers| {
                workers.run(10, &|part| {
                    sum.fetch_add(part + 1, Ordering::Relaxed);
                })
            });
            assert_eq!(sum.into_inner(), 55, "{threads} threads");
        }
    }

    #[test]
    fn company_is_ended_when_the_work_is_done() {
        let stop = crate::sources::stop::Stop::new();
        let company = || while !stop.wait(std::time::Duration::from_secs(600)) {};
        assert_eq!(with_company("company", company, || stop.request(), || 7).unwrap(), 7);
        let panics = || with_company("company", company, || stop.request(), || panic!("as meant"));
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).is_err());
    }
}
