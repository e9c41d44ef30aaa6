//! From `config.json` to an architecture. Everything comes from the file; what a `model_type` decides is only what the file
//! leaves unsaid. Fields and defaults are those of the configuration classes in `transformers` 4.57 and 5.0.

use clawdbot_nn::metadata::language::{
    Architecture, Gate, Layer, LayerRope, NormPlacement, QueryKeyNorm, Rope, RopeScaling,
};
use serde_json::Value;

use super::config::Config;
use super::names::Style;
use super::rope;
use crate::language::{Described, LanguageError};

/// What a model's type decides.
#[derive(Clone, Copy, Debug)]
struct Family {
    name: &'static str,
    style: Style,
    qkv_bias: bool,
    query_key_norm: QueryKeyNorm,
    norms: NormPlacement,
    /// Added to norms' weights: gemma stores them less 1.
    norm_offset: f32,
}

const PLAIN: Family = Family {
    name: "llama",
    style: Style::Plain,
    qkv_bias: false,
    query_key_norm: QueryKeyNorm::None,
    norms: NormPlacement::Before,
    norm_offset: 0.0,
};

const FAMILIES: [Family; 10] = [
    PLAIN,
    Family { name: "mistral", ..PLAIN },
    Family { name: "ministral3", ..PLAIN },
    Family { name: "qwen2", qkv_bias: true, ..PLAIN },
    Family { name: "qwen3", query_key_norm: QueryKeyNorm::PerHead, ..PLAIN },
    Family { name: "smollm3", ..PLAIN },
    Family { name: "phi3", style: Style::Fused, ..PLAIN },
    Family {
        name: "gemma3_text",
        style: Style::FourNorms,
        query_key_norm: QueryKeyNorm::PerHead,
        norms: NormPlacement::BeforeAndAfter,
        norm_offset: 1.0,
        ..PLAIN
    },
    Family { name: "granite", ..PLAIN },
    Family {
        name: "olmo2",
        style: Style::After,
        query_key_norm: QueryKeyNorm::Whole,
        norms: NormPlacement::After,
        ..PLAIN
    },
];

/// A description, and how the folder's tensors are to be read.
pub(super) struct Read {
    pub(super) base: Described,
    pub(super) style: Style,
    pub(super) norm_offset: f32,
}

pub(super) fn read(config: &Config<'_>) -> Result<Read, LanguageError> {
    let found = config.text("model_type")?.unwrap_or("(none)");
    let family = FAMILIES.into_iter().find(|family| family.name == found).ok_or_else(|| {
        let supported = FAMILIES.map(|family| family.name).join(", ");
        LanguageError::Architecture { found: found.to_owned(), supported }
    })?;
    if config.value("quantization_config").is_some() {
        let reason = "the weights are quantised already; take the model in BF16 or F16, or as GGUF";
        return Err(config.error("quantization_config", reason));
    }
    let architecture = architecture(config, family)?;
    let feed_forward = config.count("intermediate_size")?;
    let base = Described { architecture, feed_forward, decisions: Vec::new() };
    Ok(Read { base, style: family.style, norm_offset: family.norm_offset })
}

fn architecture(config: &Config<'_>, family: Family) -> Result<Architecture, LanguageError> {
    let (width, heads) = (config.count("hidden_size")?, config.count("num_attention_heads")?);
    let head_dim = match config.optional_count("head_dim")? {
        Some(head_dim) => head_dim,
        None if heads > 0 && width.is_multiple_of(heads) => width / heads,
        None => return Err(config.error("num_attention_heads", "it does not divide `hidden_size`")),
    };
    let context = config.count("max_position_embeddings")?;
    let layers = layers(config, family, context)?;
    let global = rope::global(config, head_dim, context)?;
    let local = layers.iter().any(|layer| layer.rope == LayerRope::Local);
    let local_rope = if local { Some(rope::local(config, head_dim)?) } else { None };
    let gemma = family.name == "gemma3_text";
    let score = if gemma { config.number_or("query_pre_attn_scalar", 256.0)? } else { head_dim as f32 };
    let root = if gemma { (width as f32).sqrt() } else { 1.0 };
    Ok(Architecture {
        width,
        heads,
        kv_heads: config.optional_count("num_key_value_heads")?.unwrap_or(heads),
        head_dim,
        feed_forward: config.count("intermediate_size")?,
        vocabulary: config.count("vocab_size")?,
        context,
        norm_epsilon: config.number("rms_norm_eps")?.ok_or_else(|| config.error("rms_norm_eps", "it is missing"))?,
        gate: gate(config)?,
        qkv_bias: family.qkv_bias || config.flag("attention_bias")?.unwrap_or(false),
        query_key_norm: family.query_key_norm,
        norms: family.norms,
        tied_embedding: config.flag("tie_word_embeddings")?.unwrap_or(false),
        embedding_multiplier: config.number_or("embedding_multiplier", root)?,
        residual_multiplier: config.number_or("residual_multiplier", 1.0)?,
        attention_scale: config.number_or("attention_multiplier", 1.0 / score.sqrt())?,
        attention_softcap: config.number("attn_logit_softcapping")?,
        attention_temperature: rope::temperature(config)?,
        logit_multiplier: 1.0 / config.number_or("logits_scaling", 1.0)?,
        logit_softcap: config.number("final_logit_softcapping")?,
        rope: global,
        local_rope,
        layers,
    })
}

