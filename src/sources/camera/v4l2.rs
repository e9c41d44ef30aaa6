//! V4L2 cameras (USB): found, agreed with, read; and after any error closed and opened from scratch.
//!
//! The ioctls are in [`kernel`]; what is decided there is decided in [`nodes`], [`negotiation`] and [`acceptance`],
//! which are pure.

mod acceptance;
mod kernel;
mod negotiation;
pub(crate) mod nodes;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clawdbot_flow::clock::{Monotonic, Wall};
use clawdbot_flow::frame::{Frame, PixelFormat};
use clawdbot_flow::rooted::Root;

use self::acceptance::{Agreed, Numbering, Pace};
use self::kernel::{Capability, Filled, Node, Streaming};
use self::negotiation::{Choice, choices};
use self::nodes::{explain, find, judge, offers};
use super::{CameraError, CameraFormat, Device, Lent, Opener, Stream, V4l2Options};

/// Buffers that the driver gets: one being filled, one waiting, one being copied, one spare.
const BUFFERS: u32 = 4;

/// The opener of one V4L2 camera; what outlives an error is kept here.
pub(super) struct V4l2 {
    camera: String,
    options: V4l2Options,
    frames_per_second: f64,
    numbering: Numbering,
    /// The camera that was opened last, so that it is found again under another number.
    last: Option<Identity>,
}

/// What a camera keeps when its number changes.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Identity {
    card: String,
    bus: String,
}

impl Identity {
    fn of(capability: &Capability) -> Self {
        Self { card: capability.card.clone(), bus: capability.bus.clone() }
    }
}

impl V4l2 {
    pub(super) fn new(camera: &str, options: &V4l2Options, frames_per_second: f64) -> Self {
        Self {
            camera: camera.to_owned(),
            options: options.clone(),
            frames_per_second,
            numbering: Numbering::default(),
            last: None,
        }
    }

    /// The node to open now.
    fn locate(&self) -> Result<PathBuf, String> {
        // A lasting name is the user's own choice of identity.
        if let Device::Path(path) = &self.options.device
            && path.starts_with("/dev/v4l")
        {
            return if path.exists() { Ok(path.clone()) } else { Err(absent(path)) };
        }
        let found = find(&Root::default());
        if let Some(last) = &self.last {
            let same = found.iter().find(|found| Identity::of(&found.capability) == *last && found.unusable.is_none());
            if let Some(same) = same {
                return Ok(same.path.clone());
            }
        }
        match &self.options.device {
            Device::Path(path) if path.exists() => Ok(path.clone()),
            Device::Path(path) => Err(absent(path)),
            Device::Auto => found
                .iter()
                .find(|found| found.unusable.is_none())
                .map(|found| found.path.clone())
                .ok_or_else(|| no_camera(&found)),
        }
    }

    /// Opens, agrees and starts; with smaller and smaller wishes while the USB bus has no room.
    fn start(&self, path: &Path) -> Result<(Streaming, Agreed, Identity, f64), String> {
        let explained = |error: std::io::Error| explain(path, &error);
        let node = Node::open(path).map_err(explained)?;
        let capability = node.capability().map_err(explained)?;
        let offers = offers(&node);
        let formats: Vec<CameraFormat> = offers.iter().map(|offer| offer.format).collect();
        judge(&capability, &formats).map_err(|reason| {
            format!("{} can't be used: {reason}; `clawdbot devices` lists the cameras", path.display())
        })?;
        let choices = choices(&offers, &self.options);
        let Some(first) = choices.first() else {
            let has: Vec<&str> = formats.iter().map(|format| format.name()).collect();
            return Err(format!(
                "{} has no such format or size; it offers {}: change `format`",
                path.display(),
                has.join(", ")
            ));
        };
        // An open node keeps the settings of the last attempt, so each attempt has a node of its own.
        drop(node);
        let mut last_error = None;
        for choice in &choices {
            match attempt(path, choice, self.frames_per_second) {
                Ok((streaming, agreed, rate)) => {
                    if choice != first {
                        tracing::warn!(
                            camera = self.camera,
                            "the USB bandwidth is taken by another device: {} {}x{} is used instead of {} {}x{}",
                            choice.format.name(),
                            choice.width,
                            choice.height,
                            first.format.name(),
                            first.width,
                            first.height
                        );
                    }
                    return Ok((streaming, agreed, Identity::of(&capability), rate));
                }
                Err(error) => {
                    let is_full = error.raw_os_error() == Some(libc::ENOSPC);
                    last_error = Some(error);
                    if !is_full {
                        break;
                    }
                }
            }
        }
        Err(last_error.map_or_else(|| "there was nothing to try".to_owned(), explained))
    }
}

fn attempt(path: &Path, choice: &Choice, frames_per_second: f64) -> std::io::Result<(Streaming, Agreed, f64)> {
    let node = Node::open(path)?;
    let answer = node.set_format(choice.format.fourcc(), choice.width, choice.height)?;
    let format = CameraFormat::of(answer.fourcc).ok_or_else(|| {
        let fourcc = String::from_utf8_lossy(&answer.fourcc).into_owned();
        std::io::Error::other(format!("it was asked for {} and gave `{fourcc}`", choice.format.name()))
    })?;
    let choice = Choice { format, width: answer.width, height: answer.height };
    let stride = if format == CameraFormat::Mjpg { 0 } else { answer.stride };
    let rate = node.set_frames_per_second(frames_per_second).unwrap_or(frames_per_second);
    let streaming = Streaming::start(node, BUFFERS)?;
    Ok((streaming, Agreed { choice, stride }, rate))
}

