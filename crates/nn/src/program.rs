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

/// What happens to an I8 result after requantisation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuantizedEpilogue {
    /// Bounds of q, inclusive (a clamp such as ReLU6 costs nothing); -128..=127.
    pub low: i8,
    /// See `low`.
    pub high: i8,
    /// I8 `[256]`: the result is `table[q + 128]` (activations that are no clamp).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
}

/// One thing that the executor does.
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
        /// For an I8 result.
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
    /// F32 input, weights stored as F16, F32 result. A second input (F32) is added before the clamp.
    ConvolutionF16 {
        /// Kernel, stride, padding.
        window: Window,
        /// What a padded cell holds.
        pad_value: f32,
        /// Name of F16 `[N/8][Kh*Kw*C][8]`.
        weights: String,
        /// Name of F32 `[N padded to 8]`.
        bias: String,
        /// Bounds of the result; `null` means unbounded.
        low: Option<f32>,
        /// See `low`.
        high: Option<f32>,
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
        /// Bounds of the result; `null` means unbounded.
        low: Option<f32>,
        /// See `low`.
        high: Option<f32>,
    },
    /// Two I8 inputs of one shape -> I8.
    AddI8 {
        /// For the result.
        epilogue: QuantizedEpilogue,
    },
    /// Two F32 inputs of one shape -> F32.
    AddF32 {
        /// Bounds of the result; `null` means unbounded.
        low: Option<f32>,
        /// See `low`.
        high: Option<f32>,
    },
    /// F32 -> I8.
    Quantize,
    /// I8 -> F32.
    Dequantize,
    /// Mean over rows and columns; I8 -> I8 or F32 -> F32.
    GlobalAveragePool,
    /// F32: same elements under another shape.
    Reshape,
    /// F32 inputs that differ only along `axis`.
    Concatenate {
        /// Counted from 0.
        axis: usize,
    },
    /// F32, elementwise 1 / (1 + exp(-x)).
    Logistic,
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
