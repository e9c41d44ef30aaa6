//! The parts of the TensorFlow Lite schema that the importer reads, as plain records. Field numbers are those of
//! `schema.fbs`, version 3.

use super::TfliteError;
use super::flatbuffer::{Table, Vector};

/// The file identifier at bytes 4 to 8.
pub(super) const MAGIC: &[u8; 4] = b"TFL3";
/// No axis, and no product of axes, is longer: 2^28 elements are 1 GiB of floats, far beyond any board.
pub(super) const ELEMENTS_MAX: usize = 1 << 28;

/// Type of a tensor's elements, as far as the importer tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ElementType {
    Float32,
    Float16,
    Int32,
    UInt8,
    Int64,
    Int8,
    /// Any other, by its number.
    Other(i8),
}

impl ElementType {
    const fn from_schema(number: i8) -> Self {
        match number {
            0 => Self::Float32,
            1 => Self::Float16,
            2 => Self::Int32,
            3 => Self::UInt8,
            4 => Self::Int64,
            9 => Self::Int8,
            other => Self::Other(other),
        }
    }

    /// For messages.
    pub(super) fn name(self) -> String {
        const NAMES: [&str; 18] = [
            "FLOAT32",
            "FLOAT16",
            "INT32",
            "UINT8",
            "INT64",
            "STRING",
            "BOOL",
            "INT16",
            "COMPLEX64",
            "INT8",
            "FLOAT64",
            "COMPLEX128",
            "UINT64",
            "RESOURCE",
            "VARIANT",
            "UINT32",
            "UINT16",
            "INT4",
        ];
        let number = match self {
            Self::Float32 => 0,
            Self::Float16 => 1,
            Self::Int32 => 2,
            Self::UInt8 => 3,
            Self::Int64 => 4,
            Self::Int8 => 9,
            Self::Other(number) => number,
        };
        let name = usize::try_from(number).ok().and_then(|number| NAMES.get(number));
        name.map_or_else(|| format!("element type {number}"), ToString::to_string)
    }
}

/// How integers stand for reals: r = scale * (q - zero point).
#[derive(Clone, Debug)]
pub(super) struct Quantization {
    pub(super) scale: Vec<f32>,
    pub(super) zero_point: Vec<i64>,
    pub(super) axis: usize,
}

#[derive(Clone, Debug)]
pub(super) struct Tensor<'a> {
    pub(super) name: &'a str,
    pub(super) shape: Vec<usize>,
    pub(super) element_type: ElementType,
    /// Index into [`Model::buffers`]; 0 is the empty buffer.
    pub(super) buffer: usize,
    pub(super) quantization: Option<Quantization>,
}

#[derive(Clone, Debug)]
pub(super) struct Operator<'a> {
    /// Upper-case name of the schema, or a custom operator's own.
    pub(super) kind: String,
    /// Indices into [`Model::tensors`]; `None` where an optional input is absent.
    pub(super) inputs: Vec<Option<usize>>,
    pub(super) outputs: Vec<usize>,
    pub(super) options: Option<Table<'a>>,
    /// Of a custom operator: a flexbuffer, as a rule.
    pub(super) custom_options: &'a [u8],
}

/// The one subgraph of a file, with the buffers.
#[derive(Debug)]
pub(super) struct Model<'a> {
    pub(super) tensors: Vec<Tensor<'a>>,
    pub(super) operators: Vec<Operator<'a>>,
    pub(super) inputs: Vec<usize>,
    pub(super) outputs: Vec<usize>,
    pub(super) buffers: Vec<&'a [u8]>,
    /// The licence that the file names, if any.
    pub(super) licence: Option<&'a str>,
}

