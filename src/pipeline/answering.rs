//! The language model at work: one thread that takes questions, keeps them waiting by priority, answers as many at once as
//! there are slots, and tells the answers as they grow and end. Every question gets an answer, be it that there is none.
//!
//! ```text
//! commands -> [Questions] -> waiting -> slots of the engine -> deltas and answers -> telling
//! events, readings, hours -> tasks -----^
//! ```
//! The thread computes on the pool that the cameras share. Between two items of its work it looks whether a frame is due
//! ([`super::way`]), whether somebody cancels, and tells that it is alive.

mod loaded;
pub(crate) mod questions;
pub(crate) mod rhythm;
pub(crate) mod room;
mod snapshots;
pub(crate) mod tasks;
#[cfg(test)]
mod tests;
mod under_way;
mod warming;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clawdbot_flow::answer::{Answer, AnswerEnd};
use clawdbot_flow::clock::{Clock, Monotonic};
use clawdbot_flow::command::Command;
use clawdbot_flow::event::Event;
use clawdbot_flow::question::{Asker, Question};
use clawdbot_flow::queue::{Empty, Queue};
use clawdbot_flow::rooted::Root;
use clawdbot_kernels::isa::Isa;
use clawdbot_kernels::pages::Format;
use clawdbot_llm::engine::{End, Refused, Told, Work};
use clawdbot_llm::forward::ForwardError;
use clawdbot_nn::workers::Workers;

use super::language;
use super::telling::Telling;
use super::way::Way;
use crate::mqtt::payload::{LanguageStatus, TaskStatus};
use loaded::Loaded;
use questions::{Questions, unanswered};
use rhythm::Rhythm;
use tasks::{TaskOptions, Tasks};
use under_way::{Enough, UnderWay};
use warming::Warming;

/// How long a look into the queue waits while nothing is asked.
const PATIENCE: Duration = Duration::from_millis(100);
/// How often the status goes out when nothing but its counts has changed.
const COUNTS_EVERY: Duration = Duration::from_secs(10);
/// Questions that wait for a slot. Drop rule: a new one is answered "busy".
const WAITING_MAX: usize = 16;
/// Tokens of a prompt that one pass takes while cameras are live, and while nobody else computes.
pub(crate) const PASS_WITH_CAMERAS: usize = 32;
pub(crate) const PASS_ALONE: usize = 64;

/// How the daemon answers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Options {
    /// The bundle.
    pub(crate) model: PathBuf,
    /// Positions that prompt and answer may have together; the model's own, at most 4096, without.
    pub(crate) context: Option<usize>,
    /// Answers at once.
    pub(crate) slots: usize,
    /// How keys and values are kept.
    pub(crate) format: Format,
    /// Most tokens of an answer that does not say.
    pub(crate) answer_max: usize,
    /// 0 takes the likeliest token.
    pub(crate) temperature: f32,
    /// What a conversation without a system text begins with.
    pub(crate) system: Option<String>,
    /// Without a question for so long, the model leaves the memory.
    pub(crate) idle_unload: Option<Duration>,
    /// Whether cameras compute beside it.
    pub(crate) beside_cameras: bool,
}

impl Options {
    fn language(&self) -> language::Options {
        language::Options {
            context: self.context,
            slots: self.slots,
            pass: if self.beside_cameras { PASS_WITH_CAMERAS } else { PASS_ALONE },
            format: self.format,
            lookup: true,
        }
    }
}

/// What the answering thread borrows from `app`.
pub(crate) struct Lent<'a> {
    /// The time.
    pub(crate) clock: &'a dyn Clock,
    /// Where /proc begins.
    pub(crate) root: &'a Root,
    /// Where questions come from; closing it ends the answering.
    pub(crate) questions: &'a Questions,
    /// Who is asked whether a frame is due.
    pub(crate) way: &'a Way,
    /// The compute pool.
    pub(crate) workers: &'a Arc<Workers>,
    /// What kernels run on.
    pub(crate) isa: Isa,
    /// The model's name; its topics spell it.
    pub(crate) name: &'a str,
    /// What happens, for the tasks. The queue drops the oldest.
    pub(crate) events: &'a Queue<Event>,
    /// Where answers go.
    pub(crate) telling: &'a Telling,
    /// Where shared beginnings outlive a restart; nowhere without.
    pub(crate) state_folder: Option<&'a Path>,
    /// Draws for answers that name no seed.
    pub(crate) seed: u64,
    /// Called often while the thread is well.
    pub(crate) heartbeat: &'a (dyn Fn() + Sync),
}

