//! How long a frame that is due waits for a language model: frames at a steady rate on one thread, a prompt and its answer at
//! the daemon's own pace on another.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use clawdbot_flow::clock::{Clock, Monotonic};
use clawdbot_flow::detection::Detection;
use clawdbot_flow::frame::{Frame, PixelFormat, PooledBytes};
use clawdbot_llm::forward::{Forward, ForwardError};
use clawdbot_llm::kv_cache::KvCache;
use clawdbot_vision::preprocess::PreprocessError;

use super::language::Talk;
use crate::bundled;
use crate::pipeline::answering::rhythm::Rhythm;
use crate::pipeline::detector::{Detector, Eye, FrameError};
use crate::pipeline::meter::spread::{Spread, SpreadMeter};
use crate::pipeline::way::Way;
use crate::sources::stop::Stop;

#[cfg(test)]
mod tests;

/// What a frame costs.
pub(crate) enum Cost<'a> {
    /// The detector looks at it, on the threads that the model computes on.
    Look {
        /// Its own way is the one that is claimed.
        detector: &'a Detector,
        /// Its decoder and buffers.
        eye: Box<Eye>,
        /// Always the same.
        frame: Frame,
    },
    /// Nothing but time.
    Time(Duration),
}

/// Frames as a camera brings them.
pub(crate) struct Frames<'a> {
    /// What they claim.
    pub(crate) way: &'a Way,
    /// From one to the next.
    pub(crate) interval: Duration,
    /// Ends them.
    pub(crate) stop: &'a Stop,
    /// From the moment a frame is due to its end.
    pub(crate) took: SpreadMeter,
    /// Of frames whose thread slept until they were due: how much later it woke up.
    pub(crate) late: SpreadMeter,
    /// What was wrong with one; no more come then.
    pub(crate) failure: Mutex<Option<FrameError>>,
}

/// What was measured while a prompt was read, or an answer written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Phase {
    /// How long frames that came due while the model computed waited for the end of its item.
    pub(crate) waits: Spread,
    /// How long frames took from the moment they were due, waits included.
    pub(crate) frames: Spread,
    /// How much later than they were due their thread woke up.
    pub(crate) late: Spread,
    /// Tokens that the model computed.
    pub(crate) tokens: usize,
    /// In how much time.
    pub(crate) time: Duration,
    /// Multiplications of an item at the end.
    pub(crate) item_macs: usize,
}

impl<'a> Cost<'a> {
    /// What the bundled clip's first frame costs `detector`.
    ///
    /// # Errors
    /// When the network's input is not a picture that we can make.
    pub(crate) fn of_looking(detector: &'a Detector, clock: &dyn Clock) -> Result<Self, PreprocessError> {
        let frame = Frame {
            sequence: 0,
            captured_at: clock.monotonic(),
            captured_wall: clock.wall(),
            // The file itself says.
            width: 0,
            height: 0,
            stride: 0,
            format: PixelFormat::Jpeg,
            data: PooledBytes::unpooled(bundled::picture().to_vec()),
        };
        Ok(Self::Look { detector, eye: Box::new(detector.eye("bench")?), frame })
    }
}

impl<'a> Frames<'a> {
    /// None came yet.
    pub(crate) fn new(way: &'a Way, interval: Duration, stop: &'a Stop) -> Self {
        let (took, late) = Default::default();
        Self { way, interval, stop, took, late, failure: Mutex::new(None) }
    }

    /// Brings frames that cost `cost` until the stop.
    pub(crate) fn come(&self, mut cost: Cost<'_>, clock: &dyn Clock) {
        let mut detections = Vec::new();
        let mut due = clock.monotonic();
        loop {
            let early = due.since(clock.monotonic());
            if self.stop.wait(early) {
                return;
            }
            if !early.is_zero() {
                self.late.add(clock.monotonic().since(due));
            }
            if let Err(error) = self.look(&mut cost, clock, &mut detections) {
                *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                return;
            }
            self.took.add(clock.monotonic().since(due));
            due = next(due, self.interval, clock.monotonic());
        }
    }

    fn look(&self, cost: &mut Cost<'_>, clock: &dyn Clock, detections: &mut Vec<Detection>) -> Result<(), FrameError> {
        match cost {
            // The detector makes the claim itself.
            Cost::Look { detector, eye, frame } => detector.detect(eye, frame, clock, detections),
            Cost::Time(time) => {
                let claim = self.way.claim();
                claim.is_ready(clock);
                self.stop.wait(*time);
                Ok(())
            }
        }
    }
}

/// When the frame after the one of `due` is due, `now` that this one has been looked at: of those that came meanwhile the
/// latest waits already, as in a camera's queue, and is due at once.
fn next(due: Monotonic, interval: Duration, now: Monotonic) -> Monotonic {
    due.plus(interval).max(now)
}

/// Reads a prompt and writes an answer beside `frames`, with one rhythm as in the daemon, and adds what came of it to `phases`, one for each.
///
/// # Errors
/// When the cache or the context is too small for both.
pub(crate) fn talk(
    (forward, cache): (&mut Forward, &mut KvCache),
    sizes: [usize; 2],
    (frames, rhythm): (&Frames<'_>, &mut Rhythm),
    clock: &dyn Clock,
    phases: &mut [Phase; 2],
) -> Result<(), ForwardError> {
    let mut talk = Talk::new(forward, cache, sizes);
    for ((phase, tokens), reads) in phases.iter_mut().zip(sizes).zip([true, false]) {
        // What came before belongs to nobody.
        let _before = (frames.way.waits.take(), frames.took.take(), frames.late.take());
        let begun = clock.monotonic();
        while talk.reads() == reads && rhythm.pass(frames.way, clock, &|| true, |pace| talk.step(pace))? {}
        phase.time += clock.monotonic().since(begun);
        phase.tokens += tokens;
        phase.waits.join(&frames.way.waits.take());
        phase.frames.join(&frames.took.take());
        phase.late.join(&frames.late.take());
        phase.item_macs = rhythm.macs();
    }
    Ok(())
}
