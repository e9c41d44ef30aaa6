//! `clawdbot classify`: what these pictures show.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use clawdbot_nn::workers::Workers;
use clawdbot_vision::heads::classifier::Ranked;
use serde_json::{Value, json};

use super::looker::{Namer, parse_threads, read_picture};
use super::{Failure, print, report};
use crate::app::compute::{threads_available, with_workers};
use crate::sources::picture::Picture;

/// What may be said to `classify`.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// JPEG, PNG or BMP files.
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<PathBuf>,
    /// The classifier: a bundle that `clawdbot convert` made with --labels. None is bundled.
    #[arg(long, value_name = "BUNDLE")]
    model: PathBuf,
    /// Labels to tell a picture, best first.
    #[arg(long, value_name = "K", default_value = "5", value_parser = parse_top)]
    top: usize,
    /// Print one JSON object a picture and line.
    #[arg(long)]
    json: bool,
    /// Threads that compute [default: one a core]
    #[arg(long, value_name = "N", value_parser = parse_threads)]
    threads: Option<usize>,
}

/// Parses a number of labels.
fn parse_top(word: &str) -> Result<usize, String> {
    match word.parse() {
        Ok(top) if (1..=usize::from(u16::MAX)).contains(&top) => Ok(top),
        _ => Err(format!("it must be a whole number from 1 to {}", u16::MAX)),
    }
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    with_workers(arguments.threads.unwrap_or_else(threads_available), |workers| classify_all(arguments, workers))
}

fn classify_all(arguments: &Arguments, workers: Arc<Workers>) -> Result<(), Failure> {
    let mut namer = Namer::new(&arguments.model, workers)?;
    let mut failed = 0_usize;
    for path in &arguments.images {
        let outcome = classify_one(arguments, &mut namer, path);
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

fn classify_one(arguments: &Arguments, namer: &mut Namer, path: &Path) -> Result<(), Failure> {
    let picture = read_picture(path)?;
    let (ranking, time) = namer.name_picture(&picture, arguments.top)?;
    let ranking = ranking.to_vec();
    if arguments.json {
        print(&as_json(path, &picture, &ranking, namer.labels(), time).to_string())
    } else {
        print(as_text(path, &picture, &ranking, namer.labels(), time).trim_end())
    }
}

fn label(labels: &[String], ranked: Ranked) -> &str {
    labels.get(usize::from(ranked.label)).map_or("unknown", String::as_str)
}

fn as_json(path: &Path, picture: &Picture, ranking: &[Ranked], labels: &[String], time: Duration) -> Value {
    let rounded = |value: f64, parts: f64| (value * parts).round() / parts;
    let ranking: Vec<_> = ranking
        .iter()
        .map(|&ranked| json!({ "label": label(labels, ranked), "score": rounded(f64::from(ranked.score), 1e4) }))
        .collect();
    json!({
        "image": path.to_string_lossy(),
        "width": picture.width,
        "height": picture.height,
        "labels": ranking,
        "milliseconds": rounded(time.as_secs_f64() * 1e3, 1000.0),
    })
}

fn as_text(path: &Path, picture: &Picture, ranking: &[Ranked], labels: &[String], time: Duration) -> String {
    let Picture { width, height, .. } = picture;
    let milliseconds = time.as_secs_f64() * 1e3;
    let mut text = format!("{} ({width} x {height}, {milliseconds:.1} ms)\n", path.display());
    for &ranked in ranking {
        text += &format!("  {:>7.4}  {}\n", ranked.score, label(labels, ranked));
    }
    text
}
