//! A network as its author meant it: float operators over named values. Importers make it, passes simplify it.
//!
//! Activations of rank 4 are NHWC. Convolution weights are `[N][Kh][Kw][C]` (TensorFlow Lite's OHWI), depthwise ones
//! `[Kh][Kw][C]`; an importer transposes into this form.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::tensor::Tensor;

mod bound;

/// Index of a value in [`Graph::values`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ValueId(pub usize);

/// Something that flows between nodes, or a constant.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// The name in the source file; for messages and reports.
    pub name: String,
    /// The length of each axis; batch is 1.
    pub shape: Vec<usize>,
}

/// What is applied to each element of a node's result.
#[derive(Clone, Copy, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Activation {
    /// Nothing.
    #[default]
    None,
    /// max(x, 0).
    Relu,
    /// min(max(x, 0), 6).
    Relu6,
    /// min(max(x, low), high); an infinite bound is none.
    Clip {
        /// Smallest result.
        #[serde(with = "bound::low")]
        low: f32,
        /// Largest result.
        #[serde(with = "bound::high")]
        high: f32,
    },
    /// max(x, slope * x) with a slope between 0 and 1.
    Leaky(
        /// Of the negative half.
        f32,
    ),
    /// x / (1 + exp(-x)), also called swish.
    Silu,
    /// x * min(max(x + 3, 0), 6) / 6.
    HardSwish,
    /// min(max(slope * x + offset, 0), 1); TensorFlow's and MobileNetV3's have 1/6 and 1/2, ONNX's default 0.2 and 0.5.
    HardSigmoid {
        /// Factor of x.
        slope: f32,
        /// Result at 0.
        offset: f32,
    },
    /// 1 / (1 + exp(-x)).
    Logistic,
    /// tanh(x).
    Tanh,
    /// x * Phi(x), Phi the distribution function of the normal distribution (exact, not the tanh approximation).
    Gelu,
}

impl Activation {
    /// The bounds of the result in real numbers, both inclusive (a bound that is only approached counts; -0.2785 and -0.17 are
    /// rounded away from 0).
    #[must_use]
    pub const fn bounds(self) -> (f32, f32) {
        match self {
            Self::None | Self::Leaky(_) => (f32::NEG_INFINITY, f32::INFINITY),
            Self::Relu => (0.0, f32::INFINITY),
            Self::Relu6 => (0.0, 6.0),
            Self::Clip { low, high } => (low, high),
            Self::Silu => (-0.2785, f32::INFINITY),
            Self::HardSwish => (-0.375, f32::INFINITY),
            Self::Gelu => (-0.17, f32::INFINITY),
            Self::HardSigmoid { .. } | Self::Logistic => (0.0, 1.0),
            Self::Tanh => (-1.0, 1.0),
        }
    }

    /// Whether it does nothing but hold x between [`Self::bounds`].
    #[must_use]
    pub const fn is_clamp(self) -> bool {
        matches!(self, Self::None | Self::Relu | Self::Relu6 | Self::Clip { .. })
    }
}

/// How a window slides over rows and columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Kernel height and width.
    pub kernel: [usize; 2],
    /// Step down and to the right.
    pub stride: [usize; 2],
    /// Cells of padding: top, left, bottom, right. Padding counts as a real 0 unless a pass says otherwise.
    pub padding: [usize; 4],
}

/// Where a resized picture's pixel looks in the original. `scale` below is original size / new size, per axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Coordinates {
    /// (x + 1/2) * scale - 1/2.
    HalfPixel,
    /// x * scale.
    Asymmetric,
    /// x * (original - 1) / (new - 1); 0 for a new size of 1.
    AlignCorners,
}

/// How [`Op::Resize`] makes a pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Sampling {
    /// The pixel at the coordinate, rounded as said; outside counts as the nearest inside.
    Nearest {
        /// Where to look.
        coordinates: Coordinates,
        /// Whether a coordinate is rounded down; else to the nearest, halves down (ONNX's `round_prefer_floor`).
        floor: bool,
    },
    /// Linear between the four around the coordinate; outside counts as the nearest inside.
    Bilinear(
        /// Where to look.
        Coordinates,
    ),
}

/// How a value was quantised in the file that it comes from: real = scale * (q - zero point), q in -128..=127.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantization {
    /// One for the value; or, for weights, one for each output channel.
    pub scale: Vec<f32>,
    /// In the I8 domain (a file's unsigned zero point minus 128); 0 for weights.
    pub zero_point: i32,
}

