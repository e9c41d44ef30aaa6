//! A roofline plot (Williams, Waterman and Patterson, "Roofline: an insightful visual performance model", 2009) as SVG:
//! each layer by what it does with a byte and how fast it does it, under what the machine can do at most.

use std::fmt::Write as _;

use super::ceilings::Ceilings;
use super::vision::{Kind, Layer};

#[cfg(test)]
mod tests;

const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 600.0;
/// The plot's edges; the list of layers stands at its right.
const LEFT: f64 = 70.0;
const RIGHT: f64 = 650.0;
const TOP: f64 = 70.0;
const BOTTOM: f64 = 530.0;
const LIST: f64 = 675.0;
const LIST_LINE: f64 = 32.0;
/// Layers that are numbered and listed: those that take longest.
const LISTED: usize = 12;
/// Radius of a layer that takes all the time, and of one that takes none.
const RADII: (f64, f64) = (70.0, 2.5);
/// Vermilion, blue, green and grey of Okabe and Ito's palette, which the colour-blind can tell apart; by [`Kind::ALL`].
const COLOURS: [&str; 4] = ["#0072b2", "#d55e00", "#009e73", "#777777"];

/// Legible over the layers' circles.
const ROOF_LABEL: &str = "fill=\"#222222\" paint-order=\"stroke\" stroke=\"#ffffff\" stroke-width=\"3\"";

/// A logarithmic axis over whole decades.
struct Axis {
    /// Powers of ten.
    decades: (i32, i32),
    /// Where they lie in the picture.
    ends: (f64, f64),
}

impl Axis {
    /// Wide enough for all of `values`, which are positive.
    fn over(values: impl Iterator<Item = f64>, ends: (f64, f64)) -> Self {
        let logarithms: Vec<f64> = values.filter(|&value| value > 0.0).map(f64::log10).collect();
        let least = logarithms.iter().copied().fold(f64::INFINITY, f64::min).clamp(-12.0, 15.0);
        let most = logarithms.iter().copied().fold(f64::NEG_INFINITY, f64::max).clamp(-12.0, 15.0);
        let whole = |number: f64| format!("{number:.0}").parse::<i32>().unwrap_or(0);
        let (first, last) = (whole(least.floor()), whole(most.ceil()));
        Self { decades: (first, last.max(first + 1)), ends }
    }

    fn place(&self, value: f64) -> f64 {
        let (first, last) = (f64::from(self.decades.0), f64::from(self.decades.1));
        let share = ((value.max(f64::MIN_POSITIVE).log10() - first) / (last - first)).clamp(0.0, 1.0);
        self.ends.0 + share * (self.ends.1 - self.ends.0)
    }

    fn first(&self) -> f64 {
        10_f64.powi(self.decades.0)
    }
}

/// The plot. `title` says what was measured, on what, and how.
pub(crate) fn svg(title: &str, layers: &[Layer], ceilings: &Ceilings) -> String {
    let shown: Vec<(usize, &Layer)> =
        layers.iter().enumerate().filter(|(_, layer)| layer.multiplications > 0).collect();
    let has_f16 = shown.iter().any(|(_, layer)| layer.op.ends_with("_f16"));
    let ridge = ceilings.int8_rate / ceilings.memory_rate.max(f64::MIN_POSITIVE);
    let x = Axis::over(shown.iter().map(|(_, layer)| layer.intensity()).chain([ridge]), (LEFT, RIGHT));
    let rates = shown.iter().map(|(_, layer)| layer.rate());
    let y = Axis::over(rates.chain([ceilings.int8_rate]), (BOTTOM, TOP));

    let mut text = String::new();
    head(&mut text, title);
    grid(&mut text, &x, &y);
    points(&mut text, &x, &y, layers, &shown);
    roofs(&mut text, &x, &y, ceilings, has_f16);
    legend(&mut text);
    text.push_str("</svg>\n");
    text
}

