//! Which format and size to ask a camera for, and what to fall back to when the USB bus has no room. Pure.

use clawdbot_flow::limits::FRAME_BYTES_MAX;

use crate::sources::camera::{CameraFormat, V4l2Options};

/// Sizes that a camera offers: each side as (least, most, step); least and most are equal for a single size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) width: (u32, u32, u32),
    pub(super) height: (u32, u32, u32),
}

impl Size {
    /// One size alone.
    pub(super) const fn discrete(width: u32, height: u32) -> Self {
        Self { width: (width, width, 1), height: (height, height, 1) }
    }

    /// The size in here that is nearest to the wanted one.
    fn nearest(&self, width: u32, height: u32) -> (u32, u32) {
        let side = |(least, most, step): (u32, u32, u32), wanted: u32| {
            let inside = wanted.clamp(least, most.max(least));
            least + (inside - least) / step.max(1) * step.max(1)
        };
        (side(self.width, width), side(self.height, height))
    }
}

/// What a camera offers in one format; no sizes: it does not say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Offer {
    pub(super) format: CameraFormat,
    pub(super) sizes: Vec<Size>,
}

/// What to ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) format: CameraFormat,
    pub(super) width: u32,
    pub(super) height: u32,
}

impl CameraFormat {
    /// All of them.
    const ALL: [Self; 4] = [Self::Mjpg, Self::Yuyv, Self::Nv12, Self::Yu12];

    /// V4L2's four letters.
    pub(super) const fn fourcc(self) -> [u8; 4] {
        match self {
            Self::Mjpg => *b"MJPG",
            Self::Yuyv => *b"YUYV",
            Self::Nv12 => *b"NV12",
            Self::Yu12 => *b"YU12",
        }
    }

    /// The format with these four letters, if it is one of ours. `JPEG` is what some cameras call Motion JPEG.
    pub(super) fn of(fourcc: [u8; 4]) -> Option<Self> {
        let fourcc = if fourcc == *b"JPEG" { *b"MJPG" } else { fourcc };
        Self::ALL.into_iter().find(|format| format.fourcc() == fourcc)
    }

    /// Bytes that a frame takes on the bus at most, in quarters of a byte a pixel. JPEG is an estimate (E): cameras keep
    /// to about 2 bits a pixel.
    const fn quarter_bytes_per_pixel(self) -> u64 {
        match self {
            Self::Mjpg => 1,
            Self::Nv12 | Self::Yu12 => 6,
            Self::Yuyv => 8,
        }
    }
}

impl Choice {
    /// Bytes of a frame on the bus.
    pub(super) fn bus_bytes(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height) * self.format.quarter_bytes_per_pixel() / 4
    }

    /// Whether a frame fits our buffers; a JPEG is held against its size when it comes.
    fn fits(&self) -> bool {
        let limit = FRAME_BYTES_MAX as u64;
        match self.format {
            CameraFormat::Mjpg => u64::from(self.width) * u64::from(self.height) <= limit,
            CameraFormat::Nv12 | CameraFormat::Yu12 | CameraFormat::Yuyv => self.bus_bytes() <= limit,
        }
    }
}

/// Up to this many pixels uncompressed frames are preferred: they cost no decoding, and USB 2 has room for one camera.
const UNCOMPRESSED_PIXELS_MAX: u32 = 640 * 480;

/// How many smaller choices follow the first.
const FALLBACKS_MAX: usize = 6;

/// What to ask for, first the best; the rest takes less and less of the bus, for when it has no room.
///
/// The list is empty when the camera has no format that we read (or not the only one that the user wants).
pub(super) fn choices(offers: &[Offer], wanted: &V4l2Options) -> Vec<Choice> {
    let order = if wanted.width * wanted.height > UNCOMPRESSED_PIXELS_MAX {
        [CameraFormat::Mjpg, CameraFormat::Nv12, CameraFormat::Yu12, CameraFormat::Yuyv]
    } else {
        [CameraFormat::Yuyv, CameraFormat::Nv12, CameraFormat::Yu12, CameraFormat::Mjpg]
    };
    let is_wanted = |format: CameraFormat| wanted.format.is_none_or(|only| only == format);
    let offered = |format: CameraFormat| offers.iter().find(|offer| offer.format == format);
    let best_of = |format: CameraFormat| nearest(offered(format)?, wanted);
    let Some(first) = nearest_of_all(order.into_iter().filter(|format| is_wanted(*format)).filter_map(best_of), wanted)
    else {
        return Vec::new();
    };
    let mut fallbacks: Vec<Choice> = offers
        .iter()
        .filter(|offer| is_wanted(offer.format))
        .flat_map(|offer| all_sizes(offer, wanted))
        .filter(|choice| choice.fits() && choice.bus_bytes() < first.bus_bytes())
        .collect();
    fallbacks.sort_by_key(|choice| std::cmp::Reverse((choice.bus_bytes(), choice.width)));
    fallbacks.dedup();
    // Compression at the wanted size keeps the picture; smaller pictures come after it.
    fallbacks.sort_by_key(|choice| (choice.width, choice.height) != (first.width, first.height));
    fallbacks.truncate(FALLBACKS_MAX);
    [vec![first], fallbacks].concat()
}

/// The first choice of the wanted size, or else the nearest of all.
fn nearest_of_all(choices: impl Iterator<Item = Choice>, wanted: &V4l2Options) -> Option<Choice> {
    choices.filter(Choice::fits).min_by_key(|choice| distance(choice, wanted))
}

fn nearest(offer: &Offer, wanted: &V4l2Options) -> Option<Choice> {
    all_sizes(offer, wanted).into_iter().filter(Choice::fits).min_by_key(|choice| distance(choice, wanted))
}

/// How far a choice is from what is wanted: pixels too many count once, pixels too few four times.
fn distance(choice: &Choice, wanted: &V4l2Options) -> u64 {
    let side = |side: u32, wanted: u32| {
        if side >= wanted { u64::from(side - wanted) } else { 4 * u64::from(wanted - side) }
    };
    side(choice.width, wanted.width) + side(choice.height, wanted.height)
}

fn all_sizes(offer: &Offer, wanted: &V4l2Options) -> Vec<Choice> {
    let choice = |(width, height)| Choice { format: offer.format, width, height };
    let targets = [1, 2, 4].map(|divisor| (wanted.width / divisor, wanted.height / divisor));
    if offer.sizes.is_empty() {
        return targets.map(choice).to_vec();
    }
    let mut all: Vec<Choice> = offer
        .sizes
        .iter()
        .flat_map(|size| targets.map(|(width, height)| choice(size.nearest(width, height))))
        .filter(|choice| choice.width > 0 && choice.height > 0)
        .collect();
    all.dedup();
    all
}

#[cfg(test)]
mod tests;
