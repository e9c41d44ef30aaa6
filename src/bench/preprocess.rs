//! How long it takes to bring a camera's frame to a network's input.

use std::time::Duration;

use clawdbot_flow::clock::Clock;
use clawdbot_flow::frame::PixelFormat;
use clawdbot_vision::preprocess::{Picture, Preprocessor};

use super::Times;
use crate::sources::picture::JpegDecoder;

/// A frame as a camera delivers it.
#[derive(Debug)]
pub(crate) struct Frame {
    /// In pixels; for JPEG what its header says.
    pub(crate) width: usize,
    /// In pixels.
    pub(crate) height: usize,
    /// How the bytes are to be read.
    pub(crate) format: PixelFormat,
    /// Rows without padding, or a JPEG file.
    pub(crate) bytes: Vec<u8>,
}

impl Frame {
    /// A picture with slopes and texture in one of the uncompressed formats; `None` for JPEG.
    pub(crate) fn made_up(format: PixelFormat, width: usize, height: usize) -> Option<Self> {
        let pairs = width.div_ceil(2);
        let (row, rows) = match format {
            PixelFormat::Rgb8 => (3 * width, height),
            PixelFormat::Yuyv => (4 * pairs, height),
            PixelFormat::Nv12 | PixelFormat::I420 => (2 * pairs, height + height.div_ceil(2)),
            PixelFormat::Jpeg => return None,
        };
        let texture = |at: usize| u8::try_from((at % row / 3 + at / row + at * 7 % 31) % 256).unwrap_or(0);
        Some(Self { width, height, format, bytes: (0..row * rows).map(texture).collect() })
    }
}

/// Times of decoding (JPEG only) and preprocessing.
pub(crate) struct Measured {
    /// Nothing for uncompressed frames.
    pub(crate) decoding: Times,
    /// See [`Preprocessor`].
    pub(crate) preprocessing: Times,
}

/// Brings `frame` to the network's input once to warm up and then `runs` times.
///
/// # Errors
/// A sentence, when the frame is no picture.
pub(crate) fn measure(
    preprocessor: &mut Preprocessor,
    frame: &Frame,
    runs: usize,
    clock: &dyn Clock,
) -> Result<Measured, String> {
    let mut input = vec![0; preprocessor.input_bytes()];
    let mut decoder = JpegDecoder::for_frames("bench");
    let mut pixels = Vec::new();
    let mut once = || {
        let start = clock.monotonic();
        let picture = if frame.format == PixelFormat::Jpeg {
            decoder.decode_frame(&frame.bytes, &mut pixels).map_err(|error| error.to_string())?
        } else {
            let stride = match frame.format {
                PixelFormat::Rgb8 => 3 * frame.width,
                PixelFormat::Yuyv => frame.width.div_ceil(2) * 4,
                _ => frame.width.div_ceil(2) * 2,
            };
            Picture::new(frame.width, frame.height, stride, frame.format, &frame.bytes)
                .map_err(|error| error.to_string())?
        };
        let decoded = clock.monotonic();
        preprocessor.run(&picture, &mut input).map_err(|error| error.to_string())?;
        Ok::<_, String>([decoded.since(start), clock.monotonic().since(decoded)])
    };
    once()?;
    let times: Vec<[Duration; 2]> = (0..runs).map(|_| once()).collect::<Result<_, _>>()?;
    let of = |part: usize| Times::new(times.iter().map(|times| times[part]).collect());
    Ok(Measured { decoding: of(0), preprocessing: of(1) })
}
