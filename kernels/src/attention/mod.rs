//! Causal attention of one key-value head: its group of query heads, over keys and values in pages.
//!
//! | argument | shape | layout | range |
//! |---|---|---|---|
//! | queries, output | `[heads][head_dim][tokens]` | `[heads * head_dim/8][tokens][8]` f32 | any |
//! | position | | of the first token; the others follow | pages hold all of them, the last token's too |
//! | `head_dim` | | a multiple of 8 up to 256 | |
//! | arena, table | | [`crate::pages`]; pages before the first visible position are not read | finite |
//!
//! **The law** for one query q (a head of one token at position P), whatever stands beside it, so that a token's result does
//! not depend on the call's other tokens. Visible are the positions p <= P, with a window p > P - window. Positions come in
//! the blocks of the pages, 32 each, ascending; blocks with nothing visible are left out. Start: m = -infinity (as the
//! lowest f32), l = 0, o = 0. Each block:
//!
//! ```text
//! I8   s[p] = f32(sum of q8[d] * k8[p][d], exact) * (key_scale[p] * (query_scale * scale))    q8 by the law of levels.rs
//! Fnn  s[p] = y * scale, y = fma(k[p][d], q[d], y) from 0, d ascending
//!      s[p] = cap - 2 cap / (1 + exp(s[p] * (2 / cap)))                                       with a soft cap
//! M = max(m, visible s[p]),  c = exp(m - M),  w[p] = exp(s[p] - M), 0 where p is not visible
//! l = fma(l, c, sum of w by the law of lanes.rs),  m = M
//! Fnn  o[d] = o[d] * c, then o[d] = fma(v[p][d], w[p], o[d]), p ascending over all 32
//! I8   u[p] = w[p] * value_scale[p],  t = max u / 16383,  w14[p] = round_half_even(u[p] * (16383 / max u)), 0 where
//!      max u < 1e-30;  o[d] = fma(f32(sum of w14[p] * v8[p][d], exact), t, o[d] * c)
//! ```
//!
//! (Fnn is F16 and F32) and at the end `o[d] * (1 / l)`. exp is that of `exponential.rs`. Weights of 14 bits add less than 1/32766 of a block's
//! largest to each, an order below what 8 bits of the values cost. Sources: Milakov and Gimelshein, Online normalizer
//! calculation for softmax; Dao et al., FlashAttention (blocks).

use crate::isa::{Isa, Operator, Variant, choose, on_arm, on_x86};
use crate::pages::{Format, Table, check_head_dim};

#[cfg(target_arch = "x86_64")]
mod avx2;
mod floats;
mod integers;
mod law;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "aarch64")]
mod neon_dotprod;
mod rows;
mod scalar;
#[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
mod wide;

/// One call.
#[derive(Debug)]
pub struct Task<'a> {
    /// How keys and values are kept.
    pub format: Format,
    /// Values a head.
    pub head_dim: usize,
    /// Query heads that share the key-value head.
    pub heads: usize,
    /// Tokens side by side.
    pub tokens: usize,
    /// Of the first token.
    pub position: usize,
    /// What scores are multiplied by: 1 / sqrt(`head_dim`), or the model's own.
    pub scale: f32,
    /// Positions that a token sees, itself among them; at least 1. `None`: all before it.
    pub window: Option<usize>,
    /// Scores are bent to stay within +- this.
    pub softcap: Option<f32>,
    /// The queries.
    pub queries: &'a [f32],
    /// Where the head's blocks lie.
    pub table: Table<'a>,
    /// In what.
    pub arena: &'a [u8],
    /// Where results go.
    pub output: &'a mut [f32],
}

/// The operator.
#[derive(Debug)]
pub enum Attention {}

impl Operator for Attention {
    type Task<'a> = Task<'a>;
}

/// From the plainest to the best.
pub const VARIANTS: &[Variant<Attention>] = &[
    Variant { name: "attention_f32i8f32_scalar", isa: Isa::Scalar, tile: &[], body: Some(scalar::run) },
    Variant { name: "attention_f32i8f32_4x8x8_neon", isa: Isa::Neon, tile: &[4, 8, 8], body: on_arm!(neon::run) },
    Variant {
        name: "attention_f32i8f32_4x8x16_neon_dotprod",
        isa: Isa::NeonDotprod,
        tile: &[4, 8, 16],
        body: on_arm!(neon_dotprod::run),
    },
    Variant { name: "attention_f32i8f32_4x8x4_avx2", isa: Isa::Avx2, tile: &[4, 8, 4], body: on_x86!(avx2::run) },
];

/// Runs `task`; see the module.
///
/// # Panics
/// When a slice does not fit its shape, a position has no page, a visible page lies outside of the arena, the window is 0,
/// or `isa` is not available here.
pub fn attention(isa: Isa, task: Task<'_>) {
    let Task { head_dim, heads, tokens, position, .. } = task;
    check_head_dim(head_dim);
    let length = heads * head_dim * tokens;
    let given = (task.queries.len(), task.output.len());
    assert!(given == (length, length), "{} queries and room for {} results, not {length}", given.0, given.1);
    assert!(task.window != Some(0), "a window of no position");
    if length == 0 {
        return;
    }
    let first = task.window.map_or(0, |window| (position + 1).saturating_sub(window));
    task.table.check(first, position + tokens, task.format.block_bytes(head_dim), task.arena.len());
    choose(VARIANTS, isa).run(task);
}
