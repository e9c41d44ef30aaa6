//! Pictures to calibrate the bundled default on: made from the free pictures and the clip alone, so that the bundle can
//! be rebuilt from public packages, byte for byte.
//!
//! Calibration wants to see the range of every activation. Four pictures are few, so each is also mirrored, cropped in
//! at its corners and middle, and shown darker and brighter; the clip's frames add plain ground and borders.

use std::path::Path;

use image::imageops;
use image::{DynamicImage, RgbImage};

use super::origin::write;

/// Every how many frames of the clip one is taken.
const CLIP_STEP: usize = 4;
/// A crop's sides in percent of the picture's.
const CROP_PERCENT: u32 = 60;
/// Shades: brightness added to every level.
const SHADES: [i32; 3] = [0, -48, 48];

/// Fills `folder` with PNG and JPEG files made from the pictures in `pictures` and the frames of `clip`.
///
/// # Errors
/// When a picture cannot be read or a file not be written.
pub(crate) fn make(pictures: &Path, clip: &[u8], folder: &Path) -> Result<(), String> {
    let mut paths: Vec<_> = std::fs::read_dir(pictures)
        .map_err(|error| format!("cannot list {}: {error}", pictures.display()))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .collect();
    paths.sort();
    for path in &paths {
        let picture = image::open(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        for (number, variant) in variants(&picture.into_rgb8()).into_iter().enumerate() {
            let path = folder.join(format!("{name}-{number:02}.png"));
            variant.save(&path).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        }
    }
    for (number, frame) in frames(clip).enumerate().step_by(CLIP_STEP) {
        write(&folder.join(format!("clip-{number:03}.jpg")), frame)?;
    }
    Ok(())
}

/// The picture and its crops, each in every shade, each as it is and mirrored.
fn variants(picture: &RgbImage) -> Vec<RgbImage> {
    let (width, height) = (picture.width() * CROP_PERCENT / 100, picture.height() * CROP_PERCENT / 100);
    let (right, bottom) = (picture.width() - width, picture.height() - height);
    let corners = [(0, 0), (right, 0), (0, bottom), (right, bottom), (right / 2, bottom / 2)];
    let crops = corners.map(|(x, y)| imageops::crop_imm(picture, x, y, width, height).to_image());
    let mut variants = Vec::new();
    for cut in std::iter::once(picture.clone()).chain(crops) {
        for shade in SHADES {
            let shaded = DynamicImage::ImageRgb8(cut.clone()).brighten(shade).into_rgb8();
            variants.push(imageops::flip_horizontal(&shaded));
            variants.push(shaded);
        }
    }
    variants
}

/// The JPEG files of `clip`, which our own [`super::clip`] wrote: each begins with its start marker and JFIF header.
fn frames(clip: &[u8]) -> impl Iterator<Item = &[u8]> {
    const START: &[u8] = &[0xFF, 0xD8, 0xFF, 0xE0];
    let starts: Vec<usize> =
        clip.windows(START.len()).enumerate().filter(|(_, bytes)| *bytes == START).map(|(at, _)| at).collect();
    let ends: Vec<usize> = starts.iter().skip(1).copied().chain([clip.len()]).collect();
    starts.into_iter().zip(ends).map(|(start, end)| &clip[start..end])
}

#[cfg(test)]
mod tests;
