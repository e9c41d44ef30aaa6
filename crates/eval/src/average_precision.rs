//! Average precision of a detector, to the letter of pycocotools' `COCOeval` for boxes (`cocoeval.py`, version 2.0), area
//! range "all".
//!
//! For each category and each of ten overlaps 0.50, 0.55 .. 0.95: detections, best first, are matched with annotated
//! objects picture by picture; precision is made monotone and read at 101 recalls 0.00, 0.01 .. 1.00; their mean is the
//! average precision (AP). The mean over categories that have objects is "mAP". Ties go to what came first, as in
//! pycocotools' merge sort.
//!
//! One difference: pycocotools takes an object whose annotation has the id 0 for no match, which is a known fault of it.

use crate::coco::Annotations;

mod matching;

/// Detections of one category in one picture that count; the best ones.
pub const DETECTIONS_MAX: usize = 100;
/// Objects with a larger area are ignored, as pycocotools does it; none that fits a picture is.
const AREA_MAX: f64 = 1e10;
const OVERLAPS: usize = 10;
const RECALLS: u32 = 101;

/// What a detector says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scored {
    /// Index into [`Annotations::images`].
    pub image: usize,
    /// Index into [`Annotations::categories`].
    pub category: usize,
    /// Left, top, width, height in pixels.
    pub bounding_box: [f64; 4],
    /// Confidence; only the order counts.
    pub score: f64,
}

/// How one category did.
#[derive(Clone, Debug, PartialEq)]
pub struct CategoryReport {
    /// Index into [`Annotations::categories`].
    pub category: usize,
    /// Annotated objects, crowds not counted.
    pub objects: usize,
    /// See [`Figures`]; `None` where there are no objects to be found.
    pub figures: Option<Figures>,
}

/// The figures of a category, or their means over categories; each 0..=1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// Mean over the ten overlaps: AP@[.5:.95].
    pub average_precision: f64,
    /// At overlap 0.5: AP@.5.
    pub average_precision_50: f64,
    /// At overlap 0.75: AP@.75.
    pub average_precision_75: f64,
    /// Share of objects found at all, mean over the ten overlaps: AR@100.
    pub recall: f64,
    /// Share of objects found at all at overlap 0.5.
    pub recall_50: f64,
}

/// How a detector did.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Mean over the categories that have objects; `None` when there are none.
    pub mean: Option<Figures>,
    /// Category by category, in the order that was asked for.
    pub categories: Vec<CategoryReport>,
}

/// Compares `detections` with `annotations` for the `categories` (indices) that the detector can know.
#[must_use]
pub fn evaluate(annotations: &Annotations, detections: &[Scored], categories: &[usize]) -> Report {
    let all: Vec<usize> = (0..annotations.images.len()).collect();
    Judged::new(annotations, detections, categories).report(&all)
}

/// Detections that were matched with annotated objects, not counted yet.
pub(crate) struct Judged {
    categories: Vec<(usize, Vec<Picture>)>,
}

/// One category in one picture.
struct Picture {
    objects: usize,
    outcomes: Vec<matching::Outcome>,
}

impl Judged {
    pub(crate) fn new(annotations: &Annotations, detections: &[Scored], categories: &[usize]) -> Self {
        let judge = |&category: &usize| (category, judge(annotations, detections, category));
        Self { categories: categories.iter().map(judge).collect() }
    }

    /// What is said of `pictures`, indices into [`Annotations::images`]; one that comes twice counts twice.
    pub(crate) fn report(&self, pictures: &[usize]) -> Report {
        let report = |(category, judged): &(usize, Vec<Picture>)| {
            let pictures = || pictures.iter().map(|&picture| &judged[picture]);
            let mut outcomes: Vec<_> = pictures().flat_map(|picture| picture.outcomes.iter().copied()).collect();
            outcomes.sort_by(|a, b| b.score.total_cmp(&a.score));
            let objects = pictures().map(|picture| picture.objects).sum();
            CategoryReport { category: *category, objects, figures: figures(&outcomes, objects) }
        };
        let categories: Vec<_> = self.categories.iter().map(report).collect();
        let known: Vec<_> = categories.iter().filter_map(|report| report.figures).collect();
        Report { mean: mean(&known), categories }
    }
}

