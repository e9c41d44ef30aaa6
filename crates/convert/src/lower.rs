//! Turns a float graph, a precision for each node and the grids of its values into a program with packed tensors.
//!
//! A value may exist twice, as I8 and as F32; the twin is made where a reader of the other precision first needs it
//! (steps `Quantize` and `Dequantize`: the seams between precisions).

mod bump;
mod choice;
mod epilogue;
mod floats;
mod integers;
mod layers;
#[cfg(test)]
mod tests;

pub use self::choice::has_int8;

use std::collections::BTreeMap;

use clawdbot_nn::graph::{self, Graph, Node, Op, ValueId};
use clawdbot_nn::model::PackedTensors;
use clawdbot_nn::program::{self, Program, Step};
use clawdbot_nn::tensor::{DataType, ShapeMismatch};

use crate::quantize::{QuantizedLayer, ValueGrid};

/// How a node is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// INT8 weights and activations.
    Int8,
    /// FP16 weights, FP32 activations.
    F16,
}

/// How the network's input arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputForm {
    /// As I8 grey levels minus 128. The graph (after [`crate::normalise`]) takes grey levels, or what its own grid for the
    /// input makes of these bytes. Further inputs arrive as F32.
    Picture,
    /// As F32.
    Float,
}

/// Everything that lowering decides by.
#[derive(Clone, Debug)]
pub struct Plan<'a> {
    /// One for each node of the graph.
    pub precision: Vec<Precision>,
    /// For every value that an INT8 node reads or writes. Lowering takes each as it stands: whoever chose it knows what the
    /// value's readers can do with a scale a channel.
    pub grids: &'a BTreeMap<ValueId, ValueGrid>,
    /// For every node with weights that is lowered to INT8, by its index; see [`crate::quantize::quantize_layers`].
    pub layers: &'a BTreeMap<usize, QuantizedLayer>,
    /// How the network's input arrives.
    pub input: InputForm,
    /// Whether convolutions that only floats read leave their sums unrounded.
    pub exact_outputs: bool,
}

/// A program, its tensors, and where the graph's values went.
#[derive(Debug)]
pub struct Lowered {
    /// The program.
    pub program: Program,
    /// What it reads.
    pub tensors: PackedTensors,
    /// The F32 values of the program that hold a value of the graph.
    pub floats: BTreeMap<ValueId, program::ValueId>,
    /// The I8 values of the program that hold a value of the graph.
    pub quantized: BTreeMap<ValueId, program::ValueId>,
}

/// Why a graph cannot be lowered.
#[derive(Debug, thiserror::Error)]
pub enum LowerError {
    /// The executor has nothing for it.
    #[error("the node `{node}` ({what}) cannot be lowered: {reason}")]
    Unsupported {
        /// Its name.
        node: String,
        /// Its operator.
        what: &'static str,
        /// Why.
        reason: &'static str,
    },
    /// Weights beyond what FP16 holds.
    #[error("the node `{node}` has a weight of {weight}, which FP16 cannot hold: it may only be lowered to INT8")]
    HalfOverflow {
        /// Its name.
        node: String,
        /// The weight.
        weight: f32,
    },
    /// A constant is missing or no float: a bug of an importer or a pass.
    #[error("the node `{node}` lacks the constant of its input {input}")]
    Constant {
        /// Its name.
        node: String,
        /// Which input.
        input: usize,
    },
    /// An INT8 node that knows one scale only.
    #[error(
        "the node `{node}` needs one scale for all channels of `{value}`, which has one a channel: the plan is wrong, please \
         report this"
    )]
    ChannelScales {
        /// Its name.
        node: String,
        /// What it reads or makes.
        value: String,
    },
    /// Nothing was seen of a value that an INT8 node needs.
    #[error("the value `{value}` was not calibrated, but an INT8 layer needs its range")]
    NotCalibrated {
        /// Its name.
        value: String,
    },
    /// Shape and elements disagree: a bug.
    #[error(transparent)]
    Shape(#[from] ShapeMismatch),
}

