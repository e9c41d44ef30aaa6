//! Draws detections on a picture so that a person likes to look at it.
//!
//! A box is a rounded outline in its label's colour with a thin dark rim, so that it shows on light and dark ground
//! alike; its label stands on a chip of that colour. Line, corner and text grow with the picture. Chips stay inside the
//! picture, and off each other where there is room.

use clawdbot_flow::detection::Detection;

mod canvas;
mod chips;
mod palette;
#[cfg(test)]
mod tests;
mod text;

use canvas::{Canvas, Rectangle};
use text::Typeface;

/// The buffer is not a picture of that size.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a picture of {width} x {height} RGB pixels takes {wanted} bytes, but {given} came")]
pub struct NotAPicture {
    width: usize,
    height: usize,
    wanted: usize,
    given: usize,
}

/// Sizes in pixels, made from the picture's shorter side.
#[derive(Clone, Copy, Debug)]
struct Style {
    line: f32,
    radius: f32,
    text: f32,
}

impl Style {
    #[expect(clippy::cast_precision_loss, reason = "sides are far below 2^24")]
    fn of(width: usize, height: usize, detections: usize) -> Self {
        // Between the sides: a wide strip should not get the tiny text of its height, nor the huge one of its width.
        let side = ((width as f32) * (height as f32)).sqrt();
        // A crowd is told in smaller letters, or its labels hide it.
        let crowd = match detections {
            0..=12 => 1.0,
            13..=24 => 0.8,
            _ => 0.66,
        };
        Self {
            line: (crowd * side / 190.0).clamp(1.5, 12.0),
            radius: (crowd * side / 64.0).clamp(2.0, 40.0),
            text: (crowd * side / 27.0).clamp(12.0, 96.0),
        }
    }
}

/// Draws `detections` on the dense RGB picture `rgb` of `width` x `height` pixels. `labels` are the model's; a detection
/// whose label is not among them shows its number.
///
/// # Errors
/// When `rgb` is not `width` x `height` x 3 bytes long.
pub fn annotate(
    width: usize,
    height: usize,
    rgb: &mut [u8],
    detections: &[Detection],
    labels: &[String],
) -> Result<(), NotAPicture> {
    let wanted = width.saturating_mul(height).saturating_mul(3);
    if rgb.len() != wanted {
        return Err(NotAPicture { width, height, wanted, given: rgb.len() });
    }
    let mut canvas = Canvas::new(width, height, rgb);
    let style = Style::of(width, height, detections.len());
    let mut ordered: Vec<&Detection> = detections.iter().collect();
    ordered.sort_by(|a, b| b.score.total_cmp(&a.score));
    // The best is drawn last, so it lies on top; but its chip is placed first, so it has the best place.
    for detection in ordered.iter().rev() {
        outline(&mut canvas, style, detection);
    }
    let typeface = Typeface::new(style.text);
    let mut placed = Vec::with_capacity(ordered.len());
    for detection in &ordered {
        let caption = caption(detection, labels);
        let object = canvas.rectangle(&detection.bounding_box);
        if let Some(chip) = chips::place(&typeface, &caption, object, canvas.bounds(), style.line, &placed) {
            placed.push(chip.rectangle);
            chips::draw(&mut canvas, &typeface, &chip, palette::color(detection.label), style.radius);
        }
    }
    Ok(())
}

/// `Person 58%`.
fn caption(detection: &Detection, labels: &[String]) -> [String; 2] {
    let label = labels.get(usize::from(detection.label));
    let label =
        label.map_or_else(|| format!("label {}", detection.label), |label| label.replace(char::is_control, " "));
    [label, format!("{:.0}%", 100.0 * detection.score.clamp(0.0, 1.0))]
}

fn outline(canvas: &mut Canvas<'_>, style: Style, detection: &Detection) {
    let half = style.line / 2.0;
    // The line lies inside the box's edge, and inside the picture where the box ends with it.
    let Rectangle { left, top, right, bottom } = canvas.rectangle(&detection.bounding_box);
    let line = Rectangle { left: left + half, top: top + half, right: right - half, bottom: bottom - half };
    let color = palette::color(detection.label);
    canvas.fill(&line, style.radius, color, 0.04);
    canvas.stroke(&line, style.radius, style.line + (style.line * 0.6).max(1.2), palette::RIM, 0.45);
    canvas.stroke(&line, style.radius, style.line, color, 1.0);
}
