//! TensorFlow Lite: float models, and those whose constants are stored as FP16 (or INT8) behind DEQUANTIZE.
//!
//! TFLite is NHWC with convolution weights `[N][Kh][Kw][C]` and depthwise ones `[1][Kh][Kw][C]`, which is the graph's own
//! layout, so nothing is transposed. Full-integer models are refused: the converter calibrates itself.

mod builder;
mod flatbuffer;
mod operator_names;
mod operators;
mod schema;

#[cfg(test)]
mod tests;

pub use flatbuffer::FlatbufferError;

use clawdbot_nn::graph::Graph;

/// The operators that [`import`] reads, for messages and documentation.
pub const SUPPORTED: &str = "CONV_2D, DEPTHWISE_CONV_2D (multiplier 1), FULLY_CONNECTED, ADD, MUL (by a constant), PAD, \
                             MEAN (over rows and columns), RELU, RELU6, LOGISTIC, SOFTMAX, RESHAPE, SQUEEZE, \
                             CONCATENATION, DEQUANTIZE (of constants)";

/// Why a TFLite file is refused.
#[derive(Debug, thiserror::Error)]
pub enum TfliteError {
    /// The identifier is missing.
    #[error("it is no TensorFlow Lite model: bytes 4 to 8 are not `TFL3`")]
    NotTflite,
    /// The container is damaged.
    #[error(transparent)]
    Flatbuffer(#[from] FlatbufferError),
    /// A schema that never came into use, or garbage.
    #[error(
        "its schema version is {version}, where 3 is the only one in use: convert it again with a current TensorFlow"
    )]
    SchemaVersion {
        /// As stored.
        version: u32,
    },
    /// Control flow, or nothing at all.
    #[error("it has {count} subgraphs, where one is supported: export it without control flow (IF, WHILE)")]
    Subgraphs {
        /// As stored.
        count: usize,
    },
    /// Constants outside the flatbuffer.
    #[error(
        "buffer {buffer} keeps its data outside the flatbuffer (the form of files beyond 2 GB): export a smaller model"
    )]
    ExternalBuffer {
        /// Index of the buffer.
        buffer: usize,
    },
    /// A tensor of an impossible or unbounded shape.
    #[error(
        "the tensor `{tensor}` has the shape {shape}: each side must be at least 1 and all elements together at most \
         {max}; export the model with a fixed input shape",
        max = schema::ELEMENTS_MAX
    )]
    Shape {
        /// Its name.
        tensor: String,
        /// As stored.
        shape: String,
    },
    /// A tensor names a buffer that does not exist.
    #[error("the tensor `{tensor}` refers to a buffer that the file does not have: it is damaged")]
    MissingBuffer {
        /// Its name.
        tensor: String,
    },
    /// Compressed weights.
    #[error("the tensor `{tensor}` is stored sparse: export the model without sparsity")]
    Sparse {
        /// Its name.
        tensor: String,
    },
    /// Scales that make no sense.
    #[error("the tensor `{tensor}` has bad quantisation parameters: {reason}")]
    Quantization {
        /// Its name.
        tensor: String,
        /// What is wrong.
        reason: String,
    },
    /// An operator of no kind.
    #[error("an operator has the code {code}, but the file declares {codes}: it is damaged")]
    OperatorCode {
        /// As stored.
        code: u32,
        /// How many there are.
        codes: usize,
    },
    /// A tensor that does not exist.
    #[error("`{field}` refers to tensor {index}, but the file has {tensors}: it is damaged")]
    TensorIndex {
        /// Where.
        field: &'static str,
        /// As stored.
        index: i32,
        /// How many there are.
        tensors: usize,
    },
    /// An input or output of the network that is no float.
    #[error(
        "the tensor `{tensor}` is {element_type}, where activations must be FLOAT32: give the float (or FP16) form of \
         the model, the converter quantises it itself"
    )]
    NotFloat {
        /// Its name.
        tensor: String,
        /// As the schema calls it.
        element_type: String,
    },
    /// A constant whose bytes do not fit its shape.
    #[error(
        "the constant `{tensor}` of shape {shape:?} and type {element_type} wants {wanted} bytes, its buffer has {found}"
    )]
    ConstantSize {
        /// Its name.
        tensor: String,
        /// As stored.
        shape: Vec<usize>,
        /// As the schema calls it.
        element_type: String,
        /// By shape and type.
        wanted: usize,
        /// In the buffer.
        found: usize,
    },
    /// A constant that is not finite, which would poison every result.
    #[error("the constant `{tensor}` holds a value that is not finite: the model is damaged or diverged in training")]
    NotFinite {
        /// Its name.
        tensor: String,
    },
    /// Too many constants for the file's size.
    #[error("its constants would take more than {max} bytes, far more than the file holds: it is damaged")]
    TooLarge {
        /// The limit.
        max: usize,
    },
    /// An operator that is not supported, or not in this form.
    #[error("node {index} `{node}`: {operator}{detail} is not supported; supported are {SUPPORTED}")]
    Unsupported {
        /// Its place in the file.
        index: usize,
        /// The name of its result.
        node: String,
        /// As the schema calls it.
        operator: String,
        /// Which form of it, or nothing.
        detail: String,
    },
    /// An operator that contradicts itself.
    #[error("node {index} `{node}` ({operator}): {reason}")]
    BadNode {
        /// Its place in the file.
        index: usize,
        /// The name of its result.
        node: String,
        /// As the schema calls it.
        operator: String,
        /// What is wrong.
        reason: String,
    },
    /// A result of the network that no operator makes.
    #[error("the output `{tensor}` is made by no operator: the file is damaged")]
    MissingOutput {
        /// Its name.
        tensor: String,
    },
}

/// Reads a TFLite file.
///
/// Every shape in the result agrees with its operator, every constant is finite, and nodes stand in order.
///
/// # Errors
/// [`TfliteError`], whatever the bytes are.
pub fn import(bytes: &[u8]) -> Result<Graph, TfliteError> {
    import_with_licence(bytes).map(|(graph, _)| graph)
}

/// As [`import`], with the licence that the file's own metadata names.
///
/// # Errors
/// [`TfliteError`], whatever the bytes are.
pub fn import_with_licence(bytes: &[u8]) -> Result<(Graph, Option<String>), TfliteError> {
    let model = schema::Model::read(bytes)?;
    let graph = builder::build(&model, bytes.len())?;
    Ok((graph, model.licence.map(ToOwned::to_owned)))
}
