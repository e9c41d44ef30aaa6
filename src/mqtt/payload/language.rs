//! What `data` is for the language model's messages.

use std::collections::BTreeMap;

use clawdbot_flow::answer::{Answer, AnswerEnd};
use clawdbot_flow::question::Asker;
use serde::Serialize;
use serde_json::Value;

use super::envelope::rounded;

/// `data` of `stream`: a piece of an answer that grows.
#[derive(Debug, Serialize)]
pub(super) struct DeltaData<'a> {
    /// Counts the pieces from 0: QoS 0 may lose one, and then the number says so.
    pub(super) index: u64,
    /// The piece.
    pub(super) text: &'a str,
}

/// `data` of `reply` and `llm_result`.
#[derive(Debug, Serialize)]
pub(super) struct AnswerData<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<&'a str>,
    end: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    text: &'a str,
    /// The answer by a schema, as a value; absent when it was cut short.
    #[serde(skip_serializing_if = "Option::is_none")]
    json: Option<Value>,
    prompt_tokens: usize,
    reused_tokens: usize,
    answer_tokens: usize,
    passes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_token_ms: Option<f64>,
    total_ms: f64,
}

impl<'a> From<&'a Answer> for AnswerData<'a> {
    fn from(answer: &'a Answer) -> Self {
        let (client, id, task) = match &answer.asker {
            Asker::Client { client, id } => (Some(client.as_str()), Some(id.as_str()), None),
            Asker::Task(task) => (None, None, Some(task.as_str())),
        };
        let whole = answer.by_schema && answer.end == AnswerEnd::Stop;
        Self {
            client,
            id,
            task,
            end: match answer.end {
                AnswerEnd::Stop => "stop",
                AnswerEnd::Length => "length",
                AnswerEnd::Deadline => "deadline",
                AnswerEnd::Cancelled => "cancelled",
                AnswerEnd::Busy => "busy",
                AnswerEnd::Refused => "refused",
                AnswerEnd::Failed => "failed",
            },
            reason: answer.reason.as_deref(),
            text: &answer.text,
            json: if whole { serde_json::from_str(&answer.text).ok() } else { None },
            prompt_tokens: answer.cost.prompt_tokens,
            reused_tokens: answer.cost.reused_tokens,
            answer_tokens: answer.cost.answer_tokens,
            passes: answer.cost.passes,
            first_token_ms: answer.cost.first_token_ms.and_then(|ms| rounded(ms, 1)),
            total_ms: rounded(answer.cost.total_ms, 1).unwrap_or_default(),
        }
    }
}

/// `data` of `llm_status`: whether the language model can be asked.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct LanguageStatus {
    /// `unloaded`, `ready` or `refused`.
    pub(crate) state: &'static str,
    /// Why it is refused, as a sentence that says what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    /// Bytes of its weights, which all instances share.
    pub(crate) weights_bytes: u64,
    /// Bytes of its keys and values; absent while it is not loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cache_bytes: Option<u64>,
    /// Answers at once.
    pub(crate) slots: usize,
    /// Positions that prompt and answer may have together; absent until it was loaded once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) context: Option<usize>,
    /// Events and readings that no task saw, since too many came at once; absent without tasks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) events_dropped: Option<u64>,
    /// Tasks by id.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) tasks: BTreeMap<String, TaskStatus>,
}

/// How one task fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct TaskStatus {
    /// Triggers that came to nothing since the daemon's start: its last question was not answered yet, or too many waited.
    pub(crate) dropped: u64,
}
