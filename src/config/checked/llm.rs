//! `[llm]` and `[[llm.task]]`: the model's file and bounds, and tasks whose prompts were filled in once for a trial.

use std::time::Duration;

use clawdbot_flow::event::Change;
use clawdbot_kernels::pages::Format;
use clawdbot_llm::constrain::SCHEMA_BYTES_MAX;
use clawdbot_llm::template::prompt::PromptTemplate;
use serde_json::Value;

use super::Check;
use crate::config::raw::llm::Task;
use crate::config::{Compute, Llm};
use crate::pipeline::answering::Options;
use crate::pipeline::answering::tasks::{TaskOptions, Trigger, rehearse};
use crate::sources::sensor;

/// The most tasks: each looks at every event.
const TASKS_MAX: usize = 32;
/// Answers at once that are not asked for by number: a client's and a task's.
const SLOTS: usize = 2;

impl Check<'_> {
    pub(super) fn llm(&mut self, compute: &Compute, cameras: bool, sensors: &[sensor::Options]) -> Option<Llm> {
        let raw = std::mem::take(&mut self.document.raw.llm);
        if raw.task.len() > TASKS_MAX {
            self.problem("llm.task", format!("there are {}; {TASKS_MAX} are possible", raw.task.len()));
        }
        let known: Vec<String> = sensors.iter().map(|sensor| sensor.id.clone()).collect();
        let count = raw.task.len();
        let tasks: Vec<Option<TaskOptions>> =
            raw.task.into_iter().enumerate().map(|(at, task)| self.task(at, task, &known)).collect();
        let tasks: Vec<TaskOptions> = tasks.into_iter().flatten().collect();
        self.unique(tasks.iter().enumerate().map(|(at, task)| (format!("llm.task[{at}].id"), task.id.clone())));
        let Some(model) = raw.model else {
            if count > 0 {
                self.problem(
                    "llm.model",
                    "it is missing, but there are tasks for it; name a bundle, or leave the tasks out",
                );
            }
            return None;
        };
        let ceiling = compute.max_concurrency.into_iter().chain(compute.batch_size).min().unwrap_or(usize::MAX);
        let slots = raw.slots.unwrap_or(SLOTS);
        if raw.slots.is_some() && slots > ceiling {
            self.notes.push(format!(
                "llm.slots is {slots}, but CLAWDBOT_MAX_CONCURRENCY or CLAWDBOT_BATCH_SIZE allows {ceiling}; {ceiling} hold"
            ));
        }
        let options = Options {
            model: self.path(&model),
            context: raw.context,
            slots: slots.min(ceiling),
            format: if raw.kv.as_deref() == Some("f16") { Format::F16 } else { Format::I8 },
            answer_max: raw.max_tokens.unwrap_or(256),
            temperature: single(raw.temperature.unwrap_or(0.7)),
            system: raw.system,
            idle_unload: raw.idle_unload_s.map(seconds),
            beside_cameras: cameras,
        };
        Some(Llm { options, tasks })
    }

    fn task(&mut self, at: usize, raw: Task, sensors: &[String]) -> Option<TaskOptions> {
        let key = |name: &str| format!("llm.task[{at}].{name}");
        let id = self.id(&key("id"), raw.id.clone());
        let trigger = self.trigger(at, &raw, sensors);
        let Some(source) = &raw.prompt else {
            self.missing(&key("prompt"), "give the question that is to be asked");
            return None;
        };
        let prompt = match PromptTemplate::new(source) {
            Ok(prompt) => prompt,
            Err(error) => {
                self.problem(&key("prompt"), error.to_string());
                return None;
            }
        };
        let trigger = trigger?;
        if let Err(error) = rehearse(&prompt, &trigger, sensors) {
            self.problem(&key("prompt"), error.to_string());
        }
        let schema = raw.schema.as_deref().and_then(|path| self.schema(&key("schema"), path));
        Some(TaskOptions {
            id,
            trigger,
            prompt,
            system: raw.system,
            schema,
            answer_max: raw.max_tokens,
            temperature: single(raw.temperature.unwrap_or(0.0)),
            cooldown: seconds(raw.cooldown_s.unwrap_or(10.0)),
            deadline: seconds(raw.deadline_s.unwrap_or(120.0)),
            priority: raw.priority.unwrap_or(0),
        })
    }

    fn trigger(&mut self, at: usize, raw: &Task, sensors: &[String]) -> Option<Trigger> {
        let key = |name: &str| format!("llm.task[{at}].{name}");
        let Some(on) = raw.on.as_deref() else {
            self.missing(&key("on"), "give \"object\", \"sensor\" or \"time\"");
            return None;
        };
        let given = [
            ("cameras", "object", raw.cameras.is_some()),
            ("labels", "object", raw.labels.is_some()),
            ("changes", "object", raw.changes.is_some()),
            ("sensor", "sensor", raw.sensor.is_some()),
            ("above", "sensor", raw.above.is_some()),
            ("below", "sensor", raw.below.is_some()),
            ("every_s", "time", raw.every_s.is_some()),
        ];
        for (name, belongs, _) in given.into_iter().filter(|(_, belongs, given)| *given && *belongs != on) {
            self.problem(
                &key(name),
                format!("it belongs to `on = \"{belongs}\"`, but this task is `on = \"{on}\"`; leave it out"),
            );
        }
        match on {
            "object" => {
                let changes = raw.changes.clone().unwrap_or_else(|| vec!["new".to_owned()]);
                let changes = changes.iter().filter_map(|name| {
                    let change =
                        [Change::New, Change::End, Change::Gap].into_iter().find(|change| change.name() == name);
                    if change.is_none() {
                        self.problem(&key("changes"), format!("there is no \"{name}\"; there are: new, end, gap"));
                    }
                    change
                });
                let changes = changes.collect();
                let list = |names: &Option<Vec<String>>| names.clone().unwrap_or_default();
                Some(Trigger::Object { cameras: list(&raw.cameras), labels: list(&raw.labels), changes })
            }
            "sensor" => {
                let Some(sensor) = raw.sensor.clone() else {
                    self.missing(&key("sensor"), "give the id of a [[sensor]]");
                    return None;
                };
                if !sensors.contains(&sensor) {
                    self.problem(
                        &key("sensor"),
                        format!("there is no sensor \"{sensor}\"; there are: {}", sensors.join(", ")),
                    );
                }
                if raw.above.is_none() && raw.below.is_none() {
                    self.problem(
                        &key("above"),
                        "neither `above` nor `below` is given, so it would never fire; give one",
                    );
                }
                Some(Trigger::Sensor { sensor, above: raw.above, below: raw.below })
            }
            _ => {
                if raw.every_s.is_none() {
                    self.missing(&key("every_s"), "give the seconds from one question to the next");
                }
                raw.every_s.map(|every| Trigger::Every(seconds(every)))
            }
        }
    }

    /// The text of a schema's file, which must be JSON; whether it can be used is known when the model's tokens are.
    fn schema(&mut self, key: &str, path: &str) -> Option<String> {
        let path = self.path(path);
        let shown = path.display();
        let read = std::fs::read_to_string(&path);
        let refused = match &read {
            Err(error) => Some(format!("{shown} can't be read ({error}); check the path")),
            Ok(text) if text.len() > SCHEMA_BYTES_MAX => {
                Some(format!("{shown} has {} bytes, but {SCHEMA_BYTES_MAX} are the most; shorten it", text.len()))
            }
            Ok(text) => match serde_json::from_str::<Value>(text) {
                Ok(schema) if schema.is_object() => None,
                Ok(_) => Some(format!("{shown} is no JSON Schema, which is an object; correct it")),
                Err(error) => Some(format!("{shown} is no JSON: {error}; correct it")),
            },
        };
        match refused {
            Some(message) => {
                self.problem(key, message);
                None
            }
            None => read.ok(),
        }
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

#[expect(clippy::cast_possible_truncation, reason = "a temperature of 0..=10 is as good in 32 bits")]
const fn single(number: f64) -> f32 {
    number as f32
}
