//! A network as the executor runs it: every precision decided, every tensor packed and named. Stored in the bundle as
//! JSON (the only serialised form of a network).
//!
//! Values are I8 or F32. An I8 value of real range r is `r = scale * (q - zero_point)`. I8 values lie in memory with
//! [`channel_stride`] bytes from pixel to pixel (C is the last axis, the pixels are all axes before it: NHWC); bytes beyond
//! C are never read with a non-zero weight. F32 values are dense. [`verify`] says which programs may run.

pub mod cost;
pub mod layout;
pub mod verify;

use serde::{Deserialize, Serialize};

pub use crate::graph::{Activation, Coordinates, Sampling};
use crate::tensor::DataType;

/// Index of a value in [`Program::values`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ValueId(pub usize);

/// Bytes from pixel to pixel of an I8 value with `channels` channels: 4 for up to 4 (camera pictures), else the next
/// multiple of 16.
#[must_use]
pub const fn channel_stride(channels: usize) -> usize {
    if channels <= 4 { 4 } else { channels.next_multiple_of(16) }
}

/// An activation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Value {
    /// The name in the source file; for messages and reports.
    pub name: String,
    /// The length of each axis; batch is 1.
    pub shape: Vec<usize>,
    /// I8 or F32.
    pub data_type: DataType,
    /// I8 only: real size of one step; one for the tensor, or one a channel.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scale: Vec<f32>,
    /// I8 only: the q of real 0, -128..=127.
    #[serde(default)]
    pub zero_point: i32,
}

/// See [`crate::graph::Window`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Kernel height and width.
    pub kernel: [usize; 2],
    /// Step down and to the right.
    pub stride: [usize; 2],
    /// Cells of padding: top, left, bottom, right.
    pub padding: [usize; 4],
}

/// Names of the tensors that an INT8 convolution reads from the bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuantizedWeights {
    /// I8, packed. Convolution: `[N/8][K/4][8][4]` with K = Kh*Kw*[`channel_stride`](C), tap-major, padded to a multiple of 8.
    /// Depthwise: `[Kh*Kw][C padded to 16]`, C above 4. Weights that meet padding channels are 0.
    pub weights: String,
    /// I32 `[N padded to 8]` (depthwise: `[C padded to 16]`): bias in steps of (input scale x weight scale\[n\]), with
    /// -zero_point x column sum already in it.
    pub bias: String,
    /// F32, same length: the accumulator's multiplier. For an I8 result input scale x weight scale\[n\] / output scale, for an
    /// F32 result input scale x weight scale\[n\].
    pub scale: String,
    /// I32, same length: sum of each output channel's weights (u8-by-i8 dot products and zero-point checks need it).
    pub column_sums: String,
}

/// What happens to the sums of an INT8 layer. The law is `clawdbot_kernels::epilogue`'s.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuantizedEpilogue {
    /// Bounds of q, inclusive (a clamp such as ReLU6 costs nothing); -128..=127. With a table they hold before it.
    pub low: i8,
    /// See `low`.
    pub high: i8,
    /// What else is applied.
    #[serde(default, skip_serializing_if = "QuantizedActivation::is_clamp")]
    pub activation: QuantizedActivation,
}

/// The forms that an activation has in INT8.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "form", rename_all = "snake_case", deny_unknown_fields)]
pub enum QuantizedActivation {
    /// None, ReLU, ReLU6: the bounds are all.
    #[default]
    Clamp,
    /// max(x, slope * x) in real numbers. Not with a residual.
    Leaky {
        /// Between 0 and 1, both excluded.
        slope: f32,
    },
    /// max(x, 0) less a bump (SiLU, hard-swish, GELU), computed from 16-bit steps of size u; the layer's scales are then
    /// input scale x weight scale\[n\] / u. Not with a residual.
    Bump {
        /// From |p| to the table's index, 1..=8.
        index_shift: u32,
        /// Bits behind the point before the last shift, 0..=8.
        fraction: u32,
        /// U8 `[64]`: the bump in steps of u, at |p| = index << `index_shift`.
        table: String,
        /// I16, as long as the scales: u / output scale\[n\] x 2^(`fraction` + 15), above 0.
        gain: String,
    },
    /// Any other function of the clamped result.
    Table {
        /// I8 `[256]`: the result is `table[q + 128]`.
        table: String,
    },
}

impl QuantizedActivation {
    /// Whether the bounds are all.
    #[must_use]
    pub const fn is_clamp(&self) -> bool {
        matches!(self, Self::Clamp)
    }

    /// Names of the tensors that it reads.
    fn tensors(&self) -> Vec<&str> {
        match self {
            Self::Clamp | Self::Leaky { .. } => Vec::new(),
            Self::Bump { table, gain, .. } => vec![table, gain],
            Self::Table { table } => vec![table],
        }
    }
}

impl QuantizedEpilogue {
    /// One that lets every q through.
    #[must_use]
    pub const fn whole() -> Self {
        Self { low: i8::MIN, high: i8::MAX, activation: QuantizedActivation::Clamp }
    }
}

