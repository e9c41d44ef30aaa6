//! `kv_store_f32i8_scalar`: the law.

use super::Task;
use super::rows::{LARGEST, store};
use crate::float16::narrow;
use crate::levels::{grid, levels};

pub(super) fn run(task: Task<'_>) {
    store(task, |lanes| lanes.map(finite), grid, levels, |lanes| lanes.map(narrow));
}

fn finite(x: f32) -> f32 {
    if x.is_nan() { 0.0 } else { x.clamp(-LARGEST, LARGEST) }
}