/// An operator.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// Inputs: x, weights `[N][Kh][Kw][C]`, bias `[N]`. A fully connected layer is a 1x1 convolution over 1x1 pixels.
    Convolution {
        /// Kernel, stride, padding.
        window: Window,
        /// Applied to the sum (and after `residual`).
        activation: Activation,
        /// The real value that a padded cell holds in each channel of x (not zero once a pass folded the input's
        /// normalisation into the weights).
        pad_value: f32,
        /// Whether a fourth input is added to the sum before the activation (a pass fuses it).
        residual: bool,
    },
    /// Inputs: x, weights `[Kh][Kw][C]`, bias `[C]`; channel multiplier 1.
    DepthwiseConvolution {
        /// Kernel, stride, padding.
        window: Window,
        /// Applied to the sum.
        activation: Activation,
    },
    /// Inputs: two values of one shape; or a value and a constant that broadcasts over the last axis (or a scalar).
    Add {
        /// Applied to the sum.
        activation: Activation,
    },
    /// Inputs: x, and a constant that broadcasts over the last axis (or a scalar), which a pass folds where it can; or x and
    /// another value of its shape, or of the shape `[1][1][1][C]` (squeeze and excitation).
    Multiply,
    /// Input: x of rank 4. The mean over rows and columns; the result is `[1][1][1][C]` or `[1][C]`.
    GlobalAveragePool,
    /// Input: x of rank 4. The largest element under the window; padding is not looked at.
    MaxPool(
        /// Kernel, stride, padding.
        Window,
    ),
    /// Input: x of rank 4. The mean under the window.
    AveragePool {
        /// Kernel, stride, padding.
        window: Window,
        /// Whether padding counts as zeros (else only the cells of x under the window are averaged).
        padding_counts: bool,
    },
    /// Input: x of rank 4. Rows and columns as many as the output's shape says.
    Resize(
        /// How.
        Sampling,
    ),
    /// Input: x. Along each axis the elements `begin`, `begin + step`, ... as many as the output's shape says.
    Slice {
        /// First element of each axis.
        begin: Vec<usize>,
        /// Distance from element to element of each axis, at least 1.
        step: Vec<usize>,
    },
    /// Input: x. Axis k of the result is axis `order[k]` of x.
    Transpose {
        /// A permutation of the axes.
        order: Vec<usize>,
    },
    /// Input: x. With C = groups x S channels, channel `s * groups + g` of the result is channel `g * S + s` of x. Zhang et al.,
    /// "ShuffleNet", 2018, section 3.1.
    ChannelShuffle {
        /// Divides the channels.
        groups: usize,
    },
    /// Input: x. Elementwise. A pass fuses it into what makes x where it can.
    Activate(
        /// Which one.
        Activation,
    ),
    /// Input: x. Same elements in row-major order under the output's shape.
    Reshape,
    /// Inputs: any number of values that differ only along `axis`.
    Concatenate {
        /// Counted from 0.
        axis: usize,
    },
    /// Input: x. Over the last axis.
    Softmax,
    /// Input: x of rank 4. Zeros around rows and columns: top, left, bottom, right. A pass folds it into a window.
    Pad(
        /// Cells on each side.
        [usize; 4],
    ),
}

/// One operator with what goes in and what comes out.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The name in the source file, or made from its output's; unique.
    pub name: String,
    /// What it does.
    pub op: Op,
    /// See [`Op`].
    pub inputs: Vec<ValueId>,
    /// Its result.
    pub output: ValueId,
}

/// A network. Nodes stand in an order in which each one's inputs are known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Graph {
    /// All values, constants included.
    pub values: Vec<Value>,
    /// The constants' elements; floats (F16 widened), or integers for shapes.
    pub constants: BTreeMap<ValueId, Tensor>,
    /// For networks that come quantised: the grids of values, and of weight constants (whose floats then are exactly scale x
    /// step, unless the file's steps do not fit -127..=127). Lowering keeps these rather than choosing its own.
    pub quantizations: BTreeMap<ValueId, Quantization>,
    /// In order of execution.
    pub nodes: Vec<Node>,
    /// What the caller supplies.
    pub inputs: Vec<ValueId>,
    /// What the caller wants.
    pub outputs: Vec<ValueId>,
}

impl Activation {
    /// One that does what `self` and then `next` do; `None` where no single one does.
    #[must_use]
    pub fn then(self, next: Self) -> Option<Self> {
        if self == Self::None {
            return Some(next);
        }
        if next == Self::None {
            return Some(self);
        }
        if !self.is_clamp() || !next.is_clamp() {
            return None;
        }
        let ((low, high), (least, most)) = (self.bounds(), next.bounds());
        let (low, high) = (low.clamp(least, most), high.clamp(least, most));
        Some(match (low, high) {
            (0.0, f32::INFINITY) => Self::Relu,
            (0.0, 6.0) => Self::Relu6,
            _ => Self::Clip { low, high },
        })
    }
}

impl Graph {
    /// Indices of the nodes that read `value`, each once for every time that it does.
    pub fn readers(&self, value: ValueId) -> impl Iterator<Item = usize> + '_ {
        self.nodes
            .iter()
            .enumerate()
            .flat_map(move |(at, node)| node.inputs.iter().filter(move |&&input| input == value).map(move |_| at))
    }

    /// Index of the node that makes `value`; `None` for inputs and constants.
    #[must_use]
    pub fn producer(&self, value: ValueId) -> Option<usize> {
        self.nodes.iter().position(|node| node.output == value)
    }

    /// The one node that reads `value`; `None` when there are none or several, or the caller wants it too.
    #[must_use]
    pub fn only_reader(&self, value: ValueId) -> Option<usize> {
        let mut readers = self.readers(value);
        let reader = readers.next()?;
        let alone = readers.next().is_none() && !self.outputs.contains(&value);
        alone.then_some(reader)
    }

    /// The floats of a constant; `None` when it is none, or of another type.
    #[must_use]
    pub fn constant_f32(&self, value: ValueId) -> Option<&[f32]> {
        self.constants.get(&value)?.as_f32()
    }

    /// Adds a constant and answers its value.
    pub fn add_constant(&mut self, name: String, tensor: Tensor) -> ValueId {
        let id = ValueId(self.values.len());
        self.values.push(Value { name, shape: tensor.shape().to_vec() });
        self.constants.insert(id, tensor);
        id
    }
}
