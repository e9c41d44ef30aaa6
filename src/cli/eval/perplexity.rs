//! `clawdbot eval perplexity`: how surprised a language model is by a text.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use clawdbot_eval::perplexity::Perplexity;
use clawdbot_llm::forward::{Span, Wanted};
use clawdbot_llm::kv_cache::Sequence;
use clawdbot_llm::pace::Pace;
use indicatif::ProgressBar;
use serde_json::json;

use crate::app::compute::{threads_available, with_workers};
use crate::cli::generate::KvFormat;
use crate::cli::looker::parse_threads;
use crate::cli::{Failure, isa, print};
use crate::pipeline::language::{self, Options, Words};

/// Tokens of a pass.
const PASS: usize = 64;

/// What may be said to `eval perplexity`.
#[derive(Args, Debug)]
pub(in crate::cli) struct Arguments {
    /// The language model: a bundle that `clawdbot convert` made.
    #[arg(long, value_name = "BUNDLE")]
    model: PathBuf,
    /// The text, UTF-8.
    #[arg(long, value_name = "FILE")]
    text: PathBuf,
    /// Tokens that are predicted in each window; windows do not overlap.
    #[arg(long, value_name = "N", default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    window: u32,
    /// Only the text's first tokens [default: all]
    #[arg(long, value_name = "N")]
    tokens: Option<usize>,
    /// How keys and values are kept.
    #[arg(long, value_name = "FORMAT", default_value = "int8")]
    kv: KvFormat,
    /// Threads that compute [default: one a core]
    #[arg(long, value_name = "N", value_parser = parse_threads)]
    threads: Option<usize>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(in crate::cli) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let text = std::fs::read_to_string(&arguments.text).map_err(|error| {
        Failure::Failed(format!("{} can't be read as text: {error}; name a UTF-8 file", arguments.text.display()))
    })?;
    let model = language::open_model(&arguments.model).map_err(|error| Failure::from_error(&error))?;
    let words = Words::new(model.bundle()).map_err(|error| Failure::from_error(&error))?;
    let mut tokens = words.tokenizer.encode_foreign(&text).map_err(|error| Failure::from_error(&error))?;
    tokens.truncate(arguments.tokens.unwrap_or(usize::MAX));
    if tokens.len() < 2 {
        return Err(Failure::Failed(format!(
            "{} has {} tokens; two are the least of which one can be predicted",
            arguments.text.display(),
            tokens.len()
        )));
    }
    let window = arguments.window as usize;
    let isa = isa()?;
    let found = with_workers(arguments.threads.unwrap_or_else(threads_available), |workers| {
        let format = arguments.kv.format();
        let options = Options { context: Some(window), slots: 1, pass: PASS, format, lookup: false };
        let (mut forward, mut cache) = language::forward_for_all(&model, Arc::clone(&workers), isa, options)
            .map_err(|error| Failure::from_error(&error))?;
        let mut logits = vec![0.0; model.architecture().vocabulary];
        let mut perplexity = Perplexity::default();
        let progress = ProgressBar::new(tokens.len() as u64).with_message("tokens");
        // The last token of a window is predicted and begins the next one.
        for start in (0..tokens.len() - 1).step_by(window) {
            let end = (start + window).min(tokens.len() - 1);
            let mut sequence = Sequence::with_capacity(window);
            for from in (start..end).step_by(PASS) {
                let to = (from + PASS).min(end);
                let span = Span { sequence: &mut sequence, tokens: &tokens[from..to], logits: Wanted::All };
                forward.run(&mut cache, &mut [span], Pace::ALONE).map_err(|error| Failure::from_error(&error))?;
                for row in 0..to - from {
                    forward.copy_logits(row, &mut logits);
                    perplexity.add(&logits, tokens[from + row + 1]);
                }
                progress.set_position(to as u64);
            }
            cache.release(&mut sequence);
        }
        progress.finish_and_clear();
        Ok(perplexity)
    })?;
    if arguments.json {
        return print(
            &json!({ "perplexity": found.value(), "error": found.error(), "tokens": found.tokens, "window": window })
                .to_string(),
        );
    }
    print(&format!(
        "perplexity {:.3} +- {:.3} over {} tokens, windows of {window}",
        found.value(),
        found.error(),
        found.tokens
    ))
}
