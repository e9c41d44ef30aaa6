use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::Workers;

/// Milliseconds after which a test gives up; nothing here takes long.
const PATIENCE: usize = 20_000;

/// Runs `body` with `threads` threads at work, the caller included.
fn with_threads(threads: usize, body: impl FnOnce(&Workers)) {
    let workers = Workers::new();
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(|| workers.worker_loop());
        }
        while workers.threads() < threads {
            std::thread::yield_now();
        }
        let outcome = catch_unwind(AssertUnwindSafe(|| body(&workers)));
        workers.stop();
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic);
        }
    });
    assert_eq!(workers.threads(), 1);
}

#[test]
fn every_part_runs_once_whatever_the_number_of_threads() {
    for threads in 1..=5 {
        with_threads(threads, |workers| {
            for parts in [0, 1, 2, 3, 5, 16, 40] {
                let counts: Vec<AtomicUsize> = (0..parts).map(|_| AtomicUsize::new(0)).collect();
                workers.run(parts, &|part| {
                    counts[part].fetch_add(1, Ordering::Relaxed);
                });
                assert!(counts.iter().all(|count| count.load(Ordering::Relaxed) == 1), "{threads} {parts}");
            }
        });
    }
}

#[test]
fn results_are_there_when_run_returns() {
    with_threads(3, |workers| {
        let sums: [Mutex<u64>; 3] = Default::default();
        for round in 1..=2_000 {
            workers.run(3, &|part| *sums[part].lock().unwrap() += round);
            let expected = round * (round + 1) / 2;
            assert!(sums.iter().all(|sum| *sum.lock().unwrap() == expected));
        }
    });
}

#[test]
fn sleeping_workers_wake_up() {
    with_threads(2, |workers| {
        for _ in 0..3 {
            std::thread::sleep(std::time::Duration::from_millis(5));
            let ran = AtomicUsize::new(0);
            workers.run(2, &|_| {
                ran.fetch_add(1, Ordering::Relaxed);
            });
            assert_eq!(ran.into_inner(), 2);
        }
    });
}

#[test]
fn a_panic_in_any_part_reaches_the_caller_and_the_pool_goes_on() {
    with_threads(3, |workers| {
        for bad in 0..3 {
            let run = || workers.run(3, &|part| assert_ne!(part, bad, "part {part} is bad"));
            assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
            workers.run(3, &|_| ());
        }
    });
}

#[test]
fn a_thread_that_is_held_up_holds_up_its_own_part_only() {
    for threads in [2, 3] {
        with_threads(threads, |workers| {
            for held in 0..4 {
                let ran = AtomicUsize::new(0);
                workers.run(4, &|part| {
                    // Whoever gets this part is at it until all others have run.
                    let mut waited = 0;
                    while part == held && ran.load(Ordering::Acquire) < 3 {
                        assert!(waited < PATIENCE, "{threads} threads: parts wait behind part {held}");
                        waited += 1;
                        std::thread::sleep(Duration::from_millis(1));
                    }
                    ran.fetch_add(1, Ordering::Release);
                });
                assert_eq!(ran.into_inner(), 4);
            }
        });
    }
}

#[test]
fn callers_on_two_threads_take_turns() {
    with_threads(3, |workers| {
        let total = AtomicUsize::new(0);
        let count = || {
            for _ in 0..200 {
                workers.run(4, &|_| {
                    total.fetch_add(1, Ordering::Relaxed);
                });
            }
        };
        std::thread::scope(|scope| {
            scope.spawn(count);
            scope.spawn(count);
        });
        assert_eq!(total.into_inner(), 2 * 200 * 4);
    });
}

#[test]
fn stopping_during_a_job_runs_it_once() {
    for _ in 0..200 {
        let workers = Workers::new();
        let ran = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| workers.worker_loop());
            }
            scope.spawn(|| workers.stop());
            workers.run(8, &|_| {
                ran.fetch_add(1, Ordering::Relaxed);
            });
            workers.stop();
        });
        assert_eq!(ran.into_inner(), 8);
    }
}

#[test]
fn a_run_after_the_stop_waits_for_nobody() {
    let workers = Workers::new();
    // A worker that has not yet looked.
    workers.state().attached = 1;
    workers.stop();
    let ran = AtomicUsize::new(0);
    workers.run(8, &|_| {
        ran.fetch_add(1, Ordering::Relaxed);
    });
    assert_eq!(ran.into_inner(), 8);
}

#[test]
fn threads_beyond_the_limit_are_sent_away() {
    let workers = Workers::new();
    std::thread::scope(|scope| {
        for _ in 0..super::THREADS_MAX + 4 {
            scope.spawn(|| workers.worker_loop());
        }
        while workers.threads() < super::THREADS_MAX {
            std::thread::yield_now();
        }
        assert_eq!(workers.threads(), super::THREADS_MAX);
        workers.stop();
    });
    workers.worker_loop();
}
