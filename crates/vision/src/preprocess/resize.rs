//! Bilinear resizing: a plan for one size of pictures, carried out row by row by the kernels `blend` and `resample`.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "coordinates of pictures with sides below 2^24; every rounding is clamped to its range first"
)]

use clawdbot_kernels::blend::{self, Row, blend};
use clawdbot_kernels::isa::Isa;
use clawdbot_kernels::resample::{self, Columns, Conversion, resample};
use clawdbot_nn::metadata::ColorOrder;

use super::picture::{Picture, Planes};
use super::{Crop, INPUT_CHANNEL_STRIDE};

/// Weights are in steps of 1/32768, and a whole is one step less.
const WEIGHT_ONE: f32 = 32_768.0;

/// Where one pixel of the result comes from, along one axis.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Tap {
    /// The nearer to 0 of two neighbours in the source.
    first: usize,
    /// The other one.
    second: usize,
    /// Weight of the second.
    weight: i16,
}

/// Everything that depends only on the sizes, and the row between two rows.
#[derive(Debug)]
pub(super) struct Plan {
    /// Width and height of the part of a picture.
    size: [usize; 2],
    /// Pixels before the part that are looked at: the first is even, since pairs share their chroma.
    shift: usize,
    columns: Columns,
    /// From the part's first row on.
    rows: Vec<Tap>,
    /// The pixels looked at, and the last of them again.
    scratch: Vec<[i16; 4]>,
}

impl Plan {
    /// How to bring parts like `crop` to `target` pixels.
    pub(super) fn new(crop: Crop, target: [usize; 2]) -> Self {
        let shift = crop.left % 2;
        let columns = Columns::new(taps(crop.width, target[0]).map(|tap| ((tap.first + shift) as u32, tap.weight)));
        let rows = taps(crop.height, target[1]).collect();
        Self { size: [crop.width, crop.height], shift, columns, rows, scratch: vec![[0; 4]; crop.width + shift + 1] }
    }

    /// Whether it was made for parts of that size and on such columns; where they lie does not matter.
    pub(super) fn fits(&self, crop: Crop) -> bool {
        self.size == [crop.width, crop.height] && self.shift == crop.left % 2
    }

    /// Writes the part of the picture that begins at `corner` (column, row) to the top left of rows of `input_width` pixels,
    /// and nothing beyond it.
    pub(super) fn run(
        &mut self,
        isa: Isa,
        picture: &Picture<'_>,
        corner: [usize; 2],
        color: ColorOrder,
        input_width: usize,
        network_input: &mut [i8],
    ) {
        let conversion = match picture.planes {
            Planes::Rgb8(_) => None,
            Planes::YCbCr8(_) => Some(Conversion::JPEG),
            Planes::Yuyv(_) | Planes::Nv12 { .. } | Planes::I420 { .. } => Some(Conversion::CAMERA),
        };
        let swapped = color == ColorOrder::Bgr;
        let (left, width) = (corner[0] - self.shift, self.scratch.len() - 1);
        let (pixels, _) = network_input.as_chunks_mut::<INPUT_CHANNEL_STRIDE>();
        for (tap, result) in self.rows.iter().zip(pixels.chunks_exact_mut(input_width)) {
            let rows = [tap.first, tap.second].map(|y| row(picture, corner[1] + y, left));
            blend(isa, blend::Task { rows, weight: tap.weight, output: &mut self.scratch[..width] });
            self.scratch[width] = self.scratch[width - 1];
            let (row, columns, output) = (&*self.scratch, &self.columns, &mut result[..self.columns.len()]);
            resample(isa, resample::Task { row, columns, conversion, swapped, output });
        }
    }
}

/// The pixels of row `y` from the even `left` on.
fn row<'a>(picture: &Picture<'a>, y: usize, left: usize) -> Row<'a> {
    match picture.planes {
        Planes::Rgb8(plane) | Planes::YCbCr8(plane) => Row::Packed(&plane.row(y)[3 * left..]),
        Planes::Yuyv(plane) => Row::Yuyv(&plane.row(y)[2 * left..]),
        Planes::Nv12 { luma, chroma } => Row::Nv12 { luma: &luma.row(y)[left..], chroma: &chroma.row(y / 2)[left..] },
        Planes::I420 { luma, u, v } => {
            let (luma, u, v) = (&luma.row(y)[left..], &u.row(y / 2)[left / 2..], &v.row(y / 2)[left / 2..]);
            Row::I420 { luma, u, v }
        }
    }
}

/// The taps that turn `source` pixels into `target` ones.
fn taps(source: usize, target: usize) -> impl Iterator<Item = Tap> {
    let scale = source as f64 / target as f64;
    (0..target).map(move |index| {
        let position = ((index as f64 + 0.5) * scale - 0.5) as f32;
        let near = position.floor();
        if near < 0.0 {
            return Tap { first: 0, second: 0, weight: 0 };
        }
        let first = near as usize;
        if first + 1 >= source {
            return Tap { first: source - 1, second: source - 1, weight: 0 };
        }
        let weight = ((position - near) * WEIGHT_ONE).round_ties_even().min(WEIGHT_ONE - 1.0) as i16;
        Tap { first, second: first + 1, weight }
    })
}

/// A grey level as the network's input holds it: level - 128.
#[inline]
#[expect(clippy::cast_possible_wrap, reason = "the upper bit changes its meaning on purpose")]
pub(super) const fn centred(level: u8) -> i8 {
    (level ^ 0x80) as i8
}