/// Answers until `lent.questions` is closed; whoever waits then is told that the daemon stops.
pub(crate) fn run(options: &Options, tasks: &[TaskOptions], lent: &Lent<'_>) {
    Answering::new(options, tasks, lent).run();
}

struct Answering<'a> {
    options: &'a Options,
    lent: &'a Lent<'a>,
    loaded: Option<Loaded>,
    tasks: Tasks,
    /// Oldest first.
    waiting: Vec<Question>,
    under_way: Vec<UnderWay>,
    told: Vec<Told>,
    warming: Warming,
    rhythm: Rhythm,
    used_at: Monotonic,
    asked: u64,
    status: Option<LanguageStatus>,
    status_at: Monotonic,
    /// Of what was dropped, how much the status has told.
    dropped_told: u64,
    weights_bytes: u64,
}

impl<'a> Answering<'a> {
    fn new(options: &'a Options, tasks: &[TaskOptions], lent: &'a Lent<'a>) -> Self {
        let weights_bytes = std::fs::metadata(&options.model).map_or(0, |metadata| metadata.len());
        Self {
            options,
            lent,
            loaded: None,
            tasks: Tasks::new(tasks, lent.clock.monotonic()),
            waiting: Vec::with_capacity(WAITING_MAX),
            under_way: Vec::with_capacity(options.slots),
            told: Vec::new(),
            warming: Warming::new(options, tasks),
            rhythm: Rhythm::new(options.beside_cameras),
            used_at: lent.clock.monotonic(),
            asked: 0,
            status: None,
            status_at: lent.clock.monotonic(),
            dropped_told: 0,
            weights_bytes,
        }
    }

    fn run(mut self) {
        self.tell_status("unloaded", None);
        if let Err(reason) = self.load() {
            tracing::warn!(model = self.lent.name, "{reason}; it is tried again with each question");
        }
        loop {
            (self.lent.heartbeat)();
            let at_work = !self.waiting.is_empty() || !self.under_way.is_empty() || self.warming.is_at_work();
            let mut taken = self.lent.questions.take(if at_work { Duration::ZERO } else { PATIENCE });
            while let Ok(command) = taken {
                self.obey(command);
                taken = self.lent.questions.take(Duration::ZERO);
            }
            if taken == Err(Empty::Closed) {
                break;
            }
            self.round();
        }
        self.stop();
    }

    /// What comes round between two looks at the commands.
    fn round(&mut self) {
        self.look_round();
        self.expire();
        self.admit();
        self.step();
        self.rest();
        self.tell_counts();
    }

