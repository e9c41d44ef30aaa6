//! The slow version of a network, and the law: evaluates a float [`Graph`] node by node with plain loops, in double
//! precision inside a node. Passes, the converter and the executor answer to it.

mod elementwise;
mod movement;
mod pools;
mod resize;
#[cfg(test)]
mod tests;
mod windows;

use std::collections::BTreeMap;

pub use self::elementwise::activated;
use crate::graph::{Graph, Node, Op, ValueId};
use crate::tensor::{Elements, Tensor};

/// A graph that cannot be evaluated.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ReferenceError {
    /// The caller's inputs are not the graph's.
    #[error("the graph has {wanted} inputs, {given} were given")]
    InputCount {
        /// The graph's.
        wanted: usize,
        /// The caller's.
        given: usize,
    },
    /// An input of another shape.
    #[error("the input `{name}` is {wanted:?}, {given:?} was given")]
    InputShape {
        /// Which one.
        name: String,
        /// The graph's.
        wanted: Vec<usize>,
        /// The caller's.
        given: Vec<usize>,
    },
    /// A node whose operands do not fit its operator, or are not known yet.
    #[error("the node `{node}` has operands that do not fit its operator, or that no earlier node makes")]
    Operands {
        /// Which one.
        node: String,
    },
    /// An output that nothing makes.
    #[error("nothing makes the output `{0}`")]
    NoOutput(String),
}

/// The outputs of `graph` over `inputs`, in their order.
///
/// # Errors
/// When the inputs do not fit, or the graph is not sound.
pub fn run(graph: &Graph, inputs: &[Tensor]) -> Result<Vec<Tensor>, ReferenceError> {
    let mut known = run_all(graph, inputs)?;
    let output = |id: &ValueId| {
        let found = known.get(id).or_else(|| graph.constants.get(id)).cloned();
        found.ok_or_else(|| ReferenceError::NoOutput(name(graph, *id)))
    };
    let outputs = graph.outputs.iter().map(output).collect();
    known.clear();
    outputs
}

/// Every value but the constants.
///
/// # Errors
/// As [`run`].
pub fn run_all(graph: &Graph, inputs: &[Tensor]) -> Result<BTreeMap<ValueId, Tensor>, ReferenceError> {
    if inputs.len() != graph.inputs.len() {
        return Err(ReferenceError::InputCount { wanted: graph.inputs.len(), given: inputs.len() });
    }
    let mut known = BTreeMap::new();
    for (&id, input) in graph.inputs.iter().zip(inputs) {
        let wanted = graph.values.get(id.0).map_or(&[][..], |value| &value.shape);
        if input.shape() != wanted {
            let (wanted, given) = (wanted.to_vec(), input.shape().to_vec());
            return Err(ReferenceError::InputShape { name: name(graph, id), wanted, given });
        }
        known.insert(id, input.clone());
    }
    for node in &graph.nodes {
        let operands: Option<Vec<&Tensor>> =
            node.inputs.iter().map(|id| known.get(id).or_else(|| graph.constants.get(id))).collect();
        let result = operands.and_then(|operands| evaluate(graph, node, &operands));
        let result = result.ok_or_else(|| ReferenceError::Operands { node: node.name.clone() })?;
        known.insert(node.output, result);
    }
    Ok(known)
}

/// The result of one node; `None` when the operands do not fit.
pub(crate) fn evaluate(graph: &Graph, node: &Node, operands: &[&Tensor]) -> Option<Tensor> {
    let shape = &graph.values.get(node.output.0)?.shape;
    let elements = match &node.op {
        Op::Convolution { window, activation, pad_value, residual } => {
            let residual = if *residual { Some(*operands.get(3)?) } else { None };
            let [x, weights, bias] = [operands.first()?, operands.get(1)?, operands.get(2)?];
            windows::convolution(windows::Layer { x, weights, bias, window, pad: *pad_value }, residual, shape)
                .map(|sums| elementwise::activate(&sums, *activation))
        }
        Op::DepthwiseConvolution { window, activation } => {
            let [x, weights, bias] = [operands.first()?, operands.get(1)?, operands.get(2)?];
            windows::depthwise(windows::Layer { x, weights, bias, window, pad: 0.0 }, shape)
                .map(|sums| elementwise::activate(&sums, *activation))
        }
        Op::Add { activation } => {
            either_way(operands, |a, b| a + b).map(|sum| elementwise::activate(&sum, *activation))
        }
        Op::Multiply => either_way(operands, |a, b| a * b),
        Op::GlobalAveragePool => windows::global_average(operands.first()?),
        Op::Activate(activation) => Some(elementwise::activate(operands.first()?.as_f32()?, *activation)),
        Op::Reshape => Some(operands.first()?.as_f32()?.to_vec()),
        Op::Concatenate { axis } => movement::concatenate(operands, *axis),
        Op::Softmax => elementwise::softmax(operands.first()?),
        Op::MaxPool(window) => pools::maximum(operands.first()?, window, shape),
        Op::AveragePool { window, padding_counts } => pools::average(operands.first()?, window, *padding_counts, shape),
        Op::Resize(sampling) => resize::resize(operands.first()?, *sampling, shape),
        Op::Slice { begin, step } => movement::slice(operands.first()?, begin, step, shape),
        Op::Transpose { order } => movement::transpose(operands.first()?, order, shape),
        Op::ChannelShuffle { groups } => movement::shuffle(operands.first()?, *groups, shape),
        Op::Pad(cells) => windows::pad(operands.first()?, *cells, shape),
    };
    Tensor::new(shape.clone(), Elements::F32(elements?)).ok()
}

/// Two operands of one shape, or one of which broadcasts over the other.
fn either_way(operands: &[&Tensor], make: impl Fn(f32, f32) -> f32) -> Option<Vec<f32>> {
    let (a, b) = (operands.first()?, operands.get(1)?);
    elementwise::pairs(a, b, &make).or_else(|| elementwise::pairs(b, a, |b, a| make(a, b)))
}

fn name(graph: &Graph, id: ValueId) -> String {
    graph.values.get(id.0).map_or_else(|| format!("number {}", id.0), |value| value.name.clone())
}
