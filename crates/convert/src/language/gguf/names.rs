//! What the tensors of a GGUF file are called, and which must not be left over.

use std::collections::BTreeSet;

use clawdbot_nn::gguf::Gguf;

use crate::language::LanguageError;
use crate::language::roles::{Part, Role};

/// Factors of RoPE's frequencies, which are read with the architecture.
pub(super) const ROPE_TENSORS: [&str; 3] =
    ["rope_freqs.weight", "rope_factors_short.weight", "rope_factors_long.weight"];

/// The tensor of `role`.
pub(super) fn tensor(role: Role) -> String {
    let (layer, part) = match role {
        Role::Embedding => return String::from("token_embd.weight"),
        Role::Head => return String::from("output.weight"),
        Role::Norm => return String::from("output_norm.weight"),
        Role::Layer(layer, part) => (layer, part),
    };
    let name = match part {
        Part::AttentionNorm => "attn_norm.weight",
        Part::AttentionAfterNorm => "post_attention_norm.weight",
        Part::FeedForwardNorm => "ffn_norm.weight",
        Part::FeedForwardAfterNorm => "post_ffw_norm.weight",
        Part::QueryNorm => "attn_q_norm.weight",
        Part::KeyNorm => "attn_k_norm.weight",
        Part::Query => "attn_q.weight",
        Part::Key => "attn_k.weight",
        Part::Value => "attn_v.weight",
        Part::QueryBias => "attn_q.bias",
        Part::KeyBias => "attn_k.bias",
        Part::ValueBias => "attn_v.bias",
        Part::Output => "attn_output.weight",
        Part::Gate => "ffn_gate.weight",
        Part::Up => "ffn_up.weight",
        Part::Down => "ffn_down.weight",
    };
    format!("blk.{layer}.{name}")
}

/// A tensor that no role takes would change the results: that is an error.
pub(super) fn none_left_over(gguf: &Gguf, taken: impl Iterator<Item = String>) -> Result<(), LanguageError> {
    let taken: BTreeSet<String> = taken.collect();
    let known = |name: &str| taken.contains(name) || ROPE_TENSORS.contains(&name);
    match gguf.tensors().find(|(name, _)| !known(name)) {
        None => Ok(()),
        Some((name, _)) => {
            Err(LanguageError::tensor(name, "the architecture has no use for it, so results would be wrong"))
        }
    }
}
