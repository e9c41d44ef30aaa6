//! Several answers at once over one model: continuous batching.
//!
//! Each [`Engine::step`] is one pass over the weights for whoever is at work: a slot that answers computes its last token and
//! the guesses at the next ones ([`crate::lookup`]), a slot that still reads its prompt a piece of that. Answers come first, then
//! prompts by priority and age, as far as the pass has room. What a slot answers does not depend on the others, on the pieces
//! or on the guesses: the forward pass gives the same bits, and each kept token takes one random number.
//!
//! Token ids only; text is [`crate::tokenizer`]'s. Memory is taken by [`Engine::new`] and [`Engine::admit`], a step allocates
//! nothing.

mod prefix;
mod slot;
#[cfg(test)]
mod tests;

use arrayvec::ArrayVec;

use crate::constrain::Constraint;
use crate::forward::{Forward, ForwardError, Limits, Span};
use crate::kv_cache::{KvCache, Sequence, Shape};
use crate::lookup::Lookup;
use crate::pace::Pace;
use crate::sampler::Sampling;
use crate::sampler::mask::TokenMask;
use prefix::Prefixes;
pub use prefix::Snapshot;
pub use slot::ChoiceError;
use slot::Slot;

/// Most slots of an engine.
pub const SLOTS_MAX: usize = 16;
/// Beginnings of ended answers that are remembered.
const PREFIXES: usize = 8;

/// What an answer is asked from.
#[derive(Clone, Debug)]
pub struct Request {
    /// The prompt; at least one token.
    pub prompt: Vec<u32>,
    /// Most tokens of the answer; at least one.
    pub answer_max: usize,
    /// How tokens are chosen.
    pub sampling: Sampling,
    /// Tokens that end the answer; they are not part of it.
    pub stops: Vec<u32>,
    /// Whose prompt is read first: the highest.
    pub priority: u8,
}

/// Why a request is not taken.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Refused {
    /// Nothing to go on from.
    #[error("the prompt has no tokens; give it at least one")]
    EmptyPrompt,
    /// All slots answer.
    #[error("all {0} slots are answering; ask again when one has ended, or raise the model's concurrency")]
    Busy(usize),
    /// The context is shorter.
    #[error(
        "the prompt of {prompt} tokens and an answer of {answer} do not fit into the context of {context}; shorten the prompt or \
         the answer, or open the model with a larger context"
    )]
    Context {
        /// Tokens of the prompt.
        prompt: usize,
        /// Tokens of the answer, at most.
        answer: usize,
        /// Positions of a sequence.
        context: usize,
    },
    /// The others may need the memory.
    #[error(
        "{wanted} pages of keys and values are wanted, but {promised} of {pages} are promised to other answers; ask again when \
         one has ended, or give the model a larger cache"
    )]
    Memory {
        /// Pages that the request may need.
        wanted: usize,
        /// Pages that others may need.
        promised: usize,
        /// All.
        pages: usize,
    },
}

/// An answer under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket {
    slot: usize,
    number: u64,
}

/// What a step brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// The next token of an answer.
    Token {
        /// Of which.
        ticket: Ticket,
        /// Its id.
        token: u32,
    },
    /// An answer has ended; its ticket means nothing any more.
    Ended {
        /// Which.
        ticket: Ticket,
        /// Why.
        reason: End,
        /// What it has cost.
        work: Work,
    },
}

/// Why an answer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// By a token that the request named, or because its schema allows nothing more.
    Stop,
    /// It has as many tokens as were asked for.
    Length,
    /// No token could be chosen.
    Failed(ChoiceError),
}

/// What an answer has cost so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Tokens of the prompt that were remembered from another answer.
    pub reused: usize,
    /// Passes over the weights since the first token.
    pub passes: usize,
    /// Tokens of the answer.
    pub answered: usize,
    /// Guesses that were right.
    pub guessed: usize,
    /// Tokens that the schema left no choice about: they took no pass of their own.
    pub forced: usize,
}

/// See the module.
#[derive(Debug)]
pub struct Engine {
    forward: Forward,
    cache: KvCache,
    slots: Vec<Slot>,
    prefixes: Prefixes,
    lookup: Option<Lookup>,
    logits: Vec<f32>,
    /// Of the constrained slot whose token is being chosen.
    mask: TokenMask,
    /// Tickets handed out.
    number: u64,
}

