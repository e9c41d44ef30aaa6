//! Raw bindings to `<linux/videodev2.h>`: bindgen's output, checked in, for 64-bit Linux.
//!
//! Regenerate with bindgen 0.65 (`--no-layout-tests`, allow-list `v4l2_.*`, `V4L2_.*`, `VIDIOC.*`) when a newer UAPI is
//! wanted; see `docs/decisions/0002-v4l2-bindings.md`. `layout` holds what came out against the kernel's own sizes.
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

#[cfg(not(target_pointer_width = "64"))]
compile_error!("these bindings were made for 64-bit Linux; make others with bindgen for a 32-bit one");

mod layout;

include!("bindings.rs");
