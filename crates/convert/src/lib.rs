//! Floor 3: turns a trained network into a bundle.
//!
//! An importer reads a float graph, passes simplify it, calibration measures what its values hold, sensitivity finds
//! the layers that INT8 would hurt, and lowering writes the program and its packed tensors.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "this crate turns reals into steps and counts into shares; the importers, which read outside bytes, convert with checks"
)]

pub mod annotations;
pub mod calibrate;
pub mod draft;
mod equalise;
#[cfg(test)]
mod fixtures;
pub mod importers;
pub mod language;
pub mod lower;
pub mod means;
pub mod moments;
pub mod network;
pub mod normalise;
pub mod quantize;
pub mod recipe;
pub mod report;
pub mod sensitivity;
mod simplify;
pub mod snr;
