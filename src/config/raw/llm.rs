//! `[llm]` and `[[llm.task]]`: the language model, and what it is asked without anybody asking.

use serde::{Deserialize, Serialize};

use crate::config::key::{Key, Kind, Section};

pub(in crate::config) const SECTION: Section = Section {
    name: "llm",
    is_list: false,
    about: "A language model that answers questions; there is none without `model`.",
    keys: &[
        Key {
            name: "model",
            kind: Kind::Text,
            default: "none: no questions are answered",
            example: "\"/var/lib/clawdbot/ministral-3b.claw.safetensors\"",
            about: "A bundle of a language model made by `clawdbot convert`. A relative path starts at this file's folder.",
        },
        Key {
            name: "context",
            kind: Kind::Integer { min: 64, max: 1_048_576 },
            default: "the model's own, at most 4096",
            example: "2048",
            about: "Tokens that prompt and answer may have together. Memory for keys and values is taken for all of them.",
        },
        Key {
            name: "slots",
            kind: Kind::Integer { min: 1, max: 16 },
            default: "2",
            example: "2",
            about: "Answers at once, each with its own keys and values; CLAWDBOT_MAX_CONCURRENCY and CLAWDBOT_BATCH_SIZE are \
                    ceilings.",
        },
        Key {
            name: "kv",
            kind: Kind::Choice(&["int8", "f16"]),
            default: "\"int8\"",
            example: "\"int8\"",
            about: "How keys and values are kept: `f16` takes twice the memory.",
        },
        Key {
            name: "max_tokens",
            kind: Kind::Integer { min: 1, max: 65_536 },
            default: "256",
            example: "256",
            about: "Most tokens of an answer to a question that does not say.",
        },
        Key {
            name: "temperature",
            kind: Kind::Number { min: 0.0, max: 10.0 },
            default: "0.7",
            example: "0.7",
            about: "How daring answers are to questions that do not say; 0 always takes the likeliest token.",
        },
        Key {
            name: "system",
            kind: Kind::Text,
            default: "none",
            example: "\"You watch a house. Answer in one sentence.\"",
            about: "What conversations begin with that have no system text of their own.",
        },
        Key {
            name: "idle_unload_s",
            kind: Kind::Number { min: 1.0, max: 604_800.0 },
            default: "never",
            example: "600",
            about: "Seconds without a question after which the model leaves the memory; the next question loads it again.",
        },
    ],
};

