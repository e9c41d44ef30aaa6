//! `clawdbot eval perplexity`: how surprised a language model is by a text.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use clawdbot_eval::perplexity::{Divergence, Perplexity};
use clawdbot_kernels::isa::Isa;
use clawdbot_llm::forward::{Forward, Span, Wanted};
use clawdbot_llm::kv_cache::{KvCache, Sequence};
use clawdbot_llm::model::Model;
use clawdbot_llm::pace::Pace;
use clawdbot_nn::workers::Workers;
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
    /// The unrounded model of the same tokenizer: also how far the model is from this one, token by token.
    #[arg(long, value_name = "BUNDLE")]
    against: Option<PathBuf>,
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
    let (model, mut tokens) = open(&arguments.model, &text)?;
    let against = arguments.against.as_deref().map(|path| open(path, &text)).transpose()?;
    if let (Some((other, others)), Some(path)) = (&against, &arguments.against)
        && (*others != tokens || other.architecture().vocabulary != model.architecture().vocabulary)
    {
        return Err(Failure::Failed(format!(
            "{} and {} read the text as different tokens; compare a model with itself in another precision",
            arguments.model.display(),
            path.display()
        )));
    }
    tokens.truncate(arguments.tokens.unwrap_or(usize::MAX));
    if tokens.len() < 2 {
        return Err(Failure::Failed(format!(
            "{} has {} tokens; two are the least of which one can be predicted",
            arguments.text.display(),
            tokens.len()
        )));
    }
    let isa = isa()?;
    let (found, divergence) = with_workers(arguments.threads.unwrap_or_else(threads_available), |workers| {
        let mut side = Side::new(&model, &workers, isa, arguments)?;
        let mut reference =
            against.as_ref().map(|(model, _)| Side::new(model, &workers, isa, arguments)).transpose()?;
        measure(&mut side, reference.as_mut(), &tokens, arguments.window as usize)
    })?;
    print(&if arguments.json {
        as_json(&found, arguments, divergence.as_ref())
    } else {
        as_text(&found, arguments, divergence.as_ref())
    })
}

/// The model in `path`, and what its tokenizer makes of `text`.
fn open(path: &Path, text: &str) -> Result<(Arc<Model>, Vec<u32>), Failure> {
    let model = language::open_model(path).map_err(|error| Failure::from_error(&error))?;
    let words = Words::new(model.bundle()).map_err(|error| Failure::from_error(&error))?;
    let tokens = words.tokenizer.encode_foreign(text).map_err(|error| Failure::from_error(&error))?;
    Ok((model, tokens))
}

/// A model that reads.
struct Side {
    forward: Forward,
    cache: KvCache,
    sequence: Sequence,
    logits: Vec<f32>,
}

impl Side {
    fn new(model: &Arc<Model>, workers: &Arc<Workers>, isa: Isa, arguments: &Arguments) -> Result<Self, Failure> {
        let window = arguments.window as usize;
        let format = arguments.kv.format();
        let options = Options { context: Some(window), slots: 1, pass: PASS, format, lookup: false };
        let (forward, cache) = language::forward_for_all(model, Arc::clone(workers), isa, options)
            .map_err(|error| Failure::from_error(&error))?;
        let logits = vec![0.0; model.architecture().vocabulary];
        Ok(Self { forward, cache, sequence: Sequence::with_capacity(window), logits })
    }

    /// Reads on.
    fn read(&mut self, tokens: &[u32]) -> Result<(), Failure> {
        let span = Span { sequence: &mut self.sequence, tokens, logits: Wanted::All };
        self.forward.run(&mut self.cache, &mut [span], Pace::ALONE).map_err(|error| Failure::from_error(&error))
    }

    /// What it expects behind token `row` of those that it read last.
    fn logits(&mut self, row: usize) -> &[f32] {
        self.forward.copy_logits(row, &mut self.logits);
        &self.logits
    }

    /// Forgets what it read.
    fn forget(&mut self) {
        self.cache.release(&mut self.sequence);
    }
}

/// Both sides read the same windows; the last token of a window is predicted and begins the next one.
fn measure(
    side: &mut Side,
    mut reference: Option<&mut Side>,
    tokens: &[u32],
    window: usize,
) -> Result<(Perplexity, Option<Divergence>), Failure> {
    let (mut perplexity, mut divergence) = (Perplexity::default(), Divergence::default());
    let progress = ProgressBar::new(tokens.len() as u64).with_message("tokens");
    for start in (0..tokens.len() - 1).step_by(window) {
        let end = (start + window).min(tokens.len() - 1);
        for from in (start..end).step_by(PASS) {
            let to = (from + PASS).min(end);
            side.read(&tokens[from..to])?;
            if let Some(reference) = reference.as_deref_mut() {
                reference.read(&tokens[from..to])?;
            }
            for row in 0..to - from {
                let token = tokens[from + row + 1];
                let logits = side.logits(row);
                perplexity.add(logits, token);
                if let Some(reference) = reference.as_deref_mut() {
                    divergence.add(reference.logits(row), logits, token);
                }
            }
            progress.set_position(to as u64);
        }
        side.forget();
        if let Some(reference) = reference.as_deref_mut() {
            reference.forget();
        }
    }
    progress.finish_and_clear();
    Ok((perplexity, reference.is_some().then_some(divergence)))
}

fn as_json(found: &Perplexity, arguments: &Arguments, divergence: Option<&Divergence>) -> String {
    let mut value = json!({
        "perplexity": found.value(),
        "error": found.error(),
        "tokens": found.tokens,
        "window": arguments.window,
    });
    if let Some(divergence) = divergence {
        value["against"] = json!({
            "change": divergence.change(),
            "change_error": divergence.change_error(),
            "divergence": divergence.mean(),
        });
    }
    value.to_string()
}

fn as_text(found: &Perplexity, arguments: &Arguments, divergence: Option<&Divergence>) -> String {
    let mut text = format!(
        "perplexity {:.3} +- {:.3} over {} tokens, windows of {}",
        found.value(),
        found.error(),
        found.tokens,
        arguments.window
    );
    if let (Some(divergence), Some(path)) = (divergence, &arguments.against) {
        text += &format!(
            "\nagainst {}: {:+.2} % +- {:.2}, Kullback-Leibler divergence {:.5} nats a token",
            path.display(),
            100.0 * divergence.change(),
            100.0 * divergence.change_error(),
            divergence.mean()
        );
    }
    text
}
