//! One thing, from frame to frame.

use clawdbot_flow::clock::Monotonic;
use clawdbot_flow::detection::{BoundingBox, Detection};
use clawdbot_flow::event::Change;

use super::ObjectChange;

/// How far ahead a box is carried, in seconds: further, it is a guess.
const AHEAD_MAX: f32 = 1.0;
/// Weight of the newest motion in the mean.
const NEWEST: f32 = 0.5;

/// Something seen at least once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Object {
    /// `None` until it is believed.
    pub(super) number: Option<u64>,
    pub(super) label: u16,
    pub(super) score: f32,
    score_last: f32,
    pub(super) bounding_box: BoundingBox,
    /// Of its centre, in frame widths and heights a second.
    velocity: [f32; 2],
    first_seen: Monotonic,
    last_seen: Monotonic,
    /// `last_seen`, later by the time in which nobody looked.
    pub(super) unseen_from: Monotonic,
    /// Bit k: seen in the k-th frame before this one (bit 0: in this one), of those in which somebody looked.
    pub(super) history: u32,
    /// Whether the history has a bit for this frame.
    looked: bool,
    /// Whether this frame has a detection of it.
    pub(super) seen_now: bool,
}

impl Object {
    pub(super) fn begin(detection: &Detection, now: Monotonic) -> Self {
        Self {
            number: None,
            label: detection.label,
            score: detection.score,
            score_last: detection.score,
            bounding_box: detection.bounding_box,
            velocity: [0.0; 2],
            first_seen: now,
            last_seen: now,
            unseen_from: now,
            history: 1,
            looked: true,
            seen_now: true,
        }
    }

    /// A frame came, `idle` after the one before; `looked` tells whether it would show the object.
    pub(super) fn next_frame(&mut self, looked: bool, idle: std::time::Duration) {
        self.looked = looked;
        self.seen_now = false;
        if looked {
            self.history <<= 1;
        } else {
            self.unseen_from = self.unseen_from.plus(idle);
        }
    }

    pub(super) fn see(&mut self, detection: &Detection, now: Monotonic) {
        let seconds = now.since(self.last_seen).as_secs_f32();
        if seconds > 0.0 {
            let (old, new) = (centre(&self.bounding_box), centre(&detection.bounding_box));
            for axis in 0..2 {
                let observed = (new[axis] - old[axis]) / seconds;
                self.velocity[axis] += NEWEST * (observed - self.velocity[axis]);
            }
        }
        if !self.looked {
            self.history <<= 1;
            self.looked = true;
        }
        self.score = self.score.max(detection.score);
        self.score_last = detection.score;
        self.bounding_box = detection.bounding_box;
        self.last_seen = now;
        self.unseen_from = now;
        self.history |= 1;
        self.seen_now = true;
    }

    /// Where it should be `now`: its last box, moved as fast as its boxes moved before. It may lie outside 0..=1.
    pub(super) fn expected(&self, now: Monotonic) -> Detection {
        let seconds = now.since(self.last_seen).as_secs_f32().min(AHEAD_MAX);
        let [x, y] = self.velocity.map(|velocity| velocity * seconds);
        let BoundingBox { left, top, right, bottom } = self.bounding_box;
        let bounding_box = BoundingBox { left: left + x, top: top + y, right: right + x, bottom: bottom + y };
        Detection { label: self.label, score: self.score_last, bounding_box }
    }

    /// How well a detection continues it: the better of the overlaps with its last and with its expected box.
    pub(super) fn overlap(&self, detection: &Detection, now: Monotonic) -> f32 {
        let expected = self.expected(now).bounding_box;
        let overlap = |known: &BoundingBox| known.intersection_over_union(&detection.bounding_box);
        overlap(&self.bounding_box).max(overlap(&expected))
    }

    pub(super) fn change(&self, change: Change, object: u64) -> ObjectChange {
        let Self { label, score, bounding_box, first_seen, last_seen, .. } = *self;
        ObjectChange { change, object, label, score, bounding_box, first_seen, last_seen }
    }
}

fn centre(of: &BoundingBox) -> [f32; 2] {
    [f32::midpoint(of.left, of.right), f32::midpoint(of.top, of.bottom)]
}
