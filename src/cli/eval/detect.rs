//! `clawdbot eval detect`: mAP on a folder of pictures with COCO annotations.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use clawdbot_eval::average_precision::{CategoryReport, Figures, Report, Scored, evaluate};
use clawdbot_eval::bootstrap::{Contestant, Difference, difference};
use clawdbot_eval::coco::Annotations;
use clawdbot_eval::labels::LabelMap;
use clawdbot_flow::detection::Detection;
use clawdbot_nn::workers::Workers;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use crate::app::compute::{threads_available, with_workers};
use crate::cli::looker::{Looker, parse_score, parse_threads, read_picture};
use crate::cli::{Failure, print};

/// Of the draws of pictures behind `--against`, so that the same models give the same answer.
const SEED: u64 = 1;

/// What may be said to `eval detect`.
#[derive(Args, Debug)]
pub(in crate::cli) struct Arguments {
    /// The detector: a bundle that `clawdbot convert` made [default: the bundled one]
    #[arg(long, value_name = "BUNDLE")]
    model: Option<PathBuf>,
    /// Also say how much better this is than another detector, and how much of that is chance.
    #[arg(long, value_name = "BUNDLE")]
    against: Option<PathBuf>,
    /// What is in the pictures: COCO's JSON ("instances").
    #[arg(long, value_name = "FILE")]
    annotations: PathBuf,
    /// The folder that the annotations' file names start from.
    #[arg(long, value_name = "DIR")]
    images: PathBuf,
    /// A JSON object from the model's labels to category names, null for none [default: by name]
    #[arg(long, value_name = "FILE")]
    label_map: Option<PathBuf>,
    /// The lowest score that counts. Average precision wants the long tail, so it is far below what a user would take.
    #[arg(long, value_name = "SCORE", default_value = "0.01", value_parser = parse_score)]
    threshold: f32,
    /// Print a JSON object.
    #[arg(long)]
    json: bool,
    /// Threads that compute [default: one a core]
    #[arg(long, value_name = "N", value_parser = parse_threads)]
    threads: Option<usize>,
}

/// Runs the command.
pub(in crate::cli) fn run(arguments: &Arguments) -> Result<(), Failure> {
    with_workers(arguments.threads.unwrap_or_else(threads_available), |workers| eval(arguments, workers))
}

fn eval(arguments: &Arguments, workers: Arc<Workers>) -> Result<(), Failure> {
    let annotations = Annotations::parse(&read_text(&arguments.annotations)?)
        .map_err(|error| within(&arguments.annotations, &Failure::from_error(&error)))?;
    let looked = Looked::new(arguments, arguments.model.as_deref(), &annotations, Arc::clone(&workers))?;
    let other = arguments
        .against
        .as_deref()
        .map(|model| Looked::new(arguments, Some(model), &annotations, workers))
        .transpose()?;
    let categories = looked.map.categories();
    let difference = other.as_ref().and_then(|other| {
        let (detections, theirs) = (&looked.detections, other.map.categories());
        let ours = Contestant { detections, categories: &categories };
        let theirs = Contestant { detections: &other.detections, categories: &theirs };
        Some((other.looker.name(), difference(&annotations, [ours, theirs], SEED)?))
    });
    let report = evaluate(&annotations, &looked.detections, &categories);
    let answer = Answer {
        model: looked.looker.name(),
        labels: looked.looker.labels(),
        threshold: arguments.threshold,
        annotations: &annotations,
        map: &looked.map,
        report: &report,
        median: looked.median,
        difference,
    };
    if arguments.json { print(&answer.as_json().to_string()) } else { print(answer.as_text().trim_end()) }
}

/// A detector and what it found.
struct Looked {
    looker: Looker,
    map: LabelMap,
    detections: Vec<Scored>,
    median: Duration,
}

impl Looked {
    fn new(
        arguments: &Arguments,
        model: Option<&Path>,
        annotations: &Annotations,
        workers: Arc<Workers>,
    ) -> Result<Self, Failure> {
        let mut looker = Looker::new(model, workers)?;
        let map = match &arguments.label_map {
            None => LabelMap::by_name(looker.labels(), annotations).map_err(|error| Failure::from_error(&error))?,
            Some(file) => LabelMap::parse(&read_text(file)?, looker.labels(), annotations)
                .map_err(|error| within(file, &Failure::from_error(&error)))?,
        };
        let (detections, median) = look_at_all(arguments, annotations, &map, &mut looker)?;
        Ok(Self { looker, map, detections, median })
    }
}

pub(super) fn read_text(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path)
        .map_err(|error| Failure::Failed(format!("`{}` cannot be read ({error}); check the path", path.display())))
}

/// Says in which file something is wrong.
pub(super) fn within(path: &Path, failure: &Failure) -> Failure {
    match failure {
        Failure::Failed(message) | Failure::Usage(message) | Failure::BadConfiguration(message) => {
            Failure::Failed(format!("`{}`: {message}", path.display()))
        }
    }
}

