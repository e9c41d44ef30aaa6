//! The parts of ONNX's schema that the importer reads. Field numbers are those of `onnx.proto`.
//!
//! A node's attributes and a tensor's content stay the bytes that they are until somebody asks for them, so that what is
//! read first never takes much more memory than the file has bytes.

use std::collections::BTreeMap;

use super::OnnxError;
use super::wire::{Field, Fields, WireError};

/// A file has no more nodes; the largest detectors have some thousands.
const NODES_MAX: usize = 1 << 14;
/// No array has more axes.
pub(super) const RANK_MAX: usize = 8;

/// A file.
#[derive(Debug)]
pub(super) struct Model<'a> {
    /// Version of the operators without a domain.
    pub(super) opset: i64,
    /// From the metadata.
    pub(super) licence: Option<&'a str>,
    pub(super) graph: Graph<'a>,
}

/// Its network.
#[derive(Debug, Default)]
pub(super) struct Graph<'a> {
    pub(super) nodes: Vec<Node<'a>>,
    /// `TensorProto`s by name.
    pub(super) initializers: BTreeMap<&'a str, &'a [u8]>,
    pub(super) inputs: Vec<Input<'a>>,
    pub(super) outputs: Vec<&'a str>,
}

/// What the caller supplies; old files name their constants here too.
#[derive(Debug)]
pub(super) struct Input<'a> {
    pub(super) name: &'a str,
    pub(super) element_type: ElementType,
    /// `None` where the file leaves it open.
    pub(super) shape: Option<Vec<Side<'a>>>,
}

/// Length of an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side<'a> {
    Fixed(i64),
    /// Open; its name, which may be empty.
    Dynamic(&'a str),
}

/// An operator with its operands. An empty name is an operand that is left out.
#[derive(Debug, Default)]
pub(super) struct Node<'a> {
    pub(super) name: &'a str,
    pub(super) operator: &'a str,
    pub(super) domain: &'a str,
    pub(super) inputs: Vec<&'a str>,
    pub(super) outputs: Vec<&'a str>,
    attributes: Vec<&'a [u8]>,
}

/// Type of an array's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ElementType {
    Float,
    Uint8,
    Int8,
    Int32,
    Int64,
    Bool,
    Float16,
    Double,
    /// Any other, by its number.
    Other(i64),
}

/// A constant as stored.
#[derive(Debug)]
pub(super) struct Tensor<'a> {
    pub(super) dims: Vec<i64>,
    pub(super) element_type: ElementType,
    pub(super) raw: Option<&'a [u8]>,
    pub(super) floats: Vec<f32>,
    pub(super) integers: Vec<i64>,
    pub(super) doubles: Vec<f64>,
    /// Whether its content lies in another file.
    pub(super) is_external: bool,
    /// Where, as keys and values.
    pub(super) external: Vec<(&'a str, &'a str)>,
}

impl ElementType {
    pub(super) const fn from_schema(number: i64) -> Self {
        match number {
            1 => Self::Float,
            2 => Self::Uint8,
            3 => Self::Int8,
            6 => Self::Int32,
            7 => Self::Int64,
            9 => Self::Bool,
            10 => Self::Float16,
            11 => Self::Double,
            other => Self::Other(other),
        }
    }

    /// For messages.
    pub(super) fn name(self) -> String {
        let name = match self {
            Self::Float => "FLOAT",
            Self::Uint8 => "UINT8",
            Self::Int8 => "INT8",
            Self::Int32 => "INT32",
            Self::Int64 => "INT64",
            Self::Bool => "BOOL",
            Self::Float16 => "FLOAT16",
            Self::Double => "DOUBLE",
            Self::Other(0) => "without a type",
            Self::Other(4) => "UINT16",
            Self::Other(5) => "INT16",
            Self::Other(8) => "STRING",
            Self::Other(12) => "UINT32",
            Self::Other(13) => "UINT64",
            Self::Other(16) => "BFLOAT16",
            Self::Other(number) => return format!("element type {number}"),
        };
        name.to_owned()
    }

    pub(super) const fn is_float(self) -> bool {
        matches!(self, Self::Float | Self::Float16 | Self::Double)
    }
}

