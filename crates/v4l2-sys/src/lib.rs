//! Raw bindings to `<linux/videodev2.h>`: bindgen's output, checked in.
//!
//! Regenerate with bindgen 0.65 (`--no-layout-tests`, allow-list `v4l2_.*`, `V4L2_.*`, `VIDIOC.*`) when a newer UAPI is
//! wanted; see `docs/decisions/0002-v4l2-bindings.md`.
#![allow(
    clippy::all,
    clippy::pedantic,
    dead_code,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    unreachable_pub,
    unsafe_op_in_unsafe_fn,
    missing_docs,
    reason = "machine-made code follows C's names"
)]

include!("bindings.rs");
