//! `clawdbot generate`: let a language model go on from a prompt, or answer it.

#[cfg(feature = "convert")]
mod repack;

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use clawdbot_flow::clock::{Clock as _, Monotonic, SystemClock};
use clawdbot_kernels::pages::Format;
use clawdbot_llm::constrain::SCHEMA_BYTES_MAX;
use clawdbot_llm::engine::{End, Engine, Request, Ticket, Told, Work};
use clawdbot_llm::model::Model;
use clawdbot_llm::pace::Pace;
use clawdbot_llm::sampler::{Sampling, SamplingOptions};
use clawdbot_llm::template::{Message, Role};
use serde_json::{Value, json};

use super::looker::parse_threads;
use super::{Failure, isa, print, report};
use crate::app::compute::{threads_available, with_workers};
use crate::pipeline::language::text::AnswerText;
use crate::pipeline::language::{self, LanguageError, Options, Words};

/// What may be said to `generate`.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// The language model: a bundle that `clawdbot convert` made, or a GGUF file, which is repacked in memory first.
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// The text to go on from, or with --chat the question.
    #[arg(long, value_name = "TEXT")]
    prompt: String,
    /// Ask in the model's own chat form.
    #[arg(long)]
    chat: bool,
    /// With --chat, what the model is told before the question.
    #[arg(long, value_name = "TEXT", requires = "chat")]
    system: Option<String>,
    /// Most tokens of the answer.
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..))]
    max_tokens: u32,
    /// How daring: 0 always takes the likeliest token.
    #[arg(long, value_name = "T", default_value_t = SamplingOptions::default().temperature)]
    temperature: f32,
    /// Only so many likeliest tokens; 0 for all.
    #[arg(long, value_name = "N", default_value_t = SamplingOptions::default().top_k)]
    top_k: u32,
    /// Only the fewest likeliest tokens with this share of the probability.
    #[arg(long, value_name = "SHARE", default_value_t = SamplingOptions::default().top_p)]
    top_p: f32,
    /// Only tokens with at least this share of the likeliest one's probability.
    #[arg(long, value_name = "SHARE", default_value_t = SamplingOptions::default().min_p)]
    min_p: f32,
    /// How much tokens that occurred are held back; 1 for not at all.
    #[arg(long, value_name = "FACTOR", default_value_t = SamplingOptions::default().repetition_penalty)]
    repetition_penalty: f32,
    /// Of the random numbers: the same seed gives the same answer, on any machine.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// End the answer before this text; may be given several times.
    #[arg(long, value_name = "TEXT")]
    stop: Vec<String>,
    /// A JSON Schema that the answer is held to: it is compact JSON then.
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// Positions that prompt and answer may have together [default: the model's, at most 4096]
    #[arg(long, value_name = "N")]
    context: Option<usize>,
    /// How keys and values are kept.
    #[arg(long, value_name = "FORMAT", default_value = "int8")]
    kv: KvFormat,
    /// Do not guess at next tokens; the answer is the same.
    #[arg(long)]
    no_lookup: bool,
    /// Threads that compute [default: one a core]
    #[arg(long, value_name = "N", value_parser = parse_threads)]
    threads: Option<usize>,
    /// Print one JSON object when the answer has ended.
    #[arg(long)]
    json: bool,
}

/// How keys and values are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum KvFormat {
    /// In bytes, with a scale for each head and position.
    Int8,
    /// In binary16: twice the memory.
    F16,
    /// As computed, four times the memory: to measure what the others cost.
    F32,
}

