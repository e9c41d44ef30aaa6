//! A picture's pixels, checked once so that reading them cannot go wrong.

use clawdbot_flow::frame::{Frame, PixelFormat};

/// Why bytes are no picture.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PictureError {
    /// A side is 0.
    #[error("the picture has {width} x {height} pixels; a picture needs at least one each way")]
    Empty {
        /// In pixels.
        width: usize,
        /// In pixels.
        height: usize,
    },
    /// Rows would overlap.
    #[error("rows of {width} pixels in {format:?} take {needed} bytes, but they lie only {stride} bytes apart")]
    Stride {
        /// In pixels.
        width: usize,
        /// How the bytes are to be read.
        format: PixelFormat,
        /// Bytes that a row takes.
        needed: usize,
        /// Bytes from row to row.
        stride: usize,
    },
    /// The buffer ends before the picture does.
    #[error("the picture's {width} x {height} pixels in {format:?} take {needed} bytes, but only {given} came")]
    TooShort {
        /// In pixels.
        width: usize,
        /// In pixels.
        height: usize,
        /// How the bytes are to be read.
        format: PixelFormat,
        /// Bytes that the picture takes.
        needed: usize,
        /// Bytes that there are.
        given: usize,
    },
    /// The bytes are a compressed file.
    #[error("the frame is a JPEG file; decode it first and hand over its pixels")]
    Compressed,
    /// The sides are too large to multiply.
    #[error("a picture of {width} x {height} pixels is larger than memory can be")]
    TooLarge {
        /// In pixels.
        width: usize,
        /// In pixels.
        height: usize,
    },
}

/// A picture that lies somewhere in memory, in one of the formats that cameras deliver.
#[derive(Clone, Copy, Debug)]
pub struct Picture<'a> {
    width: usize,
    height: usize,
    pub(crate) planes: Planes<'a>,
}

