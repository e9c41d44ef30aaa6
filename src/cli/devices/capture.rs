//! A try at a camera: some frames through the same code that the daemon runs, and how that went.

use std::cell::RefCell;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clawdbot_flow::clock::{Clock, SystemClock};
use clawdbot_flow::event::CameraEvent;
use clawdbot_flow::frame::{Frame, FramePool};
use clawdbot_flow::limits::{FRAME_BYTES_MAX, FRAMES_IN_FLIGHT_MAX};
use clawdbot_flow::queue::{Queue, WhenFull};
use serde_json::{Value, json};

use super::{Failure, print};
use crate::sources::camera::{self, CameraFormat, Device, Kind, Lent, Options, State, V4l2Options};
use crate::sources::stop::Stop;

/// How the try goes.
#[derive(Args, Debug)]
pub(in crate::cli) struct Wish {
    /// With --capture: how many frames.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=1_000_000), requires = "capture")]
    frames: u64,
    /// With --capture: give up after so many seconds.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=3600), requires = "capture")]
    seconds: u64,
    /// With --capture: wanted width.
    #[arg(long, default_value_t = 640, value_parser = clap::value_parser!(u32).range(16..=4096), requires = "capture")]
    width: u32,
    /// With --capture: wanted height.
    #[arg(long, default_value_t = 480, value_parser = clap::value_parser!(u32).range(16..=4096), requires = "capture")]
    height: u32,
    /// With --capture: wanted frames a second.
    #[arg(long, default_value_t = 10.0, value_parser = rate, requires = "capture")]
    rate: f64,
    /// With --capture: the only format to use: mjpg, yuyv, nv12, yu12.
    #[arg(long, value_parser = format, requires = "capture")]
    format: Option<CameraFormat>,
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().ok().filter(|rate| (0.05..=120.0).contains(rate));
    rate.ok_or_else(|| "give a number from 0.05 to 120".to_owned())
}

fn format(text: &str) -> Result<CameraFormat, String> {
    let formats = [CameraFormat::Mjpg, CameraFormat::Yuyv, CameraFormat::Nv12, CameraFormat::Yu12];
    let found = formats.into_iter().find(|format| format.name() == text);
    found.ok_or_else(|| "give mjpg, yuyv, nv12 or yu12".to_owned())
}

/// What came of the try.
#[derive(Default)]
struct Caught {
    frames: u64,
    bytes: u64,
    first_ms: Option<f64>,
    last_ms: Option<f64>,
    shape: Option<(u32, u32, u32, String)>,
    sequences: Vec<u64>,
}

pub(super) fn run(camera: &str, wish: &Wish, json: bool) -> Result<(), Failure> {
    let device = if camera == "auto" { Device::Auto } else { Device::Path(PathBuf::from(camera)) };
    let options = Options {
        id: "capture".to_owned(),
        kind: Kind::V4l2(V4l2Options { device, format: wish.format, width: wish.width, height: wish.height }),
        frames_per_second: wish.rate,
    };
    let clock = SystemClock::new();
    let (stop, state, events) = (Stop::new(), State::new(), RefCell::new(Vec::new()));
    let pool = FramePool::new(FRAMES_IN_FLIGHT_MAX, FRAME_BYTES_MAX);
    let frames = Queue::new(1, WhenFull::DropOldest);
    let caught = RefCell::new(Caught::default());
    let end = clock.monotonic().plus(Duration::from_secs(wish.seconds));
    // The camera's own thread of the daemon is this one here; between two frames its heartbeat takes the last one.
    let heartbeat = || {
        let mut caught = caught.borrow_mut();
        if let Ok(frame) = frames.pop(Duration::ZERO) {
            caught.take(&frame);
        }
        if caught.frames >= wish.frames || clock.monotonic() >= end {
            stop.request();
        }
    };
    camera::run(
        &options,
        &Lent {
            clock: &clock,
            stop: &stop,
            pool: &pool,
            frames: &frames,
            state: &state,
            report: &|event| events.borrow_mut().push(event),
            heartbeat: &heartbeat,
        },
    );
    let (caught, events) = (caught.into_inner(), events.into_inner());
    let report = report(&caught, &state.snapshot(), &events);
    if json {
        print(&report.to_string())?
    } else {
        print(&text(&report))?
    }
    if caught.frames < wish.frames {
        let why = state.snapshot().last_error.map_or_else(String::new, |error| format!(": {error}"));
        return Err(Failure::Failed(format!(
            "{} of {} frames came in {} s{why}",
            caught.frames, wish.frames, wish.seconds
        )));
    }
    Ok(())
}

impl Caught {
    fn take(&mut self, frame: &Frame) {
        let at = frame.captured_at.since_origin().as_secs_f64() * 1000.0;
        self.frames += 1;
        self.bytes += frame.data.len() as u64;
        self.first_ms.get_or_insert(at);
        self.last_ms = Some(at);
        self.shape = Some((frame.width, frame.height, frame.stride, format!("{:?}", frame.format)));
        if self.sequences.len() < 100 {
            self.sequences.push(frame.sequence);
        }
    }
}

fn report(caught: &Caught, state: &camera::Snapshot, events: &[CameraEvent]) -> Value {
    let seconds = caught.last_ms.zip(caught.first_ms).map(|(last, first)| (last - first) / 1000.0);
    #[expect(clippy::cast_precision_loss, reason = "a count of frames is far below 2^53")]
    let rate = seconds.filter(|seconds| *seconds > 0.0).map(|seconds| (caught.frames - 1) as f64 / seconds);
    let shape = caught.shape.as_ref().map(|(width, height, stride, format)| {
        json!({ "width": width, "height": height, "stride": stride, "format": format })
    });
    json!({
        "camera": state.description,
        "frames": caught.frames,
        "bytes": caught.bytes,
        "frame": shape,
        "frames_per_second": rate,
        "sequences": caught.sequences,
        "frames_dropped_by_kernel": state.frames_dropped_by_kernel,
        "frames_bad": state.frames_bad,
        "frames_skipped": state.frames_skipped,
        "frames_without_buffer": state.frames_without_buffer,
        "attempts": state.attempts,
        "events": events
            .iter()
            .map(|event| json!({ "online": event.online, "reason": event.reason, "at_s": event.at.since_origin().as_secs_f64() }))
            .collect::<Vec<_>>(),
    })
}

fn text(report: &Value) -> String {
    let mut lines = Vec::new();
    for (key, value) in report.as_object().into_iter().flatten() {
        if !value.is_null() && key != "sequences" {
            lines.push(format!("{key}: {value}"));
        }
    }
    lines.join("\n")
}
