//! Counts what was found and what was not.

use clawdbot_eval::average_precision::{Scored, evaluate};
use clawdbot_eval::coco::{Annotations, Image, Object};
use clawdbot_eval::labels::LabelMap;
use clawdbot_eval::stage::Placed;
use clawdbot_flow::detection::{BoundingBox, Detection};
use clawdbot_nn::metadata::PictureInput;
use serde_json::{Value, json};

/// A detection with a lower score says nothing (save for the average precision).
const SCORE_MIN: f32 = 0.3;
/// Intersection over union of what is found with what there is.
const OVERLAP_MIN: f32 = 0.5;
/// COCO's bound of "small", in square pixels.
const SMALL: f32 = 32.0 * 32.0;

/// A class of sizes.
pub(super) struct Size {
    pub(super) name: &'static str,
    pub(super) meaning: &'static str,
}

/// All of them.
pub(super) const SIZES: [Size; 3] = [
    Size { name: "small", meaning: "below 32 x 32 pixels of the frame" },
    Size { name: "far", meaning: "below 32 x 32 pixels where the whole frame is the network's input" },
    Size { name: "all", meaning: "every object" },
];

/// What an arm has to say of one frame.
pub(super) struct Seen<'a> {
    /// Seen in this frame.
    pub(super) fresh: &'a [Detection],
    /// Objects under way, seen in it or not.
    pub(super) tracked: &'a [Detection],
    pub(super) runs: usize,
}

/// Counts of one kind of answers.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    found: [usize; SIZES.len()],
    wrong: usize,
}

/// All counts of one arm in one kind of scenes.
pub(super) struct Tally<'a> {
    map: &'a LabelMap,
    input: [f32; 2],
    truth: Annotations,
    objects: [usize; SIZES.len()],
    /// Fresh, tracked.
    counts: [Counts; 2],
    scored: [Vec<Scored>; 2],
    runs: usize,
}

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Figures {
    pub(super) runs: f64,
    frames: usize,
    objects: [usize; SIZES.len()],
    /// Fresh, tracked.
    of: [OneFigures; 2],
}

#[derive(Clone, Copy, Debug)]
struct OneFigures {
    recall: [f64; SIZES.len()],
    precision: f64,
    average_precision_50: f64,
}

impl<'a> Tally<'a> {
    #[expect(clippy::cast_precision_loss, reason = "sides of a network's input")]
    pub(super) fn new(annotations: &Annotations, map: &'a LabelMap, input: &PictureInput) -> Self {
        Self {
            map,
            input: [input.width as f32, input.height as f32],
            truth: Annotations { images: Vec::new(), categories: annotations.categories.clone(), objects: Vec::new() },
            objects: [0; SIZES.len()],
            counts: [Counts::default(); 2],
            scored: [Vec::new(), Vec::new()],
            runs: 0,
        }
    }

    /// Compares one frame's answers with its `truth`.
    #[expect(clippy::cast_precision_loss, reason = "sides of a picture")]
    pub(super) fn count(&mut self, seen: &Seen<'_>, truth: &[Placed], size: [usize; 2]) {
        let size = size.map(|side| side as f32);
        let scale = (self.input[0] / size[0]).min(self.input[1] / size[1]).min(1.0);
        let classes = |placed: &Placed| [area(placed) < SMALL, area(placed) * scale * scale < SMALL, true];
        self.runs += seen.runs;
        for placed in truth.iter().filter(|placed| !placed.ignored) {
            add(&mut self.objects, classes(placed));
        }
        let image = self.truth.images.len();
        let id = image as u64;
        self.truth.images.push(Image { id, file_name: String::new() });
        self.truth.objects.extend(truth.iter().map(|placed| object(placed, image)));
        for (kind, detections) in [seen.fresh, seen.tracked].into_iter().enumerate() {
            let found: Vec<_> = detections.iter().filter_map(|detection| self.placed(detection, size)).collect();
            self.scored[kind].extend(found.iter().map(|(placed, score)| scored(placed, *score, image)));
            let mut sure: Vec<_> = found.into_iter().filter(|(_, score)| *score >= SCORE_MIN).collect();
            sure.sort_by(|a, b| b.1.total_cmp(&a.1));
            let mut free: Vec<_> = truth.iter().collect();
            for (placed, _) in sure {
                let overlaps =
                    |other: &&Placed| other.category == placed.category && overlap(other, &placed) >= OVERLAP_MIN;
                let best = free.iter().enumerate().filter(|(_, other)| overlaps(other)).max_by(|a, b| {
                    let rank = |other: &Placed| (u8::from(!other.ignored), overlap(other, &placed));
                    rank(a.1).partial_cmp(&rank(b.1)).unwrap_or(std::cmp::Ordering::Equal)
                });
                match best {
                    // What is ignored may be found any number of times.
                    Some((_, other)) if other.ignored => {}
                    Some((index, _)) => add(&mut self.counts[kind].found, classes(free.remove(index))),
                    None if hidden(&placed, truth) => {}
                    None => self.counts[kind].wrong += 1,
                }
            }
        }
    }

