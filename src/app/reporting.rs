//! The daemon's own news: `info` once, `health` when something changed and now and then, `stats` every ten seconds. Runs
//! on the main thread until the stop.

use std::collections::BTreeMap;
use std::time::Duration;

use clawdbot_flow::clock::Monotonic;

use super::{CameraStage, Parts};
use crate::health::{self, SignOfLife, Vitals};
use crate::mqtt::payload::{
    CameraHealth, CameraInfo, CameraStats, DetectorHealth, DetectorStats, HealthReport, HeartbeatReport, InfoReport,
    LanguageStats, LinkHealth, ModelInfo, SensorHealth, StatsReport,
};
use crate::pipeline::meter::spread::Spread;
use crate::sources::{board, camera, sensor};

/// An analysis thread comes round every 200 ms, or after one frame through decoder and network: seconds at the most, even
/// for a large network on a slow board that does other things too.
pub(super) const ANALYSIS_SILENCE_MAX: Duration = Duration::from_secs(20);
/// A camera's thread; with room for a machine under load.
pub(super) const CAMERA_SILENCE_MAX: Duration = camera::HEARTBEAT_INTERVAL_MAX.saturating_mul(2);
/// The sensors' thread beats about once a second, but a sensor's driver may take its time.
pub(super) const SENSORS_SILENCE_MAX: Duration = Duration::from_secs(20);
/// The answering thread comes round after each item of its work, but loading a large model from a slow card takes a while.
pub(super) const ANSWERING_SILENCE_MAX: Duration = Duration::from_secs(60);
/// This thread.
const REPORTING_SILENCE_MAX: Duration = Duration::from_secs(10);

/// How often we look for changes.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How often `stats` goes out.
const STATS_EVERY: Duration = Duration::from_secs(10);
/// How often `health` goes out when nothing changes.
const HEALTH_EVERY: Duration = Duration::from_secs(30);

/// Reports until a stop is requested.
pub(super) fn run(parts: &Parts<'_>) {
    let heart = parts.heartbeats.register("reporting", REPORTING_SILENCE_MAX);
    parts.telling.send(parts.telling.composer().info(&info(parts)));
    let model = &parts.bundle.origin().name;
    health::ready(&format!("{} camera(s), model {model}", parts.stages.len()));
    let mut reporter = Reporter::new(parts);
    while !parts.stop.wait(LOOK_EVERY) {
        heart.beat();
        reporter.look();
    }
}

struct Reporter<'a> {
    parts: &'a Parts<'a>,
    health_at: Option<Monotonic>,
    /// What makes `health` news: alive, connected, why not, and each camera's state.
    gist: Option<Gist>,
    stats_at: Monotonic,
    /// What `clawdbot health` reads, and when it was renewed; `None` without a runtime folder.
    sign: Option<SignOfLife>,
    sign_at: Option<Monotonic>,
    before: Vec<CameraCounts>,
    inferences_before: u64,
    broker_was_alive: bool,
}

type Gist = (bool, bool, Option<String>, Vec<(bool, Option<String>)>);

/// Counters of one camera at one moment.
#[derive(Clone, Copy, Default)]
struct CameraCounts {
    seen: u64,
    dropped: u64,
}

impl CameraCounts {
    fn of(stage: &CameraStage) -> Self {
        let snapshot = stage.camera.snapshot();
        let dropped = snapshot.frames_dropped_by_kernel
            + snapshot.frames_bad
            + snapshot.frames_without_buffer
            + stage.frames.dropped()
            + stage.analysis.failed.get();
        Self { seen: snapshot.frames_captured, dropped }
    }
}

impl<'a> Reporter<'a> {
    fn new(parts: &'a Parts<'a>) -> Self {
        Self {
            parts,
            health_at: None,
            gist: None,
            stats_at: parts.clock.monotonic(),
            sign: parts.environment.runtime_folder().and_then(|folder| SignOfLife::begin(&folder, parts.root)),
            sign_at: None,
            before: parts.stages.iter().map(CameraCounts::of).collect(),
            inferences_before: 0,
            broker_was_alive: true,
        }
    }

    fn look(&mut self) {
        let now = self.parts.clock.monotonic();
        if self.broker_was_alive && self.parts.broker_alive.as_ref().is_some_and(|alive| !alive()) {
            self.broker_was_alive = false;
            tracing::error!("the embedded broker has ended; restart clawdbot, or configure another broker");
        }
        self.give_sign(now);
        let (report, gist) = self.health(now);
        let due = self.health_at.is_none_or(|at| now.since(at) >= HEALTH_EVERY);
        if due || self.gist.as_ref() != Some(&gist) {
            self.health_at = Some(now);
            self.gist = Some(gist);
            self.parts.telling.send(self.parts.telling.composer().health(&report));
        }
        if now.since(self.stats_at) >= STATS_EVERY {
            let stats = self.stats(now);
            self.parts.telling.send(self.parts.telling.composer().stats(&stats));
        }
    }

    /// Renews the sign of life that `clawdbot health` reads.
    fn give_sign(&mut self, now: Monotonic) {
        let Some(sign) = &self.sign else { return };
        if self.sign_at.is_none_or(|at| now.since(at) >= health::RENEW_EVERY) {
            self.sign_at = Some(now);
            sign.renew(&Vitals::read(self.parts.heartbeats, self.parts.clock, self.parts.root));
        }
    }

