//! Whether what is said of a language model makes sense, so that nothing that is computed from it overflows or divides by
//! zero.

use super::{Architecture, Language, LayerRope, Rope, RopeScaling};

/// Longest chat template.
pub const TEMPLATE_BYTES_MAX: usize = 1 << 20;
/// Largest `tokenizer.json`.
pub const TOKENIZER_BYTES_MAX: usize = 128 << 20;
/// Longest name.
const NAME_BYTES_MAX: usize = 512;
/// More tokens that end an answer than any model has.
const STOPS_MAX: usize = 64;
const LAYERS_MAX: usize = 512;
const WIDTH_MAX: usize = 1 << 16;
const HEADS_MAX: usize = 1024;
// What the attention kernels take.
const HEAD_DIM_MAX: usize = 256;
const FEED_FORWARD_MAX: usize = 1 << 18;
const VOCABULARY_MAX: usize = 1 << 20;
const CONTEXT_MAX: usize = 1 << 24;

/// Why a description of a language model is refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum InvalidLanguage {
    /// A size that no model has.
    #[error("`{field}` is {found}, which is not in {min}..={max}")]
    OutOfRange {
        /// Which.
        field: &'static str,
        /// As given.
        found: usize,
        /// Least.
        min: usize,
        /// Most.
        max: usize,
    },
    /// A size that the packed layouts cannot hold.
    #[error("`{field}` is {found}, which is not a multiple of {of}; the packed layouts need that")]
    NotMultiple {
        /// Which.
        field: &'static str,
        /// As given.
        found: usize,
        /// Of what it should be a multiple.
        of: usize,
    },
    /// A number that is not what it should be.
    #[error("`{field}` is {found}, but must be {wanted}")]
    Number {
        /// Which.
        field: &'static str,
        /// As given.
        found: f32,
        /// What it must be.
        wanted: &'static str,
    },
    /// Query heads that cannot share key heads evenly.
    #[error("the {heads} query heads cannot share {kv_heads} key heads evenly")]
    Heads {
        /// Query heads.
        heads: usize,
        /// Key heads.
        kv_heads: usize,
    },
    /// More or other dimensions than a head has pairs for.
    #[error("`rope.dimensions` is {found}, but must be even and at most a head's {head_dim} values")]
    RopeDimensions {
        /// As given.
        found: usize,
        /// What a head has.
        head_dim: usize,
    },
    /// A list of factors of another length than the frequencies.
    #[error("`{field}` has {found} factors, but there are {wanted} frequencies")]
    RopeFactors {
        /// Which list.
        field: &'static str,
        /// As given.
        found: usize,
        /// As needed.
        wanted: usize,
    },
    /// A layer that turns q and k in a way that is not described.
    #[error("layer {layer} turns by `local_rope`, which is absent")]
    NoLocalRope {
        /// Which.
        layer: usize,
    },
    /// A token that is not in the vocabulary.
    #[error("the token {id} of `tokens.{field}` is not below the vocabulary's {vocabulary}")]
    Token {
        /// Which field.
        field: &'static str,
        /// As given.
        id: u32,
        /// How many tokens there are.
        vocabulary: usize,
    },
    /// A text begins with a token that is not named.
    #[error("`tokens.add_begin` is set, but `tokens.begin` is absent")]
    NoBegin,
}

impl Language {
    /// Checks everything; see [`Architecture::check`].
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), InvalidLanguage> {
        self.architecture.check()?;
        range("name.length", self.name.len(), 0, NAME_BYTES_MAX)?;
        let template = self.chat_template.as_ref().map_or(0, String::len);
        range("chat_template.length", template, 0, TEMPLATE_BYTES_MAX)?;
        range("tokens.stops.length", self.tokens.stops.len(), 0, STOPS_MAX)?;
        let vocabulary = self.architecture.vocabulary;
        let begin = self.tokens.begin.map(|id| ("begin", id));
        for (field, id) in begin.into_iter().chain(self.tokens.stops.iter().map(|&id| ("stops", id))) {
            if usize::try_from(id).map_or(true, |id| id >= vocabulary) {
                return Err(InvalidLanguage::Token { field, id, vocabulary });
            }
        }
        if self.tokens.add_begin && self.tokens.begin.is_none() { Err(InvalidLanguage::NoBegin) } else { Ok(()) }
    }
}

