//! One function an operator: checks its shapes and adds its node.

mod activations;
mod arithmetic;
mod convolutions;
mod detection;
mod precision;
mod resize;
mod shapes;
mod windows;

use clawdbot_nn::graph::{Activation, Op, ValueId};

use super::TfliteError;
use super::builder::Builder;
use super::flatbuffer::{FlatbufferError, Table};
use super::schema::Operator;

/// What is wrong with an operator; the builder adds which.
pub(super) enum Fault {
    /// It exists, but not here; how it differs from the supported form, with a leading blank, or nothing.
    Unsupported(String),
    /// It contradicts itself.
    Bad(String),
    /// Not its own fault. (Boxed: errors carry names.)
    File(Box<TfliteError>),
}

impl From<TfliteError> for Fault {
    fn from(error: TfliteError) -> Self {
        Self::File(Box::new(error))
    }
}

impl From<FlatbufferError> for Fault {
    fn from(error: FlatbufferError) -> Self {
        Self::from(TfliteError::from(error))
    }
}

/// An operator with what every kind of it needs.
struct Call<'o, 'a> {
    operator: &'o Operator<'a>,
    /// The first result, and for most the only one.
    output: usize,
}

impl<'a> Call<'_, 'a> {
    fn input(&self, position: usize) -> Result<usize, Fault> {
        let input = self.operator.inputs.get(position).copied().flatten();
        input.ok_or_else(|| Fault::Bad(format!("it lacks input {position}")))
    }

    fn options(&self) -> Result<Table<'a>, Fault> {
        self.operator.options.ok_or_else(|| Fault::Bad("it lacks its options".to_owned()))
    }
}

/// Adds `operator` to the graph.
pub(super) fn add(builder: &mut Builder<'_, '_>, operator: &Operator<'_>) -> Result<(), Fault> {
    let kind = operator.kind.as_str();
    let Some(function) = function(kind) else { return Err(Fault::Unsupported(String::new())) };
    let count = operator.outputs.len();
    let several = matches!(kind, "SPLIT" | "SPLIT_V" | "UNPACK") || kind == detection::KIND;
    match operator.outputs.first() {
        Some(&output) if several || count == 1 => function(builder, &Call { operator, output }),
        _ => Err(Fault::Bad(format!("it has {count} results, where one is expected"))),
    }
}

/// Whether operators of `kind` are supported in one form or another.
pub(super) fn is_known(kind: &str) -> bool {
    function(kind).is_some()
}

type Function = fn(&mut Builder<'_, '_>, &Call<'_, '_>) -> Result<(), Fault>;

/// What reads an operator of `kind`.
fn function(kind: &str) -> Option<Function> {
    Some(match kind {
        "CONV_2D" => convolutions::convolution,
        "DEPTHWISE_CONV_2D" => convolutions::depthwise,
        "FULLY_CONNECTED" => convolutions::fully_connected,
        "ADD" => arithmetic::add,
        "SUB" => arithmetic::subtract,
        "MUL" => arithmetic::multiply,
        "DIV" => arithmetic::divide,
        "NEG" => arithmetic::negate,
        "MAXIMUM" => arithmetic::maximum,
        "MINIMUM" => arithmetic::minimum,
        "PAD" | "PADV2" => windows::pad,
        "MEAN" => windows::mean,
        "AVERAGE_POOL_2D" => windows::average_pool,
        "MAX_POOL_2D" => windows::max_pool,
        "RELU" => |builder, call| activations::plain(builder, call, Activation::Relu),
        "RELU6" => |builder, call| activations::plain(builder, call, Activation::Relu6),
        "RELU_N1_TO_1" => |builder, call| activations::plain(builder, call, activations::MINUS_ONE_TO_ONE),
        "LOGISTIC" => |builder, call| activations::plain(builder, call, Activation::Logistic),
        "TANH" => |builder, call| activations::plain(builder, call, Activation::Tanh),
        "HARD_SWISH" => |builder, call| activations::plain(builder, call, Activation::HardSwish),
        "GELU" => activations::gelu,
        "LEAKY_RELU" => activations::leaky_relu,
        "PRELU" => activations::prelu,
        "SOFTMAX" => activations::softmax,
        "RESHAPE" | "SQUEEZE" | "EXPAND_DIMS" => shapes::reshape,
        "CONCATENATION" => shapes::concatenate,
        "PACK" => shapes::pack,
        "UNPACK" => shapes::unpack,
        "SPLIT" => shapes::split,
        "SPLIT_V" => shapes::split_by_sizes,
        "SLICE" => shapes::slice,
        "STRIDED_SLICE" => shapes::strided_slice,
        "TRANSPOSE" => shapes::transpose,
        "SPACE_TO_DEPTH" => shapes::space_to_depth,
        "DEPTH_TO_SPACE" => shapes::depth_to_space,
        "RESIZE_BILINEAR" => resize::bilinear,
        "RESIZE_NEAREST_NEIGHBOR" => resize::nearest,
        "QUANTIZE" => precision::quantize,
        "DEQUANTIZE" => precision::dequantize,
        "CAST" => precision::cast,
        detection::KIND => detection::post_process,
        _ => return None,
    })
}

/// The name of a value, for a constant made beside it.
fn name_of(builder: &Builder<'_, '_>, tensor: usize) -> String {
    builder.model.tensors[tensor].name.to_owned()
}

fn shape_of<'m>(builder: &Builder<'m, '_>, tensor: usize) -> &'m [usize] {
    &builder.model.tensors[tensor].shape
}

fn require_shape(builder: &Builder<'_, '_>, output: usize, computed: &[usize]) -> Result<(), Fault> {
    let declared = shape_of(builder, output);
    if declared == computed {
        return Ok(());
    }
    Err(Fault::Bad(format!("its result is declared as {declared:?}, but its inputs make {computed:?}")))
}

fn rank4(builder: &Builder<'_, '_>, tensor: usize) -> Result<[usize; 4], Fault> {
    let shape = shape_of(builder, tensor);
    let shape = <[usize; 4]>::try_from(shape).map_err(|_| {
        Fault::Bad(format!("`{}` has the shape {shape:?}, where four axes are expected", name_of(builder, tensor)))
    })?;
    if shape[0] == 1 { Ok(shape) } else { Err(Fault::Unsupported(format!(" with a batch of {}", shape[0]))) }
}

/// An axis of `rank` that may be counted from the end.
fn checked_axis(axis: i32, rank: usize) -> Result<usize, Fault> {
    let distance = usize::try_from(axis.unsigned_abs()).unwrap_or(usize::MAX);
    let axis = if axis < 0 { rank.checked_sub(distance) } else { Some(distance) };
    let axis = axis.filter(|&axis| axis < rank);
    axis.ok_or_else(|| Fault::Bad(format!("its axis is not one of its input's {rank}")))
}

/// A node followed, where there is one, by an activation that its operator cannot do itself.
fn push_activated(
    builder: &mut Builder<'_, '_>,
    call: &Call<'_, '_>,
    op: Op,
    inputs: Vec<ValueId>,
    activation: Activation,
) -> Result<(), Fault> {
    if activation == Activation::None {
        return builder.push(op, inputs, call.output);
    }
    let bare = builder.new_value_like(call.output, "before its activation", shape_of(builder, call.output).to_vec());
    builder.push_value(op, inputs, bare);
    builder.push(Op::Activate(activation), vec![bare], call.output)
}
