//! YUV4MPEG2 files: one header line, then frames of raw planes, each behind a line that begins with `FRAME`.
//!
//! Source of the format: `yuv4mpeg(5)` of mjpegtools. Frames become [`PixelFormat::I420`] (4:2:0, and monochrome with
//! grey chroma) or [`PixelFormat::Yuyv`] (4:2:2), whose law is limited range: files of full range are scaled. An odd
//! last column or row is left out, so that chroma planes have whole halves.

use std::io::{Read, Seek, SeekFrom};

use clawdbot_flow::frame::{FramePool, PixelFormat};
use clawdbot_flow::limits::{FRAME_BYTES_MAX, PICTURE_SIDE_MAX};

use super::{Clip, Item, Picture, read_up_to};

/// How every Y4M file begins.
pub(super) const SIGNATURE: &[u8; 10] = b"YUV4MPEG2 ";

/// The longest header line that we read, and the longest `FRAME` line.
const LINE_BYTES_MAX: usize = 1024;

/// How chroma is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chroma {
    Mono,
    Planar420,
    Planar422,
}

/// What the header says, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Header {
    width: usize,
    height: usize,
    chroma: Chroma,
    full_range: bool,
}

impl Header {
    /// `line` is the header without its line feed.
    fn parse(line: &str) -> Result<Self, String> {
        let (mut width, mut height, mut chroma, mut full_range) = (None, None, Chroma::Planar420, false);
        for word in line.split(' ').skip(1).filter(|word| !word.is_empty()) {
            let (tag, value) = word.split_at_checked(1).ok_or_else(|| format!("`{word}` is no parameter"))?;
            match tag {
                "W" => width = Some(side("width", value)?),
                "H" => height = Some(side("height", value)?),
                "C" => chroma = chroma_named(value)?,
                "X" if value == "COLORRANGE=FULL" => full_range = true,
                // Rate, interlacing, pixel aspect, comments: the rate is the configuration's, the rest changes no bytes.
                _ => {}
            }
        }
        let (Some(width), Some(height)) = (width, height) else {
            return Err("its header has no W (width) or no H (height)".to_owned());
        };
        let header = Self { width, height, chroma, full_range };
        if header.source_bytes() > FRAME_BYTES_MAX || header.frame_bytes() > FRAME_BYTES_MAX {
            return Err(format!("a frame of {width}x{height} is more than our {FRAME_BYTES_MAX} bytes; scale it down"));
        }
        if header.even_width() == 0 || header.even_height() == 0 {
            return Err(format!("frames of {width}x{height} are too small; 2x2 is the least"));
        }
        Ok(header)
    }

    fn even_width(self) -> usize {
        self.width & !1
    }

    fn even_height(self) -> usize {
        self.height & !1
    }

    fn chroma_width(self) -> usize {
        self.width.div_ceil(2)
    }

    fn chroma_height(self) -> usize {
        match self.chroma {
            Chroma::Mono => 0,
            Chroma::Planar420 => self.height.div_ceil(2),
            Chroma::Planar422 => self.height,
        }
    }

    /// Bytes of a frame in the file.
    fn source_bytes(self) -> usize {
        self.width * self.height + 2 * self.chroma_width() * self.chroma_height()
    }

    /// Bytes of the frame that we make of it.
    fn frame_bytes(self) -> usize {
        let pixels = self.even_width() * self.even_height();
        match self.chroma {
            Chroma::Mono | Chroma::Planar420 => pixels + pixels / 2,
            Chroma::Planar422 => pixels * 2,
        }
    }

    /// Turns a frame of the file into ours.
    fn convert(self, source: &[u8], frame: &mut [u8]) {
        let (luma, chroma) = source.split_at(self.width * self.height);
        let (u, v) = chroma.split_at(self.chroma_width() * self.chroma_height());
        match self.chroma {
            Chroma::Planar422 => self.convert_422(luma, u, v, frame),
            Chroma::Planar420 | Chroma::Mono => self.convert_420(luma, u, v, frame),
        }
    }

    fn convert_420(self, luma: &[u8], u: &[u8], v: &[u8], frame: &mut [u8]) {
        let (width, height) = (self.even_width(), self.even_height());
        let (frame_luma, frame_chroma) = frame.split_at_mut(width * height);
        self.copy_plane(luma, self.width, frame_luma, width, |value| limited_luma(value, self.full_range));
        if self.chroma == Chroma::Mono {
            frame_chroma.fill(128);
            return;
        }
        let (frame_u, frame_v) = frame_chroma.split_at_mut(width / 2 * (height / 2));
        let chroma = |value| limited_chroma(value, self.full_range);
        self.copy_plane(u, self.chroma_width(), frame_u, width / 2, chroma);
        self.copy_plane(v, self.chroma_width(), frame_v, width / 2, chroma);
    }

    fn convert_422(self, luma: &[u8], u: &[u8], v: &[u8], frame: &mut [u8]) {
        for (row, out) in frame.chunks_exact_mut(self.even_width() * 2).enumerate() {
            let luma = &luma[row * self.width..];
            let u = &u[row * self.chroma_width()..];
            let v = &v[row * self.chroma_width()..];
            for (index, pair) in out.chunks_exact_mut(4).enumerate() {
                pair[0] = limited_luma(luma[2 * index], self.full_range);
                pair[1] = limited_chroma(u[index], self.full_range);
                pair[2] = limited_luma(luma[2 * index + 1], self.full_range);
                pair[3] = limited_chroma(v[index], self.full_range);
            }
        }
    }