fn head(text: &mut String, title: &str) {
    line(
        text,
        &format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" \
             font-family=\"DejaVu Sans, Helvetica, Arial, sans-serif\" font-size=\"12\">"
        ),
    );
    line(text, &format!("<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>"));
    label(text, (LEFT, 28.0), "font-size=\"16\" fill=\"#222222\"", title);
}

fn grid(text: &mut String, x: &Axis, y: &Axis) {
    for decade in x.decades.0..=x.decades.1 {
        let at = x.place(10_f64.powi(decade));
        stroke(text, (at, TOP), (at, BOTTOM), "#dddddd", "1");
        label(text, (at, BOTTOM + 18.0), "text-anchor=\"middle\" fill=\"#444444\"", &power(decade));
    }
    for decade in y.decades.0..=y.decades.1 {
        let at = y.place(10_f64.powi(decade));
        stroke(text, (LEFT, at), (RIGHT, at), "#dddddd", "1");
        // In units of 10^9.
        label(text, (LEFT - 8.0, at + 4.0), "text-anchor=\"end\" fill=\"#444444\"", &power(decade - 9));
    }
    let middle = f64::midpoint(LEFT, RIGHT);
    label(text, (middle, BOTTOM + 40.0), "text-anchor=\"middle\" fill=\"#222222\"", "multiply-accumulates a byte");
    let (at, middle) = (22.0, f64::midpoint(TOP, BOTTOM));
    let turned = format!("text-anchor=\"middle\" fill=\"#222222\" transform=\"rotate(-90 {at} {middle})\"");
    label(text, (at, middle), &turned, "10⁹ multiply-accumulates a second");
}

fn roofs(text: &mut String, x: &Axis, y: &Axis, ceilings: &Ceilings, has_f16: bool) {
    // The slope, from where it enters the plot to where it meets the INT8 roof.
    let enters = x.first().max(y.first() / ceilings.memory_rate);
    let ridge = ceilings.int8_rate / ceilings.memory_rate;
    let point = |intensity: f64, rate: f64| (x.place(intensity), y.place(rate));
    stroke(text, point(enters, enters * ceilings.memory_rate), point(ridge, ceilings.int8_rate), "#222222", "2");
    let (from, to) = (point(enters, enters * ceilings.memory_rate), point(ridge, ceilings.int8_rate));
    let angle = (to.1 - from.1).atan2(to.0 - from.0).to_degrees();
    let at = (f64::midpoint(from.0, to.0), f64::midpoint(from.1, to.1) - 6.0);
    let turned =
        format!("text-anchor=\"middle\" {ROOF_LABEL} transform=\"rotate({angle:.1} {:.1} {:.1})\"", at.0, at.1);
    label(text, at, &turned, &format!("memory, {:.1} GB/s", ceilings.memory_rate / 1e9));

    let mut roof = |rate: f64, name: &str| {
        let from = point(rate / ceilings.memory_rate, rate);
        stroke(text, from, (RIGHT, y.place(rate)), "#222222", "2");
        let words = format!("{name}, {:.1} GMAC/s", rate / 1e9);
        label(text, (RIGHT - 4.0, y.place(rate) - 6.0), &format!("text-anchor=\"end\" {ROOF_LABEL}"), &words);
    };
    roof(ceilings.int8_rate, "INT8 kernel");
    if has_f16 {
        roof(ceilings.f16_rate, "F16 kernel");
    }
}

fn points(text: &mut String, x: &Axis, y: &Axis, layers: &[Layer], shown: &[(usize, &Layer)]) {
    let total: f64 = layers.iter().map(|layer| layer.least.as_secs_f64()).sum::<f64>().max(f64::MIN_POSITIVE);
    let mut by_time = shown.to_vec();
    by_time.sort_by_key(|(_, layer)| std::cmp::Reverse(layer.least));
    // The large ones first, so that none hides a small one.
    for &(index, layer) in &by_time {
        let share = layer.least.as_secs_f64() / total;
        let radius = RADII.1.max(RADII.0 * share.sqrt());
        let (cx, cy) = (x.place(layer.intensity()), y.place(layer.rate()));
        let colour = colour(layer.kind);
        line(
            text,
            &format!(
                "<circle cx=\"{cx:.1}\" cy=\"{cy:.1}\" r=\"{radius:.1}\" fill=\"{colour}\" fill-opacity=\"0.45\" \
                 stroke=\"{colour}\"><title>{index}: {} {}, {:.3} ms</title></circle>",
                escaped(&layer.name),
                layer.op,
                layer.least.as_secs_f64() * 1e3
            ),
        );
    }
    list(text, x, y, &by_time, total);
}