pub(in crate::config) const TASK_SECTION: Section = Section {
    name: "llm.task",
    is_list: true,
    about: "Something that the language model is asked by itself, each time its trigger fires; the answer is an event. Repeat \
            the section for each one.",
    keys: &[
        Key {
            name: "id",
            kind: Kind::Text,
            default: "none: must be given",
            example: "\"visitor\"",
            about: "The task's level in its topic: small letters, digits, `_` and `-`, at most 48 of them; each id once.",
        },
        Key {
            name: "on",
            kind: Kind::Choice(&["object", "sensor", "time"]),
            default: "none: must be given",
            example: "\"object\"",
            about: "What fires it: an object in a camera's view, a sensor beyond a threshold, or every so often.",
        },
        Key {
            name: "cameras",
            kind: Kind::Texts,
            default: "[]: all",
            example: "[\"front\"]",
            about: "With `on = \"object\"`: only objects of these cameras.",
        },
        Key {
            name: "labels",
            kind: Kind::Texts,
            default: "[]: all",
            example: "[\"person\"]",
            about: "With `on = \"object\"`: only these labels.",
        },
        Key {
            name: "changes",
            kind: Kind::Texts,
            default: "[\"new\"]",
            example: "[\"new\"]",
            about: "With `on = \"object\"`: only when it came (`new`), went (`end`), or the camera went blind (`gap`).",
        },
        Key {
            name: "sensor",
            kind: Kind::Text,
            default: "none: must be given with `on = \"sensor\"`",
            example: "\"soc\"",
            about: "With `on = \"sensor\"`: the id of the sensor.",
        },
        Key {
            name: "above",
            kind: Kind::Number { min: -1e12, max: 1e12 },
            default: "none",
            example: "75.0",
            about: "With `on = \"sensor\"`: fires when the value comes to be more than this.",
        },
        Key {
            name: "below",
            kind: Kind::Number { min: -1e12, max: 1e12 },
            default: "none",
            example: "5.0",
            about: "With `on = \"sensor\"`: fires when the value comes to be less than this.",
        },
        Key {
            name: "every_s",
            kind: Kind::Number { min: 1.0, max: 2_678_400.0 },
            default: "none: must be given with `on = \"time\"`",
            example: "3600",
            about: "With `on = \"time\"`: seconds from one question to the next.",
        },
        Key {
            name: "prompt",
            kind: Kind::Text,
            default: "none: must be given",
            example: "\"{{ event.label }} at {{ event.camera }}. Before: {% for e in events %}{{ e.label }} {{ e.change }}; {% endfor %}\"",
            about: "The question, a Jinja template. It knows `event` (camera, label, change, score, seconds_ago; with `on = \
                    \"object\"`), `events` (the last 32, oldest first), `readings` (by sensor: value, unit, seconds_ago) and \
                    `task`. What it fills in can never become a control token.",
        },
        Key {
            name: "system",
            kind: Kind::Text,
            default: "`llm.system`",
            example: "\"You report on a house in one sentence.\"",
            about: "What the conversation begins with.",
        },
        Key {
            name: "schema",
            kind: Kind::Text,
            default: "none: free text",
            example: "\"visitor.schema.json\"",
            about: "A file with the JSON Schema that the answer is held to. A relative path starts at this file's folder.",
        },
        Key {
            name: "max_tokens",
            kind: Kind::Integer { min: 1, max: 65_536 },
            default: "`llm.max_tokens`",
            example: "120",
            about: "Most tokens of the answer.",
        },
        Key {
            name: "temperature",
            kind: Kind::Number { min: 0.0, max: 10.0 },
            default: "0",
            example: "0",
            about: "How daring the answer is; 0 always takes the likeliest token.",
        },
        Key {
            name: "cooldown_s",
            kind: Kind::Number { min: 0.0, max: 604_800.0 },
            default: "10",
            example: "10",
            about: "Seconds after a question in which the trigger is not heard.",
        },
        Key {
            name: "deadline_s",
            kind: Kind::Number { min: 0.1, max: 86_400.0 },
            default: "120",
            example: "120",
            about: "Seconds after which nobody wants the answer any more.",
        },
        Key {
            name: "priority",
            kind: Kind::Integer { min: 0, max: 255 },
            default: "0",
            example: "0",
            about: "Of two questions that wait, the higher one goes first; clients' questions have 0 unless they say.",
        },
    ],
};

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Llm {
    pub(in crate::config) model: Option<String>,
    pub(in crate::config) context: Option<usize>,
    pub(in crate::config) slots: Option<usize>,
    pub(in crate::config) kv: Option<String>,
    pub(in crate::config) max_tokens: Option<usize>,
    pub(in crate::config) temperature: Option<f64>,
    pub(in crate::config) system: Option<String>,
    pub(in crate::config) idle_unload_s: Option<f64>,
    pub(in crate::config) task: Vec<Task>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Task {
    pub(in crate::config) id: Option<String>,
    pub(in crate::config) on: Option<String>,
    pub(in crate::config) cameras: Option<Vec<String>>,
    pub(in crate::config) labels: Option<Vec<String>>,
    pub(in crate::config) changes: Option<Vec<String>>,
    pub(in crate::config) sensor: Option<String>,
    pub(in crate::config) above: Option<f64>,
    pub(in crate::config) below: Option<f64>,
    pub(in crate::config) every_s: Option<f64>,
    pub(in crate::config) prompt: Option<String>,
    pub(in crate::config) system: Option<String>,
    pub(in crate::config) schema: Option<String>,
    pub(in crate::config) max_tokens: Option<usize>,
    pub(in crate::config) temperature: Option<f64>,
    pub(in crate::config) cooldown_s: Option<f64>,
    pub(in crate::config) deadline_s: Option<f64>,
    pub(in crate::config) priority: Option<u8>,
}
