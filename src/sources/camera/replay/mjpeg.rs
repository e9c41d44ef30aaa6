//! An MJPEG stream file: JPEG files one after the other, split where they really end.
//!
//! A JPEG's end marker may also stand inside a segment (a thumbnail in EXIF data), so the segments are walked. Bytes
//! between two frames (multipart headers, padding) are skipped. A frame that breaks off in the middle is reported, and
//! the search goes on right there, so that the next frame is not lost with it.

use std::io::{Read, Seek, SeekFrom};

use clawdbot_flow::frame::{FramePool, PixelFormat};
use clawdbot_flow::limits::FRAME_BYTES_MAX;

use super::{Clip, Item, Picture};
use crate::sources::picture::JpegDecoder;

/// An open stream.
pub(super) struct Mjpeg<R> {
    reader: R,
    name: String,
    decoder: JpegDecoder,
    /// Bytes read ahead; those before `start` are done with.
    buffer: Vec<u8>,
    start: usize,
    at_end: bool,
    /// The frame's number in the file, for messages.
    index: u64,
}

/// How much is read at once at least.
const READ_BYTES: usize = 64 * 1024;

impl<R: Read + Seek> Mjpeg<R> {
    pub(super) fn open(reader: R, name: &str) -> Self {
        Self {
            reader,
            name: name.to_owned(),
            decoder: JpegDecoder::for_frames(name),
            buffer: Vec::new(),
            start: 0,
            at_end: false,
            index: 0,
        }
    }

    /// Reads on: as much again as is at hand, so that a long frame is not walked again and again.
    fn read_more(&mut self) -> Result<(), String> {
        self.buffer.drain(..self.start);
        self.start = 0;
        let wanted = self.buffer.len().max(READ_BYTES);
        let filled = self.buffer.len();
        self.buffer.resize(filled + wanted, 0);
        let count = super::read_up_to(&mut self.reader, &mut self.buffer[filled..])
            .map_err(|error| format!("{} can't be read ({error}); check the disk it is on", self.name))?;
        self.buffer.truncate(filled + count);
        self.at_end = count < wanted;
        Ok(())
    }

    fn bad(&mut self, reason: String) -> Item {
        self.index += 1;
        Item::Bad { name: format!("frame {}", self.index - 1), reason }
    }

    fn picture(&mut self, length: usize, pool: &FramePool) -> Item {
        let bytes = &self.buffer[self.start..self.start + length];
        let size = self.decoder.size(bytes);
        let item = match size {
            Ok((width, height)) => match pool.take_copy(bytes) {
                Some(data) => Item::Picture(Picture { width, height, stride: 0, format: PixelFormat::Jpeg, data }),
                None => Item::NoBuffer,
            },
            Err(error) => Item::Bad { name: format!("frame {}", self.index), reason: error.to_string() },
        };
        self.index += 1;
        self.start += length;
        item
    }
}

impl<R: Read + Seek> Clip for Mjpeg<R> {
    fn next(&mut self, pool: &FramePool) -> Result<Item, String> {
        let frame_bytes_max = FRAME_BYTES_MAX.min(pool.buffer_bytes());
        loop {
            match walk(&self.buffer[self.start..], self.at_end) {
                Walk::Frame { skipped, length } => {
                    self.start += skipped;
                    if length > frame_bytes_max {
                        self.start += length;
                        return Ok(self.bad(format!("its {length} bytes are more than a frame's {frame_bytes_max}")));
                    }
                    return Ok(self.picture(length, pool));
                }
                Walk::Broken { skipped, reason } => {
                    self.start += skipped;
                    return Ok(self.bad(reason.to_owned()));
                }
                Walk::NeedsMore { skipped } => {
                    self.start += skipped;
                    // Four frames' worth without an end: no JPEG of ours.
                    if self.buffer.len() - self.start > 4 * FRAME_BYTES_MAX {
                        self.start = self.buffer.len();
                        return Ok(self.bad("it has no end".to_owned()));
                    }
                    self.read_more()?;
                }
                Walk::End => return Ok(Item::End),
            }
        }
    }

    fn rewind(&mut self) -> Result<(), String> {
        self.buffer.clear();
        (self.start, self.at_end, self.index) = (0, false, 0);
        self.reader
            .seek(SeekFrom::Start(0))
            .map_err(|error| format!("{} can't be read again ({error}); check the disk it is on", self.name))?;
        Ok(())
    }
}

/// What a walk over the bytes at hand found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Walk {
    /// A whole frame after `skipped` bytes.
    Frame { skipped: usize, length: usize },
    /// The beginning of a frame that never ends; the search goes on after `skipped` bytes.
    Broken { skipped: usize, reason: &'static str },
    /// Nothing of use in the first `skipped` bytes; more bytes are needed to say more.
    NeedsMore { skipped: usize },
    /// Nothing more comes.
    End,
}

