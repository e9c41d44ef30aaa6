//! `clawdbot detect`: what is in these pictures.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use clawdbot_flow::detection::Detection;
use clawdbot_nn::workers::Workers;
use clawdbot_vision::annotate::annotate;
use clawdbot_vision::heads::Keypoint;
use image::RgbImage;
use serde_json::{Value, json};

use super::looker::{Looker, parse_score, parse_threads, read_picture};
use super::{Failure, print, report};
use crate::app::compute::{threads_available, with_workers};
use crate::sources::picture::Picture;

/// What may be said to `detect`.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// JPEG, PNG or BMP files.
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<PathBuf>,
    /// The detector: a bundle that `clawdbot convert` made [default: the bundled one]
    #[arg(long, value_name = "BUNDLE")]
    model: Option<PathBuf>,
    /// Also write each picture with its boxes into this folder, as NAME.detected.png.
    #[arg(long, value_name = "DIR")]
    annotate: Option<PathBuf>,
    /// The lowest score that counts, 0 to 1.
    #[arg(long, value_name = "SCORE", default_value = "0.35", value_parser = parse_score)]
    threshold: f32,
    /// Print one JSON object a picture and line.
    #[arg(long)]
    json: bool,
    /// Threads that compute [default: one a core]
    #[arg(long, value_name = "N", value_parser = parse_threads)]
    threads: Option<usize>,
    /// Look at each picture so often, and tell the median time.
    #[arg(long, hide = true, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    repeat: u32,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    with_workers(arguments.threads.unwrap_or_else(threads_available), |workers| detect_all(arguments, workers))
}

fn detect_all(arguments: &Arguments, workers: Arc<Workers>) -> Result<(), Failure> {
    let mut looker = Looker::new(arguments.model.as_deref(), workers)?;
    let mut album = arguments.annotate.as_deref().map(Album::new).transpose()?;
    let mut failed = 0_usize;
    for path in &arguments.images {
        let outcome = detect_one(arguments, &mut looker, album.as_mut(), path);
        // One bad picture must not keep the others from being looked at.
        if let Err(Failure::Failed(message)) = outcome {
            failed += 1;
            report(&message);
            if arguments.json {
                print(&json!({ "image": path.to_string_lossy(), "error": message }).to_string())?;
            }
        } else {
            outcome?;
        }
    }
    match failed {
        0 => Ok(()),
        failed => Err(Failure::Failed(format!("{failed} of {} pictures failed, see above", arguments.images.len()))),
    }
}

fn detect_one(
    arguments: &Arguments,
    looker: &mut Looker,
    album: Option<&mut Album>,
    path: &Path,
) -> Result<(), Failure> {
    let mut picture = read_picture(path)?;
    let mut times = Vec::new();
    for _ in 1..arguments.repeat {
        times.push(looker.look(&picture, arguments.threshold)?.1);
    }
    let (detections, time) = looker.look(&picture, arguments.threshold)?;
    let detections = detections.to_vec();
    times.push(time);
    times.sort_unstable();
    let seen = Seen {
        path,
        size: [picture.width, picture.height],
        detections: &detections,
        labels: looker.labels(),
        keypoints: looker.keypoints(),
        keypoint_names: looker.keypoint_names(),
        median: times[times.len() / 2],
    };
    if arguments.json {
        print(&seen.as_json().to_string())?;
    } else {
        print(seen.as_text().trim_end())?;
    }
    match album {
        Some(album) => album.add(path, &mut picture, &detections, looker.labels()),
        None => Ok(()),
    }
}

/// What was seen in one picture.
struct Seen<'a> {
    path: &'a Path,
    /// Width and height.
    size: [u32; 2],
    detections: &'a [Detection],
    labels: &'a [String],
    /// As many a detection as there are names.
    keypoints: &'a [Keypoint],
    keypoint_names: &'a [String],
    median: Duration,
}

