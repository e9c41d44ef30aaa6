//! A camera that shows what was seen before: a folder of pictures, an MJPEG stream, a Y4M file.
//!
//! What is broken is left out, counted and named once in the log; it never ends the replay. Only a source in which
//! nothing at all can be read is an error.

mod folder;
mod mjpeg;
mod y4m;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::Duration;

use clawdbot_flow::clock::Monotonic;
use clawdbot_flow::frame::{Frame, FramePool, PixelFormat, PooledBytes};

use super::{CameraError, Lent, Opener, ReplayOptions, ReplaySource, Stream};

/// A place from which pictures come in order.
trait Clip {
    /// The next item, its bytes in a buffer of `pool`.
    ///
    /// # Errors
    /// Says why the source as a whole can't be read any more.
    fn next(&mut self, pool: &FramePool) -> Result<Item, String>;

    /// Back to the first item.
    ///
    /// # Errors
    /// Says why the source can't be read any more.
    fn rewind(&mut self) -> Result<(), String>;
}

/// What a clip holds next.
enum Item {
    /// A picture.
    Picture(Picture),
    /// A picture for which the pool had no free buffer.
    NoBuffer,
    /// Something that can't be shown: its name in the source, and why.
    Bad { name: String, reason: String },
    /// Nothing more.
    End,
}

/// A picture that can be shown.
struct Picture {
    width: u32,
    height: u32,
    stride: u32,
    format: PixelFormat,
    data: PooledBytes,
}

/// The opener of one replay; what outlives an error is kept here.
pub(super) struct Replay {
    camera: String,
    options: ReplayOptions,
    interval: Duration,
    sequence: u64,
    /// Bad items named in the log already.
    named: BTreeSet<String>,
}

impl Replay {
    pub(super) fn new(camera: &str, options: &ReplayOptions, frames_per_second: f64) -> Self {
        let interval = Duration::try_from_secs_f64(1.0 / frames_per_second).unwrap_or(Duration::from_secs(1));
        Self { camera: camera.to_owned(), options: options.clone(), interval, sequence: 0, named: BTreeSet::new() }
    }

    fn source_name(&self) -> String {
        match &self.options.source {
            ReplaySource::Path(path) => path.display().to_string(),
            ReplaySource::Bytes(_) => "the bundled clip".to_owned(),
        }
    }

    /// How many bad items are named in the log: a folder of ten thousand texts must not fill it.
    const NAMED_MAX: usize = 100;

    fn name_once(&mut self, name: String, reason: &str) {
        if self.named.len() < Self::NAMED_MAX && !self.named.contains(&name) {
            tracing::warn!(camera = self.camera, "{name} of {} is left out: {reason}", self.source_name());
            self.named.insert(name);
        }
    }
}

impl Opener for Replay {
    fn open<'a>(&'a mut self, lent: &'a Lent<'a>) -> Result<Box<dyn Stream + 'a>, CameraError> {
        let clip = match &self.options.source {
            ReplaySource::Path(path) => open_path(path),
            ReplaySource::Bytes(bytes) => open_stream(Cursor::new(*bytes), &self.source_name()),
        }
        .map_err(CameraError::Unavailable)?;
        let due_at = lent.clock.monotonic();
        Ok(Box::new(Showing { replay: self, clip, lent, due_at, good_in_pass: 0 }))
    }
}

fn open_path(path: &Path) -> Result<Box<dyn Clip>, String> {
    let name = path.display().to_string();
    let cannot = |error: std::io::Error| format!("{name} can't be read ({error}); check `path` of this camera");
    if std::fs::metadata(path).map_err(cannot)?.is_dir() {
        return Ok(Box::new(folder::Folder::open(path)?));
    }
    let mut file = File::open(path).map_err(cannot)?;
    let mut beginning = [0; 8];
    let length = read_up_to(&mut file, &mut beginning).map_err(cannot)?;
    if folder::is_still_picture(&beginning[..length]) {
        return Ok(Box::new(folder::Folder::of_one(path)));
    }
    open_stream(BufReader::new(file), &name)
}

