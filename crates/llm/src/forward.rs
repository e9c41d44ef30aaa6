//! From token ids to logits: one pass over the weights for the tokens of any number of sequences.
//!
//! ```text
//! embedding -> [ norm -> qkv -> bias, norms, rotation -> cache -> attention -> output -> + ] for each layer
//!              [ norm -> gate, up -> gate * up -> down -> +                                ]
//! -> norm of the wanted tokens -> head -> logits
//! ```
//! Floats of T tokens lie as `[N/8][T][8]` (docs/decisions/0005-language-model.md), the order of every sum is fixed, so a token's
//! logits are the same bits whatever it is computed with. Memory is taken by [`Forward::new`]; a pass allocates nothing.

mod attention;
mod block;
mod linear;
#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;

use clawdbot_kernels::isa::Isa;
use clawdbot_nn::metadata::language::Rope;
use clawdbot_nn::workers::Workers;

use crate::kv_cache::{Full, KvCache, Sequence, Shape};
use crate::model::Model;
use crate::pace::Pace;
use crate::rope::Rotation;
use crate::watch::Watch;
use linear::Quantised;

/// Tokens of one sequence to be computed, and which of them are to have logits.
#[derive(Debug)]
pub struct Span<'a> {
    /// What came before. Grows by the tokens.
    pub sequence: &'a mut Sequence,
    /// At least one.
    pub tokens: &'a [u32],
    /// Which tokens are asked what follows them.
    pub logits: Wanted,
}

/// Which tokens of a span are to have logits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// None: a prompt's beginning.
    None,
    /// The last one.
    Last,
    /// All of them: a text to be measured.
    All,
    /// Those from this one on: drafts to be judged behind tokens that are settled.
    From(usize),
}

impl Wanted {
    /// Of `tokens` tokens, the first that is wanted.
    pub(crate) const fn first(self, tokens: usize) -> usize {
        match self {
            Self::None => tokens,
            Self::Last => tokens.saturating_sub(1),
            Self::All => 0,
            Self::From(first) if first < tokens => first,
            Self::From(_) => tokens,
        }
    }
}

/// Why a pass did not take place, or not to its end. No sequence has grown.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ForwardError {
    /// No room for the tokens' keys and values.
    #[error(transparent)]
    Full(#[from] Full),
    /// More positions than the model was opened for.
    #[error(
        "position {wanted} is wanted, but the context holds {max}; shorten the prompt, or open the model with a larger context"
    )]
    Context {
        /// The last one asked for.
        wanted: usize,
        /// How many there may be.
        max: usize,
    },
    /// An id that no row of the embedding has.
    #[error("token {token} is not one of the model's {vocabulary}; does the tokenizer belong to this model?")]
    Token {
        /// As given.
        token: u32,
        /// Rows of the embedding.
        vocabulary: usize,
    },
    /// More at once than memory was taken for.
    #[error("{wanted} {what} in one pass, but memory was taken for {max}; this is a bug of the caller")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// As given.
        wanted: usize,
        /// As taken.
        max: usize,
    },
    /// [`Pace::between`] said that nobody wants the result.
    #[error("the answer was cancelled")]
    Cancelled,
}

/// Limits for which memory is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Tokens of a pass, all spans together.
    pub tokens: usize,
    /// Tokens of a pass that have logits.
    pub logits: usize,
    /// Positions of a sequence.
    pub context: usize,
}

/// See the module.
#[derive(Debug)]
pub struct Forward {
    model: Arc<Model>,
    workers: Arc<Workers>,
    isa: Isa,
    limits: Limits,
    rotation: Rotation,
    local: Option<Rotation>,
    buffers: Buffers,
    watch: Option<Box<dyn Watch>>,
}

/// Floats of the present pass, each used up to its size times T.
#[derive(Debug)]
struct Buffers {
    residual: Vec<f32>,
    normed: Vec<f32>,
    qkv: Vec<f32>,
    /// q, k and v by spans, where there are several; as [`attention`] says.
    spanned: Vec<f32>,
    attended: Vec<f32>,
    branch: Vec<f32>,
    gate_up: Vec<f32>,
    gated: Vec<f32>,
    logits: Vec<f32>,
    quantised: Quantised,
    angles: [Angles; 2],
    /// Logits of the last pass.
    rows: usize,
}

/// Cosines and sines of the pass's tokens, `[T][pairs]`.
#[derive(Debug, Default)]
struct Angles {
    cos: Vec<f32>,
    sin: Vec<f32>,
}

impl Angles {
    fn new(rotation: Option<&Rotation>, tokens: usize) -> Self {
        let length = rotation.map_or(0, Rotation::pairs) * tokens;
        Self { cos: vec![0.0; length], sin: vec![0.0; length] }
    }

    fn fill(&mut self, rotation: &Rotation, positions: impl Iterator<Item = usize>) {
        let pairs = rotation.pairs();
        for (token, position) in positions.enumerate() {
            let place = token * pairs..(token + 1) * pairs;
            rotation.angles(position, &mut self.cos[place.clone()], &mut self.sin[place]);
        }
    }
}

