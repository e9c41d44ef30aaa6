//! Time as an argument: whoever needs the time is handed a [`Clock`], so that a test, or a replayed day, can set it.

use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A point on the monotonic clock: time since the clock's own origin, never set back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Monotonic(Duration);

impl Monotonic {
    /// The point `since_origin` after the clock's origin.
    #[must_use]
    pub const fn from_origin(since_origin: Duration) -> Self {
        Self(since_origin)
    }

    /// Time since the clock's origin.
    #[must_use]
    pub const fn since_origin(self) -> Duration {
        self.0
    }

    /// Time from `earlier` to `self`; zero when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// The point `duration` later.
    #[must_use]
    pub const fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}

/// A point on the wall clock, as time since 1970-01-01T00:00:00Z. Boards without an RTC may be years off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wall(Duration);

impl Wall {
    /// The point `since_epoch` after 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn from_epoch(since_epoch: Duration) -> Self {
        Self(since_epoch)
    }

    /// Time since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn since_epoch(self) -> Duration {
        self.0
    }
}

/// Where the time comes from. There is no `sleep` here: waiting belongs to the queue or the runtime that waits.
pub trait Clock: Send + Sync {
    /// The monotonic time now.
    fn monotonic(&self) -> Monotonic;
    /// The wall time now.
    fn wall(&self) -> Wall;
}

/// The machine's own clocks.
#[derive(Debug)]
pub struct SystemClock {
    origin: Instant,
}

impl SystemClock {
    /// A clock whose monotonic origin is this call.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place where the machine's clock enters")]
    pub fn new() -> Self {
        Self { origin: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn monotonic(&self) -> Monotonic {
        Monotonic(self.origin.elapsed())
    }

    #[expect(clippy::disallowed_methods, reason = "the one place where the machine's clock enters")]
    fn wall(&self) -> Wall {
        Wall(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
    }
}

/// A clock that stands still until it is told to go on; for tests and replays.
#[derive(Debug, Default)]
pub struct ManualClock {
    now: Mutex<(Monotonic, Wall)>,
}

impl ManualClock {
    /// A clock at monotonic zero whose wall time is `wall`.
    #[must_use]
    pub const fn new(wall: Wall) -> Self {
        Self { now: Mutex::new((Monotonic(Duration::ZERO), wall)) }
    }

    /// Moves both clocks on by `duration`.
    pub fn advance(&self, duration: Duration) {
        let mut now = self.now.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        now.0 = now.0.plus(duration);
        now.1 = Wall(now.1.0.saturating_add(duration));
    }
}

impl Clock for ManualClock {
    fn monotonic(&self) -> Monotonic {
        self.now.lock().unwrap_or_else(std::sync::PoisonError::into_inner).0
    }

    fn wall(&self) -> Wall {
        self.now.lock().unwrap_or_else(std::sync::PoisonError::into_inner).1
    }
}