/// Where the samples lie.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Planes<'a> {
    Rgb8(Plane<'a>),
    YCbCr8(Plane<'a>),
    Yuyv(Plane<'a>),
    Nv12 { luma: Plane<'a>, chroma: Plane<'a> },
    I420 { luma: Plane<'a>, u: Plane<'a>, v: Plane<'a> },
}

/// Rows of bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plane<'a> {
    data: &'a [u8],
    stride: usize,
    row_bytes: usize,
}

impl<'a> Plane<'a> {
    /// The bytes of row `y` that hold samples.
    #[inline]
    pub(crate) fn row(&self, y: usize) -> &'a [u8] {
        &self.data[y * self.stride..][..self.row_bytes]
    }

    /// Bytes of `rows` rows, of which the last may lack its padding.
    fn bytes(stride: usize, row_bytes: usize, rows: usize) -> Option<usize> {
        stride.checked_mul(rows.checked_sub(1)?)?.checked_add(row_bytes)
    }
}

impl<'a> Picture<'a> {
    /// Dense RGB, 3 bytes a pixel.
    ///
    /// # Errors
    /// When a side is 0 or `data` is too short.
    pub fn rgb(width: usize, height: usize, data: &'a [u8]) -> Result<Self, PictureError> {
        Self::new(width, height, width.saturating_mul(3), PixelFormat::Rgb8, data)
    }

    /// Dense Y, Cb, Cr as JPEG files hold them (BT.601, 0..=255 each), 3 bytes a pixel.
    ///
    /// # Errors
    /// When a side is 0 or `data` is too short.
    pub fn ycbcr(width: usize, height: usize, data: &'a [u8]) -> Result<Self, PictureError> {
        let picture = Self::rgb(width, height, data)?;
        match picture.planes {
            Planes::Rgb8(plane) => Ok(Self { planes: Planes::YCbCr8(plane), ..picture }),
            _ => Ok(picture),
        }
    }

    /// A camera's frame.
    ///
    /// # Errors
    /// When the frame is compressed, a side is 0, or its bytes are too few for its size and stride.
    pub fn from_frame(frame: &'a Frame) -> Result<Self, PictureError> {
        // u32 fits usize on every board that we build for.
        let [width, height, stride] =
            [frame.width, frame.height, frame.stride].map(|side| usize::try_from(side).unwrap_or(usize::MAX));
        Self::new(width, height, stride, frame.format, &frame.data)
    }

    /// A picture of `width` x `height` pixels whose rows (of the first plane) begin `stride` bytes apart. Chroma planes
    /// follow at `stride` x `height`, as V4L2 lays them: NV12's with the same stride, I420's with half of it.
    ///
    /// # Errors
    /// When `format` is compressed, a side is 0, rows would overlap or `data` is too short.
    pub fn new(
        width: usize,
        height: usize,
        stride: usize,
        format: PixelFormat,
        data: &'a [u8],
    ) -> Result<Self, PictureError> {
        if width == 0 || height == 0 {
            return Err(PictureError::Empty { width, height });
        }
        let too_large = PictureError::TooLarge { width, height };
        let row_bytes = match format {
            PixelFormat::Rgb8 => width.checked_mul(3),
            PixelFormat::Yuyv => width.div_ceil(2).checked_mul(4),
            // A row of NV12's chroma is as wide as the luma, rounded up to whole pairs.
            PixelFormat::Nv12 => width.checked_next_multiple_of(2),
            PixelFormat::I420 => Some(width),
            PixelFormat::Jpeg => return Err(PictureError::Compressed),
        }
        .ok_or(too_large)?;
        let needed = if format == PixelFormat::I420 { width.saturating_add(width % 2) } else { row_bytes };
        if stride < needed {
            return Err(PictureError::Stride { width, format, needed, stride });
        }
        let planes = Self::planes(height, stride, row_bytes, format, data)
            .ok_or(PictureError::TooLarge { width, height })?
            .map_err(|needed| PictureError::TooShort { width, height, format, needed, given: data.len() })?;
        Ok(Self { width, height, planes })
    }

    /// Cuts `data` into planes; the inner error is the length that it should have had, `None` an overflow.
    fn planes(
        height: usize,
        stride: usize,
        row_bytes: usize,
        format: PixelFormat,
        data: &'a [u8],
    ) -> Option<Result<Planes<'a>, usize>> {
        let plane = |start: usize, stride: usize, row_bytes: usize, rows: usize| {
            let end = start.checked_add(Plane::bytes(stride, row_bytes, rows)?)?;
            Some(data.get(start..end).map(|data| Plane { data, stride, row_bytes }).ok_or(end))
        };
        let chroma_rows = height.div_ceil(2);
        let chroma_start = stride.checked_mul(height)?;
        Some(match format {
            PixelFormat::Rgb8 => plane(0, stride, row_bytes, height)?.map(Planes::Rgb8),
            PixelFormat::Yuyv => plane(0, stride, row_bytes, height)?.map(Planes::Yuyv),
            PixelFormat::Nv12 => match plane(chroma_start, stride, row_bytes, chroma_rows)? {
                Ok(chroma) => plane(0, stride, row_bytes, height)?.map(|luma| Planes::Nv12 { luma, chroma }),
                Err(needed) => Err(needed),
            },
            PixelFormat::I420 => {
                let (half, width) = (stride / 2, row_bytes.div_ceil(2));
                let v_start = chroma_start.checked_add(half.checked_mul(chroma_rows)?)?;
                let v = plane(v_start, half, width, chroma_rows)?;
                let u = plane(chroma_start, half, width, chroma_rows)?;
                let luma = plane(0, stride, row_bytes, height)?;
                // V is the last of the three, so where it fits the others do.
                v.and_then(|v| Ok(Planes::I420 { luma: luma?, u: u?, v }))
            }
            PixelFormat::Jpeg => return None,
        })
    }

    /// In pixels.
    #[must_use]
    pub const fn width(&self) -> usize {
        self.width
    }

    /// In pixels.
    #[must_use]
    pub const fn height(&self) -> usize {
        self.height
    }
}
