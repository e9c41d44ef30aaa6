//! Floor 0: the vocabulary that crosses rooms, and the few mechanisms that every room shares.
//!
//! *Vocabulary*: [`frame`], [`detection`], [`reading`], [`event`], [`command`], [`question`], [`answer`]. *Mechanisms*: [`clock`], [`counters`], [`queue`],
//! [`rooted`], [`limits`]. A new module here needs a decision record: `tests/tidy.rs` holds the list.
#![forbid(unsafe_code)]

pub mod answer;
pub mod clock;
pub mod command;
pub mod counters;
pub mod detection;
pub mod event;
pub mod frame;
pub mod limits;
pub mod question;
pub mod queue;
pub mod reading;
pub mod rooted;
