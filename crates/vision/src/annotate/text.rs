//! Text in one size of the font that comes with us.
#![expect(
    clippy::cast_possible_truncation,
    reason = "glyph positions are whole pixels, checked before they are indices"
)]

use ab_glyph::{Font, FontRef, Glyph, PxScale, PxScaleFont, ScaleFont, point};

use super::canvas::Canvas;
use super::palette::Color;

/// See `fonts/README.md`.
static ROBOTO_MEDIUM: &[u8] = include_bytes!("../../fonts/Roboto-Medium.subset.ttf");

/// The font at one size.
pub(super) struct Typeface {
    font: PxScaleFont<FontRef<'static>>,
}

impl Typeface {
    /// `pixels` from the highest to the lowest point of a line.
    pub(super) fn new(pixels: f32) -> Self {
        let font = FontRef::try_from_slice(ROBOTO_MEDIUM);
        #[expect(clippy::expect_used, reason = "the font is part of the program; a test draws with it")]
        let font = font.expect("fonts/Roboto-Medium.subset.ttf is a font");
        Self { font: font.into_scaled(PxScale::from(pixels)) }
    }

    /// Height of a line in pixels.
    pub(super) fn line_height(&self) -> f32 {
        self.font.height()
    }

    /// Height of a capital letter in pixels, for centring.
    pub(super) fn capital_height(&self) -> f32 {
        let glyph = self.font.scaled_glyph('H');
        self.font.outline_glyph(glyph).map_or(0.0, |outline| outline.px_bounds().height())
    }

    /// Width of a space in pixels.
    pub(super) fn space(&self) -> f32 {
        self.font.h_advance(self.font.glyph_id(' '))
    }

    /// Width of a line in pixels.
    pub(super) fn width(&self, text: &str) -> f32 {
        let mut width = 0.0;
        self.layout(text, |_, advance| width = advance);
        width
    }

    /// The longest beginning of `text` that is at most `width_max` wide, with an ellipsis where something is missing.
    pub(super) fn shortened(&self, text: &str, width_max: f32) -> String {
        let mut kept = 0;
        let mut fits = true;
        for (count, _) in text.char_indices().enumerate() {
            // A label of a bundle may be of any length; a picture's width is not.
            fits = self.width(&text.chars().take(count + 1).collect::<String>()) <= width_max;
            if !fits {
                break;
            }
            kept = count + 1;
        }
        if fits {
            return text.to_owned();
        }
        while kept > 0 {
            let short = format!("{}…", text.chars().take(kept).collect::<String>().trim_end());
            if self.width(&short) <= width_max {
                return short;
            }
            kept -= 1;
        }
        String::new()
    }

    /// Draws a line whose letters stand on `baseline` and begin at `left`.
    pub(super) fn draw(
        &self,
        canvas: &mut Canvas<'_>,
        text: &str,
        left: f32,
        baseline: f32,
        color: Color,
        opacity: f32,
    ) {
        self.layout(text, |mut glyph, _| {
            glyph.position += point(left, baseline);
            let Some(outline) = self.font.outline_glyph(glyph) else { return };
            let start = outline.px_bounds().min;
            outline.draw(|x, y, coverage| {
                let (x, y) = (start.x as i64 + i64::from(x), start.y as i64 + i64::from(y));
                if let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y)) {
                    canvas.blend(x, y, color, opacity * coverage.clamp(0.0, 1.0));
                }
            });
        });
    }

    /// Hands over each glyph where it stands on a line that begins at (0, 0), and where the line then ends.
    fn layout(&self, text: &str, mut each: impl FnMut(Glyph, f32)) {
        let mut end = 0.0;
        let mut last = None;
        for letter in text.chars() {
            let mut glyph = self.font.scaled_glyph(letter);
            if let Some(last) = last {
                end += self.font.kern(last, glyph.id);
            }
            glyph.position = point(end, 0.0);
            end += self.font.h_advance(glyph.id);
            last = Some(glyph.id);
            each(glyph, end);
        }
    }
}
