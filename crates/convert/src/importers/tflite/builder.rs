//! Walks the operators in order and makes the graph.
//!
//! Operators that the graph has no form for do not end the walk: what depends on them is set aside, so that one message
//! can name them all, and so that a network whose end a head replaces is still of use.

use std::collections::{BTreeMap, BTreeSet};

use clawdbot_nn::graph::{Graph, Node, Op, Quantization, Value, ValueId};
use clawdbot_nn::tensor::{Elements, Tensor};

use super::operators::{self, Fault};
use super::schema::{self, ElementType, Model};
use super::{Imported, TfliteError, UnsupportedOperator, constants};
use crate::importers::DetectionPostProcess;

/// Constants may take this many times the file's length (FP16 doubles, INT8 quadruples, a few tensors share a buffer) ...
const GROWTH_MAX: usize = 8;
/// ... and as many bytes more, for what importing makes itself (kernels with holes, layers that only copy).
const MADE_BYTES_MAX: usize = 16 << 20;

/// Makes the graph of a file of `file_bytes`.
pub(super) fn build(model: &Model<'_>, file_bytes: usize) -> Result<Imported, TfliteError> {
    let mut builder = Builder {
        model,
        graph: Graph::default(),
        detection: None,
        known: BTreeMap::new(),
        names: BTreeSet::new(),
        dequantized: BTreeMap::new(),
        integers: BTreeSet::new(),
        beyond: BTreeSet::new(),
        frontier: Vec::new(),
        unsupported: Vec::new(),
        bytes_max: file_bytes.saturating_mul(GROWTH_MAX).saturating_add(MADE_BYTES_MAX),
        bytes_used: 0,
    };
    for &index in &model.inputs {
        builder.require_activation(index)?;
        let value = builder.value(index);
        builder.graph.inputs.push(value);
    }
    for (index, operator) in model.operators.iter().enumerate() {
        builder.walk(index, operator)?;
    }
    builder.finish()
}

/// The graph so far, and which tensors of the file it knows.
pub(super) struct Builder<'m, 'a> {
    pub(super) model: &'m Model<'a>,
    pub(super) graph: Graph,
    /// The post-processing that the file ends in.
    pub(super) detection: Option<DetectionPostProcess>,
    known: BTreeMap<usize, ValueId>,
    names: BTreeSet<String>,
    /// From a DEQUANTIZE's result to the constant that it widens.
    dequantized: BTreeMap<usize, usize>,
    /// Results that are shapes, axes and the like, which the file states anyway where they are used.
    integers: BTreeSet<usize>,
    /// Results of unsupported operators, and what depends on them.
    beyond: BTreeSet<usize>,
    /// Values that what lies beyond reads.
    frontier: Vec<ValueId>,
    unsupported: Vec<UnsupportedOperator>,
    bytes_max: usize,
    bytes_used: usize,
}

impl Builder<'_, '_> {
    fn walk(&mut self, index: usize, operator: &schema::Operator<'_>) -> Result<(), TfliteError> {
        let inputs: Vec<usize> = operator.inputs.iter().flatten().copied().collect();
        let output = operator.outputs.first().map(|&output| self.model.tensors[output].name);
        let node = short_name(output.unwrap_or_default()).to_owned();
        if inputs.iter().any(|input| self.beyond.contains(input)) {
            self.set_aside(&inputs, &operator.outputs);
            if !operators::is_known(&operator.kind) {
                let (kind, detail) = (operator.kind.clone(), String::new());
                self.unsupported.push(UnsupportedOperator { index, node, kind, detail });
            }
            return Ok(());
        }
        if self.is_shape_arithmetic(operator, &inputs) {
            self.integers.extend(&operator.outputs);
            return Ok(());
        }
        match operators::add(self, operator) {
            Ok(()) => Ok(()),
            Err(Fault::Unsupported(detail)) => {
                self.set_aside(&inputs, &operator.outputs);
                self.unsupported.push(UnsupportedOperator { index, node, kind: operator.kind.clone(), detail });
                Ok(())
            }
            Err(Fault::Bad(reason)) => {
                Err(TfliteError::BadNode { index, node, operator: operator.kind.clone(), reason })
            }
            Err(Fault::File(error)) => Err(*error),
        }
    }

    /// Takes note of an operator that is not part of the graph.
    fn set_aside(&mut self, inputs: &[usize], outputs: &[usize]) {
        for input in inputs {
            let value = self.known.get(input).copied().filter(|value| !self.graph.constants.contains_key(value));
            if let Some(value) = value.filter(|value| !self.frontier.contains(value)) {
                self.frontier.push(value);
            }
        }
        self.beyond.extend(outputs);
    }

    /// Whether an operator computes shapes, axes or indices from such.
    fn is_shape_arithmetic(&self, operator: &schema::Operator<'_>, inputs: &[usize]) -> bool {
        let integer = |&tensor: &usize| {
            matches!(self.model.tensors[tensor].element_type, ElementType::Int32 | ElementType::Int64)
        };
        let sources = operator.kind == "SHAPE" || inputs.iter().all(integer);
        !operator.outputs.is_empty() && operator.outputs.iter().all(integer) && sources
    }

