//! ONNX, opset 7 to 21: float models, FP16 ones, and QDQ models, which come in as floats that remember their grids.
//!
//! ONNX is NCHW and moves axes about with operators of its own; the graph is NHWC. [`layout`] carries the difference along
//! so that almost nothing moves. What is constant is computed while importing. Outputs keep their names; those of four axes
//! that are pictures come as NHWC, all others in the file's order.

mod array;
mod builder;
mod external;
mod fold;
mod layout;
mod messages;
mod operators;
mod shapes;
mod wire;

#[cfg(test)]
mod tests;

pub use external::ExternalError;
pub use wire::WireError;

use clawdbot_nn::graph::Graph;

use super::Source;

/// The opsets whose operators are known.
pub const OPSETS: std::ops::RangeInclusive<i64> = 7..=21;

/// Why an ONNX file is refused.
#[derive(Debug, thiserror::Error)]
pub enum OnnxError {
    /// The container is damaged.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// No network in it.
    #[error("it holds no graph: it is no ONNX model, or a truncated one")]
    NoGraph,
    /// Two networks in it.
    #[error("it holds two graphs: it is damaged")]
    TwoGraphs,
    /// A file that does not say which operators it means.
    #[error("it does not say which opset its operators are of: it is damaged, or export it again")]
    NoOpset,
    /// Operators of a time that we do not know.
    #[error(
        "its opset is {opset}, supported are 7 to 21: export it again (in PyTorch `opset_version=13`), or use onnx.version_converter"
    )]
    Opset {
        /// As stored.
        opset: i64,
    },
    /// More nodes than any network has.
    #[error("it has more than {max} nodes: it is damaged")]
    TooManyNodes {
        /// The limit.
        max: usize,
    },
    /// More inputs or outputs than any network has.
    #[error("it has more than {max} inputs or outputs: it is damaged")]
    TooManyEnds {
        /// The limit of each.
        max: usize,
    },
    /// Compressed constants.
    #[error("it holds sparse constants: export the model without sparsity")]
    SparseInitializer,
    /// A name that two things have.
    #[error("the name `{name}` stands for two things: the file is damaged")]
    Twice {
        /// Which.
        name: String,
    },
    /// A shape that is impossible or unbounded.
    #[error("`{value}` has the shape {shape}: at most {axes} axes and {max} elements are possible", axes = messages::RANK_MAX, max = array::ELEMENTS_MAX)]
    Shape {
        /// Its name.
        value: String,
        /// As stored.
        shape: String,
    },
    /// An input whose shape is open, or impossible.
    #[error(
        "the input `{value}` has the shape {shape}; all but the batch must be fixed: export with fixed sizes, or run `python -m \
         onnxruntime.tools.make_dynamic_shape_fixed --input_name {value} --input_shape 1,3,416,416 IN.onnx OUT.onnx` with the \
         sizes that you want"
    )]
    InputShape {
        /// Its name.
        value: String,
        /// As stored.
        shape: String,
    },
    /// Several pictures at once.
    #[error("the input `{value}` takes a batch of {batch}: export the model with a batch of 1, or a dynamic one")]
    Batch {
        /// Its name.
        value: String,
        /// As stored.
        batch: usize,
    },
    /// An input that is no float.
    #[error("the input `{value}` is {element_type}, where floats are expected: export the model with a float input")]
    NotFloat {
        /// Its name.
        value: String,
        /// As the schema calls it.
        element_type: String,
    },
    /// A constant of a type that is not read.
    #[error(
        "the constant `{value}` is {element_type}; FLOAT, FLOAT16, DOUBLE, INT8, UINT8, INT32, INT64 and BOOL are supported"
    )]
    ElementType {
        /// Its name.
        value: String,
        /// As the schema calls it.
        element_type: String,
    },
    /// A constant whose content does not fit its shape.
    #[error("the constant `{value}` of shape {shape:?} and type {element_type} wants {wanted} {unit}, it has {found}")]
    ConstantSize {
        /// Its name.
        value: String,
        /// As stored.
        shape: Vec<i64>,
        /// As the schema calls it.
        element_type: String,
        /// By shape and type.
        wanted: usize,
        /// In the file.
        found: usize,
        /// Of both.
        unit: &'static str,
    },
    /// A constant in another file.
    #[error("the constant `{value}` {error}")]
    External {
        /// Its name.
        value: String,
        /// Why.
        error: ExternalError,
    },
    /// A constant that is not finite, which would poison every result.
    #[error("the constant `{value}` holds a value that is not finite: the model is damaged or diverged in training")]
    NotFinite {
        /// Its name.
        value: String,
    },
    /// Too many constants for the file's size.
    #[error("its constants would hold far more elements than the file has bytes: it is damaged")]
    TooLarge,
    /// Operators that no import has.
    #[error(
        "it has operators that are not supported: {list}. Cut the network in front of them (onnx.utils.extract_model) if they only \
         belong to its post-processing, or export it without them; docs/reference/onnx.md lists what is supported"
    )]
    Operators {
        /// Each with its nodes.
        list: String,
    },
    /// An operator that is not supported in this form.
    #[error("node {index} `{node}`: {operator}{detail} is not supported; docs/reference/onnx.md lists what is")]
    Unsupported {
        /// Its place in the file.
        index: usize,
        /// Its name, or its result's.
        node: String,
        /// As the schema calls it.
        operator: String,
        /// Which form of it.
        detail: String,
    },
    /// An operator that contradicts itself.
    #[error("node {index} `{node}` ({operator}): {reason}")]
    BadNode {
        /// Its place in the file.
        index: usize,
        /// Its name, or its result's.
        node: String,
        /// As the schema calls it.
        operator: String,
        /// What is wrong.
        reason: String,
    },
    /// No result at all.
    #[error("it names no output: the file is damaged")]
    NoOutputs,
    /// A result of the network that no operator makes.
    #[error("the output `{value}` is made by no operator: the file is damaged")]
    MissingOutput {
        /// Its name.
        value: String,
    },
    /// A result of the network that does not depend on its input.
    #[error("the output `{value}` is a constant: export the model without it")]
    ConstantOutput {
        /// Its name.
        value: String,
    },
}

/// Whether a file looks like ONNX, which has no mark of its own: it begins with its format's version, a small number, and
/// goes on with another of the fields that a model begins with.
#[must_use]
pub fn recognises(bytes: &[u8]) -> bool {
    // Field 1 (ir_version) as number; then producer, domain, model_version, documentation, graph or opset.
    matches!(bytes, [0x08, 1..=32, 0x12 | 0x1a | 0x22 | 0x28 | 0x32 | 0x3a | 0x42, ..])
}

/// Reads an ONNX file; with it the licence that its metadata names.
///
/// Every shape in the result agrees with its operator, every constant is finite, and nodes stand in order.
///
/// # Errors
/// [`OnnxError`], whatever the bytes are.
pub fn import(source: Source<'_>) -> Result<(Graph, Option<String>), OnnxError> {
    let model = messages::Model::read(source.bytes)?;
    if !OPSETS.contains(&model.opset) {
        return Err(OnnxError::Opset { opset: model.opset });
    }
    let graph = builder::build(&model, source.folder, source.bytes.len())?;
    Ok((graph, model.licence.map(ToOwned::to_owned)))
}

/// The supported operators as the table of `docs/reference/onnx.md`.
#[must_use]
pub fn operator_table() -> String {
    operators::table()
}
