//! Bilinear resizing in fixed point; the law stands in [`super`].
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "coordinates of pictures with sides below 2^24; every rounding is clamped to its range first"
)]

use clawdbot_nn::metadata::ColorOrder;

use super::INPUT_CHANNEL_STRIDE;
use super::color::{I420Row, Nv12Row, RgbRow, Row, YuyvRow};
use super::picture::{Picture, Planes};

/// Weights are in steps of 1/2048.
const WEIGHT_ONE: f32 = 2048.0;

/// Where one pixel of the result comes from, along one axis.
#[derive(Clone, Copy, Debug)]
struct Tap {
    /// The two neighbours in the source.
    from: [usize; 2],
    /// Their weights, 0..=2048, together 2048.
    weights: [i32; 2],
}

/// Everything that depends only on the sizes, and the scratch rows.
#[derive(Debug)]
pub(super) struct Plan {
    source: [usize; 2],
    columns: Vec<Tap>,
    rows: Vec<Tap>,
    /// Two source rows, resized along x: three sums a pixel, 0..=255 x 2048.
    scratch: [Vec<[i32; 3]>; 2],
    /// Pixels from one row of the network's input to the next.
    input_width: usize,
    color: ColorOrder,
}

impl Plan {
    /// How to bring pictures of `source` (width, height) to `target`, at the top left of rows of `input_width` pixels.
    pub(super) fn new(source: [usize; 2], target: [usize; 2], input_width: usize, color: ColorOrder) -> Self {
        let columns = taps(source[0], target[0]);
        let scratch = [vec![[0; 3]; columns.len()], vec![[0; 3]; columns.len()]];
        Self { source, columns, rows: taps(source[1], target[1]), scratch, input_width, color }
    }

    /// Whether it was made for pictures of this size.
    pub(super) fn fits(&self, width: usize, height: usize) -> bool {
        self.source == [width, height]
    }

    /// Writes the picture, and nothing beyond it.
    pub(super) fn run(&mut self, picture: &Picture<'_>, network_input: &mut [i8]) {
        match picture.planes {
            Planes::Rgb8(plane) => self.resize(|y| RgbRow(plane.row(y)), network_input),
            Planes::Yuyv(plane) => self.resize(|y| YuyvRow(plane.row(y)), network_input),
            Planes::Nv12 { luma, chroma } => {
                self.resize(|y| Nv12Row { luma: luma.row(y), chroma: chroma.row(y / 2) }, network_input);
            }
            Planes::I420 { luma, u, v } => {
                self.resize(|y| I420Row { luma: luma.row(y), u: u.row(y / 2), v: v.row(y / 2) }, network_input);
            }
        }
    }

    fn resize<R: Row>(&mut self, source_row: impl Fn(usize) -> R, network_input: &mut [i8]) {
        let Self { columns, rows, scratch: [upper, lower], input_width, color, .. } = self;
        let mut held: [Option<usize>; 2] = [None; 2];
        for (tap, result) in rows.iter().zip(network_input.chunks_exact_mut(*input_width * INPUT_CHANNEL_STRIDE)) {
            if held[1] == Some(tap.from[0]) {
                std::mem::swap(upper, lower);
                held.swap(0, 1);
            }
            if held[0] != Some(tap.from[0]) {
                along_row(columns, &source_row(tap.from[0]), upper);
            }
            if held[1] != Some(tap.from[1]) {
                along_row(columns, &source_row(tap.from[1]), lower);
            }
            held = tap.from.map(Some);
            between_rows(tap.weights, upper, lower, *color, result);
        }
    }
}

/// The taps that turn `source` pixels into `target` ones.
fn taps(source: usize, target: usize) -> Vec<Tap> {
    let scale = source as f64 / target as f64;
    (0..target)
        .map(|index| {
            let position = ((index as f64 + 0.5) * scale - 0.5) as f32;
            let first = position.floor();
            if first < 0.0 {
                return Tap { from: [0, 0], weights: [2048, 0] };
            }
            let near = first as usize;
            if near + 1 >= source {
                return Tap { from: [source - 1, source - 1], weights: [2048, 0] };
            }
            let part = position - first;
            let weights = [1.0 - part, part].map(|weight| (weight * WEIGHT_ONE).round_ties_even() as i32);
            Tap { from: [near, near + 1], weights }
        })
        .collect()
}

/// One source row, resized along x.
fn along_row(columns: &[Tap], row: &impl Row, sums: &mut [[i32; 3]]) {
    for (tap, sum) in columns.iter().zip(sums) {
        let [left, right] = tap.from.map(|x| row.rgb(x).map(i32::from));
        let [a, b] = tap.weights;
        *sum = [left[0] * a + right[0] * b, left[1] * a + right[1] * b, left[2] * a + right[2] * b];
    }
}

/// Blends two resized rows into one row of the network's input.
fn between_rows(weights: [i32; 2], upper: &[[i32; 3]], lower: &[[i32; 3]], color: ColorOrder, result: &mut [i8]) {
    let (pixels, _) = result.as_chunks_mut::<INPUT_CHANNEL_STRIDE>();
    let [a, b] = weights;
    for ((pixel, upper), lower) in pixels.iter_mut().zip(upper).zip(lower) {
        let level = |channel: usize| {
            let blended = ((a * (upper[channel] >> 4)) >> 16) + ((b * (lower[channel] >> 4)) >> 16);
            centred(((blended + 2) >> 2).clamp(0, 255) as u8)
        };
        *pixel = match color {
            ColorOrder::Rgb => [level(0), level(1), level(2), 0],
            ColorOrder::Bgr => [level(2), level(1), level(0), 0],
        };
    }
}

/// A grey level as the network's input holds it: level - 128.
#[inline]
pub(super) const fn centred(level: u8) -> i8 {
    (level ^ 0x80) as i8
}
