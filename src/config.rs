//! The configuration: a TOML file and environment variables become types that can't be wrong.
//!
//! The way: [`document`] reads the file, lays the environment's overrides over it and holds every value against the
//! table of keys in [`raw`]; [`checked`] settles what belongs together and makes the `Options` that the lower rooms own.
//! All problems are told at once, each with its key, its place, what is allowed and what to do.

mod checked;
mod document;
pub(crate) mod env;
pub(crate) mod first_boot;
mod key;
mod problem;
mod raw;
pub(crate) mod reference;
mod report;

use std::path::{Path, PathBuf};

use clawdbot_flow::rooted::Root;
use clawdbot_kernels::isa::Isa;

pub(crate) use self::env::Environment;
pub(crate) use self::problem::Problems;
use crate::mqtt;
use crate::pipeline::answering;
use crate::sources::{camera, sensor};

/// The configuration, checked.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// This node's id, one topic level: `[a-z0-9_-]+`.
    pub(crate) node: String,
    /// How to reach the broker; [`Config::mqtt_options`] completes it.
    mqtt: Mqtt,
    /// Which cameras.
    pub(crate) cameras: Cameras,
    /// Which sensors.
    pub(crate) sensors: Vec<sensor::Options>,
    /// The detector.
    pub(crate) detector: Detector,
    /// Bounds of the computing.
    pub(crate) compute: Compute,
    /// The language model, if there is one.
    pub(crate) llm: Option<Llm>,
    /// What is logged: a level, or `tracing`'s filter directives.
    pub(crate) log_filter: String,
    /// What is right but worth a sentence: `app` logs them, `check-config` prints them.
    pub(crate) notes: Vec<String>,
}

#[derive(Clone, Debug)]
struct Mqtt {
    prefix: String,
    broker: mqtt::Broker,
    credentials: Option<mqtt::Credentials>,
    tls: Option<mqtt::Tls>,
    keep_alive: std::time::Duration,
}

/// Which cameras the daemon has.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cameras {
    /// There is no configuration file: the first usable V4L2 camera with these options, else the bundled clip.
    FirstOrClip(camera::Options),
    /// Those of the file; may be none.
    Listed(Vec<camera::Options>),
}

/// The detector's settings.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Detector {
    /// The bundle; `None`: the bundled one.
    pub(crate) model: Option<PathBuf>,
    /// Detections below this score are left out, 0..=1.
    pub(crate) score_min: f32,
    /// Threads for one inference, 1 or more.
    pub(crate) threads: usize,
    /// Only these labels are reported; empty: all.
    pub(crate) labels: Vec<String>,
}

/// Bounds of the computing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Compute {
    /// Threads of the compute pool, 1 or more.
    pub(crate) threads: usize,
    /// The most inferences at once; `None`: no ceiling of the user's.
    pub(crate) max_concurrency: Option<usize>,
    /// The largest batch; `None`: no ceiling of the user's.
    pub(crate) batch_size: Option<usize>,
    /// The instruction set that is forced; `None`: the best of this machine.
    pub(crate) isa: Option<Isa>,
}

/// The language model's settings.
#[derive(Clone, Debug)]
pub(crate) struct Llm {
    /// The model and its bounds.
    pub(crate) options: answering::Options,
    /// What it is asked without anybody asking.
    pub(crate) tasks: Vec<answering::tasks::TaskOptions>,
}

/// Whether secrets are read from their files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Secrets {
    /// The daemon: it needs them.
    Read,
    /// `check-config`: it may run as somebody who must not, and elsewhere; what can't be read becomes a note.
    Probe,
}

impl Config {
    /// Reads the file (if there is one; the host name, which names the node, comes from `root`), lays `environment` over it, and checks everything.
    ///
    /// # Errors
    /// All problems at once; exit code 78.
    pub(crate) fn load(
        file: Option<&Path>,
        environment: &Environment,
        root: &Root,
        secrets: Secrets,
    ) -> Result<Self, Problems> {
        let text = match file {
            Some(path) => document::read(path)?,
            None => String::new(),
        };
        Self::of_text(&text, file, environment, root, secrets)
    }

    /// The same of a text; `file` is its name in messages, and where relative paths begin.
    fn of_text(
        text: &str,
        file: Option<&Path>,
        environment: &Environment,
        root: &Root,
        secrets: Secrets,
    ) -> Result<Self, Problems> {
        // A board without a host name is called after us.
        let host_name = std::fs::read_to_string(root.join("/proc/sys/kernel/hostname")).unwrap_or_default();
        let document = document::Document::parse(text, file, environment);
        let host_name = host_name.trim();
        Self::try_from(checked::Unchecked { document, file, environment, host_name, secrets })
    }

    /// What the MQTT room needs. `install_id` tells two installations with one node id apart.
    pub(crate) fn mqtt_options(&self, install_id: String) -> mqtt::Options {
        mqtt::Options {
            node: self.node.clone(),
            prefix: self.mqtt.prefix.clone(),
            broker: self.mqtt.broker.clone(),
            credentials: self.mqtt.credentials.clone(),
            tls: self.mqtt.tls.clone(),
            keep_alive: self.mqtt.keep_alive,
            install_id,
        }
    }
}

#[cfg(test)]
mod tests;
