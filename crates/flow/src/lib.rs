//! Floor 0: the vocabulary that crosses rooms, and the few mechanisms that every room shares.
//!
//! *Vocabulary*: [`frame`], [`detection`], [`reading`], [`event`]. *Mechanisms*: [`clock`], [`counters`], [`queue`],
//! [`rooted`], [`limits`]. A new module here needs a decision record: `tests/tidy.rs` holds the list.
#![forbid(unsafe_code)]

pub mod clock;
pub mod counters;
pub mod detection;
pub mod event;
pub mod frame;
pub mod limits;
pub mod queue;
pub mod reading;
pub mod rooted;
