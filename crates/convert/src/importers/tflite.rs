//! TensorFlow Lite: float models, those whose constants are stored as FP16 or INT8, and full-integer ones.
//!
//! TFLite is NHWC with convolution weights `[N][Kh][Kw][C]` and depthwise ones `[1][Kh][Kw][C]`, which is the graph's own
//! layout, so nothing is transposed. Whatever the file computes in, the graph is float: a full-integer model's constants
//! are widened exactly, and its grids stand beside the graph (`Graph::quantizations`), unsigned ones moved by 128.

mod builder;
mod constants;
mod flatbuffer;
mod flexbuffer;
mod operator_names;
mod operators;
mod schema;

#[cfg(test)]
mod tests;

pub use flatbuffer::FlatbufferError;

use clawdbot_nn::graph::Graph;

use super::DetectionPostProcess;

/// The operators that [`import`] reads, for messages and documentation.
pub const SUPPORTED: &str = "CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED, ADD, SUB, MUL, DIV (by a constant), NEG, \
                             MAXIMUM and MINIMUM (of a constant), PAD, PADV2 (with 0), MEAN (over rows and columns), \
                             AVERAGE_POOL_2D, MAX_POOL_2D, RELU, RELU6, RELU_N1_TO_1, LEAKY_RELU, PRELU (of one slope), \
                             LOGISTIC, TANH, HARD_SWISH, GELU (exact), SOFTMAX, RESHAPE, SQUEEZE, EXPAND_DIMS, \
                             CONCATENATION, PACK, UNPACK, SPLIT, SPLIT_V, SLICE, STRIDED_SLICE, TRANSPOSE, \
                             SPACE_TO_DEPTH, DEPTH_TO_SPACE, RESIZE_BILINEAR, RESIZE_NEAREST_NEIGHBOR, QUANTIZE, \
                             DEQUANTIZE, CAST (bytes to floats), TFLite_Detection_PostProcess (becomes the head)";

/// An operator that the graph has no form for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsupportedOperator {
    /// Its place in the file.
    pub index: usize,
    /// The name of its result.
    pub node: String,
    /// As the schema calls it.
    pub kind: String,
    /// Which form of it, with a leading blank, or nothing.
    pub detail: String,
}

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
    /// An activation of a type that nothing computes in.
    #[error(
        "the tensor `{tensor}` is {element_type}, where activations must be FLOAT32, INT8 or UINT8: export the model as \
         float or full-integer (8 bits)"
    )]
    ActivationType {
        /// Its name.
        tensor: String,
        /// As the schema calls it.
        element_type: String,
    },
    /// A constant of a type that nothing computes in.
    #[error(
        "the constant `{tensor}` is {element_type}, where FLOAT32, FLOAT16, INT8, UINT8, INT32 or INT64 is expected: export \
         the model as float or full-integer (8 bits)"
    )]
    ConstantType {
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
    /// Operators that are not supported, or not in this form.
    #[error(
        "not supported: {list}; export the model without them (post-processing can be left out), or write to us; supported \
         are {SUPPORTED}",
        list = list(operators)
    )]
    Unsupported {
        /// In the file's order; those that only depend on them are left out if they are supported by themselves.
        operators: Vec<UnsupportedOperator>,
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

fn list(operators: &[UnsupportedOperator]) -> String {
    let one = |it: &UnsupportedOperator| format!("node {} `{}`: {}{}", it.index, it.node, it.kind, it.detail);
    operators.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// What is in a TFLite file.
#[derive(Debug)]
pub struct Imported {
    /// The network. Every shape agrees with its operator, every constant is finite, and nodes stand in order.
    pub graph: Graph,
    /// The post-processing behind it, whose results the graph has not: boxes and scores are its outputs in their place.
    pub detection: Option<DetectionPostProcess>,
    /// The licence that the file's own metadata names.
    pub licence: Option<String>,
    /// Set where outputs of the file depend on operators that are not supported; names them all. The graph's outputs are
    /// then the file's others, and behind them what those operators read, in the order in which they do. A caller who
    /// knows what comes there may go on; anyone else takes it for the error that it is.
    pub unread: Option<TfliteError>,
}

/// Reads a TFLite file whose operators are all supported.
///
/// # Errors
/// [`TfliteError`], whatever the bytes are.
pub fn import(bytes: &[u8]) -> Result<Graph, TfliteError> {
    let imported = read(bytes)?;
    imported.unread.map_or(Ok(imported.graph), Err)
}

/// Reads as much of a TFLite file as is supported; see [`Imported::unread`].
///
/// # Errors
/// [`TfliteError`], whatever the bytes are.
pub fn read(bytes: &[u8]) -> Result<Imported, TfliteError> {
    let model = schema::Model::read(bytes)?;
    let imported = builder::build(&model, bytes.len())?;
    Ok(Imported { licence: model.licence.map(ToOwned::to_owned), ..imported })
}
