//! What a vision head says it saw in one frame.

/// An axis-aligned box in fractions of the frame: (0, 0) is the top left corner, (1, 1) the bottom right one.
///
/// Corners may lie outside 0..=1 before [`BoundingBox::clamped`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BoundingBox {
    /// Left edge.
    pub left: f32,
    /// Upper edge.
    pub top: f32,
    /// Right edge.
    pub right: f32,
    /// Lower edge.
    pub bottom: f32,
}

impl BoundingBox {
    /// Width as a fraction of the frame; never negative.
    #[must_use]
    pub fn width(&self) -> f32 {
        (self.right - self.left).max(0.0)
    }

    /// Height as a fraction of the frame; never negative.
    #[must_use]
    pub fn height(&self) -> f32 {
        (self.bottom - self.top).max(0.0)
    }

    /// Area as a fraction of the frame's area.
    #[must_use]
    pub fn area(&self) -> f32 {
        self.width() * self.height()
    }

    /// The part of the box inside the frame.
    #[must_use]
    pub fn clamped(&self) -> Self {
        Self {
            left: self.left.clamp(0.0, 1.0),
            top: self.top.clamp(0.0, 1.0),
            right: self.right.clamp(0.0, 1.0),
            bottom: self.bottom.clamp(0.0, 1.0),
        }
    }

    /// Intersection over union with `other`, 0..=1; 0 when either box is empty.
    #[must_use]
    pub fn intersection_over_union(&self, other: &Self) -> f32 {
        let width = (self.right.min(other.right) - self.left.max(other.left)).max(0.0);
        let height = (self.bottom.min(other.bottom) - self.top.max(other.top)).max(0.0);
        let intersection = width * height;
        let union = self.area() + other.area() - intersection;
        if union > 0.0 { intersection / union } else { 0.0 }
    }
}

/// One object that the network found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detection {
    /// Index into the model's list of labels.
    pub label: u16,
    /// The network's own confidence, 0..=1.
    pub score: f32,
    /// Where it is.
    pub bounding_box: BoundingBox,
}

impl AsRef<Self> for Detection {
    fn as_ref(&self) -> &Self {
        self
    }
}