/// For messages.
pub(crate) const fn operator_name(op: &Op) -> &'static str {
    match op {
        Op::Convolution { .. } => "convolution",
        Op::DepthwiseConvolution { .. } => "depthwise convolution",
        Op::Add { .. } => "add",
        Op::Multiply => "multiply",
        Op::GlobalAveragePool => "global average pool",
        Op::Activate(_) => "activation",
        Op::MaxPool(_) => "max pool",
        Op::AveragePool { .. } => "average pool",
        Op::Resize(_) => "resize",
        Op::Slice { .. } => "slice",
        Op::Transpose { .. } => "transpose",
        Op::ChannelShuffle { .. } => "channel shuffle",
        Op::Reshape => "reshape",
        Op::Concatenate { .. } => "concatenate",
        Op::Softmax => "softmax",
        Op::Pad(_) => "pad",
    }
}

/// Lowers `graph`; nodes without an INT8 form are computed in floats whatever the plan says.
///
/// # Errors
/// [`LowerError`].
pub fn lower(graph: &Graph, plan: &Plan<'_>) -> Result<Lowered, LowerError> {
    let mut lowering = Lowering {
        graph,
        plan,
        precision: Vec::new(),
        result: Lowered {
            program: Program::default(),
            tensors: PackedTensors::new(),
            floats: BTreeMap::new(),
            quantized: BTreeMap::new(),
        },
    };
    lowering.choose();
    for (position, &input) in graph.inputs.iter().enumerate() {
        let value = match plan.input {
            InputForm::Picture if position == 0 => {
                let own = graph.quantizations.get(&input).map(|grid| (grid.scale.clone(), grid.zero_point));
                let (scale, zero_point) = own.unwrap_or_else(|| (vec![1.0], -128));
                lowering.new_value(input, "", DataType::I8, scale, zero_point)
            }
            _ => lowering.new_value(input, "", DataType::F32, Vec::new(), 0),
        };
        lowering.result.program.inputs.push(value);
    }
    for (index, node) in graph.nodes.iter().enumerate() {
        match lowering.precision(index) {
            Precision::Int8 => lowering.int8(index)?,
            Precision::F16 => lowering.float(node)?,
        }
    }
    for &output in &graph.outputs {
        let value = lowering.float_value(output)?;
        lowering.result.program.outputs.push(value);
    }
    Ok(lowering.result)
}

struct Lowering<'a> {
    graph: &'a Graph,
    plan: &'a Plan<'a>,
    /// Of each node, as it comes out of the plan.
    precision: Vec<Precision>,
    result: Lowered,
}

impl<'a> Lowering<'a> {
    fn precision(&self, node: usize) -> Precision {
        self.precision[node]
    }

