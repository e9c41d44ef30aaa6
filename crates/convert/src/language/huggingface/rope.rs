//! Rotary embedding as `config.json` spells it: `rope_theta` and `rope_scaling`, or all in `rope_parameters` since
//! transformers 5. The laws are those of its `modeling_rope_utils.py`.

use clawdbot_nn::metadata::language::{AttentionTemperature, Rope, RopeScaling};

use super::architectures::plain;
use super::config::Config;
use crate::language::LanguageError;

/// Where a file doesn't say.
const THETA: f32 = 10_000.0;
/// The same of gemma's layers that slide.
const LOCAL_THETA: f32 = 10_000.0;

/// The parameters of `kind` (`full_attention` or `sliding_attention`, if they differ), old or new.
fn parameters<'a>(config: &Config<'a>, kind: &str) -> Result<Option<Config<'a>>, LanguageError> {
    let Some(parameters) = config.object("rope_parameters")? else { return config.object("rope_scaling") };
    Ok(parameters.object(kind)?.or(Some(parameters)))
}

/// How layers turn that see everything.
pub(super) fn global(config: &Config<'_>, head_dim: usize, context: usize) -> Result<Rope, LanguageError> {
    let parameters = parameters(config, "full_attention")?;
    let inner = |field: &str| parameters.map_or(Ok(None), |parameters| parameters.number(field));
    let theta = inner("rope_theta")?.or(config.number("rope_theta")?).unwrap_or(THETA);
    let share = inner("partial_rotary_factor")?.or(config.number("partial_rotary_factor")?).unwrap_or(1.0);
    let dimensions = (head_dim as f32 * share) as usize;
    let scaling = match parameters {
        None => RopeScaling::None,
        Some(parameters) => scaling(config, &parameters, context)?,
    };
    Ok(Rope { theta, dimensions, scaling })
}

/// How gemma's layers turn that slide.
pub(super) fn local(config: &Config<'_>, head_dim: usize) -> Result<Rope, LanguageError> {
    let parameters = match config.object("rope_parameters")? {
        Some(parameters) => parameters.object("sliding_attention")?,
        None => None,
    };
    let inner = parameters.map_or(Ok(None), |parameters| parameters.number("rope_theta"))?;
    let theta = inner.or(config.number("rope_local_base_freq")?).unwrap_or(LOCAL_THETA);
    Ok(plain(theta, head_dim))
}

/// How queries grow with their position.
pub(super) fn temperature(config: &Config<'_>) -> Result<Option<AttentionTemperature>, LanguageError> {
    let Some(parameters) = parameters(config, "full_attention")? else { return Ok(None) };
    let Some(beta) = parameters.number("llama_4_scaling_beta")?.filter(|&beta| beta != 0.0) else { return Ok(None) };
    let original_context = parameters.count("original_max_position_embeddings")?;
    Ok(Some(AttentionTemperature { beta, original_context }))
}

fn scaling(config: &Config<'_>, parameters: &Config<'_>, context: usize) -> Result<RopeScaling, LanguageError> {
    let kind = parameters.text("rope_type")?.or(parameters.text("type")?).unwrap_or("default");
    let original = |or: usize| -> Result<usize, LanguageError> {
        let field = "original_max_position_embeddings";
        Ok(parameters.optional_count(field)?.or(config.optional_count(field)?).unwrap_or(or))
    };
    let needed = |field: &str| parameters.number(field)?.ok_or_else(|| parameters.error(field, "it is missing"));
    match kind {
        "default" => Ok(RopeScaling::None),
        "linear" => Ok(RopeScaling::Linear { factor: needed("factor")? }),
        "llama3" => Ok(RopeScaling::Llama3 {
            factor: needed("factor")?,
            low: needed("low_freq_factor")?,
            high: needed("high_freq_factor")?,
            original_context: original(context)?,
        }),
        "yarn" => {
            let original_context = original(context)?;
            let factor = match parameters.number("factor")? {
                Some(factor) => factor,
                None => context as f32 / original_context.max(1) as f32,
            };
            Ok(RopeScaling::Yarn {
                factor,
                beta_fast: parameters.number_or("beta_fast", 32.0)?,
                beta_slow: parameters.number_or("beta_slow", 1.0)?,
                original_context,
                magnitude: yarn_magnitude(parameters, factor)?,
                truncate: parameters.flag("truncate")?.unwrap_or(true),
            })
        }
        "longrope" | "su" => {
            let original_context = original(context)?;
            let factor = context as f32 / original_context.max(1) as f32;
            let grown = (1.0 + factor.ln() / (original_context.max(2) as f32).ln()).sqrt();
            let magnitude = if factor > 1.0 { grown } else { 1.0 };
            Ok(RopeScaling::LongRope {
                short: parameters.numbers("short_factor")?,
                long: parameters.numbers("long_factor")?,
                original_context,
                magnitude: parameters.number_or("attention_factor", magnitude)?,
            })
        }
        other => Err(parameters.error(
            "rope_type",
            &format!("`{other}` is not supported; default, linear, llama3, yarn and longrope are"),
        )),
    }
}

/// What YaRN multiplies the turned q and k with: 0.1 m ln(factor) + 1 for a factor above 1, m being 1 unless two of them are
/// given, when the quotient counts.
fn yarn_magnitude(parameters: &Config<'_>, factor: f32) -> Result<f32, LanguageError> {
    if let Some(given) = parameters.number("attention_factor")? {
        return Ok(given);
    }
    let grown = |m: f32| if factor > 1.0 { 0.1 * m * factor.ln() + 1.0 } else { 1.0 };
    let (above, below) = (parameters.number_or("mscale", 0.0)?, parameters.number_or("mscale_all_dim", 0.0)?);
    Ok(if above != 0.0 && below != 0.0 { grown(above) / grown(below) } else { grown(1.0) })
}
