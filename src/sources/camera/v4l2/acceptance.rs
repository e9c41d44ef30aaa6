//! Whether a buffer that the driver filled is a frame, what its number tells, and whether it is due. Pure.

use std::time::Duration;

use clawdbot_flow::clock::Monotonic;

use super::negotiation::Choice;
use crate::sources::camera::CameraFormat;

/// What was agreed with the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Agreed {
    /// Format and size as they were read back.
    pub(super) choice: Choice,
    /// Bytes from one row to the next of the first plane; 0 for JPEG.
    pub(super) stride: u32,
}

impl Agreed {
    /// Bytes that a whole frame has; `None` for JPEG.
    pub(super) fn frame_bytes(&self) -> Option<usize> {
        let (stride, height) = (usize::try_from(self.stride).ok()?, usize::try_from(self.choice.height).ok()?);
        match self.choice.format {
            CameraFormat::Mjpg => None,
            CameraFormat::Yuyv => stride.checked_mul(height),
            CameraFormat::Nv12 => stride.checked_mul(height + height.div_ceil(2)),
            CameraFormat::Yu12 => stride.checked_mul(height)?.checked_add(2 * (stride / 2) * height.div_ceil(2)),
        }
    }

    /// The frame in a buffer that was filled without an error.
    ///
    /// # Errors
    /// Says why it is no frame.
    pub(super) fn frame<'a>(&self, bytes: &'a [u8]) -> Result<&'a [u8], &'static str> {
        if bytes.is_empty() {
            return Err("it is empty");
        }
        match self.frame_bytes() {
            Some(length) => bytes.get(..length).ok_or("it is shorter than a frame"),
            None => jpeg(bytes),
        }
    }
}

/// The JPEG in a buffer, without the padding behind its end. Lenient inside: some cameras pad before markers.
fn jpeg(bytes: &[u8]) -> Result<&[u8], &'static str> {
    if !bytes.starts_with(b"\xff\xd8\xff") {
        return Err("it does not begin as a JPEG");
    }
    let end = bytes.windows(2).rposition(|pair| pair == b"\xff\xd9").ok_or("its JPEG has no end")?;
    Ok(&bytes[..end + 2])
}

/// Our frame numbers from the driver's, which begin anew at each start of the stream.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Numbering {
    next: u64,
    last_of_driver: Option<u32>,
}

impl Numbering {
    /// The stream begins anew.
    pub(super) fn restart(&mut self) {
        self.last_of_driver = None;
    }

    /// Takes the driver's number of the next frame; gives ours, and how many frames the driver dropped before it.
    pub(super) fn number(&mut self, of_driver: u32) -> (u64, u64) {
        let dropped = match self.last_of_driver {
            // A number that is not ahead of the last one is a driver that counts anew, or not at all.
            Some(last) if (1..=u32::MAX / 2).contains(&of_driver.wrapping_sub(last)) => {
                u64::from(of_driver.wrapping_sub(last) - 1)
            }
            _ => 0,
        };
        self.last_of_driver = Some(of_driver);
        let ours = self.next + dropped;
        self.next = ours + 1;
        (ours, dropped)
    }
}

/// Thins frames out to the wanted rate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    interval: Duration,
    due_at: Option<Monotonic>,
}

impl Pace {
    pub(super) fn new(frames_per_second: f64) -> Self {
        Self { interval: Duration::try_from_secs_f64(1.0 / frames_per_second).unwrap_or(Duration::ZERO), due_at: None }
    }

    /// Whether a frame caught at `at` is due; a quarter of an interval early is in time, since cameras jitter.
    pub(super) fn is_due(&mut self, at: Monotonic) -> bool {
        let due_at = self.due_at.unwrap_or(at);
        if at.plus(self.interval / 4) < due_at {
            return false;
        }
        let in_step = due_at.plus(self.interval);
        self.due_at = Some(if in_step > at { in_step } else { at.plus(self.interval) });
        true
    }
}

#[cfg(test)]
mod tests;
