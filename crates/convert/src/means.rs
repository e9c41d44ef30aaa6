//! What the converter does so that INT8 stays near float. Each of these means may be left out, to see what it is worth.

#[cfg(test)]
mod tests;

use serde::Serialize;

use crate::calibrate::{ChannelScales, GridRules, RangeRule};
use crate::quantize::WeightRules;

/// What is done for accuracy; all of it, but for comparisons.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Means {
    /// Grids of values.
    pub grids: GridRules,
    /// Weights.
    pub weights: WeightRules,
    /// Whether channels that nothing bends on their way (sums of residual blocks above all) are scaled to like sizes.
    pub equalise: bool,
    /// Whether an activation such as SiLU is computed from the sums of its layer; else these are rounded to 8 bits before it
    /// and after it.
    pub fused_activations: bool,
    /// Whether results that only floats read (boxes, classes) are the sums of their layer as they are; else they are rounded to
    /// 8 bits, too.
    pub exact_outputs: bool,
}

/// One of them.
#[derive(Debug)]
pub struct Mean {
    /// As `--without` spells it.
    pub name: &'static str,
    /// What it does, and what is done without it.
    pub what: &'static str,
    leave_out: fn(&mut Means),
}

/// All of them, in the order in which a network meets them.
pub const MEANS: &[Mean] = &[
    Mean {
        name: "ranges",
        what: "ranges of least error, weighted by what the readers mind; without: as wide as what was seen",
        leave_out: |means| means.grids.range = RangeRule::MinMax,
    },
    Mean {
        name: "zero-points",
        what: "real 0 on any step; without: on step 0, so that half of the steps of a ReLU are never used",
        leave_out: |means| means.grids.zero_points = false,
    },
    Mean {
        name: "channel-scales",
        what: "a scale for each channel of what only depthwise convolutions read, and dense-scales; without: one for the value",
        leave_out: |means| means.grids.channels = ChannelScales::Nowhere,
    },
    Mean {
        name: "dense-scales",
        what: "scales for the channels of what convolutions read, as unlike as pays; without: one for the value",
        leave_out: |means| {
            if means.grids.channels == ChannelScales::Weighed {
                means.grids.channels = ChannelScales::Depthwise;
            }
        },
    },
    Mean {
        name: "equalisation",
        what: "channels that nothing bends are scaled alike, weights taking it up; without: the weights stay as they are",
        leave_out: |means| means.equalise = false,
    },
    Mean {
        name: "fused-activations",
        what: "SiLU and its like from the 32-bit sums; without: from sums that were rounded to 8 bits",
        leave_out: |means| means.fused_activations = false,
    },
    Mean {
        name: "exact-outputs",
        what: "results that only floats read are the 32-bit sums; without: they are rounded to 8 bits",
        leave_out: |means| means.exact_outputs = false,
    },
    Mean {
        name: "weight-clipping",
        what: "weight scales of least error of the sums; without: the largest weight is 127 steps",
        leave_out: |means| means.weights.search = false,
    },
    Mean {
        name: "compensation",
        what: "each weight is rounded so that it cancels the errors of those before; without: to the nearest step",
        leave_out: |means| means.weights.compensate = false,
    },
    Mean {
        name: "bias-correction",
        what: "the bias takes back what rounding the weights does to the mean; without: it is left as it is",
        leave_out: |means| means.weights.correct_bias = false,
    },
];

impl Means {
    /// All of them.
    pub const ALL: Self = Self {
        grids: GridRules::DEFAULT,
        weights: WeightRules { search: true, compensate: true, correct_bias: true },
        equalise: true,
        fused_activations: true,
        exact_outputs: true,
    };

    /// None: what a converter does that knows nothing.
    #[must_use]
    pub fn naive() -> Self {
        MEANS.iter().fold(Self::ALL, |means, mean| means.without(mean))
    }

    /// The same but for one.
    #[must_use]
    pub fn without(mut self, mean: &Mean) -> Self {
        (mean.leave_out)(&mut self);
        self
    }

    /// All but those named; `all` names each.
    ///
    /// # Errors
    /// When there is none of a name; the message says which there are.
    pub fn all_without<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let mut means = Self::ALL;
        for name in names {
            means = match MEANS.iter().find(|mean| mean.name == name) {
                _ if name == "all" => Self::naive(),
                Some(mean) => means.without(mean),
                None => {
                    let known: Vec<&str> = MEANS.iter().map(|mean| mean.name).collect();
                    return Err(format!(
                        "`{name}` is nothing that could be left out; that are {} and all",
                        known.join(", ")
                    ));
                }
            };
        }
        Ok(means)
    }
}
