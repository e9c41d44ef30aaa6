//! The measurements behind `clawdbot bench`.

pub(crate) mod vision;
