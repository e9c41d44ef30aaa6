//! What comes with the program, so that it shows its job with no camera, model or network at hand: a detector and a clip.
//! `cargo xtask bundle-default` makes both; NOTICE says where they come from.

use clawdbot_nn::bundle::{Bundle, BundleError};

/// The bundled detector's name.
pub(crate) const DETECTOR_NAME: &str = "ssd-mobilenet-v2-oid";

/// Bytes on a 64-byte boundary, so that a bundle can be used in place.
#[repr(C, align(64))]
struct Aligned<T: ?Sized>(T);

static DETECTOR: &Aligned<[u8]> = &Aligned(*include_bytes!("../assets/ssd-mobilenet-v2-oid.claw.safetensors"));

/// 100 MJPEG frames, 640 x 360, made for 10 frames a second: a person, a cat and a cup come and go.
pub(crate) static CLIP: &[u8] = include_bytes!("../assets/clip.mjpeg");
/// The clip's pace.
pub(crate) const CLIP_FRAMES_PER_SECOND: f64 = 10.0;

/// The clip's first frame, a JPEG file.
pub(crate) fn picture() -> &'static [u8] {
    // One file ends and the next one begins; inside a frame of the clip that does not occur.
    let end = CLIP.windows(4).position(|bytes| bytes == [0xff, 0xd9, 0xff, 0xd8]);
    end.and_then(|end| CLIP.get(..end + 2)).unwrap_or(CLIP)
}

/// The bundled detector: SSD MobileNetV2 300, 23 Open Images labels, INT8.
///
/// # Errors
/// Only when the program file itself is damaged.
pub(crate) fn detector() -> Result<Bundle, BundleError> {
    Bundle::from_static(DETECTOR_NAME, &DETECTOR.0)
}
