//! From a file's keys to an architecture. Everything comes from the file; what `general.architecture` decides is only what
//! llama.cpp knows by that name instead of writing it down (its `llama-model.cpp`).

use clawdbot_nn::gguf::{Gguf, Value};
use clawdbot_nn::metadata::language::{
    Architecture, AttentionTemperature, Gate, Layer, LayerRope, NormPlacement, QueryKeyNorm, Rope, RopeScaling,
};

use super::{bad, missing};
use crate::language::{Described, LanguageError};

/// What an architecture's name decides.
#[derive(Clone, Copy, Debug)]
struct Family {
    name: &'static str,
    /// Whether q and k are stored for rotation in neighbouring pairs.
    interleaved: bool,
    query_key_norm: QueryKeyNorm,
    norms: NormPlacement,
    gate: Gate,
    /// Every so many layers one does not turn q and k; 0 for none.
    skip_every: usize,
    /// Every so many layers one sees everything where the others have a window; 0 where windows are for all.
    global_every: usize,
}

const PLAIN: Family = Family {
    name: "llama",
    interleaved: true,
    query_key_norm: QueryKeyNorm::None,
    norms: NormPlacement::Before,
    gate: Gate::Silu,
    skip_every: 0,
    global_every: 0,
};

const FAMILIES: [Family; 8] = [
    PLAIN,
    Family { name: "mistral3", ..PLAIN },
    Family { name: "granite", ..PLAIN },
    Family { name: "smollm3", skip_every: 4, ..PLAIN },
    Family { name: "qwen2", interleaved: false, ..PLAIN },
    Family { name: "qwen3", interleaved: false, query_key_norm: QueryKeyNorm::PerHead, ..PLAIN },
    Family {
        name: "gemma3",
        interleaved: false,
        query_key_norm: QueryKeyNorm::PerHead,
        norms: NormPlacement::BeforeAndAfter,
        gate: Gate::GeluTanh,
        global_every: 6,
        ..PLAIN
    },
    Family {
        name: "olmo2",
        interleaved: false,
        query_key_norm: QueryKeyNorm::Whole,
        norms: NormPlacement::After,
        ..PLAIN
    },
];

/// Where a file doesn't say.
const THETA: f64 = 10_000.0;

/// A description, and how the file's tensors are to be read.
pub(super) struct Read {
    pub(super) base: Described,
    pub(super) interleaved: bool,
}

/// The keys that begin with the architecture's name.
struct Keys<'a> {
    gguf: &'a Gguf,
    prefix: &'a str,
}

impl Keys<'_> {
    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.prefix)
    }

    fn count(&self, name: &str) -> Result<usize, LanguageError> {
        self.optional_count(name)?.ok_or_else(|| missing(self.gguf, &self.key(name)))
    }

    /// A whole number; a list of them, one for each layer, counts as one where they are all the same.
    fn optional_count(&self, name: &str) -> Result<Option<usize>, LanguageError> {
        let key = self.key(name);
        if let Some(Value::Integers(list)) = self.gguf.value(&key) {
            let first = list.first().copied().unwrap_or(0);
            let count = usize::try_from(first).ok().filter(|_| list.iter().all(|&other| other == first));
            return count.map(Some).ok_or_else(|| bad(self.gguf, &key, "layers of unlike sizes are not supported"));
        }
        Ok(self.gguf.count(&key)?)
    }

    fn number(&self, name: &str) -> Result<Option<f32>, LanguageError> {
        Ok(self.gguf.number(&self.key(name))?.map(|number| number as f32))
    }

    fn number_or(&self, name: &str, default: f32) -> Result<f32, LanguageError> {
        Ok(self.number(name)?.unwrap_or(default))
    }
}

pub(super) fn read(gguf: &Gguf) -> Result<Read, LanguageError> {
    let found = gguf.text("general.architecture")?.ok_or_else(|| missing(gguf, "general.architecture"))?;
    let family = FAMILIES.into_iter().find(|family| family.name == found).ok_or_else(|| {
        let supported = FAMILIES.map(|family| family.name).join(", ");
        LanguageError::Architecture { found: found.to_owned(), supported }
    })?;
    let keys = Keys { gguf, prefix: found };
    if keys.optional_count("expert_count")?.is_some_and(|experts| experts > 0) {
        return Err(bad(gguf, &keys.key("expert_count"), "mixtures of experts are not supported"));
    }
    let architecture = architecture(&keys, family)?;
    if family.interleaved && architecture.rope.dimensions != architecture.head_dim {
        let reason = "heads that are turned in part, in neighbouring pairs, are not supported";
        return Err(bad(gguf, &keys.key("rope.dimension_count"), reason));
    }
    let base = Described { feed_forward: architecture.feed_forward, architecture, decisions: Vec::new() };
    Ok(Read { base, interleaved: family.interleaved })
}

