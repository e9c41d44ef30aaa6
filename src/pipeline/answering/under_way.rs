//! One answer while it grows.

use clawdbot_flow::answer::{Answer, AnswerCost, AnswerEnd};
use clawdbot_flow::clock::Monotonic;
use clawdbot_flow::question::{Asker, Question};
use clawdbot_llm::engine::{Ticket, Work};
use clawdbot_llm::tokenizer::Tokenizer;

use crate::pipeline::language::text::AnswerText;
use crate::pipeline::telling::Telling;

/// Text of an answer at most, in bytes, so that its message fits into a packet however it is escaped.
const TEXT_BYTES_MAX: usize = 32 * 1024;

/// See the module.
pub(super) struct UnderWay {
    pub(super) question: Question,
    pub(super) ticket: Ticket,
    prompt_tokens: usize,
    pieces: AnswerText,
    text: String,
    /// Bytes of `text` that the asker has heard already.
    told: usize,
    deltas: u64,
    first: Option<Monotonic>,
}

/// Why an answer needs no more tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Enough {
    /// A stop text came.
    Stop,
    /// It would not fit into a message.
    Long,
}

impl UnderWay {
    pub(super) fn new(question: Question, ticket: Ticket, prompt_tokens: usize, pieces: AnswerText) -> Self {
        Self { question, ticket, prompt_tokens, pieces, text: String::new(), told: 0, deltas: 0, first: None }
    }

    /// One more token, at `now`; whether that is enough.
    pub(super) fn push(&mut self, tokenizer: &Tokenizer, token: u32, now: Monotonic) -> Option<Enough> {
        self.first.get_or_insert(now);
        if self.pieces.push(tokenizer, token, &mut self.text) {
            return Some(Enough::Stop);
        }
        (self.text.len() > TEXT_BYTES_MAX).then_some(Enough::Long)
    }

    /// Tells a listening client what has come since the last time.
    pub(super) fn tell(&mut self, telling: &Telling, model: &str) {
        let Asker::Client { client, id } = &self.question.asker else { return };
        let news = &self.text[self.told..];
        if !self.question.streams || news.is_empty() {
            return;
        }
        telling.send(telling.composer().delta(model, [client, id], self.deltas, news));
        self.deltas += 1;
        self.told = self.text.len();
    }

    /// The answer, which ended at `now`.
    pub(super) fn end(
        &mut self,
        tokenizer: &Tokenizer,
        (end, reason): (AnswerEnd, Option<String>),
        work: Work,
        now: Monotonic,
    ) -> Answer {
        self.pieces.finish(tokenizer, &mut self.text);
        let since = |at: Monotonic| at.since(self.question.asked_at).as_secs_f64() * 1e3;
        let cost = AnswerCost {
            prompt_tokens: self.prompt_tokens,
            reused_tokens: work.reused,
            answer_tokens: work.answered,
            passes: work.passes,
            first_token_ms: self.first.map(since),
            total_ms: since(now),
        };
        let by_schema = self.question.schema.is_some();
        Answer { asker: self.question.asker.clone(), text: self.text.clone(), end, reason, by_schema, cost }
    }
}
