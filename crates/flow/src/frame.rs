//! One picture from a camera, as it came: its pixels are converted where they are used, not here.

use std::sync::{Arc, Mutex, PoisonError};

use crate::clock::{Monotonic, Wall};

/// How a frame's bytes are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PixelFormat {
    /// Three bytes a pixel: red, green, blue.
    Rgb8,
    /// Four bytes for two pixels: Y0 U Y1 V (4:2:2), BT.601 limited range.
    Yuyv,
    /// A plane of Y, then one of interleaved U, V at half size each way (4:2:0), BT.601 limited range.
    Nv12,
    /// Planes of Y, U, V, the latter two at half size each way (4:2:0; V4L2 calls it YU12), BT.601 limited range.
    I420,
    /// One whole JPEG file.
    Jpeg,
}

/// A frame: its pixels, where they come from and when they were caught.
#[derive(Debug)]
pub struct Frame {
    /// The frame's number at its camera, from 0; a gap means that frames were dropped before they reached us.
    pub sequence: u64,
    /// When the sensor caught it, or the earliest time that we know of.
    pub captured_at: Monotonic,
    /// The same by the wall clock.
    pub captured_wall: Wall,
    /// Width in pixels. For [`PixelFormat::Jpeg`] what the camera promised; the file itself decides.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Bytes from one row to the next of the first plane (chroma planes follow V4L2's rules); 0 for JPEG.
    pub stride: u32,
    /// How to read `data`.
    pub format: PixelFormat,
    /// The bytes; only the used part of the buffer.
    pub data: PooledBytes,
}

/// A fixed set of buffers of one size, taken at start and handed round: a frame costs no allocation.
#[derive(Clone, Debug)]
pub struct FramePool {
    free: Arc<Mutex<Vec<Vec<u8>>>>,
    buffer_bytes: usize,
}

impl FramePool {
    /// Takes `buffers` buffers of `buffer_bytes` bytes each now.
    #[must_use]
    pub fn new(buffers: usize, buffer_bytes: usize) -> Self {
        let free = (0..buffers).map(|_| Vec::with_capacity(buffer_bytes)).collect();
        Self { free: Arc::new(Mutex::new(free)), buffer_bytes }
    }

    /// The size of one buffer in bytes.
    #[must_use]
    pub const fn buffer_bytes(&self) -> usize {
        self.buffer_bytes
    }

    /// Copies `bytes` into a free buffer; `None` when all are out or `bytes` is larger than a buffer. The caller counts it.
    #[must_use]
    pub fn take_copy(&self, bytes: &[u8]) -> Option<PooledBytes> {
        self.take_with(bytes.len(), |buffer| buffer.copy_from_slice(bytes))
    }

    /// Lets `fill` write `length` bytes (zeroed before) into a free buffer; `None` when all are out or `length` is too large.
    #[must_use]
    pub fn take_with(&self, length: usize, fill: impl FnOnce(&mut [u8])) -> Option<PooledBytes> {
        if length > self.buffer_bytes {
            return None;
        }
        let mut buffer = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
        buffer.clear();
        buffer.resize(length, 0);
        fill(&mut buffer);
        Some(PooledBytes { buffer, home: Some(Arc::clone(&self.free)) })
    }
}

/// Bytes in a buffer that goes back to its [`FramePool`] when they are dropped.
#[derive(Debug)]
pub struct PooledBytes {
    buffer: Vec<u8>,
    home: Option<Arc<Mutex<Vec<Vec<u8>>>>>,
}

impl PooledBytes {
    /// Bytes that belong to no pool, for one-shot commands and tests.
    #[must_use]
    pub const fn unpooled(buffer: Vec<u8>) -> Self {
        Self { buffer, home: None }
    }
}

impl std::ops::Deref for PooledBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.buffer
    }
}

impl Drop for PooledBytes {
    fn drop(&mut self) {
        if let Some(home) = self.home.take() {
            home.lock().unwrap_or_else(PoisonError::into_inner).push(std::mem::take(&mut self.buffer));
        }
    }
}
