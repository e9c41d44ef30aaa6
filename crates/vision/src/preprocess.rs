//! From a picture of any size and format, or a part of one, to the network's input in one pass over its pixels, in integers
//! only, so every processor gives the same bytes.
//!
//! | what | shape, layout, range |
//! |---|---|
//! | picture | [`Picture`]: RGB, YCbCr, YUYV, NV12 or I420, rows `stride` bytes apart |
//! | result | I8 `[height][width][4]`: q = level - 128 for three colours, then a 0 |
//!
//! Resizing is bilinear with pixel centres at half, as OpenCV's `INTER_LINEAR` is, with which detectors are trained and
//! tested. First between two rows, then along the row that results, with weights of 15 bits and samples of 15
//! ([`clawdbot_kernels::blend`], [`clawdbot_kernels::resample`]): at most one grey level from the exact number. Y, U and V
//! are resized as they are, and become colours where the result's pixels are made, which are fewer.

use clawdbot_flow::detection::BoundingBox;
use clawdbot_kernels::isa::Isa;
use clawdbot_nn::metadata::{PictureInput, Resize};

mod picture;
mod resize;
#[cfg(test)]
mod tests;

pub(crate) use picture::Planes;
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
    /// The part wanted is not there.
    #[error(
        "a picture of {width} x {height} pixels has no part of {} x {} pixels at ({}, {})", crop.width, crop.height, crop.left,
        crop.top
    )]
    Crop {
        /// What was wanted.
        crop: Crop,
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

/// A rectangle of a picture, in its pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Crop {
    /// First column.
    pub left: usize,
    /// First row.
    pub top: usize,
    /// In pixels, at least 1.
    pub width: usize,
    /// In pixels, at least 1.
    pub height: usize,
}

impl Crop {
    /// All of a picture.
    #[must_use]
    pub const fn whole(width: usize, height: usize) -> Self {
        Self { left: 0, top: 0, width, height }
    }

    /// Whether it has pixels, all of them inside a picture of `width` x `height`.
    fn lies_in(&self, width: usize, height: usize) -> bool {
        let inside = |first: usize, length: usize, side: usize| length > 0 && first < side && length <= side - first;
        inside(self.left, self.width, width) && inside(self.top, self.height, height)
    }
}

/// How places in the network's input and places in the picture belong together; both in fractions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placement {
    /// Place in the picture of the input's left upper corner.
    origin: [f32; 2],
    /// Size in the picture of the whole input.
    extent: [f32; 2],
}

impl Placement {
    /// The picture fills the input.
    pub const WHOLE: Self = Self { origin: [0.0; 2], extent: [1.0; 2] };

    /// Of a crop of a picture (width, height) that takes the input's left upper pixels, `covered` (width, height) of `input`.
    #[expect(clippy::cast_precision_loss, reason = "sides are below 2^24")]
    fn new(picture: [usize; 2], crop: Crop, covered: [usize; 2], input: [usize; 2]) -> Self {
        let (origin, size) = ([crop.left, crop.top], [crop.width, crop.height]);
        let extent = |axis: usize| {
            let share = size[axis] as f32 / picture[axis] as f32;
            share * (input[axis] as f32 / covered[axis] as f32)
        };
        Self { origin: [0, 1].map(|axis| origin[axis] as f32 / picture[axis] as f32), extent: [extent(0), extent(1)] }
    }

    /// Turns a point in fractions of the network's input into one in fractions of the picture. It may lie outside 0..=1.
    #[must_use]
    pub fn point_to_picture(&self, x: f32, y: f32) -> (f32, f32) {
        (self.origin[0] + x * self.extent[0], self.origin[1] + y * self.extent[1])
    }

    /// Turns a box in fractions of the network's input into one in fractions of the picture. It may reach outside 0..=1.
    #[must_use]
    pub fn to_picture(&self, in_input: &BoundingBox) -> BoundingBox {
        let ([left, top], [width, height]) = (self.origin, self.extent);
        BoundingBox {
            left: left + in_input.left * width,
            top: top + in_input.top * height,
            right: left + in_input.right * width,
            bottom: top + in_input.bottom * height,
        }
    }
}

