//! The JSON of every message: the envelope, and around what it is put. `docs/schemas/` says the same as JSON Schemas,
//! and a test validates each payload built here against them.
//!
//! What is not known is absent, never zero and never null.

mod camera;
pub(crate) mod command;
mod envelope;
mod language;
mod node;
pub(crate) mod time_sync;
pub(crate) mod timestamp;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clawdbot_flow::answer::Answer;
use clawdbot_flow::clock::{Clock, Monotonic, Wall};
use clawdbot_flow::event::Event;
use clawdbot_flow::question::Asker;
use clawdbot_flow::rooted::Root;
use serde::Serialize;

use self::camera::{CameraStateData, CameraStatusData, ObjectData, SensorData};
use self::envelope::{Envelope, Ids};
use self::language::{AnswerData, DeltaData};
use self::time_sync::TimeSync;
use super::message::{Kind, Message};
use super::topics::{Topics, slug};
pub(crate) use language::{LanguageStatus, TaskStatus};
pub(crate) use node::{
    CameraHealth, CameraInfo, CameraStats, DetectorHealth, DetectorStats, HealthReport, HeartbeatReport, InfoReport,
    LanguageModelInfo, LanguageStats, LinkHealth, ModelInfo, SensorHealth, StatsReport,
};

/// The payload of the status topic while we are there; Home Assistant's default for "available".
pub(crate) const ONLINE: &str = "online";
/// The payload of the status topic when we are gone; also the last will.
pub(crate) const OFFLINE: &str = "offline";

/// Builds messages; shared by every thread that has something to say.
pub(crate) struct Composer {
    topics: Topics,
    clock: Arc<dyn Clock>,
    boot: Boot,
    time_sync: TimeSync,
    model: Option<String>,
    counted: Mutex<Counted>,
}

/// Which boot of the machine this is, and how long it had run when our monotonic clock began.
#[derive(Clone, Debug)]
struct Boot {
    id: Option<String>,
    uptime_at_origin: Duration,
}

struct Counted {
    ids: Ids,
    /// The next sequence number by `src` and `type`.
    sequences: HashMap<(String, &'static str), u64>,
}

/// What one message is about, beside its data.
struct Subject<'a> {
    kind: &'static str,
    source: String,
    at: Monotonic,
    at_wall: Wall,
    latency_ms: Option<f64>,
    model: Option<&'a str>,
}

impl Composer {
    /// A composer for the node that `topics` name. `root` is where /proc, /sys and /run begin; `seed` makes the random
    /// part of the message ids and must differ from start to start.
    pub(crate) fn new(topics: Topics, clock: Arc<dyn Clock>, root: &Root, seed: u64) -> Self {
        let boot = Boot::read(root, clock.monotonic());
        Self {
            topics,
            clock,
            boot,
            time_sync: TimeSync::new(root),
            model: None,
            counted: Mutex::new(Counted { ids: Ids::new(seed), sequences: HashMap::new() }),
        }
    }

    /// Names the network whose verdicts the camera messages carry.
    pub(crate) fn with_model(mut self, model: Option<String>) -> Self {
        self.model = model;
        self
    }

    /// This node's topics.
    #[cfg(test)]
    pub(crate) const fn topics(&self) -> &Topics {
        &self.topics
    }

    /// The message that tells of `event`.
    pub(crate) fn event(&self, event: &Event) -> Message {
        match event {
            Event::Object(event) => {
                let subject = Subject {
                    kind: "camera_event",
                    source: format!("camera/{}", slug(&event.camera)),
                    at: event.captured_at,
                    at_wall: event.captured_wall,
                    latency_ms: Some(event.latency_ms),
                    model: self.model.as_deref(),
                };
                let topic = self.topics.camera_event(&event.camera);
                self.compose(topic, Kind::Event, subject, ObjectData::from(event))
            }
            Event::Camera(event) => {
                let subject = Subject {
                    kind: "camera_status",
                    source: format!("camera/{}", slug(&event.camera)),
                    at: event.at,
                    at_wall: event.at_wall,
                    latency_ms: None,
                    model: None,
                };
                let topic = self.topics.camera_status(&event.camera);
                self.compose(topic, Kind::State, subject, CameraStatusData::from(event))
            }
            Event::Reading(reading) => {
                let subject = Subject {
                    kind: "sensor_state",
                    source: format!("sensor/{}", slug(&reading.sensor)),
                    at: reading.read_at,
                    at_wall: reading.read_wall,
                    latency_ms: None,
                    model: None,
                };
                let topic = self.topics.sensor_state(&reading.sensor);
                self.compose(topic, Kind::State, subject, SensorData::from(reading))
            }
        }
    }

