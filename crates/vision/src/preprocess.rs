//! From a picture of any size and format to the network's input, in integers only, so every processor gives the same
//! bytes.
//!
//! | what | shape, layout, range |
//! |---|---|
//! | picture | [`Picture`]: RGB, YUYV, NV12 or I420, rows `stride` bytes apart |
//! | result | I8 `[height][width][4]`: q = level - 128 for three colours, then a 0 |
//!
//! Resizing is bilinear with pixel centres at half, weights of 11 bits and OpenCV's `INTER_LINEAR` rounding for 8-bit
//! pictures (`modules/imgproc/src/resize.cpp`), because that is what detectors are trained and tested with:
//! h = p0 a0 + p1 a1 along a row, then (((b0 (h0 >> 4)) >> 16) + ((b1 (h1 >> 4)) >> 16) + 2) >> 2 between two rows.

use clawdbot_flow::detection::BoundingBox;
use clawdbot_nn::metadata::{PictureInput, Resize};

mod color;
mod picture;
mod resize;
#[cfg(test)]
mod tests;

pub use picture::{Picture, PictureError};
use resize::Plan;

/// Bytes from pixel to pixel of a network's picture input.
pub const INPUT_CHANNEL_STRIDE: usize = 4;
/// The largest side of a network's input that makes sense on our boards.
const INPUT_SIDE_MAX: usize = 4096;

/// Why a preprocessor cannot be made, or a picture cannot go in.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PreprocessError {
    /// The bundle asks for an input that nothing can have.
    #[error(
        "the model wants pictures of {width} x {height} pixels, but each side has to be 1 to {INPUT_SIDE_MAX}; convert \
         the model again, or take another one"
    )]
    InputSize {
        /// In pixels.
        width: usize,
        /// In pixels.
        height: usize,
    },
    /// The buffer handed in is not the network's input.
    #[error("the network's input has {given} bytes, but a picture of {width} x {height} pixels takes {wanted}")]
    InputLength {
        /// Length of the buffer.
        given: usize,
        /// Length that it must have.
        wanted: usize,
        /// In pixels.
        width: usize,
        /// In pixels.
        height: usize,
    },
}

/// Where the picture lies in the network's input: from (0, 0) to (`covered_width`, `covered_height`), in fractions of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placement {
    covered_width: f32,
    covered_height: f32,
}

impl Placement {
    /// The picture fills the input.
    pub const WHOLE: Self = Self { covered_width: 1.0, covered_height: 1.0 };

    /// Turns a box in fractions of the network's input into one in fractions of the picture. It may reach outside 0..=1.
    #[must_use]
    pub fn to_picture(&self, in_input: &BoundingBox) -> BoundingBox {
        BoundingBox {
            left: in_input.left / self.covered_width,
            top: in_input.top / self.covered_height,
            right: in_input.right / self.covered_width,
            bottom: in_input.bottom / self.covered_height,
        }
    }
}

/// Brings pictures to one network's input. Allocates when the size of the pictures changes, not for each picture.
#[derive(Debug)]
pub struct Preprocessor {
    input: PictureInput,
    plan: Option<Plan>,
}

impl Preprocessor {
    /// A preprocessor for networks that take `input`.
    ///
    /// # Errors
    /// When a side of `input` is 0 or absurd.
    pub fn new(input: &PictureInput) -> Result<Self, PreprocessError> {
        let sides = 1..=INPUT_SIDE_MAX;
        if !sides.contains(&input.width) || !sides.contains(&input.height) {
            return Err(PreprocessError::InputSize { width: input.width, height: input.height });
        }
        Ok(Self { input: input.clone(), plan: None })
    }

    /// Length in bytes of the buffer that [`Preprocessor::run`] fills.
    #[must_use]
    pub const fn input_bytes(&self) -> usize {
        self.input.width * self.input.height * INPUT_CHANNEL_STRIDE
    }

    /// Fills the network's input from `picture`; tells where in it the picture lies.
    ///
    /// # Errors
    /// When `network_input` is not [`Preprocessor::input_bytes`] long.
    pub fn run(&mut self, picture: &Picture<'_>, network_input: &mut [i8]) -> Result<Placement, PreprocessError> {
        let PictureInput { width, height, .. } = self.input;
        if network_input.len() != self.input_bytes() {
            let (given, wanted) = (network_input.len(), self.input_bytes());
            return Err(PreprocessError::InputLength { given, wanted, width, height });
        }
        let (covered_width, covered_height) = self.covered(picture.width(), picture.height());
        let plan = match &mut self.plan {
            Some(plan) if plan.fits(picture.width(), picture.height()) => plan,
            stale => stale.insert(Plan::new(
                [picture.width(), picture.height()],
                [covered_width, covered_height],
                width,
                self.input.color,
            )),
        };
        plan.run(picture, network_input);
        if let Resize::Letterbox { fill } = self.input.resize {
            fill_border(network_input, [width, height], [covered_width, covered_height], fill);
        }
        Ok(Placement {
            covered_width: fraction(covered_width, width),
            covered_height: fraction(covered_height, height),
        })
    }

    /// Size in pixels that a picture of `width` x `height` takes in the network's input.
    fn covered(&self, width: usize, height: usize) -> (usize, usize) {
        let (input_width, input_height) = (self.input.width, self.input.height);
        match self.input.resize {
            Resize::Stretch => (input_width, input_height),
            // The side that binds fills its input; the other is rounded down, as YOLOX does it.
            Resize::Letterbox { .. } if input_width * height <= input_height * width => {
                (input_width, (height * input_width / width).clamp(1, input_height))
            }
            Resize::Letterbox { .. } => ((width * input_height / height).clamp(1, input_width), input_height),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "sides are at most 4096")]
fn fraction(part: usize, whole: usize) -> f32 {
    part as f32 / whole as f32
}

/// Fills what the picture leaves free: to its right and below it.
fn fill_border(network_input: &mut [i8], input: [usize; 2], covered: [usize; 2], fill: u8) {
    let level = resize::centred(fill);
    let pixel = [level, level, level, 0];
    let row_bytes = input[0] * INPUT_CHANNEL_STRIDE;
    for (y, row) in network_input.chunks_exact_mut(row_bytes).enumerate() {
        let from = if y < covered[1] { covered[0] } else { 0 };
        let (border, _) = row[from * INPUT_CHANNEL_STRIDE..].as_chunks_mut::<INPUT_CHANNEL_STRIDE>();
        border.fill(pixel);
    }
}
