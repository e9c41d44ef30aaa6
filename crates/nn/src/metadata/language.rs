//! What a bundle says of a language model. An architecture is described by what it does (sizes, norms, positions), never by
//! a model's name: the forward pass has no branch that asks for one.
//!
//! The block that it describes, for each layer, x being the residual stream of [`Architecture::width`] values:
//! `x += r * after(output(attention(rope(norm(q)), rope(norm(k)), v)))` with `q, k, v = qkv(before(x)) + bias`, then
//! `x += r * after(down(gate(g) * u))` with `g, u = gate_up(before(x))`; `r` is [`Architecture::residual_multiplier`],
//! `before` and `after` the norms that [`NormPlacement`] names, `norm` that of [`QueryKeyNorm`].

mod check;
mod tensors;
#[cfg(test)]
pub(crate) mod tests;

use serde::{Deserialize, Serialize};

pub use check::{InvalidLanguage, TEMPLATE_BYTES_MAX, TOKENIZER_BYTES_MAX};
pub use tensors::{EMBEDDING_SCALE, Precision, TensorForm, TensorWanted};

/// A language model but for its weights and its tokenizer, which are tensors of the bundle.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Language {
    /// What its makers call it; for people only.
    pub name: String,
    /// What it computes.
    pub architecture: Architecture,
    /// The token ids that mean something to whoever runs it.
    pub tokens: SpecialTokens,
    /// The chat template (Jinja), as its makers wrote it; absent for a base model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat_template: Option<String>,
}

/// Token ids that mean something to whoever runs the model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpecialTokens {
    /// The token that begins a text; templates call it `bos_token`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begin: Option<u32>,
    /// Whether a plain text (one that no template made) begins with it.
    pub add_begin: bool,
    /// Tokens that end an answer, the model's own end of text first (templates call that one `eos_token`).
    pub stops: Vec<u32>,
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Architecture {
    /// Values of the residual stream, d; a multiple of 32.
    pub width: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; divides `heads`. Query head h reads key head h / (heads / kv_heads).
    pub kv_heads: usize,
    /// Values of one head; a multiple of 8, and `heads * head_dim` of 32. Not necessarily `width / heads`.
    pub head_dim: usize,
    /// Values between gate and down; a multiple of 32. The converter fills it up with zeros, which changes nothing.
    pub feed_forward: usize,
    /// Rows of the embedding.
    pub vocabulary: usize,
    /// Positions that the model was made for.
    pub context: usize,
    /// Added to the mean of squares of every RMSNorm.
    pub norm_epsilon: f32,
    /// What gate's values go through.
    pub gate: Gate,
    /// Whether q, k and v have biases.
    pub qkv_bias: bool,
    /// How q and k are normed before they are turned.
    pub query_key_norm: QueryKeyNorm,
    /// Where a layer's norms stand.
    pub norms: NormPlacement,
    /// Whether the head is the embedding.
    pub tied_embedding: bool,
    /// What an embedding's row is multiplied with.
    pub embedding_multiplier: f32,
    /// What each branch is multiplied with before it is added to the stream.
    pub residual_multiplier: f32,
    /// What a score q.k is multiplied with: 1/sqrt(head_dim) for most.
    pub attention_scale: f32,
    /// Scores s become c * tanh(s / c) with this c, after `attention_scale`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attention_softcap: Option<f32>,
    /// How queries grow with their position.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attention_temperature: Option<AttentionTemperature>,
    /// What the logits are multiplied with.
    pub logit_multiplier: f32,
    /// Logits l become c * tanh(l / c) with this c, after `logit_multiplier`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logit_softcap: Option<f32>,
    /// How q and k are turned in layers that say [`LayerRope::Global`].
    pub rope: Rope,
    /// The same for [`LayerRope::Local`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_rope: Option<Rope>,
    /// One for each layer.
    pub layers: Vec<Layer>,
}

/// What one layer does otherwise than its neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// Whether and how it turns q and k.
    pub rope: LayerRope,
    /// Position p sees positions p - window + 1 ..= p; all before it if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<usize>,
}

/// Whether and how a layer turns q and k.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LayerRope {
    /// Not at all ("NoPE").
    Skip,
    /// By [`Architecture::rope`].
    Global,
    /// By [`Architecture::local_rope`].
    Local,
}