/// An MJPEG stream or a Y4M file, told apart by how it begins.
fn open_stream<R: Read + Seek + 'static>(mut reader: R, name: &str) -> Result<Box<dyn Clip>, String> {
    let cannot = |error: std::io::Error| format!("{name} can't be read ({error}); check the disk it is on");
    let mut beginning = [0; y4m::SIGNATURE.len()];
    reader.seek(SeekFrom::Start(0)).map_err(cannot)?;
    let length = read_up_to(&mut reader, &mut beginning).map_err(cannot)?;
    reader.seek(SeekFrom::Start(0)).map_err(cannot)?;
    if beginning[..length] == *y4m::SIGNATURE {
        return Ok(Box::new(y4m::Y4m::open(reader, name)?));
    }
    Ok(Box::new(mjpeg::Mjpeg::open(reader, name)))
}

/// Fills `buffer` as far as the reader goes; gives the number of bytes read.
fn read_up_to(reader: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// A replay under way.
struct Showing<'a> {
    replay: &'a mut Replay,
    clip: Box<dyn Clip>,
    lent: &'a Lent<'a>,
    due_at: Monotonic,
    good_in_pass: u64,
}

/// Bad items left out in one go before the stop and the heartbeat are looked at.
const BAD_AT_ONCE_MAX: usize = 16;

impl Stream for Showing<'_> {
    fn next(&mut self, patience: Duration) -> Result<Option<Frame>, CameraError> {
        let early = self.due_at.since(self.lent.clock.monotonic());
        if !early.is_zero() && (self.lent.stop.wait(early.min(patience)) || early > patience) {
            return Ok(None);
        }
        for _ in 0..BAD_AT_ONCE_MAX {
            match self.clip.next(self.lent.pool).map_err(CameraError::Unavailable)? {
                Item::Picture(picture) => return Ok(Some(self.frame(picture))),
                Item::NoBuffer => {
                    self.lent.state.frames_without_buffer.increment();
                    self.good_in_pass += 1;
                    self.pace();
                    return Ok(None);
                }
                Item::Bad { name, reason } => {
                    self.lent.state.frames_bad.increment();
                    self.replay.sequence += 1;
                    self.replay.name_once(name, &reason);
                }
                Item::End => self.end_of_pass()?,
            }
        }
        Ok(None)
    }

    fn description(&self) -> String {
        format!("replay of {} at {:.3} frames/s", self.replay.source_name(), 1.0 / self.replay.interval.as_secs_f64())
    }
}

impl Showing<'_> {
    fn frame(&mut self, picture: Picture) -> Frame {
        let sequence = self.replay.sequence;
        self.good_in_pass += 1;
        self.pace();
        Frame {
            sequence,
            captured_at: self.lent.clock.monotonic(),
            captured_wall: self.lent.clock.wall(),
            width: picture.width,
            height: picture.height,
            stride: picture.stride,
            format: picture.format,
            data: picture.data,
        }
    }

    /// In step with the first frame, unless we are late by more than a whole interval: then from now on.
    fn pace(&mut self) {
        self.replay.sequence += 1;
        let now = self.lent.clock.monotonic();
        let in_step = self.due_at.plus(self.replay.interval);
        self.due_at = if in_step.plus(self.replay.interval) < now { now } else { in_step };
    }

    fn end_of_pass(&mut self) -> Result<(), CameraError> {
        let name = self.replay.source_name();
        if self.good_in_pass == 0 {
            return Err(CameraError::Unavailable(format!(
                "there is no picture in {name} that can be shown; give JPEG, PNG or BMP pictures, an MJPEG stream or a Y4M file"
            )));
        }
        if !self.replay.options.loops {
            return Err(CameraError::Ended(name));
        }
        self.good_in_pass = 0;
        self.clip.rewind().map_err(CameraError::Unavailable)
    }
}

#[cfg(test)]
mod tests;
