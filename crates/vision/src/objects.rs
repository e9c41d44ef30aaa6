//! Objects that come and go, out of the detections of frame after frame of one camera.
//!
//! Pure: time comes in as an argument. A detection belongs to the known object of its label that it overlaps best
//! (greedily, best score first). An object is *believed* (`New`) once it was seen in `seen_min` of its last `window`
//! analysed frames; a believed one has *ended* (`End`) when it was not seen for `gone_after`, or is *lost* (`Gap`) when
//! the camera goes blind. Between the two scores of [`Options`] a detection keeps an object alive but makes none.
//! Every `New` is followed by exactly one `End` or `Gap` with the same number, as long as time goes on.
//!
//! Where only parts of a frame are looked at ([`crate::regions`]), [`Objects::update_where`] is told which: an object that
//! nobody looked at is neither seen nor missed, and the time does not count. [`Objects::expected`] says where objects should
//! be by now, if they go on as they went.

use std::ops::RangeInclusive;
use std::time::Duration;

use clawdbot_flow::clock::Monotonic;
use clawdbot_flow::detection::{BoundingBox, Detection};
use clawdbot_flow::event::Change;

mod object;
#[cfg(test)]
mod tests;

use object::Object;

/// Objects that one camera may have under way, believed or not; what comes beyond them is not taken up.
pub const OBJECTS_MAX: usize = 128;

/// How much it takes to believe in an object, or in its end. Each field names its range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// A detection with at least this score can begin an object: see [`Options::SCORE`].
    pub score_min: f32,
    /// A detection with at least this score continues one; at most `score_min`: see [`Options::SCORE`].
    pub score_kept_min: f32,
    /// Frames in which an object must be seen to be believed, 1..=`window`.
    pub seen_min: u32,
    /// Analysed frames that `seen_min` looks back over: see [`Options::WINDOW`].
    pub window: u32,
    /// Time without being seen after which an object has ended: see [`Options::GONE_AFTER`].
    pub gone_after: Duration,
    /// Intersection over union from which two boxes are the same object: see [`Options::OVERLAP`].
    pub overlap_min: f32,
}

impl Options {
    /// Scores are probabilities; 0 would make an object of everything.
    pub const SCORE: RangeInclusive<f32> = 0.01..=1.0;
    /// Frames that fit one 32-bit history.
    pub const WINDOW: RangeInclusive<u32> = 1..=32;
    /// Shorter than a slow camera's frame makes objects flicker; longer than an hour, an event is no news.
    pub const GONE_AFTER: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(3600);
    /// 0 would join boxes that do not touch.
    pub const OVERLAP: RangeInclusive<f32> = 0.01..=0.95;

    /// The first field that lies outside its range, as a sentence; `None` when all is well.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        let score = |name: &str, value: f32| {
            let outside = !Self::SCORE.contains(&value);
            outside
                .then(|| format!("{name} is {value}, but it must be {} to {}", Self::SCORE.start(), Self::SCORE.end()))
        };
        if let Some(problem) = score("score_min", self.score_min) {
            return Some(problem);
        }
        if let Some(problem) = score("score_kept_min", self.score_kept_min) {
            return Some(problem);
        }
        if self.score_kept_min > self.score_min {
            let (kept, new) = (self.score_kept_min, self.score_min);
            return Some(format!("score_kept_min is {kept}, but it must not be above score_min, which is {new}"));
        }
        if !Self::WINDOW.contains(&self.window) {
            let (low, high) = (Self::WINDOW.start(), Self::WINDOW.end());
            return Some(format!("window is {}, but it must be {low} to {high} frames", self.window));
        }
        if !(1..=self.window).contains(&self.seen_min) {
            return Some(format!(
                "seen_min is {}, but it must be 1 to window, which is {}",
                self.seen_min, self.window
            ));
        }
        if !Self::GONE_AFTER.contains(&self.gone_after) {
            let (low, high) = (Self::GONE_AFTER.start(), Self::GONE_AFTER.end());
            return Some(format!("gone_after is {:?}, but it must be {low:?} to {high:?}", self.gone_after));
        }
        if !Self::OVERLAP.contains(&self.overlap_min) {
            let (low, high) = (Self::OVERLAP.start(), Self::OVERLAP.end());
            return Some(format!("overlap_min is {}, but it must be {low} to {high}", self.overlap_min));
        }
        None
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            score_min: 0.4,
            score_kept_min: 0.3,
            seen_min: 2,
            window: 3,
            gone_after: Duration::from_secs(2),
            overlap_min: 0.2,
        }
    }
}

