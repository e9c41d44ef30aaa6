//! What can be wrong with a program, and where.

use std::fmt;

use crate::program::{Step, Value};
use crate::tensor::DataType;

/// A program that must not run. The message names the value or step, the tensor if one is to blame, and the reason.
#[derive(Debug, PartialEq)]
pub struct InvalidProgram {
    place: Place,
    tensor: Option<String>,
    /// Boxed: errors travel through every check's result.
    reason: Box<Reason>,
}

#[derive(Debug, PartialEq)]
enum Place {
    Program,
    Value(String),
    Step(String),
}

impl InvalidProgram {
    pub(super) fn program(reason: Reason) -> Self {
        Self { place: Place::Program, tensor: None, reason: Box::new(reason) }
    }

    pub(super) fn value(value: &Value, reason: Reason) -> Self {
        Self { place: Place::Value(value.name.clone()), tensor: None, reason: Box::new(reason) }
    }

    pub(super) fn step(step: &Step, reason: Reason) -> Self {
        Self { place: Place::Step(step.name.clone()), tensor: None, reason: Box::new(reason) }
    }

    pub(super) fn tensor(step: &Step, tensor: &str, reason: Reason) -> Self {
        Self { place: Place::Step(step.name.clone()), tensor: Some(tensor.to_owned()), reason: Box::new(reason) }
    }

    /// What is wrong.
    #[must_use]
    pub fn reason(&self) -> &Reason {
        &self.reason
    }
}

impl fmt::Display for InvalidProgram {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Program => formatter.write_str("the program")?,
            Place::Value(name) => write!(formatter, "value `{name}`")?,
            Place::Step(name) => write!(formatter, "step `{name}`")?,
        }
        if let Some(tensor) = &self.tensor {
            write!(formatter, ", tensor `{tensor}`")?;
        }
        write!(formatter, ": {}", self.reason)
    }
}

impl std::error::Error for InvalidProgram {}

