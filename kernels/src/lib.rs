//! INT8, INT4 and FP16 micro-kernels, grouped by operator. Each operator is a folder: `mod.rs` holds the contract (shapes,
//! layouts, ranges, rounding) and the table of variants, `scalar.rs` is the law that every other variant answers to, one
//! file an ISA holds a variant, `pack.rs` makes the weight layout.
//!
//! The caller hands over raw slices and says on which [`isa::Isa`] to run. Kernels never allocate (packers do: they run in
//! the converter), lock, spawn or log, and know no tensor: who calls splits the rows and lends the threads. An entry
//! checks the lengths of its slices first and panics on a mismatch, because that is a bug of the caller; the bodies then
//! only read and write inside them.
//!
//! `unsafe` lives in `isa.rs` (one call), `arm.rs` and `x86.rs` (loads, stores and a few instructions), `strided.rs` (slices
//! a stride apart, checked once a tile), `dot.rs` and `pairs.rs` (tiles in named registers), `linear/dot.rs` and
//! `linear/pairs.rs` (the same of linear layers); bodies are safe code.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "casts between element types are what these functions are about; ranges stand in each contract"
)]

pub mod activate;
pub mod add;
pub mod add_f32;
pub mod argmax;
#[cfg(target_arch = "aarch64")]
mod arm;
pub mod attention;
pub mod average_pool;
#[cfg(target_arch = "x86_64")]
mod banded;
#[cfg(target_arch = "x86_64")]
mod bands;
pub mod blend;
pub mod catalogue;
pub mod conv;
pub mod conv_f16;
#[cfg(target_arch = "aarch64")]
mod dense;
pub mod depthwise;
pub mod depthwise_f16;
pub mod dequantize;
#[cfg(target_arch = "aarch64")]
mod dot;
#[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
mod eight;
pub mod epilogue;
mod exponential;
pub mod float16;
pub mod gemm;
pub mod geometry;
pub mod group_quantize;
pub mod isa;
pub mod kv_store;
mod lanes;
mod levels;
pub mod linear;
pub mod linear_f16;
pub mod linear_i4;
pub mod linear_i8;
#[cfg(target_arch = "x86_64")]
mod lines;
pub mod max_pool;
pub mod multiply;
pub mod name;
#[cfg(target_arch = "x86_64")]
mod narrow;
pub mod pages;
#[cfg(target_arch = "aarch64")]
mod pairs;
pub mod pool;
pub mod quantize;
pub mod resample;
pub mod resize;
pub mod rms_norm;
pub mod rope;
#[cfg(target_arch = "aarch64")]
mod rows;
pub mod shuffle;
#[cfg(target_arch = "aarch64")]
mod strided;
#[cfg(target_arch = "aarch64")]
mod strip;
pub mod swiglu;
#[cfg(target_arch = "x86_64")]
mod x86;
