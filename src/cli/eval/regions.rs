//! `clawdbot eval regions`: what looking at parts of a picture finds, against looking at all of it, run for run.

mod arm;
mod scenes;
mod tally;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use clawdbot_eval::coco::Annotations;
use clawdbot_eval::labels::LabelMap;
use clawdbot_nn::workers::Workers;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::detect::{read_text, within};
use crate::app::compute::{threads_available, with_workers};
use crate::cli::looker::parse_threads;
use crate::cli::{Failure, print};
use arm::{ARMS, Watch};
use scenes::{Film, Scenes};
use tally::{SIZES, Tally};

/// What may be said to `eval regions`.
#[derive(Args, Debug)]
pub(in crate::cli) struct Arguments {
    /// The detector: a bundle that `clawdbot convert` made [default: the bundled one]
    #[arg(long, value_name = "BUNDLE")]
    model: Option<PathBuf>,
    /// What is in the pictures that scenes are made of: COCO's JSON ("instances").
    #[arg(long, value_name = "FILE")]
    annotations: PathBuf,
    /// The folder that the annotations' file names start from.
    #[arg(long, value_name = "DIR")]
    images: PathBuf,
    /// A clip (JPEG files one behind the other) to look at too; what is in it, --judge says.
    #[arg(long, value_name = "FILE", requires = "judge")]
    clip: Vec<PathBuf>,
    /// A detector that looks at every part of every frame of the clips at 1:1, and at the whole; what it is sure of counts as
    /// being there. It should be better than the model: the same network in FP16, say.
    #[arg(long, value_name = "BUNDLE")]
    judge: Option<PathBuf>,
    /// Frames a scene at most; fewer are quicker and say less.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    frames: u32,
    /// Print a JSON object.
    #[arg(long)]
    json: bool,
    /// Threads that compute [default: one a core]
    #[arg(long, value_name = "N", value_parser = parse_threads)]
    threads: Option<usize>,
}

/// Runs the command.
pub(in crate::cli) fn run(arguments: &Arguments) -> Result<(), Failure> {
    with_workers(arguments.threads.unwrap_or_else(threads_available), |workers| eval(arguments, &workers))
}

fn eval(arguments: &Arguments, workers: &Arc<Workers>) -> Result<(), Failure> {
    let annotations = Annotations::parse(&read_text(&arguments.annotations)?)
        .map_err(|error| within(&arguments.annotations, &Failure::from_error(&error)))?;
    let mut watch = Watch::new(arguments.model.as_deref(), Arc::clone(workers))?;
    let map = LabelMap::by_name(watch.labels(), &annotations).map_err(|error| Failure::from_error(&error))?;
    let mut scenes = Scenes::read(&annotations, &map, &arguments.images)?;
    scenes.limit(arguments.frames as usize);
    let mut films: Vec<(String, Vec<Film>)> = scenes.kinds();
    if let Some(judge) = &arguments.judge {
        let mut judge = Watch::new(Some(judge), Arc::clone(workers))?;
        let map = LabelMap::by_name(judge.labels(), &annotations).map_err(|error| Failure::from_error(&error))?;
        for clip in &arguments.clip {
            let film = scenes::judged(clip, &mut judge, &map)?;
            films.push((file_name(clip), vec![film]));
        }
    }
    let mut rows = Vec::new();
    for (name, films) in &films {
        let frames: usize = films.iter().map(Film::frames).sum();
        let bar = progress(name, frames * ARMS.len());
        for arm in &ARMS {
            let mut tally = Tally::new(&annotations, &map, watch.input());
            for film in films {
                watch.watch(arm, film, &mut tally, &bar)?;
            }
            rows.push((name.clone(), arm.name, tally.figures()));
        }
        bar.finish_and_clear();
    }
    answer(arguments, watch.name(), &rows)
}

fn answer(arguments: &Arguments, model: &str, rows: &[(String, &str, tally::Figures)]) -> Result<(), Failure> {
    if arguments.json {
        let rows: Vec<_> = rows
            .iter()
            .map(|(scene, arm, figures)| json!({ "scene": scene, "arm": arm, "figures": figures.as_json() }))
            .collect();
        return print(&json!({ "model": model, "frames": arguments.frames, "rows": rows }).to_string());
    }
    print(&format!("{model}\n\n{:<16} {:<16} {:>5} {}", "scene", "arm", "runs", tally::Figures::header()))?;
    let mut before = "";
    for (scene, arm, figures) in rows {
        let shown = if before == scene { "" } else { scene };
        before = scene;
        print(&format!("{shown:<16} {arm:<16} {:>5.2} {}", figures.runs, figures.as_text()))?;
    }
    let sizes = SIZES.map(|size| format!("{}: {}", size.name, size.meaning)).join("; ");
    print(&format!("\nrecall by size ({sizes}) and precision at overlap 0.5 and score 0.3; AP50: mean over categories"))
}

fn progress(name: &str, steps: usize) -> ProgressBar {
    let bar = ProgressBar::new(steps as u64);
    if let Ok(style) = ProgressStyle::with_template("{msg} {bar:32} {pos}/{len} frames, {eta} left") {
        bar.set_style(style);
    }
    bar.set_message(name.to_owned());
    bar
}

fn file_name(path: &Path) -> String {
    path.file_stem().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}
