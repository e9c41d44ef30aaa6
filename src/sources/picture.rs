//! The one place that turns the bytes of a picture file, or of a camera's JPEG frame, into pixels.
//!
//! Bytes come from outside, so the header is read first and held against `flow::limits` before memory is taken.
//! What comes out is always RGB, three bytes a pixel, rows from the top without padding.

use std::io::Cursor;

use clawdbot_flow::limits::{FRAME_BYTES_MAX, PICTURE_PIXELS_MAX, PICTURE_SIDE_MAX};
use clawdbot_vision::preprocess;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, RgbImage};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::errors::DecodeErrors;

/// A decoded still picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Picture {
    /// Width in pixels, `1..=PICTURE_SIDE_MAX`.
    pub(crate) width: u32,
    /// Height in pixels, `1..=PICTURE_SIDE_MAX`.
    pub(crate) height: u32,
    /// Red, green, blue; `width * height * 3` bytes, rows from the top.
    pub(crate) rgb: Vec<u8>,
}

/// Why a picture could not be decoded: the picture's name, and the reason with what to do about it.
#[derive(Debug, thiserror::Error)]
#[error("picture `{name}`: {reason}")]
pub(crate) struct PictureError {
    name: String,
    #[source]
    reason: Reason,
}

impl PictureError {
    fn new(name: &str, reason: Reason) -> Self {
        Self { name: name.to_owned(), reason }
    }
}

/// What is wrong with a picture.
#[derive(Debug, thiserror::Error)]
enum Reason {
    #[error("it is empty; give a JPEG, PNG or BMP file")]
    Empty,
    #[error("it is no JPEG, PNG or BMP file (it begins with {beginning}); convert it to one of these")]
    UnknownFormat { beginning: String },
    #[error(
        "its {width}x{height} pixels are more than we decode (at most {PICTURE_SIDE_MAX} a side, {pixels_max} in all); \
         scale it down"
    )]
    TooLarge { width: u64, height: u64, pixels_max: u64 },
    #[error("its JPEG data is broken or of a kind we do not read ({0}); save it again as a baseline JPEG")]
    Jpeg(DecodeErrors),
    #[error(transparent)]
    Pixels(preprocess::PictureError),
    #[error("its data is broken or of a kind we do not read ({0}); save it again as PNG or JPEG")]
    Other(image::ImageError),
}

/// Decodes a JPEG, PNG or BMP file and turns it upright as its EXIF data says. `name` is for the error.
///
/// CMYK JPEG files are converted as Adobe writes them (inverted); 16-bit samples keep their upper 8 bits; an alpha
/// channel is dropped.
///
/// # Errors
/// [`PictureError`] names the picture, the reason and what to do.
pub(crate) fn decode(bytes: &[u8], name: &str) -> Result<Picture, PictureError> {
    if bytes.starts_with(&JPEG_START) {
        let mut rgb = Vec::new();
        let header = JpegDecoder::new(name, PICTURE_PIXELS_MAX).decode_with_exif(bytes, &mut rgb)?;
        let image = RgbImage::from_raw(header.width, header.height, rgb)
            .ok_or_else(|| PictureError::new(name, Reason::Jpeg(DecodeErrors::ExhaustedData)))?;
        return Ok(upright(image, header.orientation));
    }
    decode_other(bytes).map_err(|reason| PictureError::new(name, reason))
}

const JPEG_START: [u8; 2] = [0xff, 0xd8];

fn decode_other(bytes: &[u8]) -> Result<Picture, Reason> {
    let format = match image::guess_format(bytes) {
        Ok(format @ (ImageFormat::Png | ImageFormat::Bmp)) => format,
        _ if bytes.is_empty() => return Err(Reason::Empty),
        _ => return Err(Reason::UnknownFormat { beginning: beginning(bytes) }),
    };
    let mut decoder = ImageReader::with_format(Cursor::new(bytes), format).into_decoder().map_err(Reason::Other)?;
    let (width, height) = decoder.dimensions();
    check_size(u64::from(width), u64::from(height), PICTURE_PIXELS_MAX)?;
    let mut limits = image::Limits::no_limits();
    // Four channels of 16 bits, and as much again for the decoder's own rows and chunks.
    limits.max_alloc = Some(PICTURE_PIXELS_MAX * 8 * 2);
    decoder.set_limits(limits).map_err(Reason::Other)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let image = DynamicImage::from_decoder(decoder).map_err(Reason::Other)?.into_rgb8();
    Ok(upright(image, orientation))
}