    fn copy_plane(self, from: &[u8], from_stride: usize, to: &mut [u8], to_stride: usize, map: impl Fn(u8) -> u8) {
        if !self.full_range && from_stride == to_stride {
            to.copy_from_slice(&from[..to.len()]);
            return;
        }
        for (from, to) in from.chunks_exact(from_stride).zip(to.chunks_exact_mut(to_stride)) {
            for (from, to) in from.iter().zip(to) {
                *to = map(*from);
            }
        }
    }
}

/// Full range 0..=255 to limited 16..=235, rounded; BT.601 and ITU-T H.273 agree on it.
fn limited_luma(value: u8, full_range: bool) -> u8 {
    if !full_range {
        return value;
    }
    16 + u8::try_from((u32::from(value) * 219 + 127) / 255).unwrap_or(219)
}

/// Full range 0..=255 about 128 to limited 16..=240, rounded.
fn limited_chroma(value: u8, full_range: bool) -> u8 {
    if !full_range {
        return value;
    }
    16 + u8::try_from((u32::from(value) * 224 + 128) / 256).unwrap_or(224)
}

fn side(name: &str, value: &str) -> Result<usize, String> {
    let side = value.parse::<u32>().ok().filter(|side| (1..=PICTURE_SIDE_MAX).contains(side));
    side.and_then(|side| usize::try_from(side).ok())
        .ok_or_else(|| format!("its {name} is `{value}`; 1 to {PICTURE_SIDE_MAX} is possible"))
}

fn chroma_named(name: &str) -> Result<Chroma, String> {
    match name {
        "420" | "420jpeg" | "420mpeg2" | "420paldv" => Ok(Chroma::Planar420),
        "422" => Ok(Chroma::Planar422),
        "mono" => Ok(Chroma::Mono),
        _ => Err(format!("its colour space is `{name}`; make it 8-bit 420, 422 or mono (ffmpeg: -pix_fmt yuv420p)")),
    }
}

/// An open Y4M file.
pub(super) struct Y4m<R> {
    reader: R,
    name: String,
    header: Header,
    source: Vec<u8>,
    index: u64,
}

impl<R: Read + Seek> Y4m<R> {
    pub(super) fn open(mut reader: R, name: &str) -> Result<Self, String> {
        let header =
            read_header(&mut reader).map_err(|reason| format!("{name} is no Y4M file that we read: {reason}"))?;
        Ok(Self { reader, name: name.to_owned(), header, source: vec![0; header.source_bytes()], index: 0 })
    }

    fn cannot_read(&self, error: &std::io::Error) -> String {
        format!("{} can't be read ({error}); check the disk it is on", self.name)
    }
}

fn read_header(reader: &mut impl Read) -> Result<Header, String> {
    let line =
        read_line(reader).map_err(|error| error.to_string())?.ok_or_else(|| "its header line has no end".to_owned())?;
    Header::parse(&String::from_utf8_lossy(&line))
}

/// The bytes up to the next line feed, without it; `None` when there is no line feed in time.
fn read_line(reader: &mut impl Read) -> std::io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let mut byte = [0];
    while line.len() <= LINE_BYTES_MAX {
        if read_up_to(reader, &mut byte)? == 0 {
            return Ok(None);
        }
        if byte[0] == b'\n' {
            return Ok(Some(line));
        }
        line.push(byte[0]);
    }
    Ok(None)
}

impl<R: Read + Seek> Clip for Y4m<R> {
    fn next(&mut self, pool: &FramePool) -> Result<Item, String> {
        let at = self.index;
        let bad = |reason: String| Item::Bad { name: format!("frame {at}"), reason };
        self.index += 1;
        let position = self.reader.stream_position().map_err(|error| self.cannot_read(&error))?;
        let line = match read_line(&mut self.reader).map_err(|error| self.cannot_read(&error))? {
            Some(line) => line,
            None => {
                let end = self.reader.seek(SeekFrom::End(0)).map_err(|error| self.cannot_read(&error))?;
                return Ok(if end == position {
                    Item::End
                } else {
                    bad("the file ends in its header line".to_owned())
                });
            }
        };
        if !line.starts_with(b"FRAME") {
            // There is no way to find the next frame but to count, and the count is lost.
            self.reader.seek(SeekFrom::End(0)).map_err(|error| self.cannot_read(&error))?;
            return Ok(bad("its line does not begin with FRAME; the rest of the file is left out".to_owned()));
        }
        let length = read_up_to(&mut self.reader, &mut self.source)
            .map_err(|error| format!("{} can't be read ({error}); check the disk it is on", self.name))?;
        if length < self.source.len() {
            return Ok(bad(format!("the file ends after {length} of its {} bytes", self.source.len())));
        }
        let header = self.header;
        let frame_bytes = header.frame_bytes();
        if frame_bytes > pool.buffer_bytes() {
            return Ok(bad(format!("its {frame_bytes} bytes are more than a frame's {}", pool.buffer_bytes())));
        }
        let Some(data) = pool.take_with(frame_bytes, |frame| header.convert(&self.source, frame)) else {
            return Ok(Item::NoBuffer);
        };
        let (format, bytes_per_pixel) = match header.chroma {
            Chroma::Planar422 => (PixelFormat::Yuyv, 2),
            Chroma::Mono | Chroma::Planar420 => (PixelFormat::I420, 1),
        };
        let small = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        Ok(Item::Picture(Picture {
            width: small(header.even_width()),
            height: small(header.even_height()),
            stride: small(header.even_width() * bytes_per_pixel),
            format,
            data,
        }))
    }

    fn rewind(&mut self) -> Result<(), String> {
        self.index = 0;
        self.reader.seek(SeekFrom::Start(0)).map_err(|error| self.cannot_read(&error))?;
        read_header(&mut self.reader).map(drop).map_err(|reason| format!("{} has changed: {reason}", self.name))
    }
}

#[cfg(test)]
mod tests;
