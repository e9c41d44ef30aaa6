//! The logistic function and its inverse, from `libm`: the same bits on every processor.

/// The logit whose sigmoid is `score`; -inf at and below 0, +inf at and above 1, no number for none.
pub(super) fn logit(score: f32) -> f32 {
    let score = score.clamp(0.0, 1.0);
    libm::logf(score / (1.0 - score))
}

/// 1 / (1 + exp(-x)).
pub(super) fn sigmoid(logit: f32) -> f32 {
    1.0 / (1.0 + libm::expf(-logit))
}
