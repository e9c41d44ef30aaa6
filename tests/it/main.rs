//! The integration tests: one binary, so that the whole tree is linked once.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a failed step fails the test, and these tests wait for real programs"
)]

mod accuracy;
mod asking;
mod daemon;
mod detect;
mod detector;
mod doctor;
mod guides;
mod health;
mod language;
mod npz;
mod published;
mod pull;
mod real_files;
mod schema;
mod steady_state;
