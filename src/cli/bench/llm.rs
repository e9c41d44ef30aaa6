//! `clawdbot bench llm`: how fast a language model is.

mod beside;

use std::io::BufRead;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use clawdbot_flow::clock::{Clock, SystemClock};
use clawdbot_llm::forward::Forward;
use clawdbot_llm::kv_cache::KvCache;
use serde_json::json;

use crate::app::compute::{threads_available, with_workers};
use crate::bench::language::{self, Run};
use crate::cli::generate::KvFormat;
use crate::cli::looker::parse_threads;
use crate::cli::{Failure, isa, print};
use crate::pipeline::answering::{PASS_ALONE, PASS_WITH_CAMERAS};
use crate::pipeline::language::{Options, forward_for_all, open_model};

/// What may be said to `bench llm`.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// The language model: a bundle that `clawdbot convert` made.
    #[arg(long, value_name = "BUNDLE")]
    model: PathBuf,
    /// Tokens of the prompt.
    #[arg(long, value_name = "N", default_value_t = 512)]
    prompt_tokens: usize,
    /// Tokens of the answer.
    #[arg(long, value_name = "N", default_value_t = 128)]
    answer_tokens: usize,
    /// Tokens of a pass over the prompt [default: 64, and 32 beside frames, as in the daemon]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pass: Option<u16>,
    /// Runs to time, after one to warm up.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    runs: u16,
    /// Leave out the run to warm up.
    #[arg(long)]
    cold: bool,
    /// How keys and values are kept.
    #[arg(long, value_name = "FORMAT", default_value = "int8")]
    kv: KvFormat,
    /// Threads that compute [default: one a core]
    #[arg(long, value_name = "N", value_parser = parse_threads)]
    threads: Option<usize>,
    /// Measure how long frames, so many a second, wait for the model, which computes as in the daemon: in items between which a
    /// frame that is due goes first. Few runs meet few frames: give --runs so many that hundreds come.
    #[arg(long, value_name = "RATE", value_parser = parse_rate)]
    beside_frames: Option<f64>,
    /// With --beside-frames: a frame takes so long and computes nothing, instead of a look of the bundled detector at a frame of
    /// the bundled clip.
    #[arg(long, value_name = "MS", requires = "beside_frames", value_parser = parse_frame_ms)]
    frame_ms: Option<f64>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    /// Instead, take turns with others: read "PROMPT ANSWER", two numbers of tokens, from each line of standard input and answer
    /// with the times of both in nanoseconds, a JSON list a line. Nothing warms up; together they fit into
    /// --prompt-tokens and --answer-tokens.
    #[arg(long, conflicts_with_all = ["runs", "cold", "json", "beside_frames"])]
    on_request: bool,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let clock = SystemClock::new();
    let begun = clock.monotonic();
    let model = open_model(&arguments.model).map_err(|error| Failure::from_error(&error))?;
    let opened = clock.monotonic().since(begun);
    let isa = isa()?;
    let threads = arguments.threads.unwrap_or_else(threads_available);
    let sizes = [arguments.prompt_tokens, arguments.answer_tokens];
    let pass = if arguments.beside_frames.is_some() { PASS_WITH_CAMERAS } else { PASS_ALONE };
    let options = Options {
        context: Some(sizes.iter().sum::<usize>().max(1)),
        slots: 1,
        pass: arguments.pass.map_or(pass, usize::from),
        format: arguments.kv.format(),
        lookup: false,
    };
    if let Some(rate) = arguments.beside_frames {
        return beside::run(arguments, (&model, isa, threads), options, rate);
    }
    let runs: Vec<Run> = with_workers(threads, |workers| {
        let (mut forward, mut cache) =
            forward_for_all(&model, Arc::clone(&workers), isa, options).map_err(|error| Failure::from_error(&error))?;
        if arguments.on_request {
            return answer_requests(&mut forward, &mut cache, &clock).map(|()| Vec::new());
        }
        let mut once =
            || language::run(&mut forward, &mut cache, sizes, &clock).map_err(|error| Failure::from_error(&error));
        if !arguments.cold {
            once()?;
        }
        (0..arguments.runs).map(|_| once()).collect::<Result<_, Failure>>()
    })?;
    if arguments.on_request {
        return Ok(());
    }
    let rates = |tokens: usize, time: fn(&Run) -> Duration| -> Vec<f64> {
        runs.iter().map(|run| tokens as f64 / time(run).as_secs_f64().max(1e-9)).collect()
    };
    let (read, written) = (rates(sizes[0], |run| run.prompt), rates(sizes[1], |run| run.answer));
    if arguments.json {
        return print(
            &json!({
                "model": model.bundle().origin().name,
                "isa": isa.name(),
                "threads": threads,
                "open_ms": 1e3 * opened.as_secs_f64(),
                "bytes_per_token": model.bundle().bytes_per_token(),
                "prompt_tokens": sizes[0],
                "answer_tokens": sizes[1],
                "prompt_tokens_per_second": read,
                "answer_tokens_per_second": written,
            })
            .to_string(),
        );
    }
    let best = |rates: &[f64]| rates.iter().copied().fold(0.0, f64::max);
    print(&format!(
        "{} on {isa}, {threads} threads: reads {} tokens at {:.1}/s, writes {} at {:.1}/s (best of {}); opened in {:.1} ms",
        model.bundle().origin().name,
        sizes[0],
        best(&read),
        sizes[1],
        best(&written),
        runs.len(),
        1e3 * opened.as_secs_f64()
    ))
}

/// Computes what each line asks for, until the end of standard input.
fn answer_requests(forward: &mut Forward, cache: &mut KvCache, clock: &dyn Clock) -> Result<(), Failure> {
    print(&json!({ "isa": isa()?.name() }).to_string())?;
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|error| Failure::Failed(format!("standard input cannot be read: {error}")))?;
        let sizes = sizes(&line).ok_or_else(|| {
            Failure::Usage(format!("`{line}` on standard input is not PROMPT ANSWER, two numbers of tokens"))
        })?;
        let run = language::run(forward, cache, sizes, clock).map_err(|error| Failure::from_error(&error))?;
        print(
            &json!([run.prompt, run.answer].map(|time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))).to_string(),
        )?;
    }
    Ok(())
}

/// "PROMPT ANSWER".
fn sizes(line: &str) -> Option<[usize; 2]> {
    let (prompt, answer) = line.trim().split_once(' ')?;
    Some([prompt.parse().ok()?, answer.parse().ok()?])
}

/// Frames a second.
fn parse_rate(text: &str) -> Result<f64, String> {
    parse_within(text, 0.01..=1000.0, "frames a second")
}

/// Milliseconds of a frame.
fn parse_frame_ms(text: &str) -> Result<f64, String> {
    parse_within(text, 0.0..=60_000.0, "milliseconds")
}

fn parse_within(text: &str, range: RangeInclusive<f64>, unit: &str) -> Result<f64, String> {
    let number = text.parse().map_err(|error| format!("{error}; give {unit}"))?;
    if range.contains(&number) {
        return Ok(number);
    }
    Err(format!("{} to {} {unit} can be asked for", range.start(), range.end()))
}

#[cfg(test)]
mod tests;