/// Why a program must not run.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum Reason {
    /// More of something than any network needs.
    #[error("more than {max} {what}, which no program may have")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The limit.
        max: usize,
    },
    /// A shape with a side of 0, too many axes, a batch, or more bytes than fit.
    #[error("the shape {shape:?} is empty, has a batch, or is larger than a value may be")]
    Shape {
        /// As given.
        shape: Vec<usize>,
    },
    /// A float value with a scale or zero point.
    #[error("an F32 value has no scale and no zero point")]
    FloatWithScale,
    /// Neither one scale nor one a channel.
    #[error("{count} scales are neither one nor one for each of {channels} channels")]
    ScaleCount {
        /// As given.
        count: usize,
        /// The value's last axis.
        channels: usize,
    },
    /// A scale that is 0, negative, subnormal or no number.
    #[error("the scale {0:e} is not a normal number above 0")]
    Scale(f32),
    /// A zero point that no I8 holds.
    #[error("the zero point {0} is outside -128..=127")]
    ZeroPoint(i32),
    /// Activations are I8 or F32.
    #[error("an activation cannot be {0:?}; it is I8 or F32")]
    ValueType(DataType),
    /// A program without inputs or outputs.
    #[error("it has no {0}")]
    NoEnds(&'static str),
    /// An index beyond the list of values.
    #[error("there is no value number {0}")]
    NoSuchValue(usize),
    /// A name that must be unique.
    #[error("it appears twice; {0} must be unique")]
    Twice(&'static str),
    /// A step that reads what is only made later, or never.
    #[error("it reads `{0}`, which no earlier step writes; steps must stand in order of execution")]
    NotYetKnown(String),
    /// A step whose result exists already.
    #[error("it writes `{0}`, which is an input or was written by an earlier step")]
    WrittenTwice(String),
    /// An output that no step writes.
    #[error("it is an output, but no step writes it")]
    NeverWritten,
    /// A number of inputs that the operator does not take.
    #[error("it has {count} inputs; its operator takes {wanted}")]
    InputCount {
        /// As given.
        count: usize,
        /// How many there may be.
        wanted: &'static str,
    },
    /// An input or a result of a type that the operator does not take.
    #[error("`{value}` is {data_type:?}, which its operator does not take there")]
    OperandType {
        /// Which one.
        value: String,
        /// Its type.
        data_type: DataType,
    },
    /// An input or a result of a shape that does not follow from the others.
    #[error("`{value}` has the shape {shape:?}; {wanted}")]
    OperandShape {
        /// Which one.
        value: String,
        /// Its shape.
        shape: Vec<usize>,
        /// What it should be.
        wanted: String,
    },
    /// An operand with a scale for each channel where one for the whole tensor is needed.
    #[error("`{0}` has a scale for each channel; its operator needs one for the whole value")]
    ChannelScales(String),
    /// A result whose steps are not its input's.
    #[error("`{0}` and the result must share scale and zero point: its operator only moves elements")]
    Grid(String),
    /// A form of activation that does not go with something else.
    #[error("this form of activation does not go with {0}")]
    Form(&'static str),
    /// A slope out of bounds.
    #[error("the slope {0} is out of bounds: it lies between 0 and 1")]
    Slope(f32),
    /// Shifts of a bump out of bounds.
    #[error("the shifts {0} and {1} are out of bounds: the index's is 1..=8, the fraction's 0..=8")]
    Shifts(u32, u32),
    /// A gain that is 0 or negative.
    #[error("channel {channel}: the gain {gain} is not above 0")]
    Gain {
        /// Output channel.
        channel: usize,
        /// As stored.
        gain: i16,
    },
    /// A window with sides out of bounds.
    #[error("the window {0} is out of bounds: kernel and stride 1..=64, padding below the kernel")]
    Window(String),
    /// Depthwise over so few channels that their stride is 4.
    #[error("an INT8 depthwise convolution needs more than 4 channels, not {0}; keep the layer in F16")]
    FewChannels(usize),
    /// An empty range of results.
    #[error("the lower bound {0} is above the upper bound {1}, or one of them is no number")]
    Bounds(f32, f32),
    /// A padded cell that is infinite or no number.
    #[error("the pad value {0} is not finite")]
    PadValue(f32),
    /// An axis beyond the shape.
    #[error("there is no axis {0}")]
    Axis(usize),
    /// A tensor that is named and not there.
    #[error("it is missing")]
    NoSuchTensor,
    /// A tensor of another type or shape than the step needs.
    #[error("it is {data_type:?} {shape:?}, but must be {wanted_type:?} {wanted:?}")]
    TensorShape {
        /// Its type.
        data_type: DataType,
        /// Its shape.
        shape: Vec<usize>,
        /// The type that it must have.
        wanted_type: DataType,
        /// The shape that it must have.
        wanted: Vec<usize>,
    },
    /// The AVX2 kernels multiply pairs of weights in 16 bits.
    #[error("the weight at {0} is -128; weights are -127..=127")]
    WeightRange(usize),
    /// A weight that would read the bytes beyond the channels.
    #[error("the weight at {0} meets a padding channel and is not 0")]
    PaddingWeight(usize),
    /// The stored sum is not the weights' sum.
    #[error("channel {channel}: the weights sum to {sum}, but {stored} is stored")]
    ColumnSum {
        /// Output channel.
        channel: usize,
        /// Of its weights.
        sum: i64,
        /// As stored.
        stored: i32,
    },
    /// Bias and weights could leave 32 bits.
    #[error("channel {0}: bias and weights could overflow a 32-bit sum")]
    Accumulator(usize),
    /// A bad requantisation scale.
    #[error("channel {channel}: the scale {scale:e} is not a normal number above 0")]
    ChannelScale {
        /// Output channel.
        channel: usize,
        /// As stored.
        scale: f32,
    },
    /// A float that is infinite or no number.
    #[error("the element at {0} is not finite")]
    NotFinite(usize),
}