impl Seen<'_> {
    /// A box in pixels: left, top, width, height.
    fn in_pixels(&self, detection: &Detection) -> [f64; 4] {
        let [width, height] = self.size.map(f64::from);
        let [left, top] = [detection.bounding_box.left, detection.bounding_box.top].map(f64::from);
        let [right, bottom] = [detection.bounding_box.right, detection.bounding_box.bottom].map(f64::from);
        [left * width, top * height, (right - left) * width, (bottom - top) * height]
    }

    fn label(&self, detection: &Detection) -> &str {
        self.labels.get(usize::from(detection.label)).map_or("unknown", String::as_str)
    }

    /// Name, place in pixels and score of each keypoint of a detection.
    fn keypoints(&self, detection: usize) -> impl Iterator<Item = (&str, [f64; 2], f64)> {
        let count = self.keypoint_names.len();
        let points = self.keypoints.get(detection * count..).unwrap_or_default();
        let [width, height] = self.size.map(f64::from);
        self.keypoint_names.iter().zip(points).map(move |(name, point)| {
            (name.as_str(), [f64::from(point.x) * width, f64::from(point.y) * height], f64::from(point.score))
        })
    }

    fn as_json(&self) -> Value {
        // Hundredths of a pixel and ten-thousandths of a score are finer than any network.
        let rounded = |value: f64, parts: f64| (value * parts).round() / parts;
        let point = |(name, place, score): (&str, [f64; 2], f64)| json!({ "name": name, "point": place.map(|side| rounded(side, 100.0)), "score": rounded(score, 1e4) });
        let detections = self.detections.iter().enumerate().map(|(index, detection)| {
            let mut object = json!({
                "label": self.label(detection),
                "score": rounded(f64::from(detection.score), 1e4),
                "box": self.in_pixels(detection).map(|side| rounded(side, 100.0)),
            });
            if !self.keypoint_names.is_empty() {
                object["keypoints"] = self.keypoints(index).map(point).collect();
            }
            object
        });
        json!({
            "image": self.path.to_string_lossy(),
            "width": self.size[0],
            "height": self.size[1],
            "detections": detections.collect::<Vec<_>>(),
            "milliseconds": rounded(self.median.as_secs_f64() * 1e3, 1000.0),
        })
    }

    fn as_text(&self) -> String {
        let [width, height] = self.size;
        let milliseconds = self.median.as_secs_f64() * 1e3;
        let mut text = format!("{} ({width} x {height}, {milliseconds:.1} ms)\n", self.path.display());
        if self.detections.is_empty() {
            text += "  nothing\n";
        }
        let longest = self.detections.iter().map(|detection| self.label(detection).chars().count()).max();
        let longest = longest.unwrap_or_default();
        for (index, detection) in self.detections.iter().enumerate() {
            let [left, top, width, height] = self.in_pixels(detection);
            let (label, percent) = (self.label(detection), 100.0 * detection.score);
            text +=
                &format!("  {label:<longest$}  {percent:>3.0}%  {width:.0} x {height:.0} at ({left:.0}, {top:.0})\n");
            for (name, [x, y], score) in self.keypoints(index) {
                text += &format!("    {name:<14}  {:>3.0}%  ({x:.0}, {y:.0})\n", 100.0 * score);
            }
        }
        text
    }
}

/// The folder of annotated pictures.
struct Album {
    folder: PathBuf,
    taken: BTreeSet<PathBuf>,
}

impl Album {
    fn new(folder: &Path) -> Result<Self, Failure> {
        std::fs::create_dir_all(folder).map_err(|error| {
            let folder = folder.display();
            Failure::Failed(format!("the folder `{folder}` cannot be made ({error}); give one that you may write to"))
        })?;
        Ok(Self { folder: folder.to_owned(), taken: BTreeSet::new() })
    }

    fn add(
        &mut self,
        path: &Path,
        picture: &mut Picture,
        detections: &[Detection],
        labels: &[String],
    ) -> Result<(), Failure> {
        let (width, height) = (picture.width, picture.height);
        annotate(width as usize, height as usize, &mut picture.rgb, detections, labels)
            .map_err(|error| Failure::from_error(&error))?;
        let target = self.target(path);
        let image = RgbImage::from_raw(width, height, std::mem::take(&mut picture.rgb));
        let written = image.map(|image| image.save(&target));
        match written {
            Some(Ok(())) => Ok(()),
            Some(Err(error)) => {
                let target = target.display();
                Err(Failure::Failed(format!(
                    "`{target}` cannot be written ({error}); is there room, and may you write there?"
                )))
            }
            None => {
                Err(Failure::Failed(format!("picture `{}` changed its size while it was drawn on", path.display())))
            }
        }
    }

    /// Where the annotated picture of `path` goes: pictures of one name from several folders get a number.
    fn target(&mut self, path: &Path) -> PathBuf {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let mut target = self.folder.join(format!("{stem}.detected.png"));
        for number in 2_u32.. {
            if self.taken.insert(target.clone()) {
                break;
            }
            target = self.folder.join(format!("{stem}-{number}.detected.png"));
        }
        target
    }
}