impl KvFormat {
    /// As kernels know it.
    pub(super) const fn format(self) -> Format {
        match self {
            Self::Int8 => Format::I8,
            Self::F16 => Format::F16,
            Self::F32 => Format::F32,
        }
    }
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let failed = |error: &dyn std::error::Error| Failure::from_error(error);
    let schema = arguments.schema.as_deref().map(read_schema).transpose()?;
    let threads = arguments.threads.unwrap_or_else(threads_available);
    let model = open(&arguments.model, threads)?;
    let words = Words::new(model.bundle()).map_err(|error| failed(&error))?;
    let request = request(arguments, &words)?;
    let text = AnswerText::new(&words.tokenizer, arguments.stop.clone());
    let text = text.map_err(|error| Failure::Usage(error.to_string()))?;
    let constraint = match &schema {
        None => None,
        Some(schema) => {
            let constrainer = words.constrainer().map_err(|error| failed(&error))?;
            Some(constrainer.constraint(schema).map_err(|error| failed(&error))?)
        }
    };
    let isa = isa()?;
    with_workers(threads, |workers| {
        let options = Options {
            context: arguments.context,
            format: arguments.kv.format(),
            lookup: !arguments.no_lookup,
            ..Options::default()
        };
        let mut engine =
            language::engine(&model, Arc::clone(&workers), isa, options).map_err(|error| failed(&error))?;
        let ticket = engine.admit(&request).map_err(|error| failed(&error))?;
        if let Some(constraint) = constraint {
            engine.constrain(ticket, constraint);
        }
        let mut answer = Answer::new(arguments, &words, text);
        answer.listen(&mut engine, ticket)?;
        answer.finish(&request)
    })
}

/// The model in a bundle, or in a GGUF file as it is.
#[cfg(feature = "convert")]
fn open(path: &std::path::Path, threads: usize) -> Result<Arc<Model>, Failure> {
    if repack::is_gguf(path) {
        return repack::open(path, threads);
    }
    language::open_model(path).map_err(|error| Failure::from_error(&error))
}

/// The model in a bundle; this build reads no other files.
#[cfg(not(feature = "convert"))]
fn open(path: &std::path::Path, _threads: usize) -> Result<Arc<Model>, Failure> {
    language::open_model(path).map_err(|error| Failure::from_error(&error))
}

/// The text of a schema's file.
fn read_schema(path: &std::path::Path) -> Result<String, Failure> {
    let refused = |reason: String| Failure::Usage(format!("--schema {}: {reason}", path.display()));
    let bytes = std::fs::metadata(path).map_err(|error| refused(format!("{error}; check the path")))?.len();
    if bytes > SCHEMA_BYTES_MAX as u64 {
        return Err(refused(format!("it has {bytes} bytes, but {SCHEMA_BYTES_MAX} are the most; shorten it")));
    }
    std::fs::read_to_string(path).map_err(|error| refused(format!("{error}; give a JSON file")))
}

/// The prompt's tokens, and what they are asked with.
fn request(arguments: &Arguments, words: &Words) -> Result<Request, Failure> {
    let prompt = if arguments.chat {
        let says = |role, content: &str| Message { role, content: content.to_owned(), reasoning: None };
        let system = arguments.system.as_deref().map(|text| says(Role::System, text));
        let messages: Vec<Message> = system.into_iter().chain([says(Role::User, &arguments.prompt)]).collect();
        words.conversation(&messages)
    } else {
        words.beginning(&arguments.prompt)
    };
    let prompt = prompt.map_err(|error| match error {
        LanguageError::NoTemplate => {
            Failure::Failed(format!("{}: {error}: leave out --chat", arguments.model.display()))
        }
        error => Failure::from_error(&error),
    })?;
    let options = SamplingOptions {
        temperature: arguments.temperature,
        top_k: arguments.top_k,
        top_p: arguments.top_p,
        min_p: arguments.min_p,
        repetition_penalty: arguments.repetition_penalty,
        seed: arguments.seed,
        ..SamplingOptions::default()
    };
    let sampling = Sampling::new(options).map_err(|error| Failure::Usage(error.to_string()))?;
    let answer_max = arguments.max_tokens as usize;
    Ok(Request { prompt, answer_max, sampling, stops: words.special.stops.clone(), priority: 0 })
}

