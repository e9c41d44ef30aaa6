//! Changes of precision. The graph is float, so that they vanish: a value keeps the first grid that the file gives it.

use super::{Call, Fault, name_of, require_shape, shape_of};
use crate::importers::tflite::builder::Builder;
use crate::importers::tflite::schema::ElementType;

/// From floats to a grid, or from one grid to another. What reads the second grid reads the first instead, which lies
/// nearer to the reals.
pub(super) fn quantize(builder: &mut Builder<'_, '_>, call: &Call<'_, '_>) -> Result<(), Fault> {
    builder.require_activation(call.output)?;
    pass(builder, call)
}

/// FP16 and INT8 constants are widened while importing, so that the operator vanishes.
pub(super) fn dequantize(builder: &mut Builder<'_, '_>, call: &Call<'_, '_>) -> Result<(), Fault> {
    let input = call.input(0)?;
    if !builder.is_constant(input) {
        return pass(builder, call);
    }
    let (shape, elements) = builder.float_constant(input)?;
    require_shape(builder, call.output, &shape)?;
    let value = builder.new_constant(name_of(builder, call.output), shape, elements)?;
    builder.alias_dequantized(call.output, input, value);
    Ok(())
}

/// Bytes without a scale that become floats.
pub(super) fn cast(builder: &mut Builder<'_, '_>, call: &Call<'_, '_>) -> Result<(), Fault> {
    let [from, to] = [call.input(0)?, call.output].map(|tensor| builder.model.tensors[tensor].element_type);
    let bare = builder.model.tensors[call.input(0)?].quantization.is_none();
    match (from, to) {
        (ElementType::UInt8 | ElementType::Int8, ElementType::Float32) if bare => pass(builder, call),
        (ElementType::Float32, ElementType::Float32) => pass(builder, call),
        _ => Err(Fault::Unsupported(format!(" from {} to {}", from.name(), to.name()))),
    }
}

fn pass(builder: &mut Builder<'_, '_>, call: &Call<'_, '_>) -> Result<(), Fault> {
    let value = builder.activation(call.input(0)?)?;
    require_shape(builder, call.output, shape_of(builder, call.input(0)?))?;
    builder.annotate(value, call.output);
    builder.alias(call.output, value);
    Ok(())
}