    fn grid(&self, value: ValueId) -> Result<&'a ValueGrid, LowerError> {
        let name = || self.graph.values[value.0].name.clone();
        self.plan.grids.get(&value).ok_or_else(|| LowerError::NotCalibrated { value: name() })
    }

    /// The nodes that read a value.
    fn readers(&self, value: ValueId) -> impl Iterator<Item = usize> + '_ {
        (0..self.graph.nodes.len()).filter(move |&node| self.graph.nodes[node].inputs.contains(&value))
    }

    /// Whether anything reads the value in floats (the caller of the network does).
    fn has_float_reader(&self, value: ValueId) -> bool {
        self.graph.outputs.contains(&value) || self.readers(value).any(|node| self.precision(node) == Precision::F16)
    }

    fn has_int8_reader(&self, value: ValueId) -> bool {
        self.readers(value).any(|node| self.precision(node) == Precision::Int8)
    }

    /// A program value for a value of the graph; `suffix` tells twins apart.
    fn new_value(
        &mut self,
        value: ValueId,
        suffix: &str,
        data_type: DataType,
        scale: Vec<f32>,
        zero_point: i32,
    ) -> program::ValueId {
        let graph::Value { name, shape } = &self.graph.values[value.0];
        let id = program::ValueId(self.result.program.values.len());
        let name = format!("{name}{suffix}");
        let made = program::Value { name, shape: shape.clone(), data_type, scale, zero_point };
        self.result.program.values.push(made);
        let twins = if data_type == DataType::I8 { &mut self.result.quantized } else { &mut self.result.floats };
        twins.insert(value, id);
        id
    }

    /// A program value of the shape of a value of the graph that does not stand for it: I8 in `grid`, or F32.
    fn spare_value(&mut self, like: ValueId, suffix: &str, grid: Option<&ValueGrid>) -> program::ValueId {
        let graph::Value { name, shape } = &self.graph.values[like.0];
        let id = program::ValueId(self.result.program.values.len());
        let (data_type, scale, zero_point) = match grid {
            Some(grid) => (DataType::I8, grid.scales.clone(), grid.zero_point),
            None => (DataType::F32, Vec::new(), 0),
        };
        let name = format!("{name}{suffix}");
        self.result.program.values.push(program::Value { name, shape: shape.clone(), data_type, scale, zero_point });
        id
    }

    fn float_result(&mut self, value: ValueId) -> program::ValueId {
        self.new_value(value, "", DataType::F32, Vec::new(), 0)
    }

    fn unsupported(&self, node: &Node, reason: &'static str) -> LowerError {
        LowerError::Unsupported { node: node.name.clone(), what: operator_name(&node.op), reason }
    }

    fn step(&mut self, name: String, op: program::Op, inputs: Vec<program::ValueId>, output: program::ValueId) {
        self.result.program.steps.push(Step { name, op, inputs, output });
    }

    /// The F32 twin of a value; made from the I8 one if need be.
    fn float_value(&mut self, value: ValueId) -> Result<program::ValueId, LowerError> {
        if let Some(&id) = self.result.floats.get(&value) {
            return Ok(id);
        }
        let Some(&from) = self.result.quantized.get(&value) else { return Err(self.unknown(value)) };
        let name = &self.graph.values[value.0].name;
        // The caller knows the network's inputs and outputs by name, so they keep it and their twins get another.
        let suffix = if self.graph.inputs.contains(&value) { " (float)" } else { "" };
        if suffix.is_empty() {
            self.result.program.values[from.0].name = format!("{name} (int8)");
        }
        let id = self.new_value(value, suffix, DataType::F32, Vec::new(), 0);
        self.step(format!("{name} dequantize"), program::Op::Dequantize, vec![from], id);
        Ok(id)
    }

    /// The I8 twin of a value; made from the F32 one if need be.
    fn int8_value(&mut self, value: ValueId) -> Result<program::ValueId, LowerError> {
        if let Some(&id) = self.result.quantized.get(&value) {
            return Ok(id);
        }
        let Some(&from) = self.result.floats.get(&value) else { return Err(self.unknown(value)) };
        let grid = self.grid(value)?;
        let id = self.new_value(value, " (int8)", DataType::I8, grid.scales.clone(), grid.zero_point);
        let name = format!("{} quantize", self.graph.values[value.0].name);
        self.step(name, program::Op::Quantize, vec![from], id);
        Ok(id)
    }

    fn unknown(&self, value: ValueId) -> LowerError {
        LowerError::Unsupported {
            node: self.graph.values[value.0].name.clone(),
            what: "value",
            reason: "no earlier node makes it",
        }
    }

    /// The elements of a node's constant input.
    fn constant(&self, node: &Node, input: usize) -> Result<&'a [f32], LowerError> {
        let constant = node.inputs.get(input).and_then(|value| self.graph.constants.get(value));
        let elements = constant.and_then(clawdbot_nn::tensor::Tensor::as_f32);
        elements.ok_or_else(|| LowerError::Constant { node: node.name.clone(), input })
    }
}