impl<'a> Model<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, TfliteError> {
        if bytes.get(4..8) != Some(MAGIC.as_slice()) {
            return Err(TfliteError::NotTflite);
        }
        let root = Table::root(bytes)?;
        let version = root.u32(0, "version", 0)?;
        if version != 3 {
            return Err(TfliteError::SchemaVersion { version });
        }
        let subgraphs = root.vector(2, "subgraphs", 4)?.tables()?;
        let [subgraph] = subgraphs[..] else {
            return Err(TfliteError::Subgraphs { count: subgraphs.len() });
        };
        let kinds =
            root.vector(1, "operator_codes", 4)?.tables()?.iter().map(operator_kind).collect::<Result<Vec<_>, _>>()?;
        let buffers = root.vector(4, "buffers", 4)?.tables()?;
        let buffers = buffers.iter().enumerate().map(|(index, buffer)| buffer_data(index, buffer));
        let buffers = buffers.collect::<Result<Vec<_>, _>>()?;
        let tensors = subgraph.vector(0, "tensors", 4)?.tables()?;
        let tensors = tensors.iter().enumerate().map(|(index, tensor)| read_tensor(index, tensor, buffers.len()));
        let tensors = tensors.collect::<Result<Vec<_>, _>>()?;
        let operators = subgraph.vector(3, "operators", 4)?.tables()?;
        let operators = operators.iter().map(|operator| read_operator(operator, &kinds, tensors.len()));
        let operators = operators.collect::<Result<Vec<_>, _>>()?;
        let inputs = required_indices(&subgraph.vector(1, "inputs", 4)?, "inputs", tensors.len())?;
        let outputs = required_indices(&subgraph.vector(2, "outputs", 4)?, "outputs", tensors.len())?;
        let licence = read_licence(&root, &buffers)?;
        Ok(Self { tensors, operators, inputs, outputs, buffers, licence })
    }
}

/// The `license` of the model metadata (`metadata_schema.fbs`), a flatbuffer of its own inside a buffer.
fn read_licence<'a>(root: &Table<'a>, buffers: &[&'a [u8]]) -> Result<Option<&'a str>, TfliteError> {
    for entry in root.vector(6, "metadata", 4)?.tables()? {
        if entry.text(0, "metadata name")? != "TFLITE_METADATA" {
            continue;
        }
        let buffer = usize::try_from(entry.u32(1, "metadata buffer", 0)?).ok().and_then(|buffer| buffers.get(buffer));
        let buffer = buffer.ok_or_else(|| TfliteError::MissingBuffer { tensor: "TFLITE_METADATA".to_owned() })?;
        let licence = Table::root(buffer)?.text(5, "license")?.trim();
        return Ok(Some(licence).filter(|licence| !licence.is_empty()));
    }
    Ok(None)
}

/// The bytes of a buffer. Files beyond 2 GB keep them outside the flatbuffer, where we do not look.
fn buffer_data<'a>(index: usize, buffer: &Table<'a>) -> Result<&'a [u8], TfliteError> {
    if buffer.u64(1, "offset", 0)? > 1 {
        return Err(TfliteError::ExternalBuffer { buffer: index });
    }
    Ok(buffer.vector(0, "data", 1)?.raw())
}

/// Codes beyond 127 do not fit the old one-byte field, so the schema takes the greater of both.
fn operator_kind(code: &Table<'_>) -> Result<String, TfliteError> {
    let old = i32::from(code.i8(0, "deprecated_builtin_code", 0)?);
    let number = code.i32(3, "builtin_code", 0)?.max(old);
    Ok(match usize::try_from(number).ok().and_then(|number| super::operator_names::NAMES.get(number)) {
        Some(&"CUSTOM") => format!("CUSTOM `{}`", code.text(1, "custom_code")?),
        Some(&name) => name.to_owned(),
        None => format!("number {number}"),
    })
}