/// What the gate's values go through before they multiply up's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gate {
    /// x / (1 + exp(-x)).
    Silu,
    /// x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x^3))).
    GeluTanh,
}

/// How q and k are normed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueryKeyNorm {
    /// Not at all.
    None,
    /// RMSNorm over each head, one weight vector for all heads.
    PerHead,
    /// RMSNorm over all heads together.
    Whole,
}

/// Where a layer's RMSNorms stand, seen from attention and from the feed-forward part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NormPlacement {
    /// Before each part: most models.
    Before,
    /// Before each part, and on its result.
    BeforeAndAfter,
    /// On each part's result only.
    After,
}

/// q is multiplied with 1 + beta * ln(1 + floor(position / original_context)).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttentionTemperature {
    /// See above.
    pub beta: f32,
    /// See above.
    pub original_context: usize,
}

/// Rotary position embedding, half-split: of a head's first `dimensions` values, values i and i + dimensions/2 are turned
/// by position * frequency(i), frequency(i) being theta^(-2 i / dimensions) before scaling. The others stay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rope {
    /// See above.
    pub theta: f32,
    /// Even, at most `head_dim`.
    pub dimensions: usize,
    /// What is done to the frequencies for longer contexts.
    pub scaling: RopeScaling,
}

/// What is done to the frequencies f(i) of [`Rope`], i in 0..dimensions/2.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum RopeScaling {
    /// Nothing.
    None,
    /// f / factor.
    Linear {
        /// See above.
        factor: f32,
    },
    /// As Llama 3.1: with the wavelength w = 2 pi / f and c = `original_context`, f stays where w < c / `high`, becomes
    /// f / factor where w > c / `low`, and between is mixed: s = (c / w - low) / (high - low), (1 - s) f / factor + s f.
    Llama3 {
        /// See above.
        factor: f32,
        /// See above.
        low: f32,
        /// See above.
        high: f32,
        /// Positions before the context was made longer.
        original_context: usize,
    },
    /// YaRN (arXiv 2309.00071): with d(b) = dimensions ln(original_context / (2 pi b)) / (2 ln theta), low = d(`beta_fast`)
    /// and high = d(`beta_slow`), both rounded outwards if `truncate` and held to 0 ..= dimensions - 1 (high at least
    /// low + 0.001), and r(i) = (i - low) / (high - low) held to 0..=1: f (1 - r) + f / factor * r.
    Yarn {
        /// See above.
        factor: f32,
        /// See above.
        beta_fast: f32,
        /// See above.
        beta_slow: f32,
        /// Positions before the context was made longer.
        original_context: usize,
        /// What the turned q and k are multiplied with (already worked out from whatever the source said).
        magnitude: f32,
        /// See above.
        truncate: bool,
    },
    /// f(i) / `short[i]` while no more than `original_context` positions are in use, f(i) / `long[i]` beyond.
    LongRope {
        /// dimensions/2 of them.
        short: Vec<f32>,
        /// dimensions/2 of them.
        long: Vec<f32>,
        /// Positions before the context was made longer.
        original_context: usize,
        /// What the turned q and k are multiplied with.
        magnitude: f32,
    },
    /// f(i) / `factors[i]`: what GGUF files carry, whatever it came from.
    Factors {
        /// dimensions/2 of them.
        factors: Vec<f32>,
    },
}

impl Architecture {
    /// Rows of q: values of all query heads.
    #[must_use]
    pub const fn query_rows(&self) -> usize {
        self.heads * self.head_dim
    }

    /// Rows of k, and of v: values of all key heads.
    #[must_use]
    pub const fn key_rows(&self) -> usize {
        self.kv_heads * self.head_dim
    }

    /// Rows of q, k and v together, in this order.
    #[must_use]
    pub const fn qkv_rows(&self) -> usize {
        self.query_rows() + 2 * self.key_rows()
    }

    /// Numbers of all matrices; what people mean by "a 3B".
    #[must_use]
    pub fn parameters(&self) -> u64 {
        self.tensors().into_iter().map(|wanted| wanted.form.parameters()).sum()
    }
}