/// Finds the first frame in `bytes`; `at_end` says that no more bytes will come.
pub(super) fn walk(bytes: &[u8], at_end: bool) -> Walk {
    let Some(begin) = find_start(bytes) else {
        // The last two bytes may be the beginning of a start marker.
        return if at_end { Walk::End } else { Walk::NeedsMore { skipped: bytes.len().saturating_sub(2) } };
    };
    match walk_segments(&bytes[begin..]) {
        Segments::Whole { length } => Walk::Frame { skipped: begin, length },
        Segments::Cut { at } => {
            Walk::Broken { skipped: begin + at, reason: "it breaks off in the middle; the next frame begins inside it" }
        }
        Segments::Short { resume } if at_end => {
            Walk::Broken { skipped: begin + resume, reason: "it breaks off in the middle, or at the end of the file" }
        }
        Segments::Short { .. } => Walk::NeedsMore { skipped: begin },
    }
}

/// Whether `bytes` are one whole JPEG and nothing but padding after it.
pub(super) fn is_whole_jpeg(bytes: &[u8]) -> bool {
    matches!(walk(bytes, true), Walk::Frame { skipped: 0, .. })
}

/// Where a start-of-image marker stands that is followed by another marker.
fn find_start(bytes: &[u8]) -> Option<usize> {
    bytes.windows(3).position(|window| window == [0xff, SOI, 0xff])
}

const SOI: u8 = 0xd8;
const EOI: u8 = 0xd9;
const SOS: u8 = 0xda;

enum Segments {
    /// The JPEG ends after `length` bytes.
    Whole { length: usize },
    /// No JPEG goes on at `at`; the search does.
    Cut { at: usize },
    /// Bytes are missing; if none come, the search goes on at `resume`.
    Short { resume: usize },
}

/// Walks the segments of a JPEG that begins at `bytes[0]`.
fn walk_segments(bytes: &[u8]) -> Segments {
    let mut at = 2;
    loop {
        let segment = at;
        let Some(marker) = marker_at(bytes, &mut at) else { return Segments::Short { resume: bytes.len() } };
        match marker {
            Err(()) => return Segments::Cut { at: segment },
            Ok(EOI) => return Segments::Whole { length: at },
            Ok(SOI) => return Segments::Cut { at: at - 2 },
            // Markers without a length: TEM and the restart markers.
            Ok(0x01 | 0xd0..=0xd7) => {}
            Ok(marker) => match segment_end(bytes, marker, segment, at) {
                Ok(end) => at = end,
                Err(other) => return other,
            },
        }
    }
}

/// Where the segment ends whose length stands at `at`; of a scan, where its data end.
fn segment_end(bytes: &[u8], marker: u8, segment: usize, at: usize) -> Result<usize, Segments> {
    // Inside `segment` no JPEG begins, but for thumbnails; so that is where a search goes on if it leads astray.
    let resume = segment + 2;
    let length = bytes.get(at..at + 2).ok_or(Segments::Short { resume })?;
    let end = at + usize::from(u16::from_be_bytes([length[0], length[1]]));
    if end < at + 2 {
        return Err(Segments::Cut { at: resume });
    }
    // With the two bytes behind it, which complete a beginning whose first byte is its last.
    let body = &bytes[at..bytes.len().min(end + 2)];
    if let (false, Some(begin)) = (may_hold_thumbnail(marker), find_start(body)) {
        return Err(Segments::Cut { at: at + begin });
    }
    if end > bytes.len() {
        return Err(Segments::Short { resume });
    }
    if marker == SOS {
        return end_of_scan(bytes, end).ok_or(Segments::Short { resume: bytes.len() });
    }
    if bytes.get(end).is_some_and(|byte| *byte != 0xff) {
        return Err(Segments::Cut { at: resume });
    }
    Ok(end)
}

/// Application segments and comments may hold a whole JPEG.
const fn may_hold_thumbnail(marker: u8) -> bool {
    matches!(marker, 0xe0..=0xef | 0xfe)
}

/// The marker at `at`, over fill bytes; moves `at` behind it. `None`: bytes are missing; `Err`: there is none.
fn marker_at(bytes: &[u8], at: &mut usize) -> Option<Result<u8, ()>> {
    if *bytes.get(*at)? != 0xff {
        return Some(Err(()));
    }
    while *bytes.get(*at)? == 0xff {
        *at += 1;
    }
    let marker = bytes[*at];
    *at += 1;
    Some(if marker == 0 { Err(()) } else { Ok(marker) })
}

/// Where entropy-coded data from `at` on ends: at the first marker that is no restart and no stuffed zero.
fn end_of_scan(bytes: &[u8], at: usize) -> Option<usize> {
    let data = bytes.get(at..)?;
    data.windows(2)
        .position(|pair| pair[0] == 0xff && !matches!(pair[1], 0 | 0xd0..=0xd7 | 0xff))
        .map(|offset| at + offset)
}

#[cfg(test)]
mod tests;
