//! One answer under way.

use super::{End, Request, Ticket, Work};
use crate::constrain::{Constraint, ConstraintError};
use crate::forward::Wanted;
use crate::kv_cache::Sequence;
use crate::lookup::Lookup;
use crate::sampler::mask::TokenMask;
use crate::sampler::{SampleError, Sampler, Sampling, SamplingOptions};

/// Why no token could be chosen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChoiceError {
    /// The logits give none.
    #[error(transparent)]
    Sample(#[from] SampleError),
    /// The schema allows none.
    #[error(transparent)]
    Constraint(#[from] ConstraintError),
}

/// See the module. All its memory is taken when it is made, but for what a request brings, and for answers by a schema.
#[derive(Debug)]
pub(super) struct Slot {
    /// Of the answer; `None` while the slot is free.
    pub(super) ticket: Option<Ticket>,
    /// Prompt and answer.
    pub(super) tokens: Vec<u32>,
    prompt: usize,
    answer_max: usize,
    pub(super) stops: Vec<u32>,
    pub(super) priority: u8,
    /// The positions that are computed: some first `tokens`.
    pub(super) sequence: Sequence,
    /// Pages that it may come to need.
    pub(super) pages: usize,
    pub(super) sampler: Sampler,
    /// What its answer is held to.
    pub(super) constraint: Option<Constraint>,
    pub(super) work: Work,
    /// Tokens that were computed when the present pass was planned.
    before: usize,
    /// What it computes in the present pass, and of which of these it wants logits.
    pub(super) pass: Vec<u32>,
    pub(super) wanted: Wanted,
    guesses: Vec<u32>,
}

impl Slot {
    pub(super) fn new(context: usize, pass: usize, vocabulary: usize) -> Self {
        Self {
            ticket: None,
            tokens: Vec::with_capacity(context),
            prompt: 0,
            answer_max: 0,
            stops: Vec::new(),
            priority: 0,
            sequence: Sequence::with_capacity(context),
            pages: 0,
            sampler: Sampler::new(greedy(), vocabulary),
            constraint: None,
            work: Work::default(),
            before: 0,
            pass: Vec::with_capacity(pass),
            wanted: Wanted::None,
            guesses: Vec::with_capacity(pass),
        }
    }

    /// Takes a request; its sequence is empty.
    pub(super) fn begin(&mut self, ticket: Ticket, request: &Request, pages: usize) {
        self.ticket = Some(ticket);
        self.tokens.clear();
        self.tokens.extend_from_slice(&request.prompt);
        self.prompt = request.prompt.len();
        self.answer_max = request.answer_max.max(1);
        self.stops.clone_from(&request.stops);
        self.priority = request.priority;
        self.pages = pages;
        self.sampler.restart(request.sampling);
        request.prompt.iter().for_each(|&token| self.sampler.accept(token));
        self.constraint = None;
        self.work = Work::default();
    }

    /// Is free again.
    pub(super) fn clear(&mut self) {
        self.ticket = None;
        self.tokens.clear();
        self.pages = 0;
        self.constraint = None;
        self.pass.clear();
    }

    /// Whether it still reads its prompt.
    pub(super) fn reads(&self) -> bool {
        self.ticket.is_some() && self.tokens.len() == self.prompt
    }

    /// Whether its last token is one of the answer; that one is not computed yet.
    pub(super) fn answers(&self) -> bool {
        self.ticket.is_some() && self.tokens.len() > self.prompt
    }

    /// Tokens that the answer may still have.
    pub(super) fn left(&self) -> usize {
        self.prompt + self.answer_max - self.tokens.len()
    }

    /// Tokens of the pass that have logits.
    pub(super) fn rows(&self) -> usize {
        self.pass.len() - self.wanted.first(self.pass.len())
    }

    /// The tokens that are not computed yet, at most `room`: the last one, or more where the schema left no choice. And when
    /// all of them have room, guesses at what follows.
    pub(super) fn plan_answer(&mut self, lookup: Option<&Lookup>, room: usize, guesses: usize) {
        if !self.plan_known(room) {
            return;
        }
        self.guesses.clear();
        let guesses = guesses.min(room - self.pass.len());
        if let Some(lookup) = lookup.filter(|_| guesses > 0) {
            lookup.draft(&self.tokens, &mut self.guesses);
            self.guesses.truncate(guesses);
            if let Some(constraint) = &mut self.constraint {
                let allowed = constraint.allowed_run(&self.guesses).unwrap_or(0);
                self.guesses.truncate(allowed);
            }
        }
        self.wanted = Wanted::From(self.pass.len() - 1);
        self.pass.extend_from_slice(&self.guesses);
    }

    /// The next of the prompt's tokens, at most `room`.
    pub(super) fn plan_prompt(&mut self, room: usize) {
        self.plan_known(room);
    }

    /// The next tokens that are known and not computed, at most `room`; whether these are all.
    fn plan_known(&mut self, room: usize) -> bool {
        self.before = self.sequence.length();
        let rest = &self.tokens[self.before..];
        let taken = rest.len().min(room);
        let all = taken == rest.len();
        self.pass.extend_from_slice(&rest[..taken]);
        self.wanted = if all { Wanted::Last } else { Wanted::None };
        all
    }

    /// Chooses the next token by its logits, and takes those that the schema leaves no choice about behind it. Answers why
    /// the answer has ended, if it has.
    pub(super) fn choose(&mut self, logits: &[f32], mask: &mut TokenMask) -> Option<End> {
        let failed = |error: ChoiceError| Some(End::Failed(error));
        let Some(constraint) = &mut self.constraint else {
            return match self.sampler.sample(logits, None) {
                Ok(token) if self.stops.contains(&token) => Some(End::Stop),
                Ok(token) => self.keep(token),
                Err(error) => failed(error.into()),
            };
        };
        if let Err(error) = constraint.allowed(mask) {
            return failed(error.into());
        }
        let token = match self.sampler.sample(logits, Some(mask)) {
            Ok(token) if self.stops.contains(&token) => return Some(End::Stop),
            Ok(token) => token,
            Err(error) => return failed(error.into()),
        };
        if let Err(error) = constraint.accept(&[token]) {
            return failed(error.into());
        }
        let ended = constraint.has_ended();
        let forced = constraint.forced();
        let end = self.keep(token);
        if end.is_some() || ended {
            return end.or(Some(End::Stop));
        }
        self.keep_forced(&forced)
    }

    fn keep_forced(&mut self, forced: &[u32]) -> Option<End> {
        for &token in forced {
            let constraint = self.constraint.as_mut()?;
            if let Err(error) = constraint.accept(&[token]) {
                return Some(End::Failed(error.into()));
            }
            let ended = constraint.has_ended();
            self.work.forced += 1;
            let end = self.keep(token);
            if end.is_some() || ended {
                return end.or(Some(End::Stop));
            }
        }
        None
    }

    /// Notes a token of the answer; answers whether it was the last that was asked for.
    fn keep(&mut self, token: u32) -> Option<End> {
        self.tokens.push(token);
        self.sampler.accept(token);
        self.work.answered += 1;
        (self.left() == 0).then_some(End::Length)
    }

    /// How many rows the tokens from place `first` of the answer confirm as guessed, behind row `judged`: all of them, else
    /// `None`, and the rows that are left judge something that is not part of the answer.
    pub(super) fn confirmed(&mut self, judged: usize, first: usize) -> Option<usize> {
        let new = &self.tokens[first..];
        let place = self.wanted.first(self.pass.len()) + judged + 1;
        let guessed = self.pass.get(place..)?;
        let right = guessed.iter().zip(new).take_while(|(guess, token)| guess == token).count();
        self.work.guessed += right;
        (right == new.len() && right > 0).then_some(right)
    }

    /// Tokens of prompt and answer that the pass has computed, or an earlier one.
    pub(super) fn computed(&self) -> usize {
        let known = &self.tokens[self.before..];
        self.before + self.pass.iter().zip(known).take_while(|(computed, token)| computed == token).count()
    }
}

/// What a free slot samples by.
fn greedy() -> Sampling {
    let options = SamplingOptions { temperature: 0.0, ..SamplingOptions::default() };
    Sampling::new(options).unwrap_or_else(|error| unreachable!("temperature 0 is allowed: {error}"))
}
