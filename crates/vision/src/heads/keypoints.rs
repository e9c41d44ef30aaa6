//! Points that a network finds on what it finds: a face's eyes, a person's joints.

/// In fractions of the picture; may lie outside it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Keypoint {
    /// From the left.
    pub x: f32,
    /// From the top.
    pub y: f32,
    /// The network's confidence in this point, 0..=1; the detection's own where it has none a point.
    pub score: f32,
}
