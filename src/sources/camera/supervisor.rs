//! Keeps one camera going: opens it, hands its frames on, tells when it is blind, and tries again for ever.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use clawdbot_flow::clock::Monotonic;
use clawdbot_flow::event::CameraEvent;

use super::{CameraError, Kind, Lent, Opener, Options, Stream, replay};

/// How patient the supervisor is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// Silence after which a camera is offline.
    pub(super) silence_max: Duration,
    /// The longest wait for one frame before the stop, the heartbeat and the silence are looked at again.
    pub(super) look: Duration,
    /// The first pause before a new attempt; doubled at each further one.
    pub(super) pause_first: Duration,
    /// The longest pause.
    pub(super) pause_max: Duration,
}

impl Patience {
    /// 3 s of silence; a camera slower than that is given two and a half of its own intervals.
    fn for_rate(frames_per_second: f64) -> Self {
        let interval = Duration::try_from_secs_f64(2.5 / frames_per_second).unwrap_or(Duration::MAX);
        Self {
            silence_max: interval.max(Duration::from_secs(3)),
            look: Duration::from_millis(100),
            pause_first: Duration::from_secs(1),
            pause_max: Duration::from_secs(30),
        }
    }

    fn pause(&self, failures: u32) -> Duration {
        let factor = 1u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
        self.pause_first.saturating_mul(factor).min(self.pause_max)
    }
}

/// Runs the camera `options` until a stop is requested or the frame queue is closed. Blocks: `app` gives it a thread.
pub(crate) fn run(options: &Options, lent: &Lent<'_>) {
    let patience = Patience::for_rate(options.frames_per_second);
    match &options.kind {
        Kind::Replay(replay) => {
            let mut opener = replay::Replay::new(&options.id, replay, options.frames_per_second);
            supervise(&options.id, &mut opener, &patience, lent);
        }
        #[cfg(feature = "v4l2")]
        Kind::V4l2(v4l2) => {
            let mut opener = super::v4l2::V4l2::new(&options.id, v4l2, options.frames_per_second);
            supervise(&options.id, &mut opener, &patience, lent);
        }
        #[cfg(not(feature = "v4l2"))]
        Kind::V4l2(_) => supervise(&options.id, &mut NotBuilt, &patience, lent),
    }
}

/// Stands in for a V4L2 camera in a build without the feature.
#[cfg(not(feature = "v4l2"))]
struct NotBuilt;

#[cfg(not(feature = "v4l2"))]
impl Opener for NotBuilt {
    fn open<'a>(&'a mut self, _lent: &'a Lent<'a>) -> Result<Box<dyn super::Stream + 'a>, CameraError> {
        let reason = "this build has no V4L2 cameras; build clawdbot with the feature `v4l2`";
        Err(CameraError::Unavailable(reason.to_owned()))
    }
}

/// Why [`capture`] came back.
enum Ending {
    /// A stop was requested or nobody takes frames any more.
    Stopped,
    /// The camera failed.
    Failed(CameraError),
}

pub(super) fn supervise(id: &str, opener: &mut dyn Opener, patience: &Patience, lent: &Lent<'_>) {
    let mut link = Link { id, lent, online: None };
    let mut failures = 0;
    while !lent.stop.is_requested() {
        (lent.heartbeat)();
        lent.state.attempts.increment();
        let frames_before = lent.state.frames_captured.get();
        let ending = catch_unwind(AssertUnwindSafe(|| capture(opener, patience, &mut link)))
            .unwrap_or_else(|panic| Ending::Failed(CameraError::Unavailable(panic_message(panic.as_ref()))));
        let error = match ending {
            Ending::Stopped => return,
            Ending::Failed(error) => error,
        };
        failures = if lent.state.frames_captured.get() > frames_before { 1 } else { failures + 1 };
        link.offline(&error.to_string());
        let ended = matches!(error, CameraError::Ended(_));
        if ended {
            lent.state.ended();
        }
        let pause = patience.pause(failures);
        if !ended {
            tracing::warn!(
                camera = id,
                attempt = failures,
                retry_in_s = pause.as_secs_f64(),
                "camera offline: {error}"
            );
        }
        if !rest(lent, pause, ended) {
            return;
        }
    }
}

/// Pauses for `pause`, or for good when the camera `ended`, with heartbeats; false when a stop is requested.
fn rest(lent: &Lent<'_>, pause: Duration, ended: bool) -> bool {
    let step = Duration::from_secs(1);
    let mut left = pause;
    while ended || !left.is_zero() {
        (lent.heartbeat)();
        if lent.stop.wait(step.min(left.max(Duration::from_millis(1)))) {
            return false;
        }
        left = if ended { step } else { left.saturating_sub(step) };
    }
    true
}

fn capture(opener: &mut dyn Opener, patience: &Patience, link: &mut Link<'_>) -> Ending {
    let lent = link.lent;
    let mut stream = match opener.open(lent) {
        Ok(stream) => stream,
        Err(error) => return Ending::Failed(error),
    };
    lent.state.opened(stream.description());
    let mut last_frame_at = lent.clock.monotonic();
    loop {
        (lent.heartbeat)();
        if lent.stop.is_requested() {
            return Ending::Stopped;
        }
        match stream.next(patience.look) {
            Ok(Some(frame)) => {
                last_frame_at = lent.clock.monotonic();
                if lent.frames.push(frame).is_err() {
                    return Ending::Stopped;
                }
                lent.state.frame(last_frame_at);
                link.online(stream.as_ref());
            }
            Ok(None) if is_silent(lent.clock.monotonic(), last_frame_at, patience) => {
                return Ending::Failed(CameraError::Unavailable(format!(
                    "no frame came for {:.0} s although the camera is open; check its cable and power, it is opened anew",
                    patience.silence_max.as_secs_f64()
                )));
            }
            Ok(None) => {}
            Err(error) => return Ending::Failed(error),
        }
    }
}

fn is_silent(now: Monotonic, last_frame_at: Monotonic, patience: &Patience) -> bool {
    now.since(last_frame_at) >= patience.silence_max
}

/// Whether the camera was last told to be online, and who is told of changes.
struct Link<'a> {
    id: &'a str,
    lent: &'a Lent<'a>,
    /// `None` until the first frame or failure.
    online: Option<bool>,
}

impl Link<'_> {
    fn online(&mut self, stream: &dyn Stream) {
        if self.online != Some(true) {
            self.online = Some(true);
            tracing::info!(camera = self.id, "camera online: {}", stream.description());
            self.report(None);
        }
    }

    fn offline(&mut self, reason: &str) {
        self.lent.state.failed(reason.to_owned());
        if self.online != Some(false) {
            self.online = Some(false);
            self.report(Some(reason.to_owned()));
        }
    }

    fn report(&self, reason: Option<String>) {
        (self.lent.report)(CameraEvent {
            camera: self.id.to_owned(),
            online: reason.is_none(),
            reason,
            at: self.lent.clock.monotonic(),
            at_wall: self.lent.clock.wall(),
        });
    }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned());
    format!("the camera's driver code failed ({text}); it is opened anew, report this if it goes on")
}

#[cfg(test)]
mod tests;
