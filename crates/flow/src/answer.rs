//! What the language model answers.

use crate::question::Asker;

/// An answer that has ended, well or not: every question gets one.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Who asked.
    pub asker: Asker,
    /// What the model said, as far as it came.
    pub text: String,
    /// Why it ended.
    pub end: AnswerEnd,
    /// For ends that are no success: a sentence that says what to do.
    pub reason: Option<String>,
    /// Whether the question named a schema, so that a whole answer is JSON.
    pub by_schema: bool,
    /// What it took.
    pub cost: AnswerCost,
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AnswerEnd {
    /// The model had said all, or a stop text came.
    Stop,
    /// It has as many tokens as were allowed.
    Length,
    /// Its time was up.
    Deadline,
    /// The asker no longer wants it.
    Cancelled,
    /// Too many others ask.
    Busy,
    /// The question cannot be answered as it is.
    Refused,
    /// The model failed.
    Failed,
}

/// What an answer took.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct AnswerCost {
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
    /// Of these, how many were remembered from another answer.
    pub reused_tokens: usize,
    /// Tokens of the answer.
    pub answer_tokens: usize,
    /// Passes over the weights from the first token on.
    pub passes: usize,
    /// From the question to the first token.
    pub first_token_ms: Option<f64>,
    /// From the question to the end.
    pub total_ms: f64,
}