/// Numbers the layers that take longest, and says at the right what they are.
fn list(text: &mut String, x: &Axis, y: &Axis, by_time: &[(usize, &Layer)], total: f64) {
    let mut numbers: Vec<(f64, f64)> = Vec::new();
    label(text, (LIST, TOP), "font-weight=\"bold\" fill=\"#222222\"", "layers that take longest");
    for (line_index, &(index, layer)) in by_time.iter().take(LISTED).enumerate() {
        let (cx, cy) = (x.place(layer.intensity()), y.place(layer.rate()));
        // A number that would lie on another's is left to the list.
        if !numbers.iter().any(|other| (other.0 - cx).abs() < 18.0 && (other.1 - cy).abs() < 12.0) {
            numbers.push((cx, cy));
            label(text, (cx, cy + 4.0), "text-anchor=\"middle\" fill=\"#000000\" font-size=\"11\"", &index.to_string());
        }
        let ms = layer.least.as_secs_f64() * 1e3;
        let at = TOP + LIST_LINE * (line_index as f64 + 0.75);
        let shape: Vec<String> = layer.shape.iter().skip(1).map(ToString::to_string).collect();
        let what = format!("{index}: {} to {}", layer.kind.name(), shape.join("×"));
        label(text, (LIST, at), &format!("fill=\"{}\"", colour(layer.kind)), &what);
        let speed = format!("{ms:.3} ms, {:.1} %, {:.1} GMAC/s", 1e5 * ms / 1e6 / total, layer.rate() / 1e9);
        label(text, (LIST, at + 14.0), "fill=\"#444444\" font-size=\"11\"", &speed);
    }
}

fn legend(text: &mut String) {
    let mut at = LEFT;
    for kind in Kind::ALL.into_iter().filter(|&kind| kind != Kind::Other) {
        line(text, &format!("<circle cx=\"{}\" cy=\"46\" r=\"5\" fill=\"{}\"/>", at + 5.0, colour(kind)));
        label(text, (at + 15.0, 50.0), "fill=\"#222222\"", kind.name());
        at += 90.0;
    }
    label(
        text,
        (at, 50.0),
        "fill=\"#444444\"",
        "area: share of the time; above the memory's line: operands in a cache",
    );
}

fn colour(kind: Kind) -> &'static str {
    Kind::ALL.iter().zip(COLOURS).find(|(known, _)| **known == kind).map_or("#000000", |(_, colour)| colour)
}

/// A power of ten as people read it.
fn power(decade: i32) -> String {
    let decimals = usize::try_from(-decade).unwrap_or(0);
    format!("{:.decimals$}", 10_f64.powi(decade))
}

fn stroke(text: &mut String, from: (f64, f64), to: (f64, f64), colour: &str, width: &str) {
    line(
        text,
        &format!(
            "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"{colour}\" stroke-width=\"{width}\"/>",
            from.0, from.1, to.0, to.1
        ),
    );
}

fn label(text: &mut String, at: (f64, f64), attributes: &str, words: &str) {
    line(text, &format!("<text x=\"{:.1}\" y=\"{:.1}\" {attributes}>{}</text>", at.0, at.1, escaped(words)));
}

fn line(text: &mut String, words: &str) {
    // Writing to a string cannot fail.
    let _infallible = writeln!(text, "{words}");
}

fn escaped(words: &str) -> String {
    words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