impl Engine {
    /// An engine of so many slots (1 to [`SLOTS_MAX`]) over `cache`, a cache of the model's shape. `lookup` makes guesses; none
    /// are made without it.
    #[must_use]
    pub fn new(forward: Forward, cache: KvCache, slots: usize, lookup: Option<Lookup>) -> Self {
        let Limits { tokens, context, .. } = forward.limits();
        let vocabulary = forward.model().architecture().vocabulary;
        let slots = (0..slots.clamp(1, SLOTS_MAX)).map(|_| Slot::new(context, tokens, vocabulary)).collect();
        let prefixes = Prefixes::new(PREFIXES, context);
        let (logits, mask) = (vec![0.0; vocabulary], TokenMask::none(vocabulary));
        Self { forward, cache, slots, prefixes, lookup, logits, mask, number: 0 }
    }

    /// The forward pass.
    #[must_use]
    pub const fn forward(&self) -> &Forward {
        &self.forward
    }

    /// Slots that answer.
    #[must_use]
    pub fn at_work(&self) -> usize {
        self.slots.iter().filter(|slot| slot.ticket.is_some()).count()
    }

    /// Takes a request into a free slot. What a remembered sequence shares with its prompt is not computed again.
    ///
    /// # Errors
    /// When no slot is free, or the request does not fit; nothing has changed then.
    pub fn admit(&mut self, request: &Request) -> Result<Ticket, Refused> {
        let (prompt, answer) = (request.prompt.len(), request.answer_max.max(1));
        if prompt == 0 {
            return Err(Refused::EmptyPrompt);
        }
        let context = self.forward.limits().context;
        if prompt + answer > context {
            return Err(Refused::Context { prompt, answer, context });
        }
        let all = self.slots.len();
        let Some(at) = self.slots.iter().position(|slot| slot.ticket.is_none()) else {
            return Err(Refused::Busy(all));
        };
        let promised: usize = self.slots.iter().map(|slot| slot.pages).sum();
        let (wanted, pages) = (Shape::pages(prompt + answer), self.cache.pages());
        if wanted + promised > pages {
            return Err(Refused::Memory { wanted, promised, pages });
        }
        self.number += 1;
        let ticket = Ticket { slot: at, number: self.number };
        let slot = &mut self.slots[at];
        slot.begin(ticket, request, wanted);
        self.prefixes.recall(&mut self.cache, &request.prompt, &mut slot.sequence);
        slot.work.reused = slot.sequence.length();
        Ok(ticket)
    }

    /// Holds an answer to a schema; to be called before its first step. Whether the ticket is one under way.
    pub fn constrain(&mut self, ticket: Ticket, constraint: Constraint) -> bool {
        let slot = self.slots.get_mut(ticket.slot).filter(|slot| slot.ticket == Some(ticket));
        slot.map(|slot| slot.constraint = Some(constraint)).is_some()
    }

    /// How many of `prompt`'s first tokens are remembered and need not be computed.
    #[must_use]
    pub fn known(&self, prompt: &[u32]) -> usize {
        self.prefixes.known(prompt)
    }

    /// What is remembered of the beginning of `prompt`, to be kept on a disk.
    #[must_use]
    pub fn snapshot(&self, prompt: &[u32]) -> Option<Snapshot> {
        self.prefixes.export(&self.cache, prompt)
    }

    /// Remembers what [`Engine::snapshot`] of the same model gave; false when it does not fit or there is no room.
    #[must_use]
    pub fn restore(&mut self, snapshot: &Snapshot) -> bool {
        let Snapshot { tokens, pages } = snapshot;
        if tokens.is_empty() || tokens.len() > self.forward.limits().context {
            return false;
        }
        let promised: usize = self.slots.iter().map(|slot| slot.pages).sum();
        let wanted = Shape::pages(tokens.len());
        if promised + wanted > self.cache.pages() {
            return false;
        }
        self.prefixes.make_room(&mut self.cache, wanted);
        let mut sequence = Sequence::with_capacity(self.forward.limits().context);
        let fits = self.cache.import(pages, tokens.len(), &mut sequence);
        if fits {
            self.prefixes.keep(&mut self.cache, tokens, &mut sequence);
        }
        fits
    }

    /// Ends an answer that nobody wants any more. A ticket that has ended is ignored.
    pub fn cancel(&mut self, ticket: Ticket) {
        if self.slot(ticket).is_some() {
            self.end(ticket.slot);
        }
    }

