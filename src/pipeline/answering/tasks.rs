//! Questions that nobody asks by hand: an event, a sensor beyond a threshold or the passing of time raises one.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use clawdbot_flow::clock::Monotonic;
use clawdbot_flow::event::{Change, Event, ObjectEvent};
use clawdbot_flow::question::{Asker, Choice, Matter, Question, Speaker, Turn};
use clawdbot_flow::reading::Reading;
use clawdbot_llm::template::prompt::{PromptError, PromptTemplate};
use serde::Serialize;

#[cfg(test)]
mod tests;

/// Events that a prompt may look back on.
const EVENTS_KEPT: usize = 32;

/// One task of the configuration.
#[derive(Clone, Debug)]
pub(crate) struct TaskOptions {
    /// Its id: a level of its topic.
    pub(crate) id: String,
    /// What fires it.
    pub(crate) trigger: Trigger,
    /// What is asked.
    pub(crate) prompt: PromptTemplate,
    /// What the conversation begins with; the model's own scene without.
    pub(crate) system: Option<String>,
    /// The JSON Schema of the answer, as text.
    pub(crate) schema: Option<String>,
    /// Most tokens of the answer; the model's default without.
    pub(crate) answer_max: Option<usize>,
    /// 0 takes the likeliest token.
    pub(crate) temperature: f32,
    /// How long after a question its trigger is not heard.
    pub(crate) cooldown: Duration,
    /// How long its answer is wanted.
    pub(crate) deadline: Duration,
    /// Of two that wait, the higher one goes first.
    pub(crate) priority: u8,
}

/// What fires a task.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Trigger {
    /// Something in a camera's view.
    Object {
        /// Of these cameras; of all if there are none.
        cameras: Vec<String>,
        /// Of these labels; of all if there are none.
        labels: Vec<String>,
        /// What became of it.
        changes: Vec<Change>,
    },
    /// A sensor's value that comes to be beyond a threshold.
    Sensor {
        /// The sensor's id.
        sensor: String,
        /// Fires above this.
        above: Option<f64>,
        /// Fires below this.
        below: Option<f64>,
    },
    /// The passing of so much time.
    Every(Duration),
}

/// The tasks, and what they remember.
pub(super) struct Tasks {
    tasks: Vec<Task>,
    events: VecDeque<ObjectEvent>,
    readings: BTreeMap<String, Reading>,
}

struct Task {
    options: TaskOptions,
    /// When it was asked last.
    asked_at: Option<Monotonic>,
    /// When it is due again, for those that time fires.
    due_at: Monotonic,
    /// The sensor stands beyond the threshold already.
    beyond: bool,
    /// Questions of its that the model did not take.
    dropped: u64,
    /// The last reason why its prompt could not be filled in, so that it is logged once.
    failure: Option<PromptError>,
}

/// What a prompt may name.
#[derive(Serialize)]
struct Values<'a> {
    task: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<EventValues<'a>>,
    events: Vec<EventValues<'a>>,
    readings: BTreeMap<&'a str, ReadingValues<'a>>,
}

#[derive(Serialize)]
struct EventValues<'a> {
    camera: &'a str,
    label: &'a str,
    change: &'static str,
    score: f64,
    seconds_ago: u64,
}

#[derive(Serialize)]
struct ReadingValues<'a> {
    value: f64,
    unit: &'a str,
    seconds_ago: u64,
}

impl Tasks {
    pub(super) fn new(options: &[TaskOptions], now: Monotonic) -> Self {
        let task = |options: &TaskOptions| {
            let due_at = match options.trigger {
                Trigger::Every(interval) => now.plus(interval),
                Trigger::Object { .. } | Trigger::Sensor { .. } => now,
            };
            Task { options: options.clone(), asked_at: None, due_at, beyond: false, dropped: 0, failure: None }
        };
        let tasks = options.iter().map(task).collect();
        Self { tasks, events: VecDeque::with_capacity(EVENTS_KEPT), readings: BTreeMap::new() }
    }

    /// Something happened: the questions that it raises.
    pub(super) fn hear(&mut self, event: Event, now: Monotonic) -> Vec<Question> {
        let fired: Vec<usize> = match &event {
            Event::Object(object) => self.which(|task| task.options.trigger.is_of(object)),
            Event::Reading(reading) => self.which(|task| task.crosses(reading)),
            Event::Camera(_) => Vec::new(),
        };
        let object = match event {
            Event::Object(object) => Some(object),
            Event::Reading(reading) => {
                self.readings.insert(reading.sensor.clone(), reading);
                None
            }
            Event::Camera(_) => None,
        };
        let questions = fired.into_iter().filter_map(|at| self.raise(at, object.as_ref(), now)).collect();
        if let Some(object) = object {
            if self.events.len() == EVENTS_KEPT {
                self.events.pop_front();
            }
            self.events.push_back(object);
        }
        questions
    }

    /// The question that task `id` has just raised came to nothing, since the model is busy.
    pub(super) fn was_dropped(&mut self, id: &str) {
        self.tasks.iter_mut().filter(|task| task.options.id == id).for_each(|task| task.dropped += 1);
    }

