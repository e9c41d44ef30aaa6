//! Chips: where labels stand, and how they look.

use super::canvas::{Canvas, Rectangle};
use super::palette::{self, Color};
use super::text::Typeface;

/// A label in its place.
pub(super) struct Chip {
    pub(super) rectangle: Rectangle,
    label: String,
    score: String,
    padding: f32,
}

/// The best place for a caption (label, score) of the box `object`: inside `bounds`, off the chips that are `placed`.
/// `None` when the picture is too small for any text.
pub(super) fn place(
    typeface: &Typeface,
    caption: &[String; 2],
    object: Rectangle,
    bounds: Rectangle,
    line: f32,
    placed: &[Rectangle],
) -> Option<Chip> {
    let [label, score] = caption;
    let padding = typeface.line_height() * 0.34;
    let height = (typeface.line_height() * 1.22).round();
    let fixed = 2.0 * padding + typeface.space() + typeface.width(score);
    let label = typeface.shortened(label, bounds.width() - fixed);
    let width = (fixed + typeface.width(&label)).round();
    if label.is_empty() || width > bounds.width() || height > bounds.height() {
        return None;
    }
    // Above the box, inside it, below it; each from its left, then from its right; then further and further off. The
    // gap of half a line keeps a chip off its own outline.
    let gap = line;
    let tops = [
        object.top - height - gap / 2.0,
        object.top + 2.0 * gap,
        object.bottom + gap / 2.0,
        object.bottom - height - 2.0 * gap,
    ];
    let further = (1_u8..16).flat_map(|step| {
        let distance = f32::from(step) * (height + 2.0);
        [object.top + 2.0 * gap + distance, object.top - height - gap / 2.0 - distance]
    });
    let mut best: Option<(f32, Rectangle)> = None;
    for (rank, top) in (0_u8..).zip(tops.into_iter().chain(further)) {
        let inside = rank != 0 && rank != 2;
        let inset = if inside { 2.0 * gap } else { 0.0 };
        for left in [object.left + inset, object.right - inset - width] {
            let wanted = Rectangle {
                left: left.round(),
                top: top.round(),
                right: left.round() + width,
                bottom: top.round() + height,
            };
            let moved = moved_into(&wanted, &bounds);
            let shift = (moved.left - wanted.left).abs() * 0.25 + (moved.top - wanted.top).abs();
            let covered: f32 = placed.iter().map(|chip| chip.shared(&moved)).sum();
            // Covering another chip is worst, then standing where it was not meant to, then a later place.
            let cost = covered * 1000.0
                + shift * 10.0
                + f32::from(rank) * 4.0
                + if left > object.left + inset { 1.0 } else { 0.0 };
            if best.is_none_or(|(least, _)| cost < least) {
                best = Some((cost, moved));
            }
        }
    }
    best.map(|(_, rectangle)| Chip { rectangle, label, score: score.clone(), padding })
}

/// `rectangle`, pushed into `bounds`, which is large enough.
fn moved_into(rectangle: &Rectangle, bounds: &Rectangle) -> Rectangle {
    let left = rectangle.left.min(bounds.right - rectangle.width()).max(bounds.left);
    let top = rectangle.top.min(bounds.bottom - rectangle.height()).max(bounds.top);
    Rectangle { left, top, right: left + rectangle.width(), bottom: top + rectangle.height() }
}

/// Draws the chip in `color`, its text in what can be read on it.
pub(super) fn draw(canvas: &mut Canvas<'_>, typeface: &Typeface, chip: &Chip, color: Color, radius: f32) {
    let Chip { rectangle, label, score, padding } = chip;
    let radius = radius.min(rectangle.height() * 0.28);
    let Rectangle { left, top, right, bottom } = *rectangle;
    let rim = Rectangle { left: left - 1.0, top: top - 1.0, right: right + 1.0, bottom: bottom + 1.0 };
    canvas.fill(&rim, radius + 1.0, palette::RIM, 0.35);
    canvas.fill(rectangle, radius, color, 1.0);
    let ink = palette::text_on(color);
    let baseline = (f32::midpoint(top, bottom) + typeface.capital_height() / 2.0).round();
    typeface.draw(canvas, label, left + padding, baseline, ink, 1.0);
    let score_left = left + padding + typeface.width(label) + typeface.space();
    typeface.draw(canvas, score, score_left, baseline, ink, 0.72);
}