    fn health(&self, now: Monotonic) -> (HealthReport, Gist) {
        let parts = self.parts;
        let vitals = Vitals::read(parts.heartbeats, parts.clock, parts.root);
        let link = parts.link.state();
        let mut cameras = BTreeMap::new();
        let mut failed = 0;
        for stage in parts.stages {
            let snapshot = stage.camera.snapshot();
            let counts = CameraCounts::of(stage);
            failed += stage.analysis.failed.get();
            let reason = snapshot.last_error.filter(|_| !snapshot.online);
            let health = CameraHealth { online: snapshot.online, reason, frames: counts.seen, dropped: counts.dropped };
            cameras.insert(stage.options.id.clone(), health);
        }
        let gist = (
            vitals.alive(),
            link.connected_since.is_some(),
            link.last_error.clone(),
            cameras.values().map(|camera| (camera.online, camera.reason.clone())).collect(),
        );
        let report = HealthReport {
            uptime_s: vitals.uptime.as_secs(),
            resident_bytes: vitals.resident_bytes,
            alive: vitals.alive(),
            heartbeats: vitals.heartbeats.iter().map(heartbeat).collect(),
            mqtt: LinkHealth::new(&link, now),
            cameras,
            sensors: parts.config.sensors.iter().zip(parts.sensor_states).map(sensor).collect(),
            detector: Some(DetectorHealth { frames: parts.detector.inference.total(), failed }),
        };
        (report, gist)
    }

    fn stats(&mut self, now: Monotonic) -> StatsReport {
        let interval_s = now.since(self.stats_at).as_secs_f64();
        self.stats_at = now;
        let mut cameras = BTreeMap::new();
        for (stage, before) in self.parts.stages.iter().zip(&mut self.before) {
            let counts = CameraCounts::of(stage);
            let latency = stage.analysis.latency.take();
            let stats = CameraStats {
                seen_fps: rate(counts.seen - before.seen, interval_s),
                detected_fps: rate(latency.count, interval_s),
                dropped: counts.dropped - before.dropped,
                latency_ms_mean: latency.mean_ms().map(hundredths),
                latency_ms_max: latency.longest_ms().map(hundredths),
            };
            *before = counts;
            cameras.insert(stage.options.id.clone(), stats);
        }
        let inference = self.parts.detector.inference.take();
        let total = self.parts.detector.inference.total();
        let inferences = total - self.inferences_before;
        self.inferences_before = total;
        let detector = DetectorStats {
            inferences,
            inference_ms_mean: inference.mean_ms().map(hundredths),
            inference_ms_max: inference.longest_ms().map(hundredths),
        };
        let language = self.parts.brain.map(|_| waits(&self.parts.detector.way.waits.take()));
        StatsReport { interval_s: hundredths(interval_s), cameras, detector: Some(detector), language }
    }
}

fn waits(spread: &Spread) -> LanguageStats {
    let milliseconds = |duration: Duration| hundredths(duration.as_secs_f64() * 1e3);
    LanguageStats {
        frames_held: spread.count(),
        frame_wait_ms_p50: spread.percentile(50).map(milliseconds),
        frame_wait_ms_p99: spread.percentile(99).map(milliseconds),
        frame_wait_ms_max: spread.longest().map(milliseconds),
    }
}

fn heartbeat(heartbeat: &health::Heartbeat) -> (String, HeartbeatReport) {
    let milliseconds = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let report = HeartbeatReport {
        silent_ms: milliseconds(heartbeat.silent),
        silent_ms_max: milliseconds(heartbeat.silent_max),
    };
    (heartbeat.name.clone(), report)
}

fn sensor((options, state): (&sensor::Options, &sensor::State)) -> (String, SensorHealth) {
    let snapshot = state.snapshot();
    let health = SensorHealth {
        value: snapshot.value,
        reason: snapshot.absent_reason,
        reads: snapshot.reads,
        failures: snapshot.failures,
    };
    (options.id.clone(), health)
}

/// `count` in `interval_s` seconds as a rate; 0 for an interval of no length.
fn rate(count: u64, interval_s: f64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "counts of seconds are far below 2^52")]
    let count = count as f64;
    if interval_s > 0.0 { hundredths(count / interval_s) } else { 0.0 }
}

/// `value` to two decimals: what is measured is not known better.
fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

fn info(parts: &Parts<'_>) -> InfoReport {
    let origin = parts.bundle.origin();
    let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
    InfoReport {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        board: board::model(parts.root),
        cpu_features: board::cpu_features(parts.root),
        isa: parts.isa.name().to_owned(),
        compute_threads: count(parts.config.detector.threads),
        model: Some(ModelInfo {
            name: origin.name.clone(),
            licence: (!origin.licence.is_empty()).then(|| origin.licence.clone()),
            labels: count(parts.bundle.vision().map_or(0, |vision| vision.labels.len())),
        }),
        language_models: parts.brain.map(|brain| brain.info.clone()).into_iter().collect(),
        cameras: parts.stages.iter().map(|stage| (stage.options.id.clone(), camera_info(&stage.options))).collect(),
        sensors: parts.config.sensors.iter().map(|sensor| sensor.id.clone()).collect(),
    }
}

fn camera_info(options: &camera::Options) -> CameraInfo {
    let source = match options.kind {
        camera::Kind::V4l2(_) => "v4l2",
        camera::Kind::Replay(_) => "replay",
    };
    CameraInfo { name: options.id.clone(), source: source.to_owned() }
}