/// Sizes of crops (and odd or even columns to begin at) whose plans are kept: more than one camera's regions have.
const PLANS_MAX: usize = 8;

/// Brings pictures to one network's input. Allocates for a size of pictures or crops that is new, not for each picture, and
/// not for a crop that lies elsewhere.
#[derive(Debug)]
pub struct Preprocessor {
    input: PictureInput,
    isa: Isa,
    plans: Vec<Plan>,
    /// The plan that goes when there is no more room.
    oldest: usize,
}

impl Preprocessor {
    /// A preprocessor for networks that take `input`, on kernels for `isa`.
    ///
    /// # Errors
    /// When a side of `input` is 0 or absurd.
    pub fn new(input: &PictureInput, isa: Isa) -> Result<Self, PreprocessError> {
        let sides = 1..=INPUT_SIDE_MAX;
        if !sides.contains(&input.width) || !sides.contains(&input.height) {
            return Err(PreprocessError::InputSize { width: input.width, height: input.height });
        }
        Ok(Self { input: input.clone(), isa, plans: Vec::with_capacity(PLANS_MAX), oldest: 0 })
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
        self.run_crop(picture, Crop::whole(picture.width(), picture.height()), network_input)
    }

    /// Fills the network's input from a part of `picture`, as if there were no more of it; tells where in the input the
    /// whole picture lies.
    ///
    /// # Errors
    /// When `crop` does not lie in the picture, or `network_input` is not [`Preprocessor::input_bytes`] long.
    pub fn run_crop(
        &mut self,
        picture: &Picture<'_>,
        crop: Crop,
        network_input: &mut [i8],
    ) -> Result<Placement, PreprocessError> {
        let PictureInput { width, height, color, .. } = self.input;
        if network_input.len() != self.input_bytes() {
            let (given, wanted) = (network_input.len(), self.input_bytes());
            return Err(PreprocessError::InputLength { given, wanted, width, height });
        }
        let source = [picture.width(), picture.height()];
        if !crop.lies_in(source[0], source[1]) {
            return Err(PreprocessError::Crop { crop, width: source[0], height: source[1] });
        }
        let covered = self.covered(crop.width, crop.height);
        let (plan, isa) = (self.plan(crop, covered), self.isa);
        self.plans[plan].run(isa, picture, [crop.left, crop.top], color, width, network_input);
        if let Resize::Letterbox { fill } = self.input.resize {
            fill_border(network_input, [width, height], covered, fill);
        }
        Ok(Placement::new(source, crop, covered, [width, height]))
    }

    /// The index of the plan for `crop`.
    fn plan(&mut self, crop: Crop, covered: [usize; 2]) -> usize {
        if let Some(known) = self.plans.iter().position(|plan| plan.fits(crop)) {
            return known;
        }
        let plan = Plan::new(crop, covered);
        if self.plans.len() < PLANS_MAX {
            self.plans.push(plan);
            return self.plans.len() - 1;
        }
        let place = self.oldest;
        self.plans[place] = plan;
        self.oldest = (place + 1) % PLANS_MAX;
        place
    }

    /// Size in pixels (width, height) that a picture of `width` x `height` takes in the network's input.
    fn covered(&self, width: usize, height: usize) -> [usize; 2] {
        let (input_width, input_height) = (self.input.width, self.input.height);
        match self.input.resize {
            Resize::Stretch => [input_width, input_height],
            // The side that binds fills its input; the other is rounded down, as YOLOX does it.
            Resize::Letterbox { .. } if input_width * height <= input_height * width => {
                [input_width, (height * input_width / width).clamp(1, input_height)]
            }
            Resize::Letterbox { .. } => [(width * input_height / height).clamp(1, input_width), input_height],
        }
    }
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
