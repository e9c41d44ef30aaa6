//! Colours: one a label, and text that can be read on it.

/// Red, green, blue.
pub(super) type Color = [u8; 3];

/// Around lines, so that they stand off whatever is behind them.
pub(super) const RIM: Color = [8, 12, 16];
const INK: Color = [14, 18, 24];
const PAPER: Color = [255, 255, 255];

/// Bright, of similar weight; neighbours, and labels twelve apart, are far apart in hue.
const COLORS: [Color; 24] = [
    [46, 204, 113],
    [255, 159, 28],
    [52, 152, 255],
    [255, 71, 110],
    [0, 209, 209],
    [255, 214, 10],
    [163, 113, 247],
    [255, 120, 73],
    [132, 222, 2],
    [255, 105, 205],
    [94, 129, 244],
    [0, 184, 148],
    [214, 93, 255],
    [82, 183, 255],
    [255, 186, 107],
    [64, 224, 160],
    [255, 140, 160],
    [116, 140, 255],
    [178, 214, 60],
    [72, 202, 228],
    [244, 132, 255],
    [120, 220, 120],
    [255, 168, 76],
    [255, 128, 128],
];

/// The colour of a label; always the same one.
pub(super) fn color(label: u16) -> Color {
    COLORS[usize::from(label) % COLORS.len()]
}

/// Ink or paper, whichever contrasts more with `ground`: WCAG 2.1, "contrast ratio".
pub(super) fn text_on(ground: Color) -> Color {
    let contrast = |text: Color| {
        let (a, b) = (luminance(ground) + 0.05, luminance(text) + 0.05);
        if a > b { a / b } else { b / a }
    };
    if contrast(INK) >= contrast(PAPER) { INK } else { PAPER }
}

/// WCAG 2.1, "relative luminance", of an sRGB colour.
fn luminance(color: Color) -> f32 {
    let [red, green, blue] = color.map(|level| {
        let level = f32::from(level) / 255.0;
        if level <= 0.040_45 { level / 12.92 } else { ((level + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}