    pub(super) fn figures(&self) -> Figures {
        let frames = self.truth.images.len();
        let of = [0, 1].map(|kind| {
            let Counts { found, wrong } = self.counts[kind];
            let report = evaluate(&self.truth, &self.scored[kind], &self.map.categories());
            OneFigures {
                recall: std::array::from_fn(|class| share(found[class], self.objects[class])),
                precision: share(found[SIZES.len() - 1], found[SIZES.len() - 1] + wrong),
                average_precision_50: report.mean.map_or(f64::NAN, |mean| mean.average_precision_50),
            }
        });
        Figures { runs: share(self.runs, frames), frames, objects: self.objects, of }
    }

    /// A detection as an object of a category; `None` for what no category means.
    fn placed(&self, detection: &Detection, [width, height]: [f32; 2]) -> Option<(Placed, f32)> {
        let BoundingBox { left, top, right, bottom } = detection.bounding_box.clamped();
        let edges = [left * width, top * height, right * width, bottom * height];
        let category = self.map.category(detection.label)?;
        Some((Placed { category, edges, ignored: false }, detection.score))
    }
}

impl Figures {
    pub(super) fn header() -> String {
        let one =
            |kind: &str| format!("  {kind:>7}: {:>5} {:>5} {:>5} {:>5} {:>5}", "small", "far", "all", "prec", "AP50");
        one("fresh") + &one("tracked")
    }

    pub(super) fn as_text(&self) -> String {
        let one = |of: &OneFigures| {
            let [small, far, all] = of.recall;
            format!(
                "  {:>8} {small:>5.3} {far:>5.3} {all:>5.3} {:>5.3} {:>5.3}",
                "", of.precision, of.average_precision_50
            )
        };
        self.of.iter().map(one).collect()
    }

    pub(super) fn as_json(&self) -> Value {
        let by_size = |of: &dyn Fn(usize) -> Value| {
            let pairs = SIZES.iter().enumerate().map(|(class, size)| (size.name.to_owned(), of(class)));
            Value::Object(pairs.collect())
        };
        let one = |of: &OneFigures| {
            json!({
                "recall": by_size(&|class| json!(of.recall[class])),
                "precision": of.precision,
                "average_precision_50": of.average_precision_50,
            })
        };
        json!({
            "runs_per_frame": self.runs, "frames": self.frames, "objects": by_size(&|class| json!(self.objects[class])),
            "fresh": one(&self.of[0]), "tracked": one(&self.of[1]),
        })
    }
}

fn add(counts: &mut [usize; SIZES.len()], classes: [bool; SIZES.len()]) {
    for (count, class) in counts.iter_mut().zip(classes) {
        *count += usize::from(class);
    }
}

fn area(placed: &Placed) -> f32 {
    let [left, top, right, bottom] = placed.edges;
    (right - left).max(0.0) * (bottom - top).max(0.0)
}

fn shared(a: &Placed, b: &Placed) -> f32 {
    let (a, b) = (a.edges, b.edges);
    (a[2].min(b[2]) - a[0].max(b[0])).max(0.0) * (a[3].min(b[3]) - a[1].max(b[1])).max(0.0)
}

/// Intersection over union.
fn overlap(a: &Placed, b: &Placed) -> f32 {
    let both = shared(a, b);
    both / (area(a) + area(b) - both).max(f32::MIN_POSITIVE)
}

/// Whether most of a detection lies in something of its category that is ignored: a crowd, or what is half hidden.
fn hidden(found: &Placed, truth: &[Placed]) -> bool {
    truth
        .iter()
        .any(|other| other.ignored && other.category == found.category && shared(found, other) > 0.5 * area(found))
}

fn object(placed: &Placed, image: usize) -> Object {
    let [left, top, right, bottom] = placed.edges.map(f64::from);
    let bounding_box = [left, top, right - left, bottom - top];
    Object { image, category: placed.category, bounding_box, area: f64::from(area(placed)), crowd: placed.ignored }
}

fn scored(placed: &Placed, score: f32, image: usize) -> Scored {
    let [left, top, right, bottom] = placed.edges.map(f64::from);
    let bounding_box = [left, top, right - left, bottom - top];
    Scored { image, category: placed.category, bounding_box, score: f64::from(score) }
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}