/// Everything that the detector finds and the annotations know, and the median time a picture.
fn look_at_all(
    arguments: &Arguments,
    annotations: &Annotations,
    map: &LabelMap,
    looker: &mut Looker,
) -> Result<(Vec<Scored>, Duration), Failure> {
    let bar = ProgressBar::new(annotations.images.len() as u64);
    if let Ok(style) = ProgressStyle::with_template("{bar:32} {pos}/{len} pictures, {eta} left") {
        bar.set_style(style);
    }
    let (mut found, mut times) = (Vec::new(), Vec::new());
    for (index, image) in annotations.images.iter().enumerate() {
        let picture = read_picture(&arguments.images.join(&image.file_name))?;
        let size = [picture.width, picture.height].map(f64::from);
        let (detections, time) = looker.look(&picture, arguments.threshold)?;
        found.extend(
            detections.iter().filter_map(|detection| scored(detection, index, map.category(detection.label)?, size)),
        );
        times.push(time);
        bar.inc(1);
    }
    bar.finish_and_clear();
    times.sort_unstable();
    Ok((found, times.get(times.len() / 2).copied().unwrap_or_default()))
}

fn scored(detection: &Detection, image: usize, category: usize, [width, height]: [f64; 2]) -> Option<Scored> {
    let [left, top] = [detection.bounding_box.left, detection.bounding_box.top].map(f64::from);
    let [right, bottom] = [detection.bounding_box.right, detection.bounding_box.bottom].map(f64::from);
    let bounding_box = [left * width, top * height, (right - left) * width, (bottom - top) * height];
    Some(Scored { image, category, bounding_box, score: f64::from(detection.score) })
}

/// All that is told.
struct Answer<'a> {
    model: &'a str,
    labels: &'a [String],
    threshold: f32,
    annotations: &'a Annotations,
    map: &'a LabelMap,
    report: &'a Report,
    median: Duration,
    /// The other one's name, and how much better this is.
    difference: Option<(&'a str, Difference)>,
}

impl Answer<'_> {
    fn name(&self, report: &CategoryReport) -> &str {
        &self.annotations.categories[report.category].name
    }

    /// The model's labels that mean no category.
    fn left_out(&self) -> Vec<&str> {
        let labels = (0_u16..).zip(self.labels);
        labels.filter(|(index, _)| self.map.category(*index).is_none()).map(|(_, label)| label.as_str()).collect()
    }

    fn as_json(&self) -> Value {
        let categories: Vec<_> = self
            .report
            .categories
            .iter()
            .map(|report| json!({ "name": self.name(report), "objects": report.objects, "figures": report.figures.map(figures) }))
            .collect();
        let against = self.difference.map(|(model, Difference { measured, low, high, better })| {
            json!({ "model": model, "difference": measured, "low": low, "high": high, "better": better })
        });
        json!({
            "model": self.model,
            "against": against,
            "images": self.annotations.images.len(),
            "threshold": self.threshold,
            "mean": self.report.mean.map(figures),
            "categories": categories,
            "labels_left_out": self.left_out(),
            "milliseconds_median": self.median.as_secs_f64() * 1e3,
        })
    }

    fn as_text(&self) -> String {
        let (images, milliseconds) = (self.annotations.images.len(), self.median.as_secs_f64() * 1e3);
        let mut text = format!("{} on {images} pictures, {milliseconds:.1} ms each (median)\n\n", self.model);
        text += &format!("{:<16} {:>7}  {:>11}  {:>6}  {:>6}\n", "category", "objects", "mAP.5:.95", "mAP.5", "recall");
        let row = |name: &str, objects: usize, figures: Option<Figures>| match figures {
            Some(Figures { average_precision: all, average_precision_50: half, recall, .. }) => {
                format!("{name:<16} {objects:>7}  {all:>11.3}  {half:>6.3}  {recall:>6.3}\n")
            }
            None => format!("{name:<16} {objects:>7}  {:>11}  {:>6}  {:>6}\n", "-", "-", "-"),
        };
        for report in &self.report.categories {
            text += &row(self.name(report), report.objects, report.figures);
        }
        let objects = self.report.categories.iter().map(|report| report.objects).sum();
        text += &row("mean", objects, self.report.mean);
        if let Some((model, Difference { measured, low, high, better })) = self.difference {
            text += &format!(
                "\nmean mAP.5:.95 against {model}: {measured:+.3}; in nine of ten draws of as many pictures between {low:+.3} and \
                 {high:+.3}, better in {:.0} %\n",
                better * 100.0
            );
        }
        let left_out = self.left_out();
        if !left_out.is_empty() {
            text += &format!("\nlabels that the annotations do not know: {}\n", left_out.join(", "));
        }
        text
    }
}

fn figures(figures: Figures) -> Value {
    json!({
        "average_precision": figures.average_precision,
        "average_precision_50": figures.average_precision_50,
        "average_precision_75": figures.average_precision_75,
        "recall": figures.recall,
        "recall_50": figures.recall_50,
    })
}
