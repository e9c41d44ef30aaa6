//! From the JSON of a command to what it asks for. Whatever is wrong with it is said in a sentence, and where the command
//! names its client and its id, the answer goes there.

use std::time::Duration;

use clawdbot_flow::clock::Monotonic;
use clawdbot_flow::command::Command;
use clawdbot_flow::question::{Asker, Choice, Matter, Question, Speaker, Turn};
use serde::Deserialize;
use serde_json::Value;

use super::super::topics::{SLUG_BYTES_MAX, slug};

#[cfg(test)]
mod tests;

/// A command's text at most, in bytes.
pub(crate) const COMMAND_BYTES_MAX: usize = 256 * 1024;
/// Turns of a conversation at most.
const TURNS_MAX: usize = 64;
/// The longest that an answer may be waited for.
const DEADLINE_MS_MAX: u64 = 24 * 3600 * 1000;

/// A command that cannot be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Misunderstood {
    /// Who is to be told, where that could be made out.
    pub(crate) asker: Option<Asker>,
    /// Why, and what to do.
    pub(crate) reason: String,
}

/// `cmd/ask`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AskBody {
    client: String,
    id: String,
    prompt: Option<String>,
    system: Option<String>,
    messages: Option<Vec<TurnBody>>,
    #[serde(default)]
    raw: bool,
    max_tokens: Option<usize>,
    temperature: Option<f32>,
    top_k: Option<u32>,
    top_p: Option<f32>,
    min_p: Option<f32>,
    repetition_penalty: Option<f32>,
    seed: Option<u64>,
    #[serde(default)]
    stop: Vec<String>,
    schema: Option<Value>,
    deadline_ms: Option<u64>,
    #[serde(default)]
    priority: u8,
    #[serde(default)]
    stream: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TurnBody {
    role: RoleBody,
    content: String,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RoleBody {
    System,
    User,
    Assistant,
}

/// `cmd/cancel`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CancelBody {
    client: String,
    id: String,
}

/// The command `verb` with this payload, which came at `now`.
///
/// # Errors
/// [`Misunderstood`] says why, and to whom.
pub(crate) fn parse(verb: &str, payload: &[u8], now: Monotonic) -> Result<Command, Misunderstood> {
    let asker = asker(payload);
    let refuse = |reason: String| Misunderstood { asker: asker.clone(), reason };
    if payload.len() > COMMAND_BYTES_MAX {
        return Err(refuse(format!(
            "the command has {} bytes, but {COMMAND_BYTES_MAX} are the most; ask for less at once",
            payload.len()
        )));
    }
    match verb {
        "ask" => ask(payload, now).map_err(refuse),
        "cancel" => cancel(payload).map_err(refuse),
        _ => Err(refuse(format!("there is no command \"{}\"; there are: ask, cancel", shown(verb)))),
    }
}

/// Who is to be told what became of a command.
pub(crate) fn asker_of(command: &Command) -> Option<Asker> {
    match command {
        Command::Ask(question) => Some(question.asker.clone()),
        Command::Cancel { .. } => None,
    }
}

fn ask(payload: &[u8], now: Monotonic) -> Result<Command, String> {
    let body: AskBody = read(payload)?;
    let asker = client(body.client, body.id)?;
    let matter = matter(body.prompt, body.system, body.messages, body.raw)?;
    let schema = match body.schema {
        None => None,
        Some(Value::String(text)) => Some(text),
        Some(schema) => Some(schema.to_string()),
    };
    if body.max_tokens == Some(0) {
        return Err("max_tokens is 0, but an answer has one at least; leave it out for the default".to_owned());
    }
    let deadline = match body.deadline_ms {
        None => None,
        Some(ms) if (1..=DEADLINE_MS_MAX).contains(&ms) => Some(now.plus(Duration::from_millis(ms))),
        Some(ms) => return Err(format!("deadline_ms is {ms}, but 1 to {DEADLINE_MS_MAX} are possible")),
    };
    let choice = Choice {
        temperature: body.temperature,
        top_k: body.top_k,
        top_p: body.top_p,
        min_p: body.min_p,
        repetition_penalty: body.repetition_penalty,
        seed: body.seed,
    };
    Ok(Command::Ask(Box::new(Question {
        asker,
        matter,
        answer_max: body.max_tokens,
        choice,
        stops: body.stop,
        schema,
        asked_at: now,
        deadline,
        priority: body.priority,
        streams: body.stream,
    })))
}

fn matter(
    prompt: Option<String>,
    system: Option<String>,
    messages: Option<Vec<TurnBody>>,
    raw: bool,
) -> Result<Matter, String> {
    let says = |speaker, content| Turn { speaker, content };
    let system = system.map(|text| says(Speaker::System, text));
    match (prompt, messages) {
        (Some(prompt), None) if raw && system.is_none() => Ok(Matter::Beginning(prompt)),
        (Some(_), None) if raw => Err("a raw prompt takes no system text; leave one of the two out".to_owned()),
        (Some(prompt), None) => {
            Ok(Matter::Conversation(system.into_iter().chain([says(Speaker::User, prompt)]).collect()))
        }
        (None, Some(messages)) if !raw => {
            let speaker = |role| match role {
                RoleBody::System => Speaker::System,
                RoleBody::User => Speaker::User,
                RoleBody::Assistant => Speaker::Assistant,
            };
            if messages.is_empty() || messages.len() > TURNS_MAX {
                return Err(format!("there are {} messages, but 1 to {TURNS_MAX} are possible", messages.len()));
            }
            let turns = messages.into_iter().map(|turn| says(speaker(turn.role), turn.content));
            Ok(Matter::Conversation(system.into_iter().chain(turns).collect()))
        }
        _ => Err("give either `prompt`, or `messages` (without `raw`)".to_owned()),
    }
}

fn cancel(payload: &[u8]) -> Result<Command, String> {
    let CancelBody { client, id } = read(payload)?;
    Ok(Command::Cancel { client, id })
}

fn read<'a, T: Deserialize<'a>>(payload: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(payload).map_err(|error| format!("the command is not what it must be: {error}; correct it"))
}

/// Client and id as levels of a topic.
fn client(client: String, id: String) -> Result<Asker, String> {
    for (name, value) in [("client", &client), ("id", &id)] {
        if slug(value) != *value {
            return Err(format!(
                "{name} is \"{}\", but 1 to {SLUG_BYTES_MAX} of the letters a-z, 0-9, `_` and `-` are allowed",
                shown(value)
            ));
        }
    }
    Ok(Asker::Client { client, id })
}

/// Whom a command came from, though the rest of it be nonsense.
fn asker(payload: &[u8]) -> Option<Asker> {
    #[derive(Deserialize)]
    struct Names {
        client: String,
        id: String,
    }
    let Names { client: name, id } = serde_json::from_slice(payload).ok()?;
    client(name, id).ok()
}

/// What came from outside, for a message: short and printable.
fn shown(text: &str) -> String {
    text.chars().take(60).map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}