fn architecture(keys: &Keys<'_>, family: Family) -> Result<Architecture, LanguageError> {
    let gguf = keys.gguf;
    let (width, heads) = (keys.count("embedding_length")?, keys.count("attention.head_count")?);
    let head_dim = match keys.optional_count("attention.key_length")? {
        Some(head_dim) => head_dim,
        None if heads > 0 && width.is_multiple_of(heads) => width / heads,
        None => return Err(bad(gguf, &keys.key("attention.head_count"), "it does not divide the embedding's length")),
    };
    if keys.optional_count("attention.value_length")?.is_some_and(|length| length != head_dim) {
        return Err(bad(
            gguf,
            &keys.key("attention.value_length"),
            "heads of k and v of unlike sizes are not supported",
        ));
    }
    let context = keys.count("context_length")?;
    let layers = layers(keys, family, context)?;
    let gemma = family.global_every > 0;
    let plain = |theta| Rope { theta, dimensions: head_dim, scaling: RopeScaling::None };
    let epsilon = "attention.layer_norm_rms_epsilon";
    let embedding = gguf.tensor("token_embd.weight");
    let embedding = embedding.ok_or_else(|| LanguageError::tensor("token_embd.weight", "it is missing"))?;
    let feed_forward = keys.count("feed_forward_length")?;
    Ok(Architecture {
        width,
        heads,
        kv_heads: keys.optional_count("attention.head_count_kv")?.unwrap_or(heads),
        head_dim,
        feed_forward,
        vocabulary: embedding.rows,
        context,
        norm_epsilon: keys.number(epsilon)?.ok_or_else(|| missing(gguf, &keys.key(epsilon)))?,
        gate: family.gate,
        qkv_bias: gguf.tensor("blk.0.attn_q.bias").is_some(),
        query_key_norm: family.query_key_norm,
        norms: family.norms,
        tied_embedding: gguf.tensor("output.weight").is_none(),
        embedding_multiplier: keys.number_or("embedding_scale", if gemma { (width as f32).sqrt() } else { 1.0 })?,
        residual_multiplier: keys.number_or("residual_scale", 1.0)?,
        attention_scale: keys.number_or("attention.scale", 1.0 / (head_dim as f32).sqrt())?,
        attention_softcap: keys.number("attn_logit_softcapping")?,
        attention_temperature: temperature(keys, context)?,
        logit_multiplier: 1.0 / keys.number_or("logit_scale", 1.0)?,
        logit_softcap: keys.number("final_logit_softcapping")?,
        rope: rope(keys, head_dim, context)?,
        local_rope: if gemma { Some(plain(keys.number_or("rope.freq_base_swa", THETA as f32)?)) } else { None },
        layers,
    })
}

fn layers(keys: &Keys<'_>, family: Family, context: usize) -> Result<Vec<Layer>, LanguageError> {
    let count = keys.count("block_count")?;
    if count > 4096 {
        return Err(bad(keys.gguf, &keys.key("block_count"), "no model has so many layers"));
    }
    let window = keys.optional_count("attention.sliding_window")?.filter(|&window| window > 0 && window < context);
    let every = |index: usize, step: usize| step > 0 && (index + 1).is_multiple_of(step);
    let layer = |index: usize| {
        let slides = !every(index, family.global_every);
        let local = slides && family.global_every > 0;
        let turned = if local { LayerRope::Local } else { LayerRope::Global };
        let rope = if every(index, family.skip_every) { LayerRope::Skip } else { turned };
        Layer { rope, window: window.filter(|_| slides) }
    };
    Ok((0..count).map(layer).collect())
}

fn temperature(keys: &Keys<'_>, context: usize) -> Result<Option<AttentionTemperature>, LanguageError> {
    let Some(beta) = keys.number("attention.temperature_scale")?.filter(|&beta| beta != 0.0) else { return Ok(None) };
    let length = keys.optional_count("attention.temperature_length")?;
    let original = length.or(keys.optional_count("rope.scaling.original_context_length")?);
    Ok(Some(AttentionTemperature { beta, original_context: original.unwrap_or(context) }))
}

fn rope(keys: &Keys<'_>, head_dim: usize, context: usize) -> Result<Rope, LanguageError> {
    let theta = keys.number_or("rope.freq_base", THETA as f32)?;
    let dimensions = keys.optional_count("rope.dimension_count")?.unwrap_or(head_dim);
    if let Some(tensor) = keys.gguf.tensor("rope_freqs.weight") {
        let mut factors = vec![0.0; tensor.columns];
        keys.gguf.row("rope_freqs.weight", 0, &mut factors)?;
        return Ok(Rope { theta, dimensions, scaling: RopeScaling::Factors { factors } });
    }
    if keys.gguf.tensor("rope_factors_long.weight").is_some() {
        return Err(LanguageError::tensor(
            "rope_factors_long.weight",
            "LongRoPE is read from Hugging Face folders only",
        ));
    }
    let key = keys.key("rope.scaling.type");
    let factor = keys.number_or("rope.scaling.factor", 1.0)?;
    let scaling = match keys.gguf.text(&key)?.unwrap_or("none") {
        "none" => RopeScaling::None,
        "linear" => RopeScaling::Linear { factor },
        "yarn" => yarn(keys, factor, context)?,
        other => return Err(bad(keys.gguf, &key, &format!("`{other}` is not supported; none, linear and yarn are"))),
    };
    Ok(Rope { theta, dimensions, scaling })
}

/// YaRN; its magnitude is 0.1 ln(factor) + 1, over the same with `yarn_log_multiplier` before the logarithm where there is
/// one.
fn yarn(keys: &Keys<'_>, factor: f32, context: usize) -> Result<RopeScaling, LanguageError> {
    let grown = |m: f32| if factor > 1.0 { 0.1 * m * factor.ln() + 1.0 } else { 1.0 };
    let multiplier = keys.number_or("rope.scaling.yarn_log_multiplier", 0.0)?;
    let shrunk = if multiplier == 0.0 { 1.0 } else { grown(multiplier) };
    Ok(RopeScaling::Yarn {
        factor,
        beta_fast: keys.number_or("rope.scaling.yarn_beta_fast", 32.0)?,
        beta_slow: keys.number_or("rope.scaling.yarn_beta_slow", 1.0)?,
        original_context: keys.optional_count("rope.scaling.original_context_length")?.unwrap_or(context),
        magnitude: keys.number_or("rope.scaling.attn_factor", 1.0)? * grown(1.0) / shrunk,
        truncate: true,
    })
}
