//! A network as its author meant it: float operators over named values. Importers make it, passes simplify it.
//!
//! Activations of rank 4 are NHWC. Convolution weights are `[N][Kh][Kw][C]` (TensorFlow Lite's OHWI), depthwise ones
//! `[Kh][Kw][C]`; an importer transposes into this form.

use std::collections::BTreeMap;

use crate::tensor::Tensor;

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
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub enum Activation {
    /// Nothing.
    #[default]
    None,
    /// max(x, 0).
    Relu,
    /// min(max(x, 0), 6).
    Relu6,
}

impl Activation {
    /// The bounds of the result in real numbers, both inclusive.
    #[must_use]
    pub const fn bounds(self) -> (f32, f32) {
        match self {
            Self::None => (f32::NEG_INFINITY, f32::INFINITY),
            Self::Relu => (0.0, f32::INFINITY),
            Self::Relu6 => (0.0, 6.0),
        }
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
    /// Inputs: two values of one shape.
    Add {
        /// Applied to the sum.
        activation: Activation,
    },
    /// Inputs: x, and a constant that broadcasts over the last axis (or a scalar). A pass folds it where it can.
    Multiply,
    /// Input: x of rank 4. The mean over rows and columns; the result is `[1][1][1][C]` or `[1][C]`.
    GlobalAveragePool,
    /// Input: x. Elementwise clamp.
    Clamp(
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
    /// Input: x. 1 / (1 + exp(-x)).
    Logistic,
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
    /// In order of execution.
    pub nodes: Vec<Node>,
    /// What the caller supplies.
    pub inputs: Vec<ValueId>,
    /// What the caller wants.
    pub outputs: Vec<ValueId>,
}

impl Activation {
    /// One that does what `self` and then `next` do.
    #[must_use]
    pub const fn then(self, next: Self) -> Self {
        match (self, next) {
            (Self::None, other) | (other, Self::None) => other,
            (Self::Relu, Self::Relu) => Self::Relu,
            (Self::Relu6, _) | (_, Self::Relu6) => Self::Relu6,
        }
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
