//! Walks the operators in order and makes the graph.

use std::collections::{BTreeMap, BTreeSet};

use clawdbot_nn::graph::{Graph, Node, Op, Value, ValueId};
use clawdbot_nn::tensor::{Elements, Tensor};
use half::f16;

use super::TfliteError;
use super::operators::{self, Fault};
use super::schema::{self, ElementType, Model};

/// Constants may take this many times the file's length (FP16 doubles, INT8 quadruples, a few tensors share a buffer).
const GROWTH_MAX: usize = 8;

/// Makes the graph of a file of `file_bytes`.
pub(super) fn build(model: &Model<'_>, file_bytes: usize) -> Result<Graph, TfliteError> {
    let mut builder = Builder {
        model,
        graph: Graph::default(),
        known: BTreeMap::new(),
        names: BTreeSet::new(),
        bytes_max: file_bytes.saturating_mul(GROWTH_MAX),
        bytes_used: 0,
    };
    for &index in &model.inputs {
        builder.require_float(index)?;
        let value = builder.value(index);
        builder.graph.inputs.push(value);
    }
    for (index, operator) in model.operators.iter().enumerate() {
        operators::add(&mut builder, operator).map_err(|fault| builder.locate(fault, index, operator))?;
    }
    for &index in &model.outputs {
        let known = builder.known.get(&index).copied();
        let name = model.tensors[index].name;
        let value = known.ok_or_else(|| TfliteError::MissingOutput { tensor: name.to_owned() })?;
        builder.graph.outputs.push(value);
    }
    Ok(builder.graph)
}

/// The graph so far, and which tensors of the file it knows.
pub(super) struct Builder<'m, 'a> {
    pub(super) model: &'m Model<'a>,
    pub(super) graph: Graph,
    known: BTreeMap<usize, ValueId>,
    names: BTreeSet<String>,
    bytes_max: usize,
    bytes_used: usize,
}

impl Builder<'_, '_> {
    /// Says where a fault happened.
    fn locate(&self, fault: Fault, index: usize, operator: &schema::Operator<'_>) -> TfliteError {
        let output = operator.outputs.first().map(|&output| self.model.tensors[output].name);
        let node = short_name(output.unwrap_or_default()).to_owned();
        let operator = operator.kind.clone();
        match fault {
            Fault::Unsupported(detail) => TfliteError::Unsupported { index, node, operator, detail },
            Fault::Bad(reason) => TfliteError::BadNode { index, node, operator, reason },
            Fault::File(error) => *error,
        }
    }

    pub(super) fn require_float(&self, tensor: usize) -> Result<(), TfliteError> {
        let tensor = &self.model.tensors[tensor];
        if tensor.element_type == ElementType::Float32 {
            return Ok(());
        }
        Err(TfliteError::NotFloat { tensor: tensor.name.to_owned(), element_type: tensor.element_type.name() })
    }

    /// The value of a tensor of the file; made on first sight.
    pub(super) fn value(&mut self, tensor: usize) -> ValueId {
        if let Some(&value) = self.known.get(&tensor) {
            return value;
        }
        let description = &self.model.tensors[tensor];
        let value = self.new_value(description.name.to_owned(), description.shape.clone());
        self.known.insert(tensor, value);
        value
    }

    /// A value that the file does not have.
    pub(super) fn new_value(&mut self, name: String, shape: Vec<usize>) -> ValueId {
        self.graph.values.push(Value { name, shape });
        ValueId(self.graph.values.len() - 1)
    }