    /// By task, how many of its questions were dropped.
    pub(super) fn dropped(&self) -> impl Iterator<Item = (&str, u64)> {
        self.tasks.iter().map(|task| (task.options.id.as_str(), task.dropped))
    }

    /// The questions that are due by time.
    pub(super) fn due(&mut self, now: Monotonic) -> Vec<Question> {
        let fired = self.which(|task| match task.options.trigger {
            Trigger::Every(interval) if task.due_at <= now => {
                task.due_at = now.plus(interval);
                true
            }
            _ => false,
        });
        fired.into_iter().filter_map(|at| self.raise(at, None, now)).collect()
    }

    fn which(&mut self, mut fires: impl FnMut(&mut Task) -> bool) -> Vec<usize> {
        self.tasks.iter_mut().enumerate().filter_map(|(at, task)| fires(task).then_some(at)).collect()
    }

    fn raise(&mut self, at: usize, event: Option<&ObjectEvent>, now: Monotonic) -> Option<Question> {
        let task = &self.tasks[at];
        let options = &task.options;
        if task.asked_at.is_some_and(|asked| now.since(asked) < options.cooldown) {
            return None;
        }
        let filled = options.prompt.fill(&self.values(&options.id, event, now));
        let task = &mut self.tasks[at];
        let options = &task.options;
        let prompt = match filled {
            Ok(prompt) => prompt,
            Err(error) => {
                if task.failure.as_ref() != Some(&error) {
                    tracing::warn!(task = options.id, "{error}");
                    task.failure = Some(error);
                }
                return None;
            }
        };
        task.asked_at = Some(now);
        let says = |speaker, content: String| Turn { speaker, content };
        let scene = options.system.clone().map(|text| says(Speaker::System, text));
        Some(Question {
            asker: Asker::Task(options.id.clone()),
            matter: Matter::Conversation(scene.into_iter().chain([says(Speaker::User, prompt)]).collect()),
            answer_max: options.answer_max,
            choice: Choice { temperature: Some(options.temperature), ..Choice::default() },
            stops: Vec::new(),
            schema: options.schema.clone(),
            asked_at: now,
            deadline: Some(now.plus(options.deadline)),
            priority: options.priority,
            streams: false,
        })
    }

    fn values<'a>(&'a self, task: &'a str, event: Option<&'a ObjectEvent>, now: Monotonic) -> Values<'a> {
        let event_values = |event: &'a ObjectEvent| EventValues {
            camera: &event.camera,
            label: &event.label,
            change: event.change.name(),
            score: (f64::from(event.score) * 1e3).round() / 1e3,
            seconds_ago: now.since(event.captured_at).as_secs(),
        };
        let reading = |(sensor, reading): (&'a String, &'a Reading)| {
            let seconds_ago = now.since(reading.read_at).as_secs();
            (sensor.as_str(), ReadingValues { value: reading.value, unit: &reading.unit, seconds_ago })
        };
        Values {
            task,
            event: event.map(event_values),
            events: self.events.iter().map(event_values).collect(),
            readings: self.readings.iter().map(reading).collect(),
        }
    }
}

impl Trigger {
    fn is_of(&self, event: &ObjectEvent) -> bool {
        let Self::Object { cameras, labels, changes } = self else { return false };
        let named = |names: &[String], name: &str| {
            names.is_empty() || names.iter().any(|wanted| wanted.eq_ignore_ascii_case(name))
        };
        changes.contains(&event.change) && named(cameras, &event.camera) && named(labels, &event.label)
    }
}

impl Task {
    /// Whether `reading` is the first beyond the threshold.
    fn crosses(&mut self, reading: &Reading) -> bool {
        let Trigger::Sensor { sensor, above, below } = &self.options.trigger else { return false };
        if *sensor != reading.sensor {
            return false;
        }
        let is_beyond =
            above.is_some_and(|most| reading.value > most) || below.is_some_and(|least| reading.value < least);
        let was_beyond = std::mem::replace(&mut self.beyond, is_beyond);
        is_beyond && !was_beyond
    }
}

/// Fills `prompt` in with made-up values of the kind that `trigger` brings, so that a slip is found before the first event.
///
/// # Errors
/// When it names something that will not be there.
pub(crate) fn rehearse(prompt: &PromptTemplate, trigger: &Trigger, sensors: &[String]) -> Result<(), PromptError> {
    let event = || EventValues { camera: "front", label: "person", change: "new", score: 0.5, seconds_ago: 1 };
    let reading = |sensor: &'_ String| (sensor.clone(), ReadingValues { value: 1.0, unit: "", seconds_ago: 1 });
    let readings: BTreeMap<String, ReadingValues<'_>> = sensors.iter().map(reading).collect();
    let values = Values {
        task: "task",
        event: matches!(trigger, Trigger::Object { .. }).then(event),
        events: vec![event()],
        readings: readings
            .iter()
            .map(|(sensor, value)| (sensor.as_str(), ReadingValues { unit: value.unit, ..*value }))
            .collect(),
    };
    prompt.fill(&values).map(drop)
}
