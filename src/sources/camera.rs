//! Cameras: one trait, two kinds (`replay`, `v4l2`), and one supervisor that keeps any of them going.
//!
//! `app` starts one thread a camera and calls [`run`] in it with what the camera may borrow ([`Lent`]). The
//! supervisor opens the camera, pushes frames, tells when it goes offline or comes back, and retries for ever.

pub(crate) mod replay;
mod state;
mod supervisor;
#[cfg(feature = "v4l2")]
pub(crate) mod v4l2;

use std::path::PathBuf;
use std::time::Duration;

use clawdbot_flow::clock::Clock;
use clawdbot_flow::event::CameraEvent;
use clawdbot_flow::frame::{Frame, FramePool};
use clawdbot_flow::queue::Queue;

pub(crate) use self::state::{Snapshot, State};
pub(crate) use self::supervisor::run;
use crate::sources::stop::Stop;

/// What one camera is, as the configuration decided it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Options {
    /// The camera's id: `[a-z0-9_-]+`.
    pub(crate) id: String,
    /// Where its frames come from.
    pub(crate) kind: Kind,
    /// Frames a second that are wanted, above 0: the pace of a replay; what a V4L2 camera is asked for, and is
    /// thinned out to when it delivers more.
    pub(crate) frames_per_second: f64,
}

/// Where a camera's frames come from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    /// A V4L2 camera (USB, for now). Present without the feature `v4l2` too: then it never comes online and says why.
    V4l2(V4l2Options),
    /// Pictures, an MJPEG stream or a Y4M file, shown as if a camera saw them.
    Replay(ReplayOptions),
}

/// How to find a V4L2 camera and what to ask of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct V4l2Options {
    /// Which camera.
    pub(crate) device: Device,
    /// The only pixel format to use; `None`: the best that the camera has at this size.
    pub(crate) format: Option<CameraFormat>,
    /// Wanted width in pixels; the nearest that the camera has is used.
    pub(crate) width: u32,
    /// Wanted height in pixels.
    pub(crate) height: u32,
}

/// Which V4L2 camera.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Device {
    /// The first usable one, in the order of their names under `/dev/v4l/by-id`, `by-path`, `/dev`.
    Auto,
    /// A path: `/dev/v4l/by-id/…` (best), `/dev/v4l/by-path/…`, or `/dev/videoN` as a last resort (numbers change).
    Path(PathBuf),
}

/// The camera formats that we read, in V4L2's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum CameraFormat {
    /// Motion JPEG: least USB bandwidth.
    Mjpg,
    /// 4:2:2, interleaved.
    Yuyv,
    /// 4:2:0, two planes.
    Nv12,
    /// 4:2:0, three planes.
    Yu12,
}

impl CameraFormat {
    /// Its name in the configuration.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Mjpg => "mjpg",
            Self::Yuyv => "yuyv",
            Self::Nv12 => "nv12",
            Self::Yu12 => "yu12",
        }
    }
}

/// What to replay and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReplayOptions {
    /// Where the pictures are.
    pub(crate) source: ReplaySource,
    /// Whether to begin anew at the end; else the camera goes offline there.
    pub(crate) loops: bool,
}

/// Where a replay's pictures are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ReplaySource {
    /// A folder of pictures (by name), an MJPEG stream file, a Y4M file, or one picture.
    Path(PathBuf),
    /// An MJPEG stream or Y4M file in memory: the bundled clip.
    Bytes(&'static [u8]),
}

/// What a camera's thread borrows from `app`.
pub(crate) struct Lent<'a> {
    /// The time.
    pub(crate) clock: &'a dyn Clock,
    /// Ends the thread at once when requested. A closed `frames` queue ends it too.
    pub(crate) stop: &'a Stop,
    /// Where frame buffers come from; `flow::limits::FRAME_BYTES_MAX` a buffer is enough for every camera.
    pub(crate) pool: &'a FramePool,
    /// Where frames go: latest-frame, so bound 1 and `DropOldest`.
    pub(crate) frames: &'a Queue<Frame>,
    /// What health and stats read.
    pub(crate) state: &'a State,
    /// Called at each change between online and offline; must not block.
    pub(crate) report: &'a dyn Fn(CameraEvent),
    /// Called at least every [`HEARTBEAT_INTERVAL_MAX`] while the thread is well, whether frames come or not.
    pub(crate) heartbeat: &'a dyn Fn(),
}

/// The longest time between two heartbeats of a healthy camera thread. Opening a camera may hold it up longer than a
/// pause between looks (drivers wait for the hardware), hence seconds.
pub(crate) const HEARTBEAT_INTERVAL_MAX: Duration = Duration::from_secs(10);

/// Why a camera gives no frames: what is wrong, why, and what to do, in one sentence without a full stop.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CameraError {
    /// It can be tried again later.
    #[error("{0}")]
    Unavailable(String),
    /// There is nothing more to come, as configured.
    #[error("the replay of {0} is over; set `loop = true` to repeat it")]
    Ended(String),
}

/// A camera that can be opened, again and again.
trait Opener {
    /// Opens it.
    ///
    /// # Errors
    /// Says why there is no camera now and what to do.
    fn open<'a>(&'a mut self, lent: &'a Lent<'a>) -> Result<Box<dyn Stream + 'a>, CameraError>;
}

/// An open camera.
trait Stream {
    /// Waits up to `patience` (or until a stop is requested) for the next frame; `None` when none came in that time.
    ///
    /// # Errors
    /// After an error the stream is dropped and the camera opened anew.
    fn next(&mut self, patience: Duration) -> Result<Option<Frame>, CameraError>;

    /// What was agreed with the camera, for the log and for health: `MJPG 1280x720 at 15 frames/s`.
    fn description(&self) -> String;
}