impl<'a> Model<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, OnnxError> {
        let mut fields = Fields::new("ModelProto", bytes);
        let (mut opset, mut licence, mut graph) = (None, None, None);
        while let Some(field) = fields.next()? {
            match field.number {
                7 if graph.is_some() => return Err(OnnxError::TwoGraphs),
                7 => graph = Some(Graph::read(field.bytes()?)?),
                8 => {
                    let (domain, version) = operator_set(field.bytes()?)?;
                    if matches!(domain, "" | "ai.onnx") {
                        opset = Some(version);
                    }
                }
                14 => {
                    let (key, value) = pair(field.bytes()?)?;
                    if matches!(key.to_ascii_lowercase().as_str(), "license" | "licence") && !value.trim().is_empty() {
                        licence = Some(value.trim());
                    }
                }
                _ => {}
            }
        }
        let graph = graph.ok_or(OnnxError::NoGraph)?;
        let opset = opset.ok_or(OnnxError::NoOpset)?;
        Ok(Self { opset, licence, graph })
    }
}

fn operator_set(bytes: &[u8]) -> Result<(&str, i64), WireError> {
    let mut fields = Fields::new("OperatorSetIdProto", bytes);
    let (mut domain, mut version) = ("", 0);
    while let Some(field) = fields.next()? {
        match field.number {
            1 => domain = field.text()?,
            2 => version = field.integer()?,
            _ => {}
        }
    }
    Ok((domain, version))
}

/// A `StringStringEntryProto`.
fn pair(bytes: &[u8]) -> Result<(&str, &str), WireError> {
    let mut fields = Fields::new("StringStringEntryProto", bytes);
    let (mut key, mut value) = ("", "");
    while let Some(field) = fields.next()? {
        match field.number {
            1 => key = field.text()?,
            2 => value = field.text()?,
            _ => {}
        }
    }
    Ok((key, value))
}

impl<'a> Graph<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, OnnxError> {
        let mut graph = Self::default();
        let mut fields = Fields::new("GraphProto", bytes);
        while let Some(field) = fields.next()? {
            match field.number {
                1 if graph.nodes.len() == NODES_MAX => return Err(OnnxError::TooManyNodes { max: NODES_MAX }),
                1 => graph.nodes.push(Node::read(field.bytes()?)?),
                5 => {
                    let tensor = field.bytes()?;
                    let name = tensor_name(tensor)?;
                    if graph.initializers.insert(name, tensor).is_some() {
                        return Err(OnnxError::Twice { name: name.to_owned() });
                    }
                }
                11 => graph.inputs.push(Input::read(field.bytes()?)?),
                12 => graph.outputs.push(Input::read(field.bytes()?)?.name),
                15 => return Err(OnnxError::SparseInitializer),
                _ => {}
            }
        }
        Ok(graph)
    }
}

fn tensor_name(bytes: &[u8]) -> Result<&str, WireError> {
    let mut fields = Fields::new("TensorProto", bytes);
    let mut name = "";
    while let Some(field) = fields.next()? {
        if field.number == 8 {
            name = field.text()?;
        }
    }
    Ok(name)
}

impl<'a> Input<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, WireError> {
        let mut fields = Fields::new("ValueInfoProto", bytes);
        let mut input = Self { name: "", element_type: ElementType::Other(0), shape: None };
        while let Some(field) = fields.next()? {
            match field.number {
                1 => input.name = field.text()?,
                2 => input.read_type(field.bytes()?)?,
                _ => {}
            }
        }
        Ok(input)
    }

    /// A `TypeProto`: of its kinds only the tensor is of interest.
    fn read_type(&mut self, bytes: &'a [u8]) -> Result<(), WireError> {
        let mut fields = Fields::new("TypeProto", bytes);
        while let Some(field) = fields.next()? {
            if field.number == 1 {
                let mut fields = Fields::new("TypeProto.Tensor", field.bytes()?);
                while let Some(field) = fields.next()? {
                    match field.number {
                        1 => self.element_type = ElementType::from_schema(field.integer()?),
                        2 => self.shape = Some(shape(field.bytes()?)?),
                        _ => {}
                    }
                }
            }
        }
        Ok(())
    }
}

fn shape(bytes: &[u8]) -> Result<Vec<Side<'_>>, WireError> {
    let mut fields = Fields::new("TensorShapeProto", bytes);
    let mut sides = Vec::new();
    while let Some(field) = fields.next()? {
        if field.number == 1 {
            let mut side = Side::Dynamic("");
            let mut fields = Fields::new("TensorShapeProto.Dimension", field.bytes()?);
            while let Some(field) = fields.next()? {
                match field.number {
                    1 => side = Side::Fixed(field.integer()?),
                    2 => side = Side::Dynamic(field.text()?),
                    _ => {}
                }
            }
            sides.push(side);
        }
    }
    Ok(sides)
}

