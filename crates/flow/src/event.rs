//! What the daemon tells the world. One closed enum: whoever adds a kind is shown every place that must know it.

use crate::clock::{Monotonic, Wall};
use crate::detection::BoundingBox;
use crate::reading::Reading;

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// An object came into, or went out of, a camera's view.
    Object(ObjectEvent),
    /// A camera began or ceased to deliver.
    Camera(CameraEvent),
    /// A sensor's value, moved by more than its dead-band or due by its interval.
    Reading(Reading),
}

/// What became of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// Seen for long enough to be believed.
    New,
    /// Not seen for long enough to be believed gone.
    End,
    /// The camera went blind while the object was in view: nobody knows what became of it.
    Gap,
}

impl Change {
    /// As messages and configurations spell it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::End => "end",
            Self::Gap => "gap",
        }
    }
}

/// An object in one camera's view.
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectEvent {
    /// The camera's id: `[a-z0-9_-]+`.
    pub camera: String,
    /// What became of it.
    pub change: Change,
    /// The same number from `New` to `End` or `Gap`; unique for a camera within one boot.
    pub object: u64,
    /// What it is, as the model's label says.
    pub label: String,
    /// The best score so far, 0..=1.
    pub score: f32,
    /// Where it is, or was last seen.
    pub bounding_box: BoundingBox,
    /// When the frame was caught that made this event.
    pub captured_at: Monotonic,
    /// The same by the wall clock.
    pub captured_wall: Wall,
    /// Sequence number of that frame at its camera.
    pub frame_sequence: u64,
    /// Time from that frame's capture to this event.
    pub latency_ms: f64,
}

/// A camera's state as a subscriber sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct CameraEvent {
    /// The camera's id.
    pub camera: String,
    /// True while frames arrive.
    pub online: bool,
    /// Why it is offline, as a sentence that says what to do; `None` while it is online.
    pub reason: Option<String>,
    /// When it changed.
    pub at: Monotonic,
    /// The same by the wall clock.
    pub at_wall: Wall,
}
