//! One value from a sensor.

use crate::clock::{Monotonic, Wall};

/// A reading that the board really gave. A reading that it did not give is an absent `Reading`, never a zero.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The sensor's id: `[a-z0-9_-]+`, as in the topic `sensor/<id>/state`.
    pub sensor: String,
    /// The value in `unit`; always finite.
    pub value: f64,
    /// The unit as it is published: "°C", "V", "A", "W", "%", "lx", "hPa" ...
    pub unit: String,
    /// When it was read.
    pub read_at: Monotonic,
    /// The same by the wall clock.
    pub read_wall: Wall,
}