impl Forward {
    /// Takes the memory for passes within `limits`, run on `isa` by the threads of `workers`.
    #[must_use]
    pub fn new(model: Arc<Model>, workers: Arc<Workers>, isa: Isa, limits: Limits) -> Self {
        let architecture = model.architecture();
        let rotation = |rope: &Rope| Rotation::new(rope, limits.context);
        let (global, local) = (rotation(&architecture.rope), architecture.local_rope.as_ref().map(rotation));
        let floats = |rows: usize| vec![0.0; rows.next_multiple_of(8) * limits.tokens];
        let widest = architecture.width.max(architecture.query_rows()).max(architecture.feed_forward);
        let buffers = Buffers {
            residual: floats(architecture.width),
            normed: floats(architecture.width),
            qkv: floats(architecture.qkv_rows()),
            spanned: floats(architecture.qkv_rows()),
            attended: floats(architecture.query_rows()),
            branch: floats(architecture.width),
            gate_up: floats(2 * architecture.feed_forward),
            gated: floats(architecture.feed_forward),
            logits: vec![0.0; architecture.vocabulary.next_multiple_of(8) * limits.logits],
            quantised: Quantised::new(widest, limits.tokens.max(limits.logits)),
            angles: [Some(&global), local.as_ref()].map(|rotation| Angles::new(rotation, limits.tokens)),
            rows: 0,
        };
        Self { model, workers, isa, limits, rotation: global, local, buffers, watch: None }
    }

    /// Tells `watch` what every matrix reads from now on.
    pub fn watch(&mut self, watch: Box<dyn Watch>) {
        self.watch = Some(watch);
    }

    /// The model.
    #[must_use]
    pub const fn model(&self) -> &Arc<Model> {
        &self.model
    }

    /// The limits that memory was taken for.
    #[must_use]
    pub const fn limits(&self) -> Limits {
        self.limits
    }

    /// Sizes of a cache for this model.
    #[must_use]
    pub fn cache_shape(model: &Model, format: clawdbot_kernels::pages::Format) -> Shape {
        let architecture = model.architecture();
        let (layers, kv_heads) = (architecture.layers.len(), architecture.kv_heads);
        Shape { layers, kv_heads, head_dim: architecture.head_dim, format }
    }

    /// Computes the tokens of all spans. The wanted logits are there afterwards, in the order of the spans.
    ///
    /// # Errors
    /// See [`ForwardError`]. Pages may have been reserved, but no sequence has grown.
    pub fn run(&mut self, cache: &mut KvCache, spans: &mut [Span<'_>], pace: Pace<'_>) -> Result<(), ForwardError> {
        self.check(spans)?;
        for span in spans.iter_mut() {
            cache.reserve(span.sequence, span.tokens.len())?;
        }
        let tokens: usize = spans.iter().map(|span| span.tokens.len()).sum();
        self.buffers.rows = 0;
        if tokens == 0 {
            return Ok(());
        }
        self.embed(spans, tokens);
        for layer in 0..self.model.layers.len() {
            self.attend(cache, spans, [layer, tokens], pace)?;
            self.feed_forward([layer, tokens], pace)?;
        }
        self.judge(spans, tokens, pace)?;
        for span in spans {
            cache.advance(span.sequence, span.tokens.len());
        }
        (pace.done)();
        Ok(())
    }

    /// Logits of the `row`th wanted token of the last pass, one for each token of the vocabulary, written to `logits`.
    ///
    /// # Panics
    /// When there is no such row, or the length is not the vocabulary's.
    pub fn copy_logits(&self, row: usize, logits: &mut [f32]) {
        let (rows, vocabulary) = (self.buffers.rows, self.model.architecture().vocabulary);
        assert!(row < rows && logits.len() == vocabulary, "row {row} of {rows}, {} of {vocabulary}", logits.len());
        for (tile, values) in logits.chunks_mut(8).enumerate() {
            let start = (tile * rows + row) * 8;
            values.copy_from_slice(&self.buffers.logits[start..start + values.len()]);
        }
    }

    fn check(&self, spans: &[Span<'_>]) -> Result<(), ForwardError> {
        let limits = self.limits;
        let vocabulary = self.model.architecture().vocabulary;
        let (mut tokens, mut rows) = (0, 0);
        for span in spans {
            tokens += span.tokens.len();
            rows += span.tokens.len() - span.logits.first(span.tokens.len());
            let wanted = span.sequence.length() + span.tokens.len();
            if wanted > limits.context {
                return Err(ForwardError::Context { wanted, max: limits.context });
            }
            if let Some(&token) = span.tokens.iter().find(|&&token| token as usize >= vocabulary) {
                return Err(ForwardError::Token { token, vocabulary });
            }
        }
        for (what, wanted, max) in [("tokens", tokens, limits.tokens), ("rows of logits", rows, limits.logits)] {
            if wanted > max {
                return Err(ForwardError::TooMany { what, wanted, max });
            }
        }
        Ok(())
    }
}

/// Positions of all tokens of a pass, in their order.
fn positions<'a>(spans: &'a [Span<'_>]) -> impl Iterator<Item = usize> + 'a {
    spans.iter().flat_map(|span| span.sequence.length()..span.sequence.length() + span.tokens.len())
}
