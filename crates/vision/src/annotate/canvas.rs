//! Shapes on an RGB picture, anti-aliased by their distance to a pixel's centre.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "coordinates are clamped to the picture, whose sides are far below 2^24, and levels to a byte"
)]

use std::ops::Range;

use clawdbot_flow::detection::BoundingBox;

use super::palette::Color;

/// In pixels; the picture's first pixel covers (0, 0) to (1, 1).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rectangle {
    pub(super) left: f32,
    pub(super) top: f32,
    pub(super) right: f32,
    pub(super) bottom: f32,
}

impl Rectangle {
    pub(super) fn width(&self) -> f32 {
        self.right - self.left
    }

    pub(super) fn height(&self) -> f32 {
        self.bottom - self.top
    }

    /// Area that both cover.
    pub(super) fn shared(&self, other: &Self) -> f32 {
        let width = self.right.min(other.right) - self.left.max(other.left);
        let height = self.bottom.min(other.bottom) - self.top.max(other.top);
        width.max(0.0) * height.max(0.0)
    }

    /// Distance from (x, y) to the edge when corners are round: negative inside. Inigo Quilez, "2D distance functions".
    fn distance(&self, radius: f32, x: f32, y: f32) -> f32 {
        let radius = radius.min(self.width() / 2.0).min(self.height() / 2.0).max(0.0);
        let across = (x - f32::midpoint(self.left, self.right)).abs() - self.width() / 2.0 + radius;
        let down = (y - f32::midpoint(self.top, self.bottom)).abs() - self.height() / 2.0 + radius;
        across.max(down).min(0.0) + across.max(0.0).hypot(down.max(0.0)) - radius
    }
}

/// A picture being drawn on.
pub(super) struct Canvas<'a> {
    width: usize,
    height: usize,
    rgb: &'a mut [u8],
}

impl<'a> Canvas<'a> {
    /// `rgb` is dense and has `width` x `height` x 3 bytes.
    pub(super) fn new(width: usize, height: usize, rgb: &'a mut [u8]) -> Self {
        Self { width, height, rgb }
    }

    /// The whole picture.
    pub(super) fn bounds(&self) -> Rectangle {
        Rectangle { left: 0.0, top: 0.0, right: self.width as f32, bottom: self.height as f32 }
    }

    /// A box in fractions, in pixels; cut to the picture.
    pub(super) fn rectangle(&self, fractions: &BoundingBox) -> Rectangle {
        let (width, height) = (self.width as f32, self.height as f32);
        let BoundingBox { left, top, right, bottom } = fractions.clamped();
        Rectangle { left: left * width, top: top * height, right: right * width, bottom: bottom * height }
    }

    /// Fills a rectangle with round corners.
    pub(super) fn fill(&mut self, rectangle: &Rectangle, radius: f32, color: Color, opacity: f32) {
        for y in self.rows(rectangle, 1.0) {
            for x in self.columns(rectangle, 1.0) {
                let distance = rectangle.distance(radius, x as f32 + 0.5, y as f32 + 0.5);
                self.blend(x, y, color, opacity * (0.5 - distance).clamp(0.0, 1.0));
            }
        }
    }

    /// Draws the edge of a rectangle with round corners, `thickness` wide, half of it to either side.
    pub(super) fn stroke(&mut self, rectangle: &Rectangle, radius: f32, thickness: f32, color: Color, opacity: f32) {
        let reach = thickness / 2.0 + 1.0;
        // Inside this nothing is drawn, so walking over it can be spared.
        let inner = |low: f32, high: f32| low + reach + radius..high - reach - radius;
        let (hollow_x, hollow_y) = (inner(rectangle.left, rectangle.right), inner(rectangle.top, rectangle.bottom));
        for y in self.rows(rectangle, reach) {
            let hollow_row = hollow_y.contains(&(y as f32));
            for x in self.columns(rectangle, reach) {
                if hollow_row && hollow_x.contains(&(x as f32)) {
                    continue;
                }
                let distance = rectangle.distance(radius, x as f32 + 0.5, y as f32 + 0.5).abs() - thickness / 2.0;
                self.blend(x, y, color, opacity * (0.5 - distance).clamp(0.0, 1.0));
            }
        }
    }

    /// Mixes `color` into a pixel: 0 leaves it, 1 replaces it. Outside the picture nothing happens.
    pub(super) fn blend(&mut self, x: usize, y: usize, color: Color, opacity: f32) {
        if x >= self.width || y >= self.height || opacity <= 0.0 {
            return;
        }
        let start = (y * self.width + x) * 3;
        for (level, new) in self.rgb[start..start + 3].iter_mut().zip(color) {
            let old = f32::from(*level);
            *level = (old + (f32::from(new) - old) * opacity).round() as u8;
        }
    }

    fn rows(&self, rectangle: &Rectangle, reach: f32) -> Range<usize> {
        span(rectangle.top - reach, rectangle.bottom + reach, self.height)
    }

    fn columns(&self, rectangle: &Rectangle, reach: f32) -> Range<usize> {
        span(rectangle.left - reach, rectangle.right + reach, self.width)
    }
}

/// The pixels from `low` to `high`, of `side` that there are. Casts from float saturate, so any number is safe.
fn span(low: f32, high: f32, side: usize) -> Range<usize> {
    (low.floor() as usize).min(side)..(high.ceil() as usize).min(side)
}