    /// What an answer under way has cost.
    #[must_use]
    pub fn work(&self, ticket: Ticket) -> Option<Work> {
        self.slot(ticket).map(|slot| slot.work)
    }

    /// One pass for all that are at work, and what it brought, appended to `told`. Answers whether anybody was at work.
    ///
    /// # Errors
    /// When the pass was cancelled by `pace` (the same step can be taken again), or cannot take place.
    pub fn step(&mut self, pace: Pace<'_>, told: &mut Vec<Told>) -> Result<bool, ForwardError> {
        self.plan();
        let mut spans: ArrayVec<Span<'_>, SLOTS_MAX> = ArrayVec::new();
        let (mut needed, mut busy) = (0, false);
        for slot in self.slots.iter_mut().filter(|slot| !slot.pass.is_empty()) {
            busy = true;
            needed += Shape::pages(slot.sequence.length() + slot.pass.len()) + 1 - slot.sequence.table().len();
            spans.push(Span { sequence: &mut slot.sequence, tokens: &slot.pass, logits: slot.wanted });
        }
        if !busy {
            return Ok(false);
        }
        self.prefixes.make_room(&mut self.cache, needed);
        self.forward.run(&mut self.cache, &mut spans, pace)?;
        drop(spans);
        self.choose(told);
        Ok(true)
    }

    /// Decides what each slot computes in the next pass.
    fn plan(&mut self) {
        let Limits { tokens: mut room, logits: mut rows, .. } = self.forward.limits();
        self.slots.iter_mut().for_each(|slot| slot.pass.clear());
        let mut waiting = self.slots.iter().filter(|slot| slot.answers()).count();
        for slot in self.slots.iter_mut().filter(|slot| slot.answers()) {
            // What is left when every later one has its one token; guesses get an even share of that.
            waiting -= 1;
            let own = room.saturating_sub(waiting);
            let guesses = (room.min(rows).saturating_sub(waiting + 1) / (waiting + 1)).min(slot.left() - 1);
            slot.plan_answer(self.lookup.as_ref(), own, guesses);
            room -= slot.pass.len();
            rows -= slot.rows();
        }
        let mut order: ArrayVec<usize, SLOTS_MAX> =
            (0..self.slots.len()).filter(|&at| self.slots[at].reads()).collect();
        order.sort_unstable_by_key(|&at| {
            (std::cmp::Reverse(self.slots[at].priority), self.slots[at].ticket.map(|t| t.number))
        });
        for at in order {
            if room > 0 && rows > 0 {
                self.slots[at].plan_prompt(room);
                room -= self.slots[at].pass.len();
                rows -= self.slots[at].rows();
            }
        }
    }

    /// Chooses tokens by the logits of the pass.
    fn choose(&mut self, told: &mut Vec<Told>) {
        let mut row = 0;
        for at in 0..self.slots.len() {
            let slot = &mut self.slots[at];
            let Some(ticket) = slot.ticket.filter(|_| !slot.pass.is_empty()) else { continue };
            let rows = slot.rows();
            slot.work.passes += usize::from(rows > 0);
            let (mut reason, mut judged) = (None, 0);
            while judged < rows && reason.is_none() {
                self.forward.copy_logits(row + judged, &mut self.logits);
                let before = slot.tokens.len();
                reason = slot.choose(&self.logits, &mut self.mask);
                told.extend(slot.tokens[before..].iter().map(|&token| Told::Token { ticket, token }));
                match slot.confirmed(judged, before) {
                    Some(kept) => judged += kept,
                    None => break,
                }
            }
            row += rows;
            // Guesses that were wrong are forgotten: what was computed of the last token on is not part of the answer.
            let length = slot.computed();
            self.cache.truncate(&mut slot.sequence, length);
            if let Some(reason) = reason {
                told.push(Told::Ended { ticket, reason, work: slot.work });
                self.end(at);
            }
        }
    }

    /// Frees a slot; its sequence is remembered.
    fn end(&mut self, at: usize) {
        let slot = &mut self.slots[at];
        let length = slot.sequence.length();
        self.prefixes.keep(&mut self.cache, &slot.tokens[..length.min(slot.tokens.len())], &mut slot.sequence);
        slot.clear();
    }

    fn slot(&self, ticket: Ticket) -> Option<&Slot> {
        self.slots.get(ticket.slot).filter(|slot| slot.ticket == Some(ticket))
    }
}