    /// The outputs: the file's, with what lies beyond replaced by what it reads.
    fn finish(mut self) -> Result<Imported, TfliteError> {
        let mut outputs = Vec::new();
        for &index in &self.model.outputs {
            let name = self.model.tensors[index].name;
            let claimed = self.detection.as_ref().filter(|detection| detection.results.iter().any(|it| it == name));
            match self.known.get(&index) {
                Some(&value) => {
                    // The file's own name, not that of the layer before a (de)quantisation.
                    if !self.graph.inputs.contains(&value) && !outputs.contains(&value) {
                        name.clone_into(&mut self.graph.values[value.0].name);
                    }
                    outputs.push(value);
                }
                None if claimed.is_some() => {
                    let read = claimed.map(|detection| [detection.boxes, detection.scores]).into_iter().flatten();
                    read.for_each(|value| {
                        if !outputs.contains(&value) {
                            outputs.push(value)
                        }
                    });
                }
                None if self.beyond.contains(&index) => {}
                None => return Err(TfliteError::MissingOutput { tensor: name.to_owned() }),
            }
        }
        let missing = !self.unsupported.is_empty() && self.model.outputs.iter().any(|it| self.beyond.contains(it));
        if missing {
            let frontier = self.frontier.into_iter().filter(|value| !outputs.contains(value)).collect::<Vec<_>>();
            outputs.extend(frontier);
        }
        self.graph.outputs = outputs;
        let unread = missing.then_some(TfliteError::Unsupported { operators: self.unsupported });
        Ok(Imported { graph: self.graph, detection: self.detection, licence: None, unread })
    }

    /// An activation must be real, or stand for reals.
    pub(super) fn require_activation(&self, tensor: usize) -> Result<(), TfliteError> {
        let tensor = &self.model.tensors[tensor];
        let refuse =
            |reason: &str| Err(TfliteError::Quantization { tensor: tensor.name.to_owned(), reason: reason.to_owned() });
        match (tensor.element_type, &tensor.quantization) {
            (ElementType::Float32, _) => Ok(()),
            (ElementType::Int8 | ElementType::UInt8, Some(quantization)) if quantization.scale.len() != 1 => {
                refuse("an activation has one scale, it has several")
            }
            (ElementType::Int8 | ElementType::UInt8, _) if constants::activation_grid(tensor).is_none() => {
                refuse("its zero point lies outside its type")
            }
            (ElementType::Int8 | ElementType::UInt8, _) => Ok(()),
            (other, _) => {
                Err(TfliteError::ActivationType { tensor: tensor.name.to_owned(), element_type: other.name() })
            }
        }
    }

    /// The value of a tensor of the file; made on first sight.
    pub(super) fn value(&mut self, tensor: usize) -> ValueId {
        if let Some(&value) = self.known.get(&tensor) {
            return value;
        }
        let description = &self.model.tensors[tensor];
        let value = self.new_value(description.name.to_owned(), description.shape.clone());
        self.annotate(value, tensor);
        self.known.insert(tensor, value);
        value
    }

    /// Gives a value the grid of a tensor of the file, if that has one and the value none yet.
    pub(super) fn annotate(&mut self, value: ValueId, tensor: usize) {
        if let Some(grid) = constants::activation_grid(&self.model.tensors[tensor]) {
            self.graph.quantizations.entry(value).or_insert(grid);
        }
    }

    /// A value that the file does not have.
    pub(super) fn new_value(&mut self, name: String, shape: Vec<usize>) -> ValueId {
        self.graph.values.push(Value { name, shape });
        ValueId(self.graph.values.len() - 1)
    }

    /// A value that the file does not have, with the grid of one of its tensors.
    pub(super) fn new_value_like(&mut self, tensor: usize, what: &str, shape: Vec<usize>) -> ValueId {
        let value = self.new_value(format!("{} {what}", self.model.tensors[tensor].name), shape);
        self.annotate(value, tensor);
        value
    }

    /// The value of a tensor that an earlier node made or the caller supplies.
    pub(super) fn activation(&self, tensor: usize) -> Result<ValueId, Fault> {
        let name = self.model.tensors[tensor].name;
        let known = self.known.get(&tensor).copied().filter(|value| !self.graph.constants.contains_key(value));
        if let Some(value) = known {
            return Ok(value);
        }
        if self.integers.contains(&tensor) {
            return Err(Fault::Unsupported(format!(" of the integers `{name}`")));
        }
        if self.is_constant(tensor) {
            return Err(Fault::Unsupported(format!(" with the constant `{name}` where an activation is expected")));
        }
        Err(Fault::Bad(format!("its input `{name}` is neither a constant nor made by an earlier node")))
    }

