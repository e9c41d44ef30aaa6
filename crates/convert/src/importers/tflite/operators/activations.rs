//! Elementwise functions, and softmax.

use clawdbot_nn::graph::{Activation, Op};

use super::{Call, Fault, require_shape, shape_of};
use crate::importers::tflite::builder::Builder;
use crate::importers::tflite::flatbuffer::Table;

/// RELU_N1_TO_1.
pub(super) const MINUS_ONE_TO_ONE: Activation = Activation::Clip { low: -1.0, high: 1.0 };

/// The activation that an operator applies to its own result.
pub(super) fn fused(options: &Table<'_>, field: usize) -> Result<Activation, Fault> {
    match options.i8(field, "fused_activation_function", 0)? {
        0 => Ok(Activation::None),
        1 => Ok(Activation::Relu),
        2 => Ok(MINUS_ONE_TO_ONE),
        3 => Ok(Activation::Relu6),
        4 => Err(Fault::Unsupported(" with a fused TANH".to_owned())),
        other => Err(Fault::Unsupported(format!(" with the fused activation number {other}"))),
    }
}

pub(super) fn plain(builder: &mut Builder<'_, '_>, call: &Call<'_, '_>, activation: Activation) -> Result<(), Fault> {
    elementwise(builder, call, Op::Activate(activation))
}

fn elementwise(builder: &mut Builder<'_, '_>, call: &Call<'_, '_>, op: Op) -> Result<(), Fault> {
    let x = builder.activation(call.input(0)?)?;
    require_shape(builder, call.output, shape_of(builder, call.input(0)?))?;
    builder.push(op, vec![x], call.output)
}

pub(super) fn gelu(builder: &mut Builder<'_, '_>, call: &Call<'_, '_>) -> Result<(), Fault> {
    if call.options()?.u8(0, "approximate", 0)? != 0 {
        return Err(Fault::Unsupported(" in its approximate form".to_owned()));
    }
    plain(builder, call, Activation::Gelu)
}

pub(super) fn leaky_relu(builder: &mut Builder<'_, '_>, call: &Call<'_, '_>) -> Result<(), Fault> {
    let slope = call.options()?.f32(0, "alpha", 0.0)?;
    plain(builder, call, leaky(slope)?)
}

pub(super) fn prelu(builder: &mut Builder<'_, '_>, call: &Call<'_, '_>) -> Result<(), Fault> {
    let (_, slopes) = builder.float_constant(call.input(1)?)?;
    match slopes.split_first() {
        Some((&slope, rest)) if rest.iter().all(|&other| other.to_bits() == slope.to_bits()) => {
            plain(builder, call, leaky(slope)?)
        }
        _ => Err(Fault::Unsupported(format!(" with {} unlike slopes", slopes.len()))),
    }
}

fn leaky(slope: f32) -> Result<Activation, Fault> {
    match slope {
        0.0 => Ok(Activation::Relu),
        slope if slope > 0.0 && slope < 1.0 => Ok(Activation::Leaky(slope)),
        _ => Err(Fault::Unsupported(format!(" with the slope {slope}"))),
    }
}

#[expect(clippy::float_cmp, reason = "a beta that is not exactly 1 is another function")]
pub(super) fn softmax(builder: &mut Builder<'_, '_>, call: &Call<'_, '_>) -> Result<(), Fault> {
    let beta = call.options()?.f32(0, "beta", 0.0)?;
    if beta != 1.0 {
        return Err(Fault::Unsupported(format!(" with the beta {beta}")));
    }
    if shape_of(builder, call.input(0)?).is_empty() {
        return Err(Fault::Bad("its input is a scalar".to_owned()));
    }
    elementwise(builder, call, Op::Softmax)
}