/// The first bytes as text for an error: `89 50 4e 47`.
fn beginning(bytes: &[u8]) -> String {
    bytes.iter().take(4).map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

fn check_size(width: u64, height: u64, pixels_max: u64) -> Result<(), Reason> {
    let side_max = u64::from(PICTURE_SIDE_MAX);
    if width > side_max || height > side_max || width * height > pixels_max {
        return Err(Reason::TooLarge { width, height, pixels_max });
    }
    Ok(())
}

fn upright(image: RgbImage, orientation: Orientation) -> Picture {
    let mut image = DynamicImage::ImageRgb8(image);
    image.apply_orientation(orientation);
    let image = image.into_rgb8();
    let (width, height) = image.dimensions();
    Picture { width, height, rgb: image.into_raw() }
}

/// Decodes JPEG frames one after the other into a buffer that the caller keeps.
///
/// Lenient as webcams need it: bytes before a marker are padding, missing Huffman tables are the standard's own
/// (MJPEG leaves them out). The EXIF orientation of a frame is not applied: a camera's frames are as they come.
#[derive(Clone, Debug)]
pub(crate) struct JpegDecoder {
    name: String,
    pixels_max: u64,
}

/// A JPEG whose header has been read.
type Opened<'a> = zune_jpeg::JpegDecoder<ZCursor<&'a [u8]>>;

/// What a JPEG's header says.
struct Header {
    width: u32,
    height: u32,
    orientation: Orientation,
}

impl JpegDecoder {
    /// A decoder that refuses more than `pixels_max` pixels. `name` (a file's, a camera's) is for its errors.
    pub(crate) fn new(name: impl Into<String>, pixels_max: u64) -> Self {
        Self { name: name.into(), pixels_max }
    }

    /// A decoder for a camera's frames: at most one pixel a byte of the largest frame that we take.
    pub(crate) fn for_frames(camera: impl Into<String>) -> Self {
        Self::new(camera, FRAME_BYTES_MAX as u64)
    }

    /// Decodes a camera's JPEG into `pixels`, which is resized to fit and keeps its capacity (and means nothing after
    /// an error). Y, Cb and Cr stay what they are: who resizes the picture has fewer pixels to convert (8 % of all instructions of a 640x480 frame on a Cortex-A72).
    ///
    /// # Errors
    /// [`PictureError`] when the bytes are no JPEG that we read, or it is too large.
    pub(crate) fn decode_frame<'a>(
        &mut self,
        bytes: &[u8],
        pixels: &'a mut Vec<u8>,
    ) -> Result<preprocess::Picture<'a>, PictureError> {
        let decoded = self.try_decode_frame(bytes, pixels);
        let (width, height, unchanged) = decoded.map_err(|reason| PictureError::new(&self.name, reason))?;
        let picture = if unchanged { preprocess::Picture::ycbcr } else { preprocess::Picture::rgb };
        picture(width, height, pixels).map_err(|error| PictureError::new(&self.name, Reason::Pixels(error)))
    }

    /// Width, height, and whether the pixels are Y, Cb, Cr.
    fn try_decode_frame(&self, bytes: &[u8], pixels: &mut Vec<u8>) -> Result<(usize, usize, bool), Reason> {
        let (mut decoder, header) = self.open(bytes)?;
        let unchanged = decoder.input_colorspace() == Some(ColorSpace::YCbCr);
        if unchanged {
            decoder.set_options(decoder.options().jpeg_set_out_colorspace(ColorSpace::YCbCr));
        }
        decode_pixels(&mut decoder, pixels)?;
        // Sides are at most PICTURE_SIDE_MAX.
        Ok((header.width as usize, header.height as usize, unchanged))
    }

    /// Reads the header only: width and height in pixels, already held against the limits.
    ///
    /// # Errors
    /// [`PictureError`] when the bytes are no JPEG that we read, or it is too large.
    pub(crate) fn size(&self, bytes: &[u8]) -> Result<(u32, u32), PictureError> {
        self.header(bytes).map(|header| (header.width, header.height))
    }

    /// The same for a JPEG whose EXIF data do not ask for it to be turned; `None` for one that is to be turned.
    ///
    /// # Errors
    /// As [`JpegDecoder::size`].
    pub(crate) fn size_if_upright(&self, bytes: &[u8]) -> Result<Option<(u32, u32)>, PictureError> {
        let header = self.header(bytes)?;
        Ok((header.orientation == Orientation::NoTransforms).then_some((header.width, header.height)))
    }

    fn header(&self, bytes: &[u8]) -> Result<Header, PictureError> {
        self.open(bytes).map(|(_, header)| header).map_err(|reason| PictureError::new(&self.name, reason))
    }

    fn decode_with_exif(&self, bytes: &[u8], rgb: &mut Vec<u8>) -> Result<Header, PictureError> {
        self.try_decode(bytes, rgb).map_err(|reason| PictureError::new(&self.name, reason))
    }

    fn open<'a>(&self, bytes: &'a [u8]) -> Result<(Opened<'a>, Header), Reason> {
        if bytes.is_empty() {
            return Err(Reason::Empty);
        }
        if !bytes.starts_with(&JPEG_START) {
            return Err(Reason::UnknownFormat { beginning: beginning(bytes) });
        }
        // The library's own limits are out of the way, so that it is we who name what is too large.
        let options = DecoderOptions::default()
            .jpeg_set_out_colorspace(ColorSpace::RGB)
            .set_max_width(usize::from(u16::MAX))
            .set_max_height(usize::from(u16::MAX));
        let mut decoder = zune_jpeg::JpegDecoder::new_with_options(ZCursor::new(bytes), options);
        decoder.decode_headers().map_err(Reason::Jpeg)?;
        let info = decoder.info().ok_or(Reason::Jpeg(DecodeErrors::ExhaustedData))?;
        let (width, height) = (u32::from(info.width), u32::from(info.height));
        check_size(u64::from(width), u64::from(height), self.pixels_max)?;
        let orientation =
            decoder.exif().and_then(|chunk| Orientation::from_exif_chunk(chunk)).unwrap_or(Orientation::NoTransforms);
        Ok((decoder, Header { width, height, orientation }))
    }

    fn try_decode(&self, bytes: &[u8], rgb: &mut Vec<u8>) -> Result<Header, Reason> {
        let (mut decoder, header) = self.open(bytes)?;
        decode_pixels(&mut decoder, rgb)?;
        Ok(header)
    }
}

fn decode_pixels(decoder: &mut Opened<'_>, pixels: &mut Vec<u8>) -> Result<(), Reason> {
    let length = decoder.output_buffer_size().ok_or(Reason::Jpeg(DecodeErrors::ExhaustedData))?;
    pixels.resize(length, 0);
    decoder.decode_into(pixels).map_err(Reason::Jpeg)
}

#[cfg(test)]
mod tests;
