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

use crate::forward::{Forward, ForwardError, Limits, Span, Wanted};
use crate::kv_cache::{KvCache, Shape};
use crate::lookup::Lookup;
use crate::pace::Pace;
use crate::sampler::{SampleError, Sampling};
use prefix::Prefixes;
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
    },
}

/// Why an answer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// By a token that the request named.
    Stop,
    /// It has as many tokens as were asked for.
    Length,
    /// No token could be chosen.
    Failed(SampleError),
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
        Self { forward, cache, slots, prefixes, lookup, logits: vec![0.0; vocabulary], number: 0 }
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
        let answering = self.slots.iter().filter(|slot| slot.answers()).count();
        for slot in self.slots.iter_mut().filter(|slot| slot.answers()) {
            // Guesses share what is left when every answering slot has its one token.
            let guesses = (room.min(rows).saturating_sub(answering) / answering.max(1)).min(slot.left() - 1);
            slot.plan_answer(self.lookup.as_ref(), guesses);
            room -= slot.pass.len();
            rows -= slot.pass.len();
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
                rows -= usize::from(self.slots[at].wanted != Wanted::None);
            }
        }
    }

    /// Chooses tokens by the logits of the pass.
    fn choose(&mut self, told: &mut Vec<Told>) {
        let mut row = 0;
        for at in 0..self.slots.len() {
            let slot = &mut self.slots[at];
            let Some(ticket) = slot.ticket.filter(|_| !slot.pass.is_empty()) else { continue };
            let rows = match slot.wanted {
                Wanted::None => 0,
                Wanted::Last => 1,
                Wanted::All => slot.pass.len(),
            };
            slot.work.passes += usize::from(rows > 0);
            let mut reason = None;
            for judged in 0..rows {
                self.forward.copy_logits(row + judged, &mut self.logits);
                match slot.sampler.sample(&self.logits, None) {
                    Ok(token) if slot.stops.contains(&token) => reason = Some(End::Stop),
                    Ok(token) => {
                        told.push(Told::Token { ticket, token });
                        let right = slot.keep(token, judged, rows);
                        reason = (slot.left() == 0).then_some(End::Length);
                        if right && reason.is_none() {
                            continue;
                        }
                    }
                    Err(error) => reason = Some(End::Failed(error)),
                }
                break;
            }
            row += rows;
            // Guesses that were wrong are forgotten: what was computed of the last token on is not part of the answer.
            let known = slot.tokens.len() - usize::from(slot.answers());
            let length = slot.sequence.length().min(known);
            self.cache.truncate(&mut slot.sequence, length);
            if let Some(reason) = reason {
                told.push(Told::Ended { ticket, reason });
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