fn absent(path: &Path) -> String {
    format!("there is no {}; plug the camera in, or see `clawdbot devices` for those that are there", path.display())
}

fn no_camera(found: &[nodes::Found]) -> String {
    match found {
        [] => "there is no camera; plug a USB camera in".to_owned(),
        passed => {
            format!(
                "none of the {} video devices is a camera that can be used; `clawdbot devices` says why",
                passed.len()
            )
        }
    }
}

impl Opener for V4l2 {
    fn open<'a>(&'a mut self, lent: &'a Lent<'a>) -> Result<Box<dyn Stream + 'a>, CameraError> {
        let path = self.locate().map_err(CameraError::Unavailable)?;
        let (streaming, agreed, identity, rate) = self.start(&path).map_err(CameraError::Unavailable)?;
        if agreed.frame_bytes().is_some_and(|bytes| bytes > lent.pool.buffer_bytes()) {
            return Err(CameraError::Unavailable(format!(
                "{} gives {}x{}, more than a frame holds; ask for a smaller size",
                path.display(),
                agreed.choice.width,
                agreed.choice.height
            )));
        }
        self.last = Some(identity);
        self.numbering.restart();
        let pace = Pace::new(self.frames_per_second);
        Ok(Box::new(Capture { v4l2: self, streaming, agreed, rate, pace, path, lent }))
    }
}

/// A camera under way.
struct Capture<'a> {
    v4l2: &'a mut V4l2,
    streaming: Streaming,
    agreed: Agreed,
    /// Frames a second that the driver agreed to.
    rate: f64,
    pace: Pace,
    path: PathBuf,
    lent: &'a Lent<'a>,
}

impl Stream for Capture<'_> {
    fn next(&mut self, patience: Duration) -> Result<Option<Frame>, CameraError> {
        self.try_next(patience).map_err(|error| CameraError::Unavailable(explain(&self.path, &error)))
    }

    fn description(&self) -> String {
        let Choice { format, width, height } = self.agreed.choice;
        let card = self.v4l2.last.as_ref().map_or("", |identity| identity.card.as_str());
        format!("{card} ({}): {} {width}x{height} at {:.1} frames/s", self.path.display(), format.name(), self.rate)
    }
}

impl Capture<'_> {
    fn try_next(&mut self, patience: Duration) -> std::io::Result<Option<Frame>> {
        if !self.streaming.wait(patience)? {
            return Ok(None);
        }
        let Some(filled) = self.newest()? else { return Ok(None) };
        let frame = self.frame(&filled);
        self.streaming.give_back(filled)?;
        Ok(frame)
    }

    /// The newest filled buffer; older ones go straight back.
    fn newest(&mut self) -> std::io::Result<Option<Filled>> {
        let Some(mut newest) = self.streaming.dequeue()? else { return Ok(None) };
        for _ in 0..BUFFERS {
            if !self.streaming.wait(Duration::ZERO)? {
                break;
            }
            let Some(newer) = self.streaming.dequeue()? else { break };
            self.count(&newest);
            self.lent.state.frames_skipped.increment();
            self.streaming.give_back(newest)?;
            newest = newer;
        }
        Ok(Some(newest))
    }

    /// Counts a frame and those that the driver dropped before it; gives its number.
    fn count(&mut self, filled: &Filled) -> u64 {
        let (sequence, dropped) = self.v4l2.numbering.number(filled.sequence);
        self.lent.state.frames_dropped_by_kernel.add(dropped);
        sequence
    }

    fn frame(&mut self, filled: &Filled) -> Option<Frame> {
        let sequence = self.count(filled);
        let bytes = self.streaming.bytes(filled);
        let verdict =
            if filled.is_error { Err("the driver says that it is damaged") } else { self.agreed.frame(bytes) };
        let bytes = match verdict {
            Ok(bytes) => bytes,
            Err(reason) => {
                self.lent.state.frames_bad.increment();
                tracing::debug!(camera = self.v4l2.camera, sequence, "a frame is left out: {reason}");
                return None;
            }
        };
        let age = filled.age.unwrap_or_default();
        let captured_at = Monotonic::from_origin(self.lent.clock.monotonic().since_origin().saturating_sub(age));
        if !self.pace.is_due(captured_at) {
            self.lent.state.frames_skipped.increment();
            return None;
        }
        let Some(data) = self.lent.pool.take_copy(bytes) else {
            self.lent.state.frames_without_buffer.increment();
            return None;
        };
        Some(Frame {
            sequence,
            captured_at,
            captured_wall: Wall::from_epoch(self.lent.clock.wall().since_epoch().saturating_sub(age)),
            width: self.agreed.choice.width,
            height: self.agreed.choice.height,
            stride: self.agreed.stride,
            format: match self.agreed.choice.format {
                CameraFormat::Mjpg => PixelFormat::Jpeg,
                CameraFormat::Yuyv => PixelFormat::Yuyv,
                CameraFormat::Nv12 => PixelFormat::Nv12,
                CameraFormat::Yu12 => PixelFormat::I420,
            },
            data,
        })
    }
}