fn gate(config: &Config<'_>) -> Result<Gate, LanguageError> {
    let field = if config.value("hidden_activation").is_some() { "hidden_activation" } else { "hidden_act" };
    match config.text(field)?.unwrap_or("silu") {
        "silu" | "swish" => Ok(Gate::Silu),
        "gelu_pytorch_tanh" => Ok(Gate::GeluTanh),
        other => Err(config.error(field, &format!("`{other}` is not supported; silu and gelu_pytorch_tanh are"))),
    }
}

/// Windows and positions of each layer.
fn layers(config: &Config<'_>, family: Family, context: usize) -> Result<Vec<Layer>, LanguageError> {
    let count = config.count("num_hidden_layers")?;
    if count > 4096 {
        return Err(config.error("num_hidden_layers", "no model has so many"));
    }
    let used = config.flag("use_sliding_window")?.unwrap_or(!family.name.starts_with("qwen"));
    let window = config.optional_count("sliding_window")?.filter(|&window| used && window < context);
    let slides = slides(config, family, count)?;
    let skips = skips(config, family, count)?;
    let layer = |index: usize| {
        let slides = slides[index];
        // Where some layers slide and others don't, gemma's turn by frequencies of their own.
        let local = slides && family.name == "gemma3_text";
        let turned = if local { LayerRope::Local } else { LayerRope::Global };
        let rope = if skips[index] { LayerRope::Skip } else { turned };
        Layer { rope, window: window.filter(|_| slides) }
    };
    Ok((0..count).map(layer).collect())
}

/// Which layers see a window only, if there is one.
fn slides(config: &Config<'_>, family: Family, count: usize) -> Result<Vec<bool>, LanguageError> {
    if let Some(types) = config.list("layer_types")? {
        let slides = |value: &Value| match value.as_str()? {
            "sliding_attention" => Some(true),
            "full_attention" => Some(false),
            _ => None,
        };
        let slides: Option<Vec<bool>> = types.iter().map(slides).collect();
        let slides = slides.filter(|slides| slides.len() == count);
        let reason =
            "it is no list of `full_attention` and `sliding_attention`, one for each layer; others are not supported";
        return slides.ok_or_else(|| config.error("layer_types", reason));
    }
    if family.name == "gemma3_text" {
        let pattern = config.optional_count("sliding_window_pattern")?.unwrap_or(6).max(1);
        return Ok((0..count).map(|index| !(index + 1).is_multiple_of(pattern)).collect());
    }
    let first = match config.optional_count("max_window_layers")? {
        Some(first) if family.name.starts_with("qwen") => first,
        _ => 0,
    };
    Ok((0..count).map(|index| index >= first).collect())
}

/// Which layers do not turn q and k.
fn skips(config: &Config<'_>, family: Family, count: usize) -> Result<Vec<bool>, LanguageError> {
    if family.name != "smollm3" {
        return Ok(vec![false; count]);
    }
    if let Some(list) = config.list("no_rope_layers")? {
        // 1 is for layers that do turn, whatever the name says.
        let skips: Option<Vec<bool>> = list.iter().map(|value| value.as_u64().map(|turns| turns == 0)).collect();
        let skips = skips.filter(|skips| skips.len() == count);
        return skips.ok_or_else(|| config.error("no_rope_layers", "it is no list of 0 and 1, one for each layer"));
    }
    let interval = config.optional_count("no_rope_layer_interval")?.unwrap_or(4).max(1);
    Ok((0..count).map(|index| (index + 1).is_multiple_of(interval)).collect())
}

/// A rope without scaling.
pub(super) const fn plain(theta: f32, dimensions: usize) -> Rope {
    Rope { theta, dimensions, scaling: RopeScaling::None }
}
