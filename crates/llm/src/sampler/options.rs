//! The sampler's parameters: as a user gives them, and checked.

/// What a user may set. Any values; [`Sampling::new`] checks them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SamplingOptions {
    /// 0..=10. 0 always takes the best token; higher is more daring.
    pub temperature: f32,
    /// Only so many best tokens; 0 for all.
    pub top_k: u32,
    /// 0..=1: only the fewest best tokens with this share of the probability; 1 for all.
    pub top_p: f32,
    /// 0..=1: only tokens with at least this share of the best one's probability; 0 for all.
    pub min_p: f32,
    /// 0.1..=10: how much repeated tokens are held back, whatever their number; 1 for not at all.
    pub repetition_penalty: f32,
    /// -2..=2: off a logit for each time its token occurs; 0 for nothing.
    pub frequency_penalty: f32,
    /// -2..=2: off a logit once its token occurs; 0 for nothing.
    pub presence_penalty: f32,
    /// The penalties look at so many last tokens.
    pub penalty_window: u16,
    /// Of the random numbers.
    pub seed: u64,
}

impl Default for SamplingOptions {
    fn default() -> Self {
        Self {
            temperature: 0.7,
            top_k: 40,
            top_p: 0.95,
            min_p: 0.0,
            repetition_penalty: 1.0,
            frequency_penalty: 0.0,
            presence_penalty: 0.0,
            penalty_window: 64,
            seed: 0,
        }
    }
}

/// A parameter out of its range.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{name} is {value}, but must be from {least} to {most}")]
pub struct SamplingError {
    /// The parameter, as in [`SamplingOptions`].
    pub name: &'static str,
    /// What it was.
    pub value: f32,
    /// The lowest legal value.
    pub least: f32,
    /// The highest legal value.
    pub most: f32,
}

/// Parameters that were checked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    options: SamplingOptions,
}

impl Sampling {
    /// Checks each parameter's range.
    ///
    /// # Errors
    /// Names the first parameter that is out of its range (NaN is out of every range).
    pub fn new(options: SamplingOptions) -> Result<Self, SamplingError> {
        let ranges = [
            ("temperature", options.temperature, 0.0, 10.0),
            ("top_p", options.top_p, 0.0, 1.0),
            ("min_p", options.min_p, 0.0, 1.0),
            ("repetition_penalty", options.repetition_penalty, 0.1, 10.0),
            ("frequency_penalty", options.frequency_penalty, -2.0, 2.0),
            ("presence_penalty", options.presence_penalty, -2.0, 2.0),
        ];
        for (name, value, least, most) in ranges {
            if !(least..=most).contains(&value) {
                return Err(SamplingError { name, value, least, most });
            }
        }
        Ok(Self { options })
    }

    /// What was checked.
    #[must_use]
    pub fn options(&self) -> &SamplingOptions {
        &self.options
    }

    /// Step 2 of the law: `logit` of a token that occurs `count` times in the window. Finite stays finite.
    pub(super) fn penalised(&self, logit: f32, count: u16) -> f32 {
        if count == 0 {
            return logit;
        }
        let options = &self.options;
        let repeated =
            if logit > 0.0 { logit / options.repetition_penalty } else { logit * options.repetition_penalty };
        let held = repeated - options.frequency_penalty * f32::from(count) - options.presence_penalty;
        held.clamp(f32::MIN, f32::MAX)
    }
}