    fn now(&self) -> Monotonic {
        self.lent.clock.monotonic()
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Ask(question) => self.ask(*question),
            Command::Cancel { client, id } => {
                let asker = Asker::Client { client, id };
                self.give_up(|question| question.asker == asker, AnswerEnd::Cancelled, "it was cancelled");
            }
        }
    }

    /// Raises the questions of the tasks.
    fn look_round(&mut self) {
        while let Ok(event) = self.lent.events.pop(Duration::ZERO) {
            for question in self.tasks.hear(event, self.now()) {
                self.ask(question);
            }
        }
        for question in self.tasks.due(self.now()) {
            self.ask(question);
        }
    }

    fn ask(&mut self, question: Question) {
        let known = self.waiting.iter().chain(self.under_way.iter().map(|answer| &answer.question));
        if known.into_iter().any(|known| known.asker == question.asker) {
            // A broker may deliver a command twice (QoS 1), and two answers on one topic would help nobody.
            tracing::debug!(asker = ?question.asker, "a question that is being answered was asked again");
            self.count_drop(&question.asker);
            return;
        }
        if self.waiting.len() == WAITING_MAX {
            self.count_drop(&question.asker);
            let reason = format!("{WAITING_MAX} questions wait already; ask again later");
            self.answer(&unanswered(&question, AnswerEnd::Busy, reason));
            return;
        }
        if let Some(loaded) = &mut self.loaded {
            self.warming.give_way(&mut loaded.engine);
        }
        self.waiting.push(question);
    }

    /// A trigger of a task came to nothing; a client hears it otherwise.
    fn count_drop(&mut self, asker: &Asker) {
        if let Asker::Task(task) = asker {
            self.tasks.was_dropped(task);
        }
    }

    /// Ends the questions that `which` means, waiting or under way.
    fn give_up(&mut self, which: impl Fn(&Question) -> bool, end: AnswerEnd, reason: &str) {
        while let Some(at) = self.waiting.iter().position(&which) {
            let question = self.waiting.remove(at);
            self.answer(&unanswered(&question, end, format!("{reason} before its first token")));
        }
        while let Some(at) = self.under_way.iter().position(|answer| which(&answer.question)) {
            self.end(at, None, (end, Some(reason.to_owned())));
        }
    }

    fn expire(&mut self) {
        let now = self.now();
        let late = |question: &Question| question.deadline.is_some_and(|deadline| deadline <= now);
        self.give_up(late, AnswerEnd::Deadline, "its time was up");
    }

    /// Gives free slots to who waits, by priority and age.
    fn admit(&mut self) {
        while self.under_way.len() < self.options.slots {
            let first = self.waiting.iter().enumerate().min_by_key(|(at, question)| (u8::MAX - question.priority, *at));
            let Some((at, _)) = first else { return };
            let question = self.waiting.remove(at);
            self.used_at = self.now();
            if let Err((end, reason)) = self.begin(&question) {
                if end == AnswerEnd::Busy {
                    // Its time comes when another one has ended.
                    self.waiting.insert(at, question);
                    return;
                }
                self.answer(&unanswered(&question, end, reason));
            }
        }
    }

    /// Gives a slot to `question`; else says how and why it ends, "busy" when it is only to wait.
    fn begin(&mut self, question: &Question) -> Result<(), (AnswerEnd, String)> {
        self.load().map_err(|reason| (AnswerEnd::Failed, reason))?;
        let Some(loaded) = &mut self.loaded else { return Ok(()) };
        self.asked += 1;
        let seed = self.lent.seed.wrapping_add(self.asked);
        let refused = |error: &dyn std::error::Error| (AnswerEnd::Refused, error.to_string());
        let prepared = loaded.prepare(self.options, question, seed).map_err(|error| refused(&error))?;
        let ticket = loaded.engine.admit(&prepared.request).map_err(|error| match error {
            Refused::Busy(_) | Refused::Memory { .. } if !self.under_way.is_empty() => {
                (AnswerEnd::Busy, error.to_string())
            }
            error => refused(&error),
        })?;
        if let Some(constraint) = prepared.constraint {
            loaded.engine.constrain(ticket, constraint);
        }
        let tokens = prepared.request.prompt.len();
        self.under_way.push(UnderWay::new(question.clone(), ticket, tokens, prepared.text));
        Ok(())
    }

    /// Makes sure that the model is there.
    fn load(&mut self) -> Result<(), String> {
        if self.loaded.is_some() {
            return Ok(());
        }
        let began = self.now();
        match Loaded::new(self.options, self.lent.workers, self.lent.isa, self.lent.root) {
            Ok(loaded) => {
                let took_ms = self.now().since(began).as_millis();
                tracing::info!(model = self.lent.name, "the language model was loaded in {took_ms} ms");
                let loaded = self.loaded.insert(loaded);
                self.warming.begin(loaded, self.lent.state_folder);
                self.tell_status("ready", None);
                Ok(())
            }
            Err(error) => {
                let reason = error.to_string();
                self.tell_status("refused", Some(reason.clone()));
                Err(reason)
            }
        }
    }

    /// One pass for everybody at work.
    fn step(&mut self) {
        let Some(loaded) = &mut self.loaded else { return };
        if self.under_way.is_empty() && !self.warming.is_at_work() {
            return;
        }
        let lent = self.lent;
        let go_on = || {
            (lent.heartbeat)();
            !lent.questions.is_urgent()
        };
        let told = &mut self.told;
        let stepped = self.rhythm.pass(lent.way, lent.clock, &go_on, |pace| loaded.engine.step(pace, told));
        if !self.under_way.is_empty() {
            self.used_at = lent.clock.monotonic();
        }
        match stepped {
            // Broken off for a command: the same pass is taken again afterwards.
            Ok(_) | Err(ForwardError::Cancelled) => self.hear(),
            Err(error) => {
                let reason = format!("the language model failed: {error}");
                tracing::error!("{reason}");
                self.give_up(|_| true, AnswerEnd::Failed, &reason);
                // Whatever is wrong would fail the next pass too; the next question begins with a fresh engine.
                self.warming.stop();
                self.loaded = None;
                self.tell_status("unloaded", None);
            }
        }
    }

    /// Takes what the pass brought.
    fn hear(&mut self) {
        let now = self.now();
        let told = std::mem::take(&mut self.told);
        for told in &told {
            let (Told::Token { ticket, .. } | Told::Ended { ticket, .. }) = told;
            if let Told::Ended { ticket, .. } = told {
                self.warming.ended(*ticket);
            }
            // An answer that ended by a stop text has left already.
            let Some(at) = self.under_way.iter().position(|answer| answer.ticket == *ticket) else { continue };
            let (Some(loaded), answer) = (&self.loaded, &mut self.under_way[at]) else { continue };
            match told {
                Told::Token { token, .. } => match answer.push(&loaded.words.tokenizer, *token, now) {
                    None => {}
                    Some(Enough::Stop) => self.end(at, None, (AnswerEnd::Stop, None)),
                    Some(Enough::Long) => {
                        let reason = "a longer answer does not fit into a message; ask for fewer tokens".to_owned();
                        self.end(at, None, (AnswerEnd::Length, Some(reason)));
                    }
                },
                Told::Ended { reason, work, .. } => {
                    let end = match reason {
                        End::Stop => (AnswerEnd::Stop, None),
                        End::Length => (AnswerEnd::Length, None),
                        End::Failed(error) => (AnswerEnd::Failed, Some(error.to_string())),
                    };
                    self.end(at, Some(*work), end);
                }
            }
        }
        self.told = told;
        self.told.clear();
        for answer in &mut self.under_way {
            answer.tell(self.lent.telling, self.lent.name);
        }
    }

    /// Ends the answer at place `at`; without `work` the engine still has it.
    fn end(&mut self, at: usize, work: Option<Work>, end: (AnswerEnd, Option<String>)) {
        let now = self.now();
        let mut answer = self.under_way.remove(at);
        let Some(loaded) = &mut self.loaded else { return };
        let work = work.or_else(|| loaded.engine.work(answer.ticket)).unwrap_or_default();
        loaded.engine.cancel(answer.ticket);
        let ended = answer.end(&loaded.words.tokenizer, end, work, now);
        answer.tell(self.lent.telling, self.lent.name);
        self.answer(&ended);
    }

    fn answer(&self, answer: &Answer) {
        self.lent.telling.send(self.lent.telling.composer().answer(Some(self.lent.name), answer));
    }

    /// Leaves the memory to others when nobody has asked for long.
    fn rest(&mut self) {
        if !self.waiting.is_empty() || !self.under_way.is_empty() {
            return;
        }
        if let Some(loaded) = &mut self.loaded {
            self.warming.go_on(loaded, self.lent.state_folder);
        }
        let Some(idle) = self.options.idle_unload else { return };
        if !self.warming.is_at_work() && self.loaded.is_some() && self.now().since(self.used_at) >= idle {
            self.loaded = None;
            tracing::info!(model = self.lent.name, "nobody has asked for {idle:?}, so the language model was unloaded");
            self.tell_status("unloaded", None);
        }
    }

    fn stop(&mut self) {
        self.give_up(|_| true, AnswerEnd::Cancelled, "the daemon stops");
        self.loaded = None;
        self.tell_status("unloaded", None);
    }

    fn tell_status(&mut self, state: &'static str, reason: Option<String>) {
        let loaded = self.loaded.as_ref();
        let (cache_bytes, context) = (loaded.map(|loaded| loaded.cache_bytes), loaded.map(Loaded::context));
        let tasks: BTreeMap<String, TaskStatus> =
            self.tasks.dropped().map(|(id, dropped)| (id.to_owned(), TaskStatus { dropped })).collect();
        let events_dropped = (!tasks.is_empty()).then(|| self.lent.events.dropped());
        let (weights_bytes, slots) = (self.weights_bytes, self.options.slots);
        let status =
            LanguageStatus { state, reason, weights_bytes, cache_bytes, slots, context, events_dropped, tasks };
        self.tell(status);
    }

    /// Tells the status again when something was dropped; seldom, since what drops one thing drops many.
    fn tell_counts(&mut self) {
        let dropped = self.dropped();
        if dropped == self.dropped_told || self.now().since(self.status_at) < COUNTS_EVERY {
            return;
        }
        if let Some(LanguageStatus { state, reason, .. }) = self.status.clone() {
            self.tell_status(state, reason);
        }
    }

    fn tell(&mut self, status: LanguageStatus) {
        if self.status.as_ref() != Some(&status) {
            self.lent.telling.send(self.lent.telling.composer().language_status(self.lent.name, &status));
            self.status = Some(status);
            (self.status_at, self.dropped_told) = (self.now(), self.dropped());
        }
    }

    /// Triggers and events that were dropped, all together.
    fn dropped(&self) -> u64 {
        // Events are of interest to tasks alone.
        let tasks = self.tasks.dropped().map(|(_, dropped)| dropped);
        tasks.reduce(|sum, dropped| sum + dropped).map_or(0, |dropped| dropped + self.lent.events.dropped())
    }
}