    /// The value of a tensor that an earlier node made or the caller supplies.
    pub(super) fn activation(&self, tensor: usize) -> Result<ValueId, Fault> {
        let name = self.model.tensors[tensor].name;
        let known = self.known.get(&tensor).copied().filter(|value| !self.graph.constants.contains_key(value));
        if let Some(value) = known {
            return Ok(value);
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

    /// A constant's elements, decoded once.
    pub(super) fn constant(&mut self, tensor: usize) -> Result<Tensor, Fault> {
        let description = &self.model.tensors[tensor];
        if let Some(constant) = self.known.get(&tensor).and_then(|value| self.graph.constants.get(value)) {
            return Ok(constant.clone());
        }
        if !self.is_constant(tensor) {
            return Err(Fault::Unsupported(format!(" where `{}` is not a constant", description.name)));
        }
        let count: usize = description.shape.iter().product();
        self.bytes_used = self.bytes_used.saturating_add(4 * count);
        if self.bytes_used > self.bytes_max {
            return Err(TfliteError::TooLarge { max: self.bytes_max }.into());
        }
        Ok(decode(description, self.model.buffers[description.buffer], count)?)
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

    /// Adds a constant to the graph.
    pub(super) fn new_constant(
        &mut self,
        name: String,
        shape: Vec<usize>,
        elements: Vec<f32>,
    ) -> Result<ValueId, Fault> {
        let tensor =
            Tensor::new(shape.clone(), Elements::F32(elements)).map_err(|error| Fault::Bad(error.to_string()))?;
        let value = self.new_value(name, shape);
        self.graph.constants.insert(value, tensor);
        Ok(value)
    }

    /// Makes the file's tensor stand for an existing value.
    pub(super) fn alias(&mut self, tensor: usize, value: ValueId) {
        self.known.insert(tensor, value);
    }

    /// Adds a node that makes the file's tensor `output`.
    pub(super) fn push(&mut self, op: Op, inputs: Vec<ValueId>, output: usize) -> Result<(), Fault> {
        if self.known.contains_key(&output) {
            let name = self.model.tensors[output].name;
            return Err(Fault::Bad(format!("its result `{name}` was made before")));
        }
        self.require_float(output)?;
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

fn decode(description: &schema::Tensor<'_>, bytes: &[u8], count: usize) -> Result<Tensor, TfliteError> {
    let tensor = || description.name.to_owned();
    let size = match description.element_type {
        ElementType::Float32 | ElementType::Int32 => 4,
        ElementType::Float16 => 2,
        ElementType::Int64 => 8,
        ElementType::Int8 => 1,
        ElementType::Other(_) => {
            return Err(TfliteError::NotFloat { tensor: tensor(), element_type: description.element_type.name() });
        }
    };
    if count.checked_mul(size) != Some(bytes.len()) {
        return Err(TfliteError::ConstantSize {
            tensor: tensor(),
            shape: description.shape.clone(),
            element_type: description.element_type.name(),
            wanted: count.saturating_mul(size),
            found: bytes.len(),
        });
    }
    let elements = match description.element_type {
        ElementType::Int32 => Elements::I32(words(bytes).map(i32::from_le_bytes).collect()),
        ElementType::Int64 => {
            // Shapes and axes: what does not fit 32 bits fits no network either, and is caught where it is used.
            Elements::I32(words(bytes).map(i64::from_le_bytes).map(|x| i32::try_from(x).unwrap_or(i32::MAX)).collect())
        }
        ElementType::Float16 => Elements::F32(words(bytes).map(|x| f16::from_le_bytes(x).to_f32()).collect()),
        ElementType::Int8 => Elements::F32(dequantize(description, bytes)?),
        ElementType::Float32 | ElementType::Other(_) => Elements::F32(words(bytes).map(f32::from_le_bytes).collect()),
    };
    if let Elements::F32(elements) = &elements
        && elements.iter().any(|element| !element.is_finite())
    {
        return Err(TfliteError::NotFinite { tensor: tensor() });
    }
    Tensor::new(description.shape.clone(), elements)
        .map_err(|_| TfliteError::Shape { tensor: tensor(), shape: format!("{:?}", description.shape) })
}

fn words<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> + '_ {
    bytes.chunks_exact(N).map(|chunk| {
        let mut word = [0; N];
        word.copy_from_slice(chunk);
        word
    })
}

/// The reals of INT8 weights: scale * (q - zero point), one scale a slice along the quantised axis.
#[expect(clippy::cast_precision_loss, reason = "a zero point that matters has 8 bits")]
fn dequantize(description: &schema::Tensor<'_>, bytes: &[u8]) -> Result<Vec<f32>, TfliteError> {
    let Some(quantization) = &description.quantization else {
        let reason = "it is INT8 without a scale".to_owned();
        return Err(TfliteError::Quantization { tensor: description.name.to_owned(), reason });
    };
    let (scales, points) = (&quantization.scale, &quantization.zero_point);
    let inner: usize = description.shape.iter().skip(quantization.axis + 1).product();
    let real = |(index, &byte): (usize, &u8)| {
        let slice = if scales.len() == 1 { 0 } else { index / inner % scales.len() };
        let point = points.get(slice).or_else(|| points.first()).copied().unwrap_or(0);
        scales[slice] * (f32::from(byte.cast_signed()) - point as f32)
    };
    Ok(bytes.iter().enumerate().map(real).collect())
}
