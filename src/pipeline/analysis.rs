//! One camera's analysis: its frames, one by one and only the latest, become objects that come and go.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clawdbot_flow::clock::Clock;
use clawdbot_flow::counters::Counter;
use clawdbot_flow::detection::Detection;
use clawdbot_flow::event::{Change, Event, ObjectEvent};
use clawdbot_flow::frame::Frame;
use clawdbot_flow::queue::{Empty, Queue};
use clawdbot_vision::objects::{ObjectChange, Objects};

use super::detector::{Detector, Eye};
use super::meter::Meter;
use super::telling::Telling;

/// How long a look into the queue waits: the latest that an object's end, or the camera's blindness, is noticed.
const PATIENCE: Duration = Duration::from_millis(200);

/// What one camera's analysis shows of itself.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// From a frame's capture to its verdict, for each frame that the network ran on.
    pub(crate) latency: Meter,
    /// Frames that were no picture.
    pub(crate) failed: Counter,
    /// Times that the camera went blind; the camera's thread counts up, the analysis lets go of its objects.
    blind: AtomicU64,
}

impl State {
    /// The camera delivers no more: nobody knows what became of the objects in view.
    pub(crate) fn camera_went_blind(&self) {
        self.blind.fetch_add(1, Ordering::Release);
    }
}

/// What one camera's analysis borrows from `app`.
pub(crate) struct Lent<'a> {
    /// The camera's id.
    pub(crate) camera: &'a str,
    /// The time.
    pub(crate) clock: &'a dyn Clock,
    /// Where frames come from; closing it ends the analysis.
    pub(crate) frames: &'a Queue<Frame>,
    /// The shared detector.
    pub(crate) detector: &'a Detector,
    /// What stats and health read.
    pub(crate) state: &'a State,
    /// Where events go.
    pub(crate) telling: &'a Telling,
    /// Called at least every second while the thread is well.
    pub(crate) heartbeat: &'a dyn Fn(),
}

/// Analyses frames until their queue is closed; then every object still in view ends as a gap.
pub(crate) fn run(lent: &Lent<'_>, eye: Eye) {
    Analysis::new(lent, eye).run();
}

struct Analysis<'a> {
    lent: &'a Lent<'a>,
    eye: Eye,
    objects: Objects,
    detections: Vec<Detection>,
    changes: Vec<ObjectChange>,
    in_view: BTreeMap<String, u32>,
    last_frame: FrameStamp,
    blind_seen: u64,
    last_failure: Option<String>,
}

/// When and as which number the last frame was caught: an event names it.
#[derive(Clone, Copy, Default)]
struct FrameStamp {
    sequence: u64,
    captured_at: clawdbot_flow::clock::Monotonic,
    captured_wall: clawdbot_flow::clock::Wall,
}

impl<'a> Analysis<'a> {
    fn new(lent: &'a Lent<'a>, eye: Eye) -> Self {
        Self {
            lent,
            eye,
            objects: Objects::new(lent.detector.objects()),
            detections: Vec::with_capacity(clawdbot_flow::limits::DETECTIONS_MAX),
            changes: Vec::new(),
            in_view: BTreeMap::new(),
            last_frame: FrameStamp::default(),
            blind_seen: 0,
            last_failure: None,
        }
    }

    fn run(mut self) {
        self.tell_state();
        loop {
            (self.lent.heartbeat)();
            match self.lent.frames.pop(PATIENCE) {
                Ok(frame) => self.look(&frame),
                Err(Empty::TimedOut) => self.objects.expire(self.lent.clock.monotonic(), &mut self.changes),
                Err(Empty::Closed) => break,
            }
            let blind = self.lent.state.blind.load(Ordering::Acquire);
            if blind != self.blind_seen {
                self.blind_seen = blind;
                self.objects.gap(&mut self.changes);
            }
            self.tell_changes();
        }
        self.objects.gap(&mut self.changes);
        self.tell_changes();
    }

    fn look(&mut self, frame: &Frame) {
        self.last_frame =
            FrameStamp { sequence: frame.sequence, captured_at: frame.captured_at, captured_wall: frame.captured_wall };
        match self.lent.detector.detect(&mut self.eye, frame, self.lent.clock, &mut self.detections) {
            Ok(()) => {
                self.last_failure = None;
                let now = self.lent.clock.monotonic();
                self.lent.state.latency.add(now.since(frame.captured_at));
                self.objects.update(&self.detections, now, &mut self.changes);
            }
            Err(error) => {
                self.lent.state.failed.increment();
                let message = error.to_string();
                // A camera that sends nonsense sends it at its full rate: once is enough for the log.
                if self.last_failure.as_ref() != Some(&message) {
                    tracing::warn!(camera = self.lent.camera, "frame {} was not analysed: {message}", frame.sequence);
                    self.last_failure = Some(message);
                }
            }
        }
    }

    fn tell_changes(&mut self) {
        if self.changes.is_empty() {
            return;
        }
        let changes = std::mem::take(&mut self.changes);
        for change in &changes {
            let label = self.lent.detector.label(change.label);
            let count = self.in_view.entry(label.to_owned()).or_default();
            *count = match change.change {
                Change::New => count.saturating_add(1),
                Change::End | Change::Gap => count.saturating_sub(1),
            };
            self.lent.telling.event(&Event::Object(self.object_event(change, label)));
        }
        self.changes = changes;
        self.changes.clear();
        self.tell_state();
    }

    fn object_event(&self, change: &ObjectChange, label: &str) -> ObjectEvent {
        let frame = self.last_frame;
        ObjectEvent {
            camera: self.lent.camera.to_owned(),
            change: change.change,
            object: change.object,
            label: label.to_owned(),
            score: change.score,
            bounding_box: change.bounding_box,
            captured_at: frame.captured_at,
            captured_wall: frame.captured_wall,
            frame_sequence: frame.sequence,
            latency_ms: self.lent.clock.monotonic().since(frame.captured_at).as_secs_f64() * 1e3,
        }
    }

    fn tell_state(&self) {
        self.lent.telling.camera_state(self.lent.camera, &self.in_view);
    }
}
