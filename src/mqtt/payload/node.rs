//! What `data` is for the node's own messages. `app` and `health` fill these in; what they do not know they leave `None`.

use std::collections::BTreeMap;

use clawdbot_flow::clock::Monotonic;
use serde::Serialize;

use super::super::link::LinkState;

/// `data` of `info`: what this node is.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct InfoReport {
    /// clawdbot's version.
    pub(crate) version: String,
    /// The board, as the device tree or DMI names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) board: Option<String>,
    /// The processor's features that matter to us: `neon`, `dotprod`, `avx2` ...
    pub(crate) cpu_features: Vec<String>,
    /// The instruction set that the kernels run on: `neon_dotprod`, `avx2`, `scalar` ...
    pub(crate) isa: String,
    /// Threads of the compute pool.
    pub(crate) compute_threads: u32,
    /// The network that runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) model: Option<ModelInfo>,
    /// The language models that can be asked.
    pub(crate) language_models: Vec<LanguageModelInfo>,
    /// Cameras by id.
    pub(crate) cameras: BTreeMap<String, CameraInfo>,
    /// Sensor ids.
    pub(crate) sensors: Vec<String>,
}

/// The network that runs.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ModelInfo {
    /// Its name.
    pub(crate) name: String,
    /// The licence that its bundle states.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) licence: Option<String>,
    /// How many labels it knows.
    pub(crate) labels: u32,
}

/// A language model as configured.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct LanguageModelInfo {
    /// Its name, which its topics spell as a slug.
    pub(crate) name: String,
    /// How its layers' weights are packed: `f16`, `int8`, `int4` or `mixed`.
    pub(crate) precision: &'static str,
    /// Bytes of its file.
    pub(crate) bytes: u64,
    /// Positions that prompt and answer may have together; absent when more are configured than the model has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) context: Option<usize>,
}

/// A camera as configured.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CameraInfo {
    /// The name for people.
    pub(crate) name: String,
    /// Where frames come from: `v4l2`, `replay` ...
    pub(crate) source: String,
}

/// `data` of `health`: how this node fares.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct HealthReport {
    /// Seconds since the daemon's start.
    pub(crate) uptime_s: u64,
    /// Resident memory of the daemon in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) resident_bytes: Option<u64>,
    /// Whether every stage moved within its allowed silence.
    pub(crate) alive: bool,
    /// Each stage's heartbeat.
    pub(crate) heartbeats: BTreeMap<String, HeartbeatReport>,
    /// The connection to the broker.
    pub(crate) mqtt: LinkHealth,
    /// Cameras by id.
    pub(crate) cameras: BTreeMap<String, CameraHealth>,
    /// Sensors by id.
    pub(crate) sensors: BTreeMap<String, SensorHealth>,
    /// The detector, where one runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) detector: Option<DetectorHealth>,
}

/// One stage's heartbeat.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct HeartbeatReport {
    /// Milliseconds since it last moved.
    pub(crate) silent_ms: u64,
    /// Milliseconds that it may be silent.
    pub(crate) silent_ms_max: u64,
}

/// The connection to the broker.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct LinkHealth {
    connected: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    connected_s: Option<u64>,
    attempts: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_retry_s: Option<u64>,
    published: u64,
    acknowledged: u64,
    superseded: u64,
    dropped: u64,
    queued: u64,
}

impl LinkHealth {
    /// What `state` says at `now`.
    pub(crate) fn new(state: &LinkState, now: Monotonic) -> Self {
        Self {
            connected: state.connected_since.is_some(),
            connected_s: state.connected_since.map(|since| now.since(since).as_secs()),
            attempts: state.attempts,
            last_error: state.last_error.clone(),
            next_retry_s: state.next_retry.map(|at| at.since(now).as_secs()),
            published: state.published,
            acknowledged: state.acknowledged,
            superseded: state.superseded,
            dropped: state.dropped,
            queued: state.queued,
        }
    }
}

/// One camera.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CameraHealth {
    /// Whether frames arrive.
    pub(crate) online: bool,
    /// Why not, as a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    /// Frames caught since the start.
    pub(crate) frames: u64,
    /// Frames lost since the start: broken, or replaced by a newer one before anybody looked.
    pub(crate) dropped: u64,
}

/// One sensor.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct SensorHealth {
    /// The value at the last look; `None` when there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) value: Option<f64>,
    /// Why there was none, as a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    /// Looks that gave a value.
    pub(crate) reads: u64,
    /// Looks that gave none.
    pub(crate) failures: u64,
}

/// The detector.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct DetectorHealth {
    /// Frames analysed since the start.
    pub(crate) frames: u64,
    /// Frames that could not be analysed: broken pictures.
    pub(crate) failed: u64,
}

/// `data` of `stats`: rates and times of the last interval.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct StatsReport {
    /// The interval's length in seconds.
    pub(crate) interval_s: f64,
    /// Cameras by id.
    pub(crate) cameras: BTreeMap<String, CameraStats>,
    /// The detector, where one ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) detector: Option<DetectorStats>,
    /// The language model, where one is configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) language: Option<LanguageStats>,
}

/// One camera's interval.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CameraStats {
    /// Frames a second that the camera delivered.
    pub(crate) seen_fps: f64,
    /// Frames a second that the network ran on.
    pub(crate) detected_fps: f64,
    /// Frames lost in the interval.
    pub(crate) dropped: u64,
    /// Mean time from capture to verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) latency_ms_mean: Option<f64>,
    /// Longest time from capture to verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) latency_ms_max: Option<f64>,
}

/// The detector's interval.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct DetectorStats {
    /// Inferences in the interval.
    pub(crate) inferences: u64,
    /// Mean time of one inference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) inference_ms_mean: Option<f64>,
    /// Longest inference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) inference_ms_max: Option<f64>,
}

/// What frames and the language model had to do with each other in the interval.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct LanguageStats {
    /// Frames that came due while the language model computed.
    pub(crate) frames_held: u64,
    /// How long half of them, once decoded, waited for it at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) frame_wait_ms_p50: Option<f64>,
    /// How long 99 of 100 waited at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) frame_wait_ms_p99: Option<f64>,
    /// The longest wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) frame_wait_ms_max: Option<f64>,
}