    /// The message that says how many objects of each label `camera` has in view now; labels with none may be absent.
    pub(crate) fn camera_state(&self, camera: &str, objects: &BTreeMap<String, u32>) -> Message {
        let mut subject = self.now("camera_state", format!("camera/{}", slug(camera)));
        subject.model = self.model.as_deref();
        self.compose(self.topics.camera_state(camera), Kind::State, subject, CameraStateData { objects })
    }

    /// The message with an answer of the language model called `model`, to whoever asked; of the node itself where there is no
    /// model.
    pub(crate) fn answer(&self, model: Option<&str>, answer: &Answer) -> Message {
        let (kind, topic) = match &answer.asker {
            Asker::Client { client, id } => ("reply", self.topics.reply(client, id)),
            Asker::Task(task) => ("llm_result", self.topics.language_result(task)),
        };
        let source = model.map_or_else(|| "node".to_owned(), |model| format!("llm/{}", slug(model)));
        let mut subject = self.now(kind, source);
        subject.model = model;
        self.compose(topic, Kind::Event, subject, AnswerData::from(answer))
    }

    /// The message with the `index`th piece of an answer that `client` listens to.
    pub(crate) fn delta(&self, model: &str, [client, id]: [&str; 2], index: u64, text: &str) -> Message {
        let mut subject = self.now("stream", format!("llm/{}", slug(model)));
        subject.model = Some(model);
        self.compose(self.topics.stream(client, id), Kind::Sample, subject, DeltaData { index, text })
    }

    /// The message that says whether the language model called `model` can be asked.
    pub(crate) fn language_status(&self, model: &str, status: &LanguageStatus) -> Message {
        let mut subject = self.now("llm_status", format!("llm/{}", slug(model)));
        subject.model = Some(model);
        self.compose(self.topics.language_status(model), Kind::State, subject, status)
    }

    /// The message that says what this node is.
    pub(crate) fn info(&self, info: &InfoReport) -> Message {
        self.compose(self.topics.info(), Kind::State, self.now("info", "node".to_owned()), info)
    }

    /// The message that says how this node fares.
    pub(crate) fn health(&self, health: &HealthReport) -> Message {
        self.compose(self.topics.health(), Kind::State, self.now("health", "node".to_owned()), health)
    }

    /// The message with the rates and times of the last interval.
    pub(crate) fn stats(&self, stats: &StatsReport) -> Message {
        self.compose(self.topics.stats(), Kind::Sample, self.now("stats", "node".to_owned()), stats)
    }

    fn now(&self, kind: &'static str, source: String) -> Subject<'_> {
        let (at, at_wall) = (self.clock.monotonic(), self.clock.wall());
        Subject { kind, source, at, at_wall, latency_ms: None, model: None }
    }

    fn compose(&self, topic: String, kind: Kind, subject: Subject<'_>, data: impl Serialize) -> Message {
        let (id, sequence) = self.number(&subject);
        let envelope = Envelope {
            v: 1,
            kind: subject.kind,
            id,
            node: self.topics.node(),
            src: &subject.source,
            seq: sequence,
            ts: timestamp::rfc3339(subject.at_wall),
            clock: self.time_sync.now().as_str(),
            boot: self.boot.id.as_deref(),
            mono_ms: self.boot.milliseconds(subject.at),
            lat_ms: subject.latency_ms.and_then(|latency| envelope::rounded(latency, 1)),
            model: subject.model,
            energy_j: None,
            data,
        };
        Message { topic, payload: envelope.to_bytes(), kind }
    }

    fn number(&self, subject: &Subject<'_>) -> (String, u64) {
        let wall = self.clock.wall();
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let id = counted.ids.next(wall);
        let next = counted.sequences.entry((subject.source.clone(), subject.kind)).or_insert(0);
        let sequence = *next;
        *next += 1;
        (id, sequence)
    }
}

impl Boot {
    /// Reads the boot id and how long the machine has been up at `now`. A file that cannot be read leaves it unknown.
    fn read(root: &Root, now: Monotonic) -> Self {
        let text = |path: &str| std::fs::read_to_string(root.join(path)).ok();
        let id = text("/proc/sys/kernel/random/boot_id").map(|id| id.trim().to_owned()).filter(|id| !id.is_empty());
        let uptime = text("/proc/uptime")
            .and_then(|text| text.split_whitespace().next()?.parse::<f64>().ok())
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
            .unwrap_or_default();
        Self { id, uptime_at_origin: uptime.saturating_sub(now.since_origin()) }
    }

    fn milliseconds(&self, at: Monotonic) -> u64 {
        let since_boot = self.uptime_at_origin.saturating_add(at.since_origin());
        u64::try_from(since_boot.as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests;