fn read_tensor<'a>(index: usize, table: &Table<'a>, buffers: usize) -> Result<Tensor<'a>, TfliteError> {
    let name = table.text(3, "name")?;
    let label = || if name.is_empty() { format!("number {index}") } else { name.to_owned() };
    let dimensions = table.vector(0, "shape", 4)?.i32s();
    let shape = checked_shape(&dimensions)
        .ok_or_else(|| TfliteError::Shape { tensor: label(), shape: format!("{dimensions:?}") })?;
    let buffer = table.u32(2, "buffer", 0)?;
    let buffer = usize::try_from(buffer).ok().filter(|&buffer| buffer < buffers.max(1));
    let buffer = buffer.ok_or_else(|| TfliteError::MissingBuffer { tensor: label() })?;
    if table.table(6, "sparsity")?.is_some() {
        return Err(TfliteError::Sparse { tensor: label() });
    }
    if table.u32(10, "external_buffer", 0)? != 0 {
        return Err(TfliteError::ExternalBuffer { buffer });
    }
    let quantization = table.table(4, "quantization")?.map(|table| read_quantization(&table, &shape, label));
    Ok(Tensor {
        name,
        element_type: ElementType::from_schema(table.i8(1, "type", 0)?),
        buffer,
        quantization: quantization.transpose()?.flatten(),
        shape,
    })
}

/// `None` for a negative or zero axis or too many elements.
fn checked_shape(dimensions: &[i32]) -> Option<Vec<usize>> {
    let shape = dimensions.iter().map(|&side| usize::try_from(side).ok().filter(|&side| side > 0));
    let shape = shape.collect::<Option<Vec<_>>>()?;
    let elements = shape.iter().try_fold(1_usize, |product, &side| product.checked_mul(side))?;
    (elements <= ELEMENTS_MAX).then_some(shape)
}

fn read_quantization(
    table: &Table<'_>,
    shape: &[usize],
    label: impl Fn() -> String,
) -> Result<Option<Quantization>, TfliteError> {
    let bad = |reason: String| TfliteError::Quantization { tensor: label(), reason };
    let scale = table.vector(2, "scale", 4)?.f32s();
    let zero_point = table.vector(3, "zero_point", 8)?.i64s();
    if scale.is_empty() {
        return Ok(None);
    }
    if let Some(scale) = scale.iter().find(|scale| !(scale.is_normal() && **scale > 0.0)) {
        return Err(bad(format!("its scale is {scale}, where only positive normal numbers make sense")));
    }
    if zero_point.len() > 1 && zero_point.len() != scale.len() {
        return Err(bad(format!("it has {} scales but {} zero points", scale.len(), zero_point.len())));
    }
    let axis = table.i32(6, "quantized_dimension", 0)?;
    let axis = usize::try_from(axis).map_err(|_| bad(format!("its quantized_dimension is {axis}")))?;
    if scale.len() > 1 && shape.get(axis) != Some(&scale.len()) {
        return Err(bad(format!("it has {} scales along axis {axis} of the shape {shape:?}", scale.len())));
    }
    Ok(Some(Quantization { scale, zero_point, axis }))
}

fn read_operator<'a>(table: &Table<'a>, kinds: &[String], tensors: usize) -> Result<Operator<'a>, TfliteError> {
    let code = table.u32(0, "opcode_index", 0)?;
    let kind = usize::try_from(code).ok().and_then(|code| kinds.get(code));
    let kind = kind.ok_or(TfliteError::OperatorCode { code, codes: kinds.len() })?.clone();
    let inputs = table.vector(1, "inputs", 4)?.i32s();
    let inputs = inputs.iter().map(|&index| match index {
        -1 => Ok(None),
        index => tensor_index(index, "inputs", tensors).map(Some),
    });
    Ok(Operator {
        kind,
        inputs: inputs.collect::<Result<_, _>>()?,
        outputs: required_indices(&table.vector(2, "outputs", 4)?, "outputs", tensors)?,
        options: table.table(4, "builtin_options")?,
        custom_options: table.vector(5, "custom_options", 1)?.raw(),
    })
}

fn required_indices(indices: &Vector<'_>, field: &'static str, tensors: usize) -> Result<Vec<usize>, TfliteError> {
    indices.i32s().iter().map(|&index| tensor_index(index, field, tensors)).collect()
}

fn tensor_index(index: i32, field: &'static str, tensors: usize) -> Result<usize, TfliteError> {
    let checked = usize::try_from(index).ok().filter(|&index| index < tensors);
    checked.ok_or(TfliteError::TensorIndex { field, index, tensors })
}