/// Picture by picture.
fn judge(annotations: &Annotations, detections: &[Scored], category: usize) -> Vec<Picture> {
    let mut objects = vec![Vec::new(); annotations.images.len()];
    for object in annotations.objects.iter().filter(|object| object.category == category) {
        objects[object.image].push(object);
    }
    let mut found = vec![Vec::new(); annotations.images.len()];
    for detection in detections.iter().filter(|detection| detection.category == category) {
        // What is said of a picture that the annotations do not list cannot be judged.
        if let Some(found) = found.get_mut(detection.image) {
            found.push(detection);
        }
    }
    let picture = |(objects, mut found): (Vec<_>, Vec<&Scored>)| {
        found.sort_by(|a, b| b.score.total_cmp(&a.score));
        found.truncate(DETECTIONS_MAX);
        let outcomes = matching::match_picture(&objects, &found, &overlaps());
        Picture { objects: matching::countable(&objects), outcomes }
    };
    objects.into_iter().zip(found).map(picture).collect()
}

/// `numpy.linspace(0.5, 0.95, 10)`, to the last bit.
fn overlaps() -> [f64; OVERLAPS] {
    let step = (0.95 - 0.5) / 9.0;
    let mut overlaps = [0.0; OVERLAPS];
    for (index, overlap) in (0_u8..).zip(&mut overlaps) {
        *overlap = if index == 9 { 0.95 } else { f64::from(index) * step + 0.5 };
    }
    overlaps
}

/// The figures of one category; `None` without objects.
fn figures(outcomes: &[matching::Outcome], objects: usize) -> Option<Figures> {
    if objects == 0 {
        return None;
    }
    let mut precision = [0.0; OVERLAPS];
    let mut recall = [0.0; OVERLAPS];
    for index in 0..OVERLAPS {
        (precision[index], recall[index]) =
            precision_and_recall(outcomes.iter().map(|outcome| outcome.at[index]), objects);
    }
    Some(Figures {
        average_precision: average(&precision),
        average_precision_50: precision[0],
        average_precision_75: precision[5],
        recall: average(&recall),
        recall_50: recall[0],
    })
}

/// Average precision over 101 recalls and the recall reached, at one overlap. `verdicts` come best score first.
fn precision_and_recall(verdicts: impl Iterator<Item = matching::Verdict>, objects: usize) -> (f64, f64) {
    let objects = count(objects);
    let (mut right, mut wrong) = (0.0, 0.0);
    let mut curve: Vec<(f64, f64)> = Vec::new();
    for verdict in verdicts {
        match verdict {
            matching::Verdict::Right => right += 1.0,
            matching::Verdict::Wrong => wrong += 1.0,
            matching::Verdict::Ignored => {}
        }
        // An ignored one is a point of the curve too, as in pycocotools; it repeats the one before.
        curve.push((right / objects, right / (wrong + right + f64::EPSILON)));
    }
    let mut best = 0.0;
    for (_, precision) in curve.iter_mut().rev() {
        best = f64::max(best, *precision);
        *precision = best;
    }
    let at = |recall: f64| curve.get(curve.partition_point(|point| point.0 < recall)).map_or(0.0, |point| point.1);
    let last = RECALLS - 1;
    let sum: f64 = (0..RECALLS).map(|index| at(if index == last { 1.0 } else { f64::from(index) * 0.01 })).sum();
    (sum / f64::from(RECALLS), curve.last().map_or(0.0, |point| point.0))
}

/// The mean of each figure; `None` of nothing.
fn mean(figures: &[Figures]) -> Option<Figures> {
    let of = |figure: fn(&Figures) -> f64| average(&figures.iter().map(figure).collect::<Vec<_>>());
    (!figures.is_empty()).then(|| Figures {
        average_precision: of(|figures| figures.average_precision),
        average_precision_50: of(|figures| figures.average_precision_50),
        average_precision_75: of(|figures| figures.average_precision_75),
        recall: of(|figures| figures.recall),
        recall_50: of(|figures| figures.recall_50),
    })
}

fn average(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / count(values.len())
}

#[expect(clippy::cast_precision_loss, reason = "counts of objects and categories are far below 2^52")]
fn count(of: usize) -> f64 {
    of as f64
}
