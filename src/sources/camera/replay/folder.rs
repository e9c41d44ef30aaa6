//! A folder of pictures, by name; or one picture, again and again.
//!
//! A JPEG that is upright and fits a frame is handed on as it is; everything else is decoded, turned upright and, when
//! it has more pixels than a frame holds, made smaller.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use clawdbot_flow::frame::{FramePool, PixelFormat};
use clawdbot_flow::limits::FRAME_BYTES_MAX;
use image::imageops;

use super::mjpeg::is_whole_jpeg;
use super::{Clip, Item, Picture};
use crate::sources::picture::{self, JpegDecoder};

/// The largest picture file that is read.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// The most files that a folder may have.
const FILES_MAX: usize = 100_000;

/// The pictures, and where we are among them.
pub(super) struct Folder {
    /// `None`: a single picture.
    folder: Option<PathBuf>,
    files: Vec<PathBuf>,
    next: usize,
}

impl Folder {
    pub(super) fn open(folder: &Path) -> Result<Self, String> {
        Ok(Self { folder: Some(folder.to_owned()), files: files(folder)?, next: 0 })
    }

    pub(super) fn of_one(file: &Path) -> Self {
        Self { folder: None, files: vec![file.to_owned()], next: 0 }
    }
}

/// Whether a file that begins so is a still picture which is no JPEG.
pub(super) fn is_still_picture(beginning: &[u8]) -> bool {
    beginning.starts_with(b"\x89PNG") || beginning.starts_with(b"BM")
}

/// The folder's files by name, without hidden ones.
fn files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let cannot =
        |error| format!("the folder {} can't be read ({error}); check `path` of this camera", folder.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(cannot)? {
        let path = entry.map_err(cannot)?.path();
        let is_hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
        if !is_hidden && fs::metadata(&path).is_ok_and(|metadata| metadata.is_file()) {
            files.push(path);
        }
        if files.len() > FILES_MAX {
            return Err(format!("the folder {} has more than {FILES_MAX} files; split it", folder.display()));
        }
    }
    files.sort();
    Ok(files)
}

impl Clip for Folder {
    fn next(&mut self, pool: &FramePool) -> Result<Item, String> {
        let Some(path) = self.files.get(self.next) else { return Ok(Item::End) };
        self.next += 1;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let shown = read(path).and_then(|bytes| show(&bytes, &name, pool));
        Ok(shown.unwrap_or_else(|reason| Item::Bad { name, reason }))
    }

    fn rewind(&mut self) -> Result<(), String> {
        self.next = 0;
        if let Some(folder) = &self.folder {
            self.files = files(folder)?;
        }
        Ok(())
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let cannot = |error: std::io::Error| format!("it can't be read ({error})");
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(cannot)?;
    let length = file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if length as u64 > FILE_BYTES_MAX {
        return Err(format!("it has more than {FILE_BYTES_MAX} bytes"));
    }
    Ok(bytes)
}

fn show(bytes: &[u8], name: &str, pool: &FramePool) -> Result<Item, String> {
    let frame_bytes_max = FRAME_BYTES_MAX.min(pool.buffer_bytes());
    if bytes.starts_with(b"\xff\xd8") {
        if !is_whole_jpeg(bytes) {
            return Err("it is a JPEG that breaks off in the middle".to_owned());
        }
        if let Ok(Some((width, height))) = JpegDecoder::for_frames(name).size_if_upright(bytes)
            && bytes.len() <= frame_bytes_max
        {
            return Ok(pool.take_copy(bytes).map_or(Item::NoBuffer, |data| {
                Item::Picture(Picture { width, height, stride: 0, format: PixelFormat::Jpeg, data })
            }));
        }
    }
    let decoded = fitted(picture::decode(bytes, name).map_err(|error| error.to_string())?, frame_bytes_max)?;
    Ok(pool.take_copy(&decoded.rgb).map_or(Item::NoBuffer, |data| {
        Item::Picture(Picture {
            width: decoded.width,
            height: decoded.height,
            stride: decoded.width * 3,
            format: PixelFormat::Rgb8,
            data,
        })
    }))
}

/// The picture, made smaller by halves, thirds … until its pixels fit `bytes_max`.
fn fitted(picture: picture::Picture, bytes_max: usize) -> Result<picture::Picture, String> {
    if picture.rgb.len() <= bytes_max {
        return Ok(picture);
    }
    let picture::Picture { width, height, rgb } = picture;
    let fits = |divisor: &u32| {
        let bytes = u64::from((width / divisor).max(1)) * u64::from((height / divisor).max(1)) * 3;
        bytes <= bytes_max as u64
    };
    let divisor = (2..=width.max(height)).find(fits).ok_or_else(|| "a frame has no room for it".to_owned())?;
    let image = image::RgbImage::from_raw(width, height, rgb).ok_or_else(|| "its pixels are incomplete".to_owned())?;
    let image = imageops::thumbnail(&image, (width / divisor).max(1), (height / divisor).max(1));
    let (width, height) = image.dimensions();
    Ok(picture::Picture { width, height, rgb: image.into_raw() })
}

#[cfg(test)]
mod tests;