/// An answer as it comes.
struct Answer<'a> {
    arguments: &'a Arguments,
    words: &'a Words,
    pieces: AnswerText,
    clock: SystemClock,
    text: String,
    work: Work,
    end: &'static str,
    begun: Monotonic,
    first: Option<Monotonic>,
    last: Monotonic,
}

impl<'a> Answer<'a> {
    fn new(arguments: &'a Arguments, words: &'a Words, pieces: AnswerText) -> Self {
        let clock = SystemClock::new();
        let begun = clock.monotonic();
        Self {
            arguments,
            words,
            pieces,
            clock,
            text: String::new(),
            work: Work::default(),
            end: "length",
            begun,
            first: None,
            last: begun,
        }
    }

    /// Steps until the answer has ended.
    fn listen(&mut self, engine: &mut Engine, ticket: Ticket) -> Result<(), Failure> {
        let mut told = Vec::new();
        let mut ended = false;
        while !ended && engine.step(Pace::ALONE, &mut told).map_err(|error| Failure::from_error(&error))? {
            self.work = engine.work(ticket).unwrap_or(self.work);
            for told in told.drain(..) {
                // What stands behind a stop string is not part of the answer.
                if ended {
                    break;
                }
                match told {
                    Told::Token { token, .. } => ended = self.take(token)?,
                    Told::Ended { reason, work, .. } => {
                        ended = true;
                        self.work = work;
                        self.end = match reason {
                            End::Stop => "stop",
                            End::Length => "length",
                            End::Failed(error) => return Err(Failure::from_error(&error)),
                        };
                    }
                }
            }
        }
        Ok(())
    }

    /// One more token; answers whether a stop string ended the answer.
    fn take(&mut self, token: u32) -> Result<bool, Failure> {
        self.last = self.clock.monotonic();
        self.first.get_or_insert(self.last);
        let mut released = String::new();
        let stopped = self.pieces.push(&self.words.tokenizer, token, &mut released);
        self.show(&released)?;
        if stopped {
            self.end = "stop string";
        }
        Ok(stopped)
    }

    fn show(&mut self, text: &str) -> Result<(), Failure> {
        self.text.push_str(text);
        if self.arguments.json || text.is_empty() {
            return Ok(());
        }
        let mut out = std::io::stdout().lock();
        let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        written.map_err(|error| Failure::Failed(format!("standard output can't be written ({error})")))
    }

    /// The text's end, and what it cost.
    fn finish(mut self, request: &Request) -> Result<(), Failure> {
        let mut rest = String::new();
        self.pieces.finish(&self.words.tokenizer, &mut rest);
        self.show(&rest)?;
        let first = self.first.unwrap_or(self.last);
        let rate = |tokens: usize, time: Duration| tokens as f64 / time.as_secs_f64().max(1e-9);
        let answered = self.work.answered;
        let prefill = rate(request.prompt.len(), first.since(self.begun));
        let decode = rate(answered.saturating_sub(1), self.last.since(first));
        let tokens_per_pass = answered as f64 / self.work.passes.max(1) as f64;
        if self.arguments.json {
            let first_ms = 1e3 * first.since(self.begun).as_secs_f64();
            let answer: Value = json!({
                "text": self.text,
                "end": self.end,
                "prompt_tokens": request.prompt.len(),
                "answer_tokens": answered,
                "passes": self.work.passes,
                "tokens_per_pass": tokens_per_pass,
                "guessed_tokens": self.work.guessed,
                "forced_tokens": self.work.forced,
                "first_token_ms": first_ms,
                "prompt_tokens_per_second": prefill,
                "answer_tokens_per_second": decode,
            });
            return print(&answer.to_string());
        }
        print("")?;
        report(&format!(
            "{} tokens read at {prefill:.1}/s, {answered} written at {decode:.1}/s in {} passes ({tokens_per_pass:.2} tokens a \
             pass; {} guessed right, {} without a choice); ended by {}",
            request.prompt.len(),
            self.work.passes,
            self.work.guessed,
            self.work.forced,
            self.end
        ));
        Ok(())
    }
}
