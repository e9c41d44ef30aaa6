//! What the tensors of a folder are called, and which must not be left over.

use clawdbot_nn::metadata::language::Architecture;

use super::FolderWeights;
use super::checkpoint::Checkpoint;
use crate::language::LanguageError;
use crate::language::roles::{Part, Role, roles};

/// How a family names its tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// As llama.
    Plain,
    /// q, k and v in one tensor; gate and up in another.
    Fused,
    /// Norms before and after each part.
    FourNorms,
    /// Norms after each part.
    After,
}

/// What a folder's tensors are called.
#[derive(Clone, Debug)]
pub(super) struct Names {
    style: Style,
    /// Before `model.`; some models that see keep their language model deeper.
    before: &'static str,
    /// `model.` or what stands for it.
    prefix: &'static str,
}

/// Where the text model may begin, and its head.
const PREFIXES: [(&str, &str); 3] =
    [("", "model."), ("language_model.", "language_model.model."), ("", "model.language_model.")];

/// Where a role lies.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) tensor: String,
    /// Where its rows begin, in a tensor that holds several roles.
    pub(super) first: Option<First>,
}

/// Where a role begins in a tensor that holds several.
#[derive(Clone, Copy, Debug)]
pub(super) enum First {
    /// At so many rows of q, k and v together.
    Qkv(Part, usize),
    /// At 0 or half of gate and up.
    GateUp(Part, usize),
}

impl First {
    /// The row.
    pub(super) fn row(self, checkpoint: &Checkpoint) -> usize {
        let rows = |layer: usize, name: &str| {
            checkpoint.tensor(&format!("model.layers.{layer}.{name}.weight")).map_or(0, |tensor| tensor.rows)
        };
        match self {
            Self::Qkv(part, layer) => {
                // q has as many rows as the output has columns; k and v share the rest.
                let output = checkpoint.tensor(&format!("model.layers.{layer}.self_attn.o_proj.weight"));
                let query = output.map_or(0, |tensor| tensor.columns);
                let key = rows(layer, "self_attn.qkv_proj").saturating_sub(query) / 2;
                match part {
                    Part::Query => 0,
                    Part::Key => query,
                    _ => query + key,
                }
            }
            Self::GateUp(Part::Up, layer) => rows(layer, "mlp.gate_up_proj") / 2,
            Self::GateUp(..) => 0,
        }
    }
}

impl Names {
    /// By where the embedding is found; the usual place if it is nowhere.
    pub(super) fn of(checkpoint: &Checkpoint, style: Style) -> Self {
        let there = |prefix: &str| checkpoint.tensor(&format!("{prefix}embed_tokens.weight")).is_some();
        let found = PREFIXES.into_iter().find(|(_, prefix)| there(prefix));
        let (before, prefix) = found.unwrap_or(PREFIXES[0]);
        Self { style, before, prefix }
    }

    pub(super) fn head(&self) -> String {
        format!("{}lm_head.weight", self.before)
    }

    pub(super) fn place(&self, role: Role) -> Place {
        let whole = |tensor: String| Place { tensor, first: None };
        let (layer, part) = match role {
            Role::Embedding => return whole(format!("{}embed_tokens.weight", self.prefix)),
            Role::Head => return whole(self.head()),
            Role::Norm => return whole(format!("{}norm.weight", self.prefix)),
            Role::Layer(layer, part) => (layer, part),
        };
        let first = match part {
            _ if self.style != Style::Fused => None,
            Part::Query | Part::Key | Part::Value => Some(First::Qkv(part, layer)),
            Part::Gate | Part::Up => Some(First::GateUp(part, layer)),
            _ => None,
        };
        let name = match first {
            Some(First::Qkv(..)) => "self_attn.qkv_proj.weight",
            Some(First::GateUp(..)) => "mlp.gate_up_proj.weight",
            None => self.part(part),
        };
        Place { tensor: format!("{}layers.{layer}.{name}", self.prefix), first }
    }

    const fn part(&self, part: Part) -> &'static str {
        match part {
            Part::AttentionNorm => "input_layernorm.weight",
            Part::AttentionAfterNorm => "post_attention_layernorm.weight",
            Part::FeedForwardNorm => match self.style {
                Style::FourNorms => "pre_feedforward_layernorm.weight",
                _ => "post_attention_layernorm.weight",
            },
            Part::FeedForwardAfterNorm => "post_feedforward_layernorm.weight",
            Part::QueryNorm => "self_attn.q_norm.weight",
            Part::KeyNorm => "self_attn.k_norm.weight",
            Part::Query => "self_attn.q_proj.weight",
            Part::Key => "self_attn.k_proj.weight",
            Part::Value => "self_attn.v_proj.weight",
            Part::QueryBias => "self_attn.q_proj.bias",
            Part::KeyBias => "self_attn.k_proj.bias",
            Part::ValueBias => "self_attn.v_proj.bias",
            Part::Output => "self_attn.o_proj.weight",
            Part::Gate => "mlp.gate_proj.weight",
            Part::Up => "mlp.up_proj.weight",
            Part::Down => "mlp.down_proj.weight",
        }
    }
}

impl FolderWeights {
    /// How many tensors of other models (that see or hear) the folder holds. One of the language model that no role takes
    /// would change its results: that is an error.
    pub(super) fn left_over(&self, architecture: &Architecture) -> Result<usize, LanguageError> {
        let taken: std::collections::BTreeSet<String> =
            roles(architecture, 0).into_iter().map(|(role, _)| self.names.place(role).tensor).collect();
        let mut others = 0;
        for name in self.checkpoint.names().filter(|name| !taken.contains(*name)) {
            let harmless = name.ends_with(".rotary_emb.inv_freq") || *name == self.names.head();
            let ours = name.starts_with(&format!("{}layers.", self.names.prefix)) || self.names.prefix == "model.";
            if ours && !harmless {
                return Err(LanguageError::tensor(
                    name,
                    "the architecture has no use for it, so results would be wrong",
                ));
            }
            others += usize::from(!harmless);
        }
        Ok(others)
    }
}