impl Architecture {
    /// Checks that sizes are within limits and fit each other and the packed layouts, and that numbers are what they say.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), InvalidLanguage> {
        self.check_sizes()?;
        let positive = [
            ("norm_epsilon", Some(self.norm_epsilon)),
            ("embedding_multiplier", Some(self.embedding_multiplier)),
            ("residual_multiplier", Some(self.residual_multiplier)),
            ("attention_scale", Some(self.attention_scale)),
            ("attention_softcap", self.attention_softcap),
            ("logit_multiplier", Some(self.logit_multiplier)),
            ("logit_softcap", self.logit_softcap),
        ];
        for (field, found) in positive {
            above_zero(field, found.unwrap_or(1.0))?;
        }
        if let Some(temperature) = &self.attention_temperature {
            at_least("attention_temperature.beta", temperature.beta, 0.0, "a number, 0 or more")?;
            range("attention_temperature.original_context", temperature.original_context, 1, CONTEXT_MAX)?;
        }
        self.rope.check(self.head_dim)?;
        if let Some(local) = &self.local_rope {
            local.check(self.head_dim)?;
        }
        for (index, layer) in self.layers.iter().enumerate() {
            if layer.rope == LayerRope::Local && self.local_rope.is_none() {
                return Err(InvalidLanguage::NoLocalRope { layer: index });
            }
            range("window", layer.window.unwrap_or(1), 1, CONTEXT_MAX)?;
        }
        Ok(())
    }

    fn check_sizes(&self) -> Result<(), InvalidLanguage> {
        range("layers.length", self.layers.len(), 1, LAYERS_MAX)?;
        range("width", self.width, 32, WIDTH_MAX)?;
        range("heads", self.heads, 1, HEADS_MAX)?;
        range("kv_heads", self.kv_heads, 1, HEADS_MAX)?;
        range("head_dim", self.head_dim, 8, HEAD_DIM_MAX)?;
        range("feed_forward", self.feed_forward, 32, FEED_FORWARD_MAX)?;
        range("vocabulary", self.vocabulary, 1, VOCABULARY_MAX)?;
        range("context", self.context, 1, CONTEXT_MAX)?;
        if !self.heads.is_multiple_of(self.kv_heads) {
            return Err(InvalidLanguage::Heads { heads: self.heads, kv_heads: self.kv_heads });
        }
        multiple("width", self.width, 32)?;
        multiple("head_dim", self.head_dim, 8)?;
        multiple("heads * head_dim", self.query_rows(), 32)?;
        multiple("feed_forward", self.feed_forward, 32)
    }
}

impl Rope {
    fn check(&self, head_dim: usize) -> Result<(), InvalidLanguage> {
        at_least("rope.theta", self.theta, 1.0, "a number, 1 or more")?;
        let dimensions = self.dimensions;
        if !dimensions.is_multiple_of(2) || !(2..=head_dim).contains(&dimensions) {
            return Err(InvalidLanguage::RopeDimensions { found: dimensions, head_dim });
        }
        match &self.scaling {
            RopeScaling::None => Ok(()),
            RopeScaling::Linear { factor } => above_zero("rope.scaling.factor", *factor),
            &RopeScaling::Llama3 { factor, low, high, original_context } => {
                above_zero("rope.scaling.factor", factor)?;
                above_zero("rope.scaling.low", low)?;
                at_least("rope.scaling.high", high, low.next_up(), "above `rope.scaling.low`")?;
                range("rope.scaling.original_context", original_context, 1, CONTEXT_MAX)
            }
            &RopeScaling::Yarn { factor, beta_fast, beta_slow, original_context, magnitude, truncate: _ } => {
                at_least("rope.theta", self.theta, 1.0_f32.next_up(), "above 1 for YaRN")?;
                above_zero("rope.scaling.factor", factor)?;
                above_zero("rope.scaling.beta_slow", beta_slow)?;
                at_least("rope.scaling.beta_fast", beta_fast, beta_slow, "no less than `rope.scaling.beta_slow`")?;
                above_zero("rope.scaling.magnitude", magnitude)?;
                range("rope.scaling.original_context", original_context, 1, CONTEXT_MAX)
            }
            RopeScaling::LongRope { short, long, original_context, magnitude } => {
                factors("rope.scaling.short", short, dimensions / 2)?;
                factors("rope.scaling.long", long, dimensions / 2)?;
                above_zero("rope.scaling.magnitude", *magnitude)?;
                range("rope.scaling.original_context", *original_context, 1, CONTEXT_MAX)
            }
            RopeScaling::Factors { factors: list } => factors("rope.scaling.factors", list, dimensions / 2),
        }
    }
}

fn range(field: &'static str, found: usize, min: usize, max: usize) -> Result<(), InvalidLanguage> {
    if (min..=max).contains(&found) { Ok(()) } else { Err(InvalidLanguage::OutOfRange { field, found, min, max }) }
}

fn multiple(field: &'static str, found: usize, of: usize) -> Result<(), InvalidLanguage> {
    if found.is_multiple_of(of) { Ok(()) } else { Err(InvalidLanguage::NotMultiple { field, found, of }) }
}

fn above_zero(field: &'static str, found: f32) -> Result<(), InvalidLanguage> {
    at_least(field, found, f32::MIN_POSITIVE, "a normal number above 0")
}

fn at_least(field: &'static str, found: f32, min: f32, wanted: &'static str) -> Result<(), InvalidLanguage> {
    if found.is_finite() && found >= min { Ok(()) } else { Err(InvalidLanguage::Number { field, found, wanted }) }
}

fn factors(field: &'static str, list: &[f32], wanted: usize) -> Result<(), InvalidLanguage> {
    if list.len() != wanted {
        return Err(InvalidLanguage::RopeFactors { field, found: list.len(), wanted });
    }
    list.iter().try_for_each(|&factor| above_zero(field, factor))
}
