//! `clawdbot generate`: let a language model go on from a prompt, or answer it.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use clawdbot_flow::clock::{Clock as _, Monotonic, SystemClock};
use clawdbot_kernels::pages::Format;
use clawdbot_llm::engine::{End, Engine, Request, Ticket, Told, Work};
use clawdbot_llm::pace::Pace;
use clawdbot_llm::sampler::{Sampling, SamplingOptions};
use clawdbot_llm::stop::{Outcome, StopScanner};
use clawdbot_llm::template::{Conversation, Message, Role};
use clawdbot_llm::tokenizer::TextDecoder;
use clawdbot_nn::bundle::language::LanguageBundle;
use serde_json::{Value, json};

use super::looker::parse_threads;
use super::{Failure, isa, print, report};
use crate::app::compute::{threads_available, with_workers};
use crate::pipeline::language::{self, Options, Words};

/// What may be said to `generate`.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// The language model: a bundle that `clawdbot convert` made.
    #[arg(long, value_name = "BUNDLE")]
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
    let model = language::open_model(&arguments.model).map_err(|error| failed(&error))?;
    let words = Words::new(model.bundle()).map_err(|error| failed(&error))?;
    let request = request(arguments, model.bundle(), &words)?;
    let stops = StopScanner::new(arguments.stop.clone()).map_err(|error| Failure::Usage(error.to_string()))?;
    let isa = isa()?;
    with_workers(arguments.threads.unwrap_or_else(threads_available), |workers| {
        let options = Options {
            context: arguments.context,
            format: arguments.kv.format(),
            lookup: !arguments.no_lookup,
            ..Options::default()
        };
        let mut engine =
            language::engine(&model, Arc::clone(&workers), isa, options).map_err(|error| failed(&error))?;
        let ticket = engine.admit(&request).map_err(|error| failed(&error))?;
        let mut answer = Answer::new(arguments, &words, stops);
        answer.listen(&mut engine, ticket)?;
        answer.finish(&request)
    })
}

/// The prompt's tokens, and what they are asked with.
fn request(arguments: &Arguments, bundle: &LanguageBundle, words: &Words) -> Result<Request, Failure> {
    let failed = |error: &dyn std::error::Error| Failure::from_error(error);
    let special = &bundle.language().tokens;
    let prompt = if arguments.chat {
        let Some(template) = &words.template else {
            return Err(Failure::Failed(format!(
                "{} has no chat template, so it is not made to answer; leave out --chat and let it go on from the prompt",
                arguments.model.display()
            )));
        };
        let says = |role, content: &str| Message { role, content: content.to_owned(), reasoning: None };
        let system = arguments.system.as_deref().map(|text| says(Role::System, text));
        let messages: Vec<Message> = system.into_iter().chain([says(Role::User, &arguments.prompt)]).collect();
        let conversation =
            Conversation { messages: &messages, add_generation_prompt: true, date: None, thinking: None };
        let rendered = template.render(words.tokenizer.marking(), &conversation).map_err(|error| failed(&error))?;
        words.tokenizer.encode(&rendered.text).map_err(|error| failed(&error))?
    } else {
        let text = words.tokenizer.encode_foreign(&arguments.prompt).map_err(|error| failed(&error))?;
        special.begin.filter(|_| special.add_begin).into_iter().chain(text).collect()
    };
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
    Ok(Request { prompt, answer_max, sampling, stops: special.stops.clone(), priority: 0 })
}

/// An answer as it comes.
struct Answer<'a> {
    arguments: &'a Arguments,
    words: &'a Words,
    decoder: TextDecoder,
    stops: StopScanner,
    clock: SystemClock,
    text: String,
    work: Work,
    end: &'static str,
    begun: Monotonic,
    first: Option<Monotonic>,
    last: Monotonic,
}

impl<'a> Answer<'a> {
    fn new(arguments: &'a Arguments, words: &'a Words, stops: StopScanner) -> Self {
        let clock = SystemClock::new();
        let begun = clock.monotonic();
        let decoder = TextDecoder::new(&words.tokenizer, false);
        Self {
            arguments,
            words,
            decoder,
            stops,
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
            for told in told.drain(..) {
                match told {
                    Told::Token { token, .. } => ended |= self.take(token)?,
                    Told::Ended { reason, .. } => {
                        ended = true;
                        self.end = match reason {
                            End::Stop => "stop",
                            End::Length => "length",
                            End::Failed(error) => return Err(Failure::from_error(&error)),
                        };
                    }
                }
            }
            self.work = engine.work(ticket).unwrap_or(self.work);
        }
        Ok(())
    }

    /// One more token; answers whether a stop string ended the answer.
    fn take(&mut self, token: u32) -> Result<bool, Failure> {
        self.last = self.clock.monotonic();
        self.first.get_or_insert(self.last);
        self.work.answered += 1;
        let mut piece = String::new();
        self.decoder.push(&self.words.tokenizer, token, &mut piece);
        let mut released = String::new();
        let outcome = self.stops.push(&piece, &mut released);
        self.show(&released)?;
        let stopped = matches!(outcome, Outcome::Stopped(_));
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
        if self.end != "stop string" {
            let mut piece = String::new();
            self.decoder.finish(&self.words.tokenizer, &mut piece);
            self.stops.push(&piece, &mut rest);
            self.stops.finish(&mut rest);
        }
        self.show(&rest)?;
        let first = self.first.unwrap_or(self.last);
        let rate = |tokens: usize, time: Duration| tokens as f64 / time.as_secs_f64().max(1e-9);
        let answered = self.work.answered;
        let prefill = rate(request.prompt.len(), first.since(self.begun));
        let decode = rate(answered.saturating_sub(1), self.last.since(first));
        if self.arguments.json {
            let first_ms = 1e3 * first.since(self.begun).as_secs_f64();
            let answer: Value = json!({
                "text": self.text,
                "end": self.end,
                "prompt_tokens": request.prompt.len(),
                "answer_tokens": answered,
                "passes": self.work.passes,
                "guessed_tokens": self.work.guessed,
                "first_token_ms": first_ms,
                "prompt_tokens_per_second": prefill,
                "answer_tokens_per_second": decode,
            });
            return print(&answer.to_string());
        }
        print("")?;
        report(&format!(
            "{} tokens read at {prefill:.1}/s, {answered} written at {decode:.1}/s in {} passes; ended by {}",
            request.prompt.len(),
            self.work.passes,
            self.end
        ));
        Ok(())
    }
}
