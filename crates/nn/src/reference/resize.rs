//! Resizing a picture.

use super::elementwise::narrow;
use crate::graph::{Coordinates, Sampling};
use crate::tensor::Tensor;

impl Coordinates {
    /// Where place `to` of a side of `new` cells looks in a side of `original` cells.
    #[expect(clippy::cast_precision_loss, reason = "a side is shorter than 2^52")]
    pub(crate) fn place(self, to: usize, original: usize, new: usize) -> f64 {
        let (to, original, new) = (to as f64, original as f64, new as f64);
        match self {
            Self::HalfPixel => (to + 0.5) * original / new - 0.5,
            Self::Asymmetric => to * original / new,
            Self::AlignCorners if new > 1.0 => to * (original - 1.0) / (new - 1.0),
            Self::AlignCorners => 0.0,
        }
    }
}

impl Sampling {
    /// The two cells of a side of `original` that place `to` of a side of `new` lies between, and the share of the second.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "held between 0 and the side")]
    #[expect(clippy::cast_precision_loss, reason = "a side is shorter than 2^52")]
    pub(crate) fn cells(self, to: usize, original: usize, new: usize) -> ([usize; 2], f64) {
        let last = original.saturating_sub(1);
        let inside = |place: f64| place.clamp(0.0, last as f64);
        match self {
            Self::Nearest { coordinates, floor } => {
                let place = coordinates.place(to, original, new);
                let place = if floor { place.floor() } else { (place - 0.5).ceil() };
                ([inside(place) as usize; 2], 0.0)
            }
            Self::Bilinear(coordinates) => {
                let place = inside(coordinates.place(to, original, new));
                let first = place.floor() as usize;
                ([first, (first + 1).min(last)], place - place.floor())
            }
        }
    }
}

/// x with the rows and columns of `shape`.
pub(super) fn resize(x: &Tensor, sampling: Sampling, shape: &[usize]) -> Option<Vec<f32>> {
    let (&[1, height, width, channels], &[1, rows, columns, outputs]) = (x.shape(), shape) else { return None };
    if channels != outputs || height * width == 0 {
        return None;
    }
    let all = x.as_f32()?;
    let mut result = Vec::with_capacity(rows * columns * channels);
    for row in 0..rows {
        let (ys, down) = sampling.cells(row, height, rows);
        for column in 0..columns {
            let (xs, right) = sampling.cells(column, width, columns);
            for channel in 0..channels {
                let cell = |y: usize, x: usize| f64::from(all[(ys[y] * width + xs[x]) * channels + channel]);
                let line = |y: usize| cell(y, 0) + (cell(y, 1) - cell(y, 0)) * right;
                result.push(narrow(line(0) + (line(1) - line(0)) * down));
            }
        }
    }
    Some(result)
}
