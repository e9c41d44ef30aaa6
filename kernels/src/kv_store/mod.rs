//! Keys and values of new tokens into the pages of one head.
//!
//! Every number is first made finite: NaN becomes 0, and what is beyond binary16 its largest, +-65504. Then F16 rounds half
//! to even, F32 keeps it; I8 takes for each token and each of key and value `m = max |x|`, `scale = m / 127` and
//! `q = round_half_even(x * (127 / m))` (all 0, with the scale as said, where m < 1e-30): one multiplication, so the same
//! bits on every ISA. |q| <= 127.
//!
//! | argument | shape | layout | range |
//! |---|---|---|---|
//! | keys, values | `[head_dim][tokens]` | `[head_dim/8][tokens][8]` f32: one head's slice of k and v | any |
//! | position | | of the first token; the others follow | below 32 x pages |
//! | arena, table | | [`crate::pages`] | |
//!
//! The caller sees to it that no other slot shares a page that is written to.

use crate::isa::{Isa, Operator, Variant, choose, on_arm, on_x86};
use crate::pages::{Format, Table, check_head_dim};

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "aarch64")]
mod neon;
mod rows;
mod scalar;
#[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
mod wide;

/// One call.
#[derive(Debug)]
pub struct Task<'a> {
    /// How numbers are kept.
    pub format: Format,
    /// Values a head.
    pub head_dim: usize,
    /// Tokens side by side.
    pub tokens: usize,
    /// Of the first token.
    pub position: usize,
    /// Keys of the tokens.
    pub keys: &'a [f32],
    /// Values of the tokens.
    pub values: &'a [f32],
    /// Where this head's blocks lie.
    pub table: Table<'a>,
    /// In what.
    pub arena: &'a mut [u8],
}

/// The operator.
#[derive(Debug)]
pub enum KvStore {}

impl Operator for KvStore {
    type Task<'a> = Task<'a>;
}

/// From the plainest to the best.
pub const VARIANTS: &[Variant<KvStore>] = &[
    Variant { name: "kv_store_f32i8_scalar", isa: Isa::Scalar, tile: &[], body: Some(scalar::run) },
    Variant { name: "kv_store_f32i8_8_neon", isa: Isa::Neon, tile: &[8], body: on_arm!(neon::run) },
    Variant { name: "kv_store_f32i8_8_avx2", isa: Isa::Avx2, tile: &[8], body: on_x86!(avx2::run) },
];

/// Runs `task`; see the module.
///
/// # Panics
/// When a slice does not fit its shape, a position has no page, a page lies outside of the arena, or `isa` is not
/// available here.
pub fn kv_store(isa: Isa, task: Task<'_>) {
    let Task { head_dim, tokens, position, .. } = task;
    check_head_dim(head_dim);
    let length = head_dim * tokens;
    let given = (task.keys.len(), task.values.len());
    assert!(given == (length, length), "{} keys and {} values, not {length}", given.0, given.1);
    let bytes = task.format.block_bytes(head_dim);
    task.table.check(position, position + tokens, bytes, task.arena.len());
    choose(VARIANTS, isa).run(task);
}
