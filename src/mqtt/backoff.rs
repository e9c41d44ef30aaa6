//! How long to wait before the next connect.

use std::time::Duration;

use clawdbot_flow::clock::Monotonic;

/// The first wait.
pub(super) const WAIT_FIRST: Duration = Duration::from_secs(1);
/// The longest wait, before jitter.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(30);
/// A connection that ends sooner than this after the broker's yes is suspicious.
const LIFE_MIN: Duration = Duration::from_secs(2);
/// So many suspicious ends in a row mean that another client uses our id.
const SHORT_LIVES_MAX: u32 = 3;
/// The wait then: long enough that somebody can read the log between two rounds.
pub(super) const WAIT_CONFLICT: Duration = Duration::from_secs(60);

/// Doubling waits with jitter, and the detection of a client id that is used twice: brokers throw the older of two
/// clients with one id out, so two daemons would do that to each other for ever.
#[derive(Debug)]
pub(super) struct Backoff {
    wait: Duration,
    short_lives: u32,
    random: u64,
}

/// How long to wait, and whether it is for a client id that is used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wait {
    pub(super) duration: Duration,
    pub(super) conflict: bool,
}

impl Backoff {
    /// `seed` drives the jitter, so that many nodes that lost one broker do not come back in one moment.
    pub(super) const fn new(seed: u64) -> Self {
        // Spread over all bits; xorshift never leaves zero, hence the lowest one.
        Self { wait: WAIT_FIRST, short_lives: 0, random: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1 }
    }

    /// A connect failed, or a connection that the broker had accepted at `accepted` ended `now`.
    pub(super) fn after_loss(&mut self, accepted: Option<Monotonic>, now: Monotonic) -> Wait {
        match accepted {
            Some(accepted) if now.since(accepted) < LIFE_MIN => self.short_lives += 1,
            Some(_) => {
                self.short_lives = 0;
                self.wait = WAIT_FIRST;
            }
            None => {}
        }
        if self.short_lives >= SHORT_LIVES_MAX {
            self.short_lives = 0;
            return Wait { duration: WAIT_CONFLICT, conflict: true };
        }
        let duration = self.with_jitter(self.wait);
        self.wait = (self.wait * 2).min(WAIT_MAX);
        Wait { duration, conflict: false }
    }

    /// `wait` times a random factor from 0.8 to 1.2.
    fn with_jitter(&mut self, wait: Duration) -> Duration {
        // xorshift64 (Marsaglia 2003).
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let per_mille = 800 + u32::try_from(self.random % 401).unwrap_or_default();
        wait * per_mille / 1000
    }
}

#[cfg(test)]
mod tests;
