//! One answer under way.

use super::{Request, Ticket, Work};
use crate::forward::Wanted;
use crate::kv_cache::Sequence;
use crate::lookup::Lookup;
use crate::sampler::{Sampler, Sampling, SamplingOptions};

/// See the module. All its memory is taken when it is made, but for what a request brings.
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
    pub(super) work: Work,
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
            work: Work::default(),
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
        self.work = Work::default();
    }

    /// Is free again.
    pub(super) fn clear(&mut self) {
        self.ticket = None;
        self.tokens.clear();
        self.pages = 0;
        self.pass.clear();
    }

    /// Whether it still reads its prompt.
    pub(super) fn reads(&self) -> bool {
        self.ticket.is_some() && self.tokens.len() == self.prompt
    }

    /// Whether its last token is one of the answer, not computed yet.
    pub(super) fn answers(&self) -> bool {
        self.ticket.is_some() && self.tokens.len() > self.prompt
    }

    /// Tokens that the answer may still have.
    pub(super) fn left(&self) -> usize {
        self.prompt + self.answer_max - self.tokens.len()
    }

    /// The last token and guesses at what follows it.
    pub(super) fn plan_answer(&mut self, lookup: Option<&Lookup>, guesses: usize) {
        self.guesses.clear();
        if let Some(lookup) = lookup.filter(|_| guesses > 0) {
            lookup.draft(&self.tokens, &mut self.guesses);
            self.guesses.truncate(guesses);
        }
        self.pass.extend(self.tokens.last());
        self.pass.extend_from_slice(&self.guesses);
        self.wanted = Wanted::All;
    }

    /// The next of the prompt's tokens, at most `room`.
    pub(super) fn plan_prompt(&mut self, room: usize) {
        let rest = &self.tokens[self.sequence.length()..];
        let taken = rest.len().min(room);
        self.pass.extend_from_slice(&rest[..taken]);
        self.wanted = if taken == rest.len() { Wanted::Last } else { Wanted::None };
    }

    /// Notes a token that was chosen by row `judged` of `rows`; answers whether it is the guess that row `judged` + 1 follows.
    pub(super) fn keep(&mut self, token: u32, judged: usize, rows: usize) -> bool {
        self.tokens.push(token);
        self.sampler.accept(token);
        self.work.answered += 1;
        let right = judged + 1 < rows && self.pass[judged + 1] == token;
        self.work.guessed += usize::from(right);
        right
    }
}

/// What a free slot samples by.
fn greedy() -> Sampling {
    let options = SamplingOptions { temperature: 0.0, ..SamplingOptions::default() };
    Sampling::new(options).unwrap_or_else(|error| unreachable!("temperature 0 is allowed: {error}"))
}