    /// Whether the tensor is known before the network runs.
    pub(super) fn is_constant(&self, tensor: usize) -> bool {
        let dequantized = self.known.get(&tensor).is_some_and(|value| self.graph.constants.contains_key(value));
        let buffer = self.model.tensors[tensor].buffer;
        let stored = self.model.buffers.get(buffer).is_some_and(|data| !data.is_empty());
        dequantized || (stored && !self.known.contains_key(&tensor))
    }

    /// Counts bytes that constants take.
    pub(super) fn reserve(&mut self, elements: usize) -> Result<(), Fault> {
        self.bytes_used = self.bytes_used.saturating_add(elements.saturating_mul(4));
        if self.bytes_used > self.bytes_max {
            return Err(TfliteError::TooLarge { max: self.bytes_max }.into());
        }
        Ok(())
    }

    /// A constant's elements, decoded.
    pub(super) fn constant(&mut self, tensor: usize) -> Result<Tensor, Fault> {
        let description = &self.model.tensors[tensor];
        if let Some(constant) = self.known.get(&tensor).and_then(|value| self.graph.constants.get(value)) {
            return Ok(constant.clone());
        }
        if !self.is_constant(tensor) {
            return Err(Fault::Unsupported(format!(" where `{}` is not a constant", description.name)));
        }
        self.reserve(description.shape.iter().product())?;
        Ok(constants::decode(description, self.model.buffers[description.buffer])?)
    }

    /// A constant's elements as floats.
    pub(super) fn float_constant(&mut self, tensor: usize) -> Result<(Vec<usize>, Vec<f32>), Fault> {
        let constant = self.constant(tensor)?;
        let name = self.model.tensors[tensor].name;
        let elements = constant.as_f32().ok_or_else(|| Fault::Bad(format!("its constant `{name}` is not float")))?;
        Ok((constant.shape().to_vec(), elements.to_vec()))
    }

    /// A constant's elements as integers.
    pub(super) fn integer_constant(&mut self, tensor: usize) -> Result<Vec<i32>, Fault> {
        let name = self.model.tensors[tensor].name;
        match self.constant(tensor)?.elements() {
            Elements::I32(elements) => Ok(elements.clone()),
            Elements::F32(_) | Elements::I8(_) => Err(Fault::Bad(format!("its constant `{name}` is not integer"))),
        }
    }

    /// The steps of a weight constant, one for each of `count` slices along `axis`; `None` for floats.
    pub(super) fn weight_scales(&self, tensor: usize, axis: usize, count: usize) -> Option<Vec<f32>> {
        let stored = self.dequantized.get(&tensor).copied().unwrap_or(tensor);
        constants::weight_scales(&self.model.tensors[stored], axis, count)
    }

    /// Adds a constant to the graph.
    pub(super) fn new_constant(
        &mut self,
        name: String,
        shape: Vec<usize>,
        elements: Vec<f32>,
    ) -> Result<ValueId, Fault> {
        let tensor = Tensor::new(shape, Elements::F32(elements)).map_err(|error| Fault::Bad(error.to_string()))?;
        Ok(self.graph.add_constant(name, tensor))
    }

    /// Adds a weight constant whose floats stand on steps of `scale`.
    pub(super) fn new_weights(
        &mut self,
        name: String,
        (shape, elements): (Vec<usize>, Vec<f32>),
        scale: Option<Vec<f32>>,
    ) -> Result<ValueId, Fault> {
        let value = self.new_constant(name, shape, elements)?;
        if let Some(scale) = scale {
            self.graph.quantizations.insert(value, Quantization { scale, zero_point: 0 });
        }
        Ok(value)
    }

    /// Makes the file's tensor stand for an existing value.
    pub(super) fn alias(&mut self, tensor: usize, value: ValueId) {
        self.known.insert(tensor, value);
    }

    /// Makes the file's tensor `output` stand for the constant `input`, widened.
    pub(super) fn alias_dequantized(&mut self, output: usize, input: usize, value: ValueId) {
        self.alias(output, value);
        self.dequantized.insert(output, input);
    }

    /// Adds a node that makes the file's tensor `output`.
    pub(super) fn push(&mut self, op: Op, inputs: Vec<ValueId>, output: usize) -> Result<(), Fault> {
        if self.known.contains_key(&output) {
            let name = self.model.tensors[output].name;
            return Err(Fault::Bad(format!("its result `{name}` was made before")));
        }
        self.require_activation(output)?;
        let value = self.value(output);
        self.push_value(op, inputs, value);
        Ok(())
    }

    /// Adds a node that makes `output`.
    pub(super) fn push_value(&mut self, op: Op, inputs: Vec<ValueId>, output: ValueId) {
        let base = short_name(&self.graph.values[output.0].name);
        let base = if base.is_empty() { "node" } else { base }.to_owned();
        let mut name = base.clone();
        let mut copies = 1;
        while !self.names.insert(name.clone()) {
            copies += 1;
            name = format!("{base}#{copies}");
        }
        self.graph.nodes.push(Node { name, op, inputs, output });
    }
}

/// Converters join the names of what they fused by semicolons; the first one says enough.
fn short_name(name: &str) -> &str {
    name.split(';').next().unwrap_or(name)
}