/// One thing that the executor does.
///
/// "One grid" means: the I8 values have the same zero point and, channel by channel, the same scale.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum Op {
    /// I8 input -> I8 or F32 result. With a second input (I8, the result's shape, both with one scale; I8 results only) that
    /// is added in real numbers before the clamp: a fused residual.
    ConvolutionI8 {
        /// Kernel, stride, padding.
        window: Window,
        /// What a padded cell holds.
        pad_value: i8,
        /// Its tensors.
        tensors: QuantizedWeights,
        /// For an I8 result; an F32 result has no activation.
        epilogue: QuantizedEpilogue,
    },
    /// I8 input -> I8 result.
    DepthwiseI8 {
        /// Kernel, stride, padding.
        window: Window,
        /// What a padded cell holds.
        pad_value: i8,
        /// Its tensors.
        tensors: QuantizedWeights,
        /// For the result.
        epilogue: QuantizedEpilogue,
    },
    /// F32 input, weights stored as F16, F32 result. A second input (F32) is added before the activation.
    ConvolutionF16 {
        /// Kernel, stride, padding.
        window: Window,
        /// What a padded cell holds.
        pad_value: f32,
        /// Name of F16 `[N/8][Kh*Kw*C][8]`.
        weights: String,
        /// Name of F32 `[N padded to 8]`.
        bias: String,
        /// Applied to the sum.
        activation: Activation,
    },
    /// F32 input, weights stored as F16 `[Kh*Kw][C]`, F32 result.
    DepthwiseF16 {
        /// Kernel, stride, padding.
        window: Window,
        /// What a padded cell holds.
        pad_value: f32,
        /// Name of F16 `[Kh*Kw][C]`.
        weights: String,
        /// Name of F32 `[C]`.
        bias: String,
        /// Applied to the sum.
        activation: Activation,
    },
    /// Two I8 inputs of one shape -> I8, each with one scale. Clamp or table only.
    AddI8 {
        /// For the result.
        epilogue: QuantizedEpilogue,
    },
    /// Two F32 inputs of one shape -> F32.
    AddF32 {
        /// Applied to the sum.
        activation: Activation,
    },
    /// Two I8 inputs -> I8, each with one scale; the second has the shape of the first or `[1][1][1][C]`. Clamp or table only.
    MultiplyI8 {
        /// For the result.
        epilogue: QuantizedEpilogue,
    },
    /// Two F32 inputs -> F32; the second has the shape of the first or `[1][1][1][C]`.
    MultiplyF32,
    /// F32 -> F32: x * factors\[c\] + offsets\[c\], c along the last axis.
    AffineF32 {
        /// Name of F32 `[C]`.
        factors: String,
        /// Name of F32 `[C]`.
        offsets: String,
        /// Applied to the result.
        activation: Activation,
    },
    /// I8 -> I8, each with one scale, not necessarily the same: any function of one number, also a mere change of scale.
    ActivateI8 {
        /// Name of I8 `[256]`: the result is `table[q + 128]`.
        table: String,
    },
    /// F32 -> F32, elementwise.
    ActivateF32 {
        /// Which one.
        activation: Activation,
    },
    /// F32 -> I8.
    Quantize,
    /// I8 -> F32.
    Dequantize,
    /// Mean over rows and columns; I8 -> I8 or F32 -> F32.
    GlobalAveragePool,
    /// Largest element under the window, padding aside; I8 -> I8 in one grid, or F32 -> F32.
    MaxPool {
        /// Kernel, stride, padding.
        window: Window,
    },
    /// Mean under the window; I8 -> I8, each with one scale, or F32 -> F32.
    AveragePool {
        /// Kernel, stride, padding.
        window: Window,
        /// Whether padding counts as zeros (else only the cells of x under the window are averaged).
        padding_counts: bool,
    },
    /// Rows and columns as many as the result has; I8 -> I8 in one grid, or F32 -> F32.
    Resize {
        /// How.
        sampling: Sampling,
    },
    /// Elements `begin`, `begin + step`, ... of each axis; I8 -> I8 in one grid, or F32 -> F32.
    Slice {
        /// First element of each axis.
        begin: Vec<usize>,
        /// Distance from element to element of each axis, at least 1.
        step: Vec<usize>,
    },
    /// Axis k of the result is axis `order[k]` of the input; I8 -> I8 with one and the same scale, or F32 -> F32.
    Transpose {
        /// A permutation of the axes.
        order: Vec<usize>,
    },
    /// Channel `s * groups + g` of the result is channel `g * S + s` of the input, which has `groups * S`; I8 -> I8 in one grid,
    /// or F32 -> F32.
    ChannelShuffle {
        /// Divides the channels.
        groups: usize,
    },
    /// Real zeros around rows and columns; I8 -> I8 in one grid, or F32 -> F32.
    Pad {
        /// Cells: top, left, bottom, right.
        cells: [usize; 4],
    },
    /// Same elements under another shape; I8 -> I8 in one grid (with one scale where the channels change), or F32 -> F32.
    Reshape,
    /// Inputs that differ only along `axis`; I8 -> I8 in one grid (along the last axis each channel in its own), or F32 -> F32.
    Concatenate {
        /// Counted from 0.
        axis: usize,
    },
    /// F32, over the last axis.
    Softmax,
}

/// One step of a program.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The layer's name; unique.
    pub name: String,
    /// What it does.
    pub op: Op,
    /// What goes in.
    pub inputs: Vec<ValueId>,
    /// What comes out.
    pub output: ValueId,
}

/// A network, ready to run once its tensors are at hand. Steps stand in order of execution.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// All activations.
    pub values: Vec<Value>,
    /// In order of execution.
    pub steps: Vec<Step>,
    /// What the caller supplies.
    pub inputs: Vec<ValueId>,
    /// What the caller wants.
    pub outputs: Vec<ValueId>,
}
