//! The language model while it is in memory.

use std::sync::Arc;

use clawdbot_flow::question::{Choice, Matter, Question, Speaker};
use clawdbot_flow::rooted::Root;
use clawdbot_kernels::isa::Isa;
use clawdbot_llm::constrain::{Constrainer, Constraint};
use clawdbot_llm::engine::{Engine, Request};
use clawdbot_llm::sampler::{Sampling, SamplingError, SamplingOptions};
use clawdbot_llm::stop::StopError;
use clawdbot_llm::template::{Message, Role};
use clawdbot_nn::workers::Workers;

use super::Options;
use super::room::{self, NoRoom};
use crate::pipeline::language::text::AnswerText;
use crate::pipeline::language::{self, LanguageError, Words};

/// Why there is no language model now.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoadError {
    /// Its file is no good.
    #[error(transparent)]
    Language(#[from] LanguageError),
    /// It has no room.
    #[error(transparent)]
    NoRoom(#[from] NoRoom),
}

/// Why a question cannot be answered as it is.
#[derive(Debug, thiserror::Error)]
pub(super) enum QuestionError {
    /// Its text, its schema, or the model's way with them.
    #[error(transparent)]
    Language(#[from] LanguageError),
    /// How tokens are to be chosen.
    #[error(transparent)]
    Sampling(#[from] SamplingError),
    /// Its stop texts.
    #[error(transparent)]
    Stop(#[from] StopError),
    /// The prompt leaves no room for an answer.
    #[error(
        "the prompt has {prompt} tokens, but prompt and answer together may have {context}; shorten it, or raise llm.context"
    )]
    Context {
        /// Tokens of the prompt.
        prompt: usize,
        /// Positions of a sequence.
        context: usize,
    },
}

/// See the module.
pub(super) struct Loaded {
    pub(super) engine: Engine,
    pub(super) words: Words,
    /// Made when the first schema comes: it takes a second and some megabytes.
    constrainer: Option<Constrainer>,
    /// Bytes of keys, values and buffers.
    pub(super) cache_bytes: u64,
}

/// A question as the engine wants it.
pub(super) struct Prepared {
    pub(super) request: Request,
    pub(super) constraint: Option<Constraint>,
    pub(super) text: AnswerText,
}

impl Loaded {
    /// Maps the model and takes its memory, if there is room.
    pub(super) fn new(options: &Options, workers: &Arc<Workers>, isa: Isa, root: &Root) -> Result<Self, LoadError> {
        let model = language::open_model(&options.model)?;
        let words = Words::new(model.bundle())?;
        let wanted = options.language();
        let cache_bytes = language::memory_bytes(&model, wanted)?;
        room::check(root, model.bundle().file_bytes() as u64, cache_bytes)?;
        let engine = language::engine(&model, Arc::clone(workers), isa, wanted)?;
        Ok(Self { engine, words, constrainer: None, cache_bytes })
    }

    /// Positions of a sequence.
    pub(super) fn context(&self) -> usize {
        self.engine.forward().limits().context
    }

    /// What `question` comes down to; `seed` draws where it names none.
    pub(super) fn prepare(
        &mut self,
        options: &Options,
        question: &Question,
        seed: u64,
    ) -> Result<Prepared, QuestionError> {
        let prompt = self.prompt(options, &question.matter)?;
        let context = self.context();
        if prompt.len() >= context {
            return Err(QuestionError::Context { prompt: prompt.len(), context });
        }
        let left = context - prompt.len();
        // A number that was asked for is kept or refused by the engine, never cut; the default takes what there is.
        let answer_max = question.answer_max.unwrap_or_else(|| options.answer_max.min(left));
        if answer_max > left {
            let prompt = prompt.len();
            return Err(LanguageError::from(clawdbot_llm::engine::Refused::Context {
                prompt,
                answer: answer_max,
                context,
            })
            .into());
        }
        let sampling = Sampling::new(sampling(question.choice, options.temperature, seed))?;
        let text = AnswerText::new(&self.words.tokenizer, question.stops.clone())?;
        let constraint = question.schema.as_deref().map(|schema| self.constraint(schema)).transpose()?;
        let stops = self.words.special.stops.clone();
        Ok(Prepared {
            request: Request { prompt, answer_max, sampling, stops, priority: question.priority },
            constraint,
            text,
        })
    }

    fn prompt(&self, options: &Options, matter: &Matter) -> Result<Vec<u32>, LanguageError> {
        let turns = match matter {
            Matter::Beginning(text) => return self.words.beginning(text),
            Matter::Conversation(turns) => turns,
        };
        let says = |role, content: &str| Message { role, content: content.to_owned(), reasoning: None };
        let scene = options.system.as_deref().filter(|_| turns.iter().all(|turn| turn.speaker != Speaker::System));
        let turns = turns.iter().map(|turn| {
            let role = match turn.speaker {
                Speaker::System => Role::System,
                Speaker::User => Role::User,
                Speaker::Assistant => Role::Assistant,
            };
            says(role, &turn.content)
        });
        let messages: Vec<Message> = scene.map(|text| says(Role::System, text)).into_iter().chain(turns).collect();
        self.words.conversation(&messages)
    }

    fn constraint(&mut self, schema: &str) -> Result<Constraint, LanguageError> {
        let constrainer = match self.constrainer.take() {
            Some(constrainer) => constrainer,
            None => self.words.constrainer()?,
        };
        Ok(self.constrainer.insert(constrainer).constraint(schema)?)
    }
}

fn sampling(choice: Choice, temperature: f32, seed: u64) -> SamplingOptions {
    let default = SamplingOptions::default();
    SamplingOptions {
        temperature: choice.temperature.unwrap_or(temperature),
        top_k: choice.top_k.unwrap_or(default.top_k),
        top_p: choice.top_p.unwrap_or(default.top_p),
        min_p: choice.min_p.unwrap_or(default.min_p),
        repetition_penalty: choice.repetition_penalty.unwrap_or(default.repetition_penalty),
        seed: choice.seed.unwrap_or(seed),
        ..default
    }
}
