//! Sizes and offsets that the kernel's ABI has on every 64-bit Linux, held against the bindings at each compile.
//!
//! The numbers were printed by one C program, compiled against Debian 12's headers for x86_64 and for aarch64: they are the
//! same on both. A size is part of an ioctl's number, so a wrong struct would be refused by the kernel, or worse.

use std::mem::{offset_of, size_of};

use crate::*;

const _: () = assert!(size_of::<v4l2_capability>() == 104);
const _: () = assert!(size_of::<v4l2_fmtdesc>() == 64);
const _: () = assert!(size_of::<v4l2_frmsizeenum>() == 44);
const _: () = assert!(size_of::<v4l2_frmivalenum>() == 52);
const _: () = assert!(size_of::<v4l2_pix_format>() == 48);
const _: () = assert!(size_of::<v4l2_format>() == 208);
const _: () = assert!(size_of::<v4l2_captureparm>() == 40);
const _: () = assert!(size_of::<v4l2_streamparm>() == 204);
const _: () = assert!(size_of::<v4l2_requestbuffers>() == 20);
const _: () = assert!(size_of::<v4l2_buffer>() == 88);
const _: () = assert!(size_of::<v4l2_plane>() == 64);

const _: () = assert!(offset_of!(v4l2_capability, device_caps) == 88);
const _: () = assert!(offset_of!(v4l2_format, fmt) == 8);
const _: () = assert!(offset_of!(v4l2_streamparm, parm) == 4);
const _: () = assert!(offset_of!(v4l2_frmsizeenum, __bindgen_anon_1) == 12);
const _: () = assert!(offset_of!(v4l2_buffer, timestamp) == 24);
const _: () = assert!(offset_of!(v4l2_buffer, sequence) == 56);
const _: () = assert!(offset_of!(v4l2_buffer, m) == 64);
const _: () = assert!(offset_of!(v4l2_buffer, length) == 72);