/// What became of one object, and all that is known of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ObjectChange {
    /// What became of it.
    pub change: Change,
    /// From 1, unique as long as the [`Objects`] live.
    pub object: u64,
    /// Index into the model's labels.
    pub label: u16,
    /// The best score so far.
    pub score: f32,
    /// Where it was last seen.
    pub bounding_box: BoundingBox,
    /// When it was first seen.
    pub first_seen: Monotonic,
    /// When it was last seen.
    pub last_seen: Monotonic,
}

/// The objects of one camera.
#[derive(Debug)]
pub struct Objects {
    options: Options,
    objects: Vec<Object>,
    last_number: u64,
    last_update: Monotonic,
}

impl Objects {
    /// No objects yet. `options` should have no [`Options::problem`]; one that has makes fewer or more objects, no harm.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self { options, objects: Vec::with_capacity(OBJECTS_MAX), last_number: 0, last_update: Monotonic::default() }
    }

    /// Objects that are believed to be in view.
    #[must_use]
    pub fn open(&self) -> usize {
        self.objects.iter().filter(|object| object.number.is_some()).count()
    }

    /// Where each object should be `now`, believed or not, with its last score. Boxes may lie outside 0..=1.
    pub fn expected(&self, now: Monotonic) -> impl Iterator<Item = Detection> {
        self.objects.iter().map(move |object| object.expected(now))
    }

    /// Takes the `detections` (best score first) of an analysed frame that was caught at `now`; appends what changed to
    /// `changes`. Allocates nothing but for `changes` growing.
    pub fn update(&mut self, detections: &[Detection], now: Monotonic, changes: &mut Vec<ObjectChange>) {
        self.update_where(detections, |_| true, now, changes);
    }

    /// As [`Objects::update`], for a frame of which only parts were looked at; `looked` tells whether an object with that
    /// box would have been seen.
    pub fn update_where(
        &mut self,
        detections: &[Detection],
        looked: impl Fn(&BoundingBox) -> bool,
        now: Monotonic,
        changes: &mut Vec<ObjectChange>,
    ) {
        let idle = now.since(std::mem::replace(&mut self.last_update, now));
        for object in &mut self.objects {
            object.next_frame(looked(&object.expected(now).bounding_box), idle);
        }
        for detection in detections {
            self.take(detection, now);
        }
        self.believe(changes);
        self.expire(now, changes);
    }

    /// Ends the objects that were not seen for too long. [`Objects::update`] does it with every frame; call it where
    /// frames may stay out for long.
    pub fn expire(&mut self, now: Monotonic, changes: &mut Vec<ObjectChange>) {
        let Options { window, gone_after, .. } = self.options;
        self.objects.retain(|object| match object.number {
            Some(number) if now.since(object.unseen_from) >= gone_after => {
                changes.push(object.change(Change::End, number));
                false
            }
            Some(_) => true,
            None => recent(object.history, window) != 0 && now.since(object.unseen_from) < gone_after,
        });
    }

    /// The camera went blind: every object is lost, whether believed or not.
    pub fn gap(&mut self, changes: &mut Vec<ObjectChange>) {
        let believed = self.objects.iter().filter_map(|object| Some((object, object.number?)));
        changes.extend(believed.map(|(object, number)| object.change(Change::Gap, number)));
        self.objects.clear();
    }

    /// Gives `detection` to the object that it continues, or begins one with it.
    fn take(&mut self, detection: &Detection, now: Monotonic) {
        let Options { score_min, score_kept_min, overlap_min, .. } = self.options;
        if detection.score.is_nan() || detection.score < score_kept_min {
            return;
        }
        let room = self.objects.len() < OBJECTS_MAX;
        let overlap = |object: &Object| object.overlap(detection, now);
        let same = self
            .objects
            .iter_mut()
            .filter(|object| object.label == detection.label && !object.seen_now && overlap(object) >= overlap_min)
            // Believed objects first, so that a newcomer does not take an old one's detections.
            .max_by(|a, b| a.number.is_some().cmp(&b.number.is_some()).then(overlap(a).total_cmp(&overlap(b))));
        match same {
            Some(object) => object.see(detection, now),
            None if detection.score >= score_min && room => {
                self.objects.push(Object::begin(detection, now));
            }
            None => {}
        }
    }

    fn believe(&mut self, changes: &mut Vec<ObjectChange>) {
        let Options { seen_min, window, .. } = self.options;
        for object in &mut self.objects {
            if object.number.is_none() && recent(object.history, window).count_ones() >= seen_min {
                self.last_number += 1;
                object.number = Some(self.last_number);
                changes.push(object.change(Change::New, self.last_number));
            }
        }
    }
}

/// The newest `window` bits of a history.
const fn recent(history: u32, window: u32) -> u32 {
    if window >= u32::BITS { history } else { history & ((1 << window) - 1) }
}
