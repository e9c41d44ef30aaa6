//! `clawdbot bench`: how fast this machine is at our work.

mod preprocess;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use clawdbot_flow::clock::SystemClock;
use serde_json::json;

use super::{Failure, print};
use crate::app::compute::{threads_available, with_workers};
use crate::bench::vision;
use crate::pipeline::network::{Network, open_bundle};

/// Measures.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// One inference of a detector: network and head, without decoding and preprocessing.
    Vision(VisionArguments),
    /// From a camera's frame to the network's input: decoding, colours, resizing, quantising.
    Preprocess(preprocess::Arguments),
}

#[derive(Args, Debug)]
struct VisionArguments {
    /// The bundle; the bundled detector if not given.
    #[arg(long, value_name = "BUNDLE")]
    model: Option<PathBuf>,
    /// Threads; one if not given.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Inferences to time, after one to warm up.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    runs: u32,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.what {
        What::Vision(arguments) => run_vision(arguments),
        What::Preprocess(arguments) => preprocess::run(arguments),
    }
}

fn run_vision(arguments: &VisionArguments) -> Result<(), Failure> {
    if arguments.threads == 0 || arguments.threads > threads_available() {
        let most = threads_available();
        return Err(Failure::Usage(format!("--threads {}: this machine offers 1 to {most}", arguments.threads)));
    }
    let isa = super::isa()?;
    let bundle = open_bundle(arguments.model.as_deref()).map_err(|error| Failure::from_error(&error))?;
    let times = with_workers(arguments.threads, |workers| {
        let mut network = Network::new(&bundle, isa, workers).map_err(|error| Failure::from_error(&error))?;
        let runs = usize::try_from(arguments.runs).unwrap_or(usize::MAX);
        Ok::<_, Failure>(vision::measure(&mut network, runs, &SystemClock::new()))
    })?;
    let name = &bundle.origin().name;
    let ms = |duration: std::time::Duration| duration.as_secs_f64() * 1e3;
    let (least, median, longest) = (ms(times.least()), ms(times.median()), ms(times.longest()));
    if arguments.json {
        let answer = json!({
            "model": name, "isa": isa.name(), "threads": arguments.threads, "runs": arguments.runs,
            "min_ms": least, "median_ms": median, "max_ms": longest,
        });
        print(&answer.to_string())
    } else {
        print(&format!("{name} on {} with {} thread(s), {} runs", isa.name(), arguments.threads, arguments.runs))?;
        print(&format!("least {least:.2} ms, median {median:.2} ms, longest {longest:.2} ms an inference"))
    }
}