impl<'a> Node<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, WireError> {
        let mut node = Self::default();
        let mut fields = Fields::new("NodeProto", bytes);
        while let Some(field) = fields.next()? {
            match field.number {
                1 => node.inputs.push(field.text()?),
                2 => node.outputs.push(field.text()?),
                3 => node.name = field.text()?,
                4 => node.operator = field.text()?,
                5 => node.attributes.push(field.bytes()?),
                7 => node.domain = field.text()?,
                _ => {}
            }
        }
        Ok(node)
    }

    /// Calls `read` for the fields of the attribute `name`; whether there is one.
    fn attribute(
        &self,
        name: &str,
        mut read: impl FnMut(&Field<'a>) -> Result<(), WireError>,
    ) -> Result<bool, WireError> {
        for bytes in &self.attributes {
            let mut fields = Fields::new("AttributeProto", bytes);
            let mut found = false;
            while let Some(field) = fields.next()? {
                found |= field.number == 1 && field.text()? == name;
            }
            if found {
                let mut fields = Fields::new("AttributeProto", bytes);
                while let Some(field) = fields.next()? {
                    read(&field)?;
                }
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The integer attribute `name`.
    pub(super) fn integer(&self, name: &str) -> Result<Option<i64>, WireError> {
        let mut value = 0;
        let found = self.attribute(name, |field| {
            if field.number == 3 {
                value = field.integer()?;
            }
            Ok(())
        })?;
        Ok(found.then_some(value))
    }

    /// The float attribute `name`.
    pub(super) fn float(&self, name: &str) -> Result<Option<f32>, WireError> {
        let mut value = 0.0;
        let found = self.attribute(name, |field| {
            if field.number == 2 {
                value = field.float()?;
            }
            Ok(())
        })?;
        Ok(found.then_some(value))
    }

    /// The text attribute `name`.
    pub(super) fn text(&self, name: &str) -> Result<Option<&'a str>, WireError> {
        let mut value = "";
        let found = self.attribute(name, |field| {
            if field.number == 4 {
                value = field.text()?;
            }
            Ok(())
        })?;
        Ok(found.then_some(value))
    }

    /// The attribute `name`, a list of integers.
    pub(super) fn integers(&self, name: &str) -> Result<Option<Vec<i64>>, WireError> {
        let mut all = Vec::new();
        let found = self.attribute(name, |field| if field.number == 8 { field.integers(&mut all) } else { Ok(()) })?;
        Ok(found.then_some(all))
    }

    /// The attribute `name`, a list of floats.
    pub(super) fn floats(&self, name: &str) -> Result<Option<Vec<f32>>, WireError> {
        let mut all = Vec::new();
        let found = self.attribute(name, |field| if field.number == 7 { field.floats(&mut all) } else { Ok(()) })?;
        Ok(found.then_some(all))
    }

    /// The attribute `name`, a tensor.
    pub(super) fn tensor(&self, name: &str) -> Result<Option<&'a [u8]>, WireError> {
        let mut value = None;
        self.attribute(name, |field| {
            if field.number == 5 {
                value = Some(field.bytes()?);
            }
            Ok(())
        })?;
        Ok(value)
    }
}

impl<'a> Tensor<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, WireError> {
        let mut tensor = Self {
            dims: Vec::new(),
            element_type: ElementType::Other(0),
            raw: None,
            floats: Vec::new(),
            integers: Vec::new(),
            doubles: Vec::new(),
            is_external: false,
            external: Vec::new(),
        };
        let mut fields = Fields::new("TensorProto", bytes);
        while let Some(field) = fields.next()? {
            match field.number {
                1 => field.integers(&mut tensor.dims)?,
                2 => tensor.element_type = ElementType::from_schema(field.integer()?),
                4 => field.floats(&mut tensor.floats)?,
                // int32_data holds the small types and bits of FLOAT16, int64_data INT64.
                5 | 7 => field.integers(&mut tensor.integers)?,
                9 => tensor.raw = Some(field.bytes()?),
                10 => field.doubles(&mut tensor.doubles)?,
                13 => tensor.external.push(pair(field.bytes()?)?),
                14 => tensor.is_external = field.integer()? == 1,
                _ => {}
            }
        }
        Ok(tensor)
    }
}
