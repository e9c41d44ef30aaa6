//! `clawdbot eval classify`: top-1 and top-5 on a folder of labelled pictures.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use clawdbot_eval::top_k::{Labelled, TopK, WIDE, parse_truth, resolve};
use clawdbot_nn::workers::Workers;
use serde_json::json;

use crate::app::compute::{threads_available, with_workers};
use crate::cli::looker::{Namer, parse_threads, read_picture};
use crate::cli::{Failure, print};

/// What may be said to `eval classify`.
#[derive(Args, Debug)]
pub(in crate::cli) struct Arguments {
    /// The classifier: a bundle that `clawdbot convert` made with --labels.
    #[arg(long, value_name = "BUNDLE")]
    model: PathBuf,
    /// The folder of pictures; without --labels it has a folder for each label, called like it.
    #[arg(long, value_name = "DIR")]
    images: PathBuf,
    /// What the pictures show: lines of a file name, a tab and a label.
    #[arg(long = "labels", visible_alias = "truth", value_name = "FILE")]
    truth: Option<PathBuf>,
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
    let mut namer = Namer::new(&arguments.model, workers)?;
    let truth = match &arguments.truth {
        Some(file) => {
            let text = std::fs::read_to_string(file).map_err(|error| unreadable(file, &error))?;
            parse_truth(&text, namer.labels())
        }
        None => resolve(by_folder(&arguments.images)?, namer.labels()),
    };
    let truth = truth.map_err(|error| Failure::from_error(&error))?;
    let mut figures = TopK::default();
    for Labelled { picture, label } in &truth {
        let picture = read_picture(&arguments.images.join(picture))?;
        let (ranking, _) = namer.name_picture(&picture, WIDE)?;
        figures.add(*label, ranking.iter().map(|ranked| ranked.label));
    }
    let [first, wide] = [figures.first, figures.wide].map(|count| figures.share(count));
    if arguments.json {
        let answer = json!({ "model": namer.name(), "counts": figures, "top_1": first, "top_5": wide });
        return print(&answer.to_string());
    }
    let TopK { pictures, .. } = figures;
    print(&format!("{} on {pictures} pictures\ntop-1  {first:.4}\ntop-5  {wide:.4}", namer.name()))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Failed(format!("`{}` cannot be read ({error}); check the path", path.display()))
}

/// Each picture in a folder in `images`, with that folder's name; in order of names.
fn by_folder(images: &Path) -> Result<Vec<(String, String)>, Failure> {
    let mut pairs = Vec::new();
    for folder in std::fs::read_dir(images).map_err(|error| unreadable(images, &error))? {
        let folder = folder.map_err(|error| unreadable(images, &error))?;
        if !folder.path().is_dir() {
            continue;
        }
        let label = folder.file_name().to_string_lossy().into_owned();
        for picture in std::fs::read_dir(folder.path()).map_err(|error| unreadable(&folder.path(), &error))? {
            let picture = picture.map_err(|error| unreadable(&folder.path(), &error))?;
            if picture.path().is_file() {
                pairs.push((format!("{label}/{}", picture.file_name().to_string_lossy()), label.clone()));
            }
        }
    }
    pairs.sort();
    Ok(pairs)
}
