//! The bundled clip: prints of the free pictures carried through a 640x360 view of a plain room, ten frames a second.
//!
//! Nothing here depends on the machine: no clock, no chance, no function that rounds differently elsewhere. The same
//! pictures give the same bytes.

use std::path::Path;

use image::codecs::jpeg::JpegEncoder;
use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};

const WIDTH: u32 = 640;
const HEIGHT: u32 = 360;
/// Ten seconds at ten frames a second; the clip loops, so its last frame is as empty as its first.
const FRAMES: u32 = 100;
const JPEG_QUALITY: u8 = 60;
/// White rim of a print, in pixels.
const RIM: u32 = 6;
/// How far a print's shadow falls, in pixels.
const SHADOW: i64 = 7;
/// Where the wall ends and the floor begins.
const HORIZON: u32 = 262;

/// A print and its way through the view.
struct Actor {
    picture: &'static str,
    /// The part of the picture that is printed: left, top, width, height in its pixels.
    crop: (u32, u32, u32, u32),
    /// The printed part's size in the view.
    size: (u32, u32),
    /// Where its centre is at which frame; in between it starts and stops softly.
    way: &'static [(u32, i64, i64)],
}

/// In the order in which they are painted.
const ACTORS: &[Actor] = &[
    Actor {
        picture: "astronaut.png",
        crop: (0, 0, 512, 512),
        size: (320, 320),
        way: &[(4, -180, 180), (14, 200, 182), (34, 230, 178), (44, -180, 180)],
    },
    Actor {
        picture: "chelsea.png",
        crop: (0, 0, 451, 300),
        size: (390, 260),
        way: &[(22, 860, 190), (34, 500, 186), (52, 330, 190), (64, 330, 560)],
    },
    Actor {
        picture: "coffee.png",
        crop: (0, 0, 600, 400),
        size: (480, 320),
        way: &[(58, 900, 180), (70, 330, 180), (86, 310, 184), (96, -260, 180)],
    },
];

/// Makes the clip: concatenated baseline JPEG files.
///
/// # Errors
/// When a picture in `pictures` cannot be read, or a frame cannot be encoded.
pub(crate) fn make(pictures: &Path) -> Result<Vec<u8>, String> {
    let room = room();
    let prints = ACTORS.iter().map(|actor| print(actor, pictures)).collect::<Result<Vec<_>, _>>()?;
    let mut clip = Vec::new();
    for frame in 0..FRAMES {
        let mut view = room.clone();
        for (actor, print) in ACTORS.iter().zip(&prints) {
            if let Some(centre) = position(actor.way, frame) {
                lay(&mut view, print, centre);
            }
        }
        JpegEncoder::new_with_quality(&mut clip, JPEG_QUALITY)
            .encode_image(&view)
            .map_err(|error| format!("cannot encode frame {frame} of the clip: {error}"))?;
    }
    Ok(clip)
}

/// The empty room: a wall lit from the upper left, a skirting board, a floor.
fn room() -> RgbImage {
    RgbImage::from_fn(WIDTH, HEIGHT, |x, y| {
        let (red, green, blue) = if y < HORIZON {
            let light = 206 - x / 20 - y / 16;
            (light, light - 4, light - 14)
        } else if y < HORIZON + 10 {
            (226 - x / 24, 224 - x / 24, 218 - x / 24)
        } else {
            let light = 118 + (y - HORIZON) / 3 - x / 32;
            (light, light - 22, light - 46)
        };
        let grain = grain(x, y);
        Rgb([red, green, blue].map(|level| u8::try_from(level + grain).unwrap_or(u8::MAX)))
    })
}

/// A fixed 0, 1 or 2 for each pixel, so that the wall does not show bands.
fn grain(x: u32, y: u32) -> u32 {
    let mixed = (x.wrapping_mul(0x9E37_79B1) ^ y.wrapping_mul(0x85EB_CA77)).wrapping_mul(0xC2B2_AE3D);
    (mixed >> 16) % 3
}

fn print(actor: &Actor, pictures: &Path) -> Result<RgbImage, String> {
    let path = pictures.join(actor.picture);
    let picture = image::open(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?.into_rgb8();
    let (left, top, width, height) = actor.crop;
    if left + width > picture.width() || top + height > picture.height() {
        let size = format!("{}x{}", picture.width(), picture.height());
        return Err(format!("{} is {size}, too small: take it from scikit-image 0.25.2", path.display()));
    }
    let part = imageops::crop_imm(&picture, left, top, width, height).to_image();
    let (width, height) = actor.size;
    let part = imageops::resize(&part, width, height, FilterType::CatmullRom);
    let mut print = RgbImage::from_pixel(width + 2 * RIM, height + 2 * RIM, Rgb([244, 243, 240]));
    imageops::replace(&mut print, &part, i64::from(RIM), i64::from(RIM));
    Ok(print)
}

/// Where the print's centre is at `frame`; `None` before its way begins and after it ends.
fn position(way: &[(u32, i64, i64)], frame: u32) -> Option<(i64, i64)> {
    let leg = way.windows(2).find(|leg| (leg[0].0..=leg[1].0).contains(&frame))?;
    let ((begin, from_x, from_y), (end, to_x, to_y)) = (leg[0], leg[1]);
    let (done, whole) = (i64::from(frame - begin), i64::from(end - begin));
    // Smoothstep 3t^2 - 2t^3 in whole numbers, so that it is the same everywhere.
    let eased = |from: i64, to: i64| from + (to - from) * done * done * (3 * whole - 2 * done) / whole.pow(3);
    Some((eased(from_x, to_x), eased(from_y, to_y)))
}

/// Paints the shadow of `print` and then the print itself, its centre at `centre`.
fn lay(view: &mut RgbImage, print: &RgbImage, centre: (i64, i64)) {
    let left = centre.0 - i64::from(print.width() / 2);
    let top = centre.1 - i64::from(print.height() / 2);
    let (right, bottom) = (left + i64::from(print.width()), top + i64::from(print.height()));
    for (x, y, pixel) in view.enumerate_pixels_mut() {
        let (x, y) = (i64::from(x), i64::from(y));
        if (left + SHADOW..right + SHADOW).contains(&x) && (top + SHADOW..bottom + SHADOW).contains(&y) {
            pixel.0 = pixel.0.map(|level| level / 4 * 3);
        }
    }
    imageops::overlay(view, print, left, top);
}

#[cfg(test)]
mod tests;
