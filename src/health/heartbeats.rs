//! Who moved when.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clawdbot_flow::clock::{Clock, Monotonic};

/// Every stage's last sign of life.
pub(crate) struct Heartbeats {
    clock: Arc<dyn Clock>,
    stages: Mutex<Vec<Arc<Stage>>>,
}

#[derive(Debug)]
struct Stage {
    name: String,
    silent_max: Duration,
    /// Milliseconds on the monotonic clock.
    last: AtomicU64,
}

/// A stage's own end: beat it each time the stage comes round.
#[derive(Clone)]
pub(crate) struct Heart {
    clock: Arc<dyn Clock>,
    stage: Arc<Stage>,
}

/// One stage's sign of life, seen at some moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Heartbeat {
    /// The stage: `camera/front`, `detector` ...
    pub(crate) name: String,
    /// Time since it last beat.
    pub(crate) silent: Duration,
    /// How long it may be silent.
    pub(crate) silent_max: Duration,
}

impl Heartbeats {
    /// No stages yet; `clock` is whom the hearts ask for the time.
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, stages: Mutex::default() }
    }

    /// A heart for the stage `name`, which may be silent for `silent_max` from now and from each beat on. It must come
    /// round that often even when it has nothing to do, a camera while it waits to reconnect, for instance.
    pub(crate) fn register(&self, name: impl Into<String>, silent_max: Duration) -> Heart {
        let last = AtomicU64::new(milliseconds(self.clock.monotonic()));
        let stage = Arc::new(Stage { name: name.into(), silent_max, last });
        self.stages.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&stage));
        Heart { clock: Arc::clone(&self.clock), stage }
    }

    /// Every stage as seen at `now`, in the order of registration.
    pub(crate) fn at(&self, now: Monotonic) -> Vec<Heartbeat> {
        let stages = self.stages.lock().unwrap_or_else(PoisonError::into_inner);
        stages.iter().map(|stage| stage.at(now)).collect()
    }
}

impl Stage {
    fn at(&self, now: Monotonic) -> Heartbeat {
        let last = Monotonic::from_origin(Duration::from_millis(self.last.load(Ordering::Relaxed)));
        Heartbeat { name: self.name.clone(), silent: now.since(last), silent_max: self.silent_max }
    }
}

impl Heart {
    /// Says that the stage moves. Costs a read of the clock and a store.
    pub(crate) fn beat(&self) {
        self.stage.last.store(milliseconds(self.clock.monotonic()), Ordering::Relaxed);
    }
}

impl Heartbeat {
    /// Whether the stage has been silent for too long.
    pub(crate) fn is_late(&self) -> bool {
        self.silent > self.silent_max
    }
}

fn milliseconds(at: Monotonic) -> u64 {
    u64::try_from(at.since_origin().as_millis()).unwrap_or(u64::MAX)
}
