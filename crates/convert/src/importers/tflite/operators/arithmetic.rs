//! Sums and products of activations and constants.

use clawdbot_nn::graph::{Activation, Op, Quantization, ValueId, Window};

use super::activations::fused;
use super::{Call, Fault, name_of, push_activated, require_shape, shape_of};
use crate::importers::tflite::builder::Builder;

/// What an operator of two operands has.
enum Operands {
    /// Two activations.
    Both(usize, usize),
    /// An activation and a constant; whether the constant stands first.
    Constant { x: usize, constant: usize, first: bool },
}

fn operands(builder: &Builder<'_, '_>, call: &Call<'_, '_>) -> Result<Operands, Fault> {
    let (a, b) = (call.input(0)?, call.input(1)?);
    match (builder.is_constant(a), builder.is_constant(b)) {
        (false, false) => Ok(Operands::Both(a, b)),
        (false, true) => Ok(Operands::Constant { x: a, constant: b, first: false }),
        (true, false) => Ok(Operands::Constant { x: b, constant: a, first: true }),
        (true, true) => Err(Fault::Unsupported(" of two constants".to_owned())),
    }
}

pub(super) fn add(builder: &mut Builder<'_, '_>, call: &Call<'_, '_>) -> Result<(), Fault> {
    let activation = fused(&call.options()?, 0)?;
    match operands(builder, call)? {
        Operands::Both(a, b) => {
            require_alike(builder, call, a, b)?;
            let inputs = vec![builder.activation(a)?, builder.activation(b)?];
            builder.push(Op::Add { activation }, inputs, call.output)
        }
        Operands::Constant { x, constant, .. } => {
            let offsets = per_channel(builder, x, constant)?;
            let value = builder.activation(x)?;
            add_offsets(builder, call, (x, value), offsets, activation)
        }
    }
}

pub(super) fn subtract(builder: &mut Builder<'_, '_>, call: &Call<'_, '_>) -> Result<(), Fault> {
    let activation = fused(&call.options()?, 0)?;
    match operands(builder, call)? {
        Operands::Both(a, b) => {
            require_alike(builder, call, a, b)?;
            let (a, b) = (builder.activation(a)?, negated(builder, call, b)?);
            builder.push(Op::Add { activation }, vec![a, b], call.output)
        }
        Operands::Constant { x, constant, first: false } => {
            let offsets = per_channel(builder, x, constant)?.into_iter().map(|offset| -offset).collect();
            let value = builder.activation(x)?;
            add_offsets(builder, call, (x, value), offsets, activation)
        }
        Operands::Constant { x, constant, first: true } => {
            let offsets = per_channel(builder, x, constant)?;
            let value = negated(builder, call, x)?;
            add_offsets(builder, call, (x, value), offsets, activation)
        }
    }
}

pub(super) fn multiply(builder: &mut Builder<'_, '_>, call: &Call<'_, '_>) -> Result<(), Fault> {
    let activation = fused(&call.options()?, 0)?;
    match operands(builder, call)? {
        Operands::Both(a, b) => {
            let is_pixel = |tensor| matches!(shape_of(builder, tensor), [1, 1, 1, _]);
            // A factor for each channel of a picture stands second in the graph.
            let (x, factors) = if is_pixel(a) && !is_pixel(b) { (b, a) } else { (a, b) };
            if !(is_pixel(factors) && shape_of(builder, x).last() == shape_of(builder, factors).last()) {
                require_alike(builder, call, x, factors)?;
            }
            require_shape(builder, call.output, shape_of(builder, x))?;
            let inputs = vec![builder.activation(x)?, builder.activation(factors)?];
            push_activated(builder, call, Op::Multiply, inputs, activation)
        }
        Operands::Constant { x, constant, .. } => {
            let factors = per_channel(builder, x, constant)?;
            multiply_by(builder, call, x, factors, activation)
        }
    }
}

pub(super) fn divide(builder: &mut Builder<'_, '_>, call: &Call<'_, '_>) -> Result<(), Fault> {
    let activation = fused(&call.options()?, 0)?;
    let Operands::Constant { x, constant, first: false } = operands(builder, call)? else {
        return Err(Fault::Unsupported(" by an activation".to_owned()));
    };
    let factors: Vec<f32> = per_channel(builder, x, constant)?.into_iter().map(f32::recip).collect();
    if factors.iter().any(|factor| !factor.is_finite()) {
        return Err(Fault::Bad("it divides by zero".to_owned()));
    }
    multiply_by(builder, call, x, factors, activation)
}

pub(super) fn negate(builder: &mut Builder<'_, '_>, call: &Call<'_, '_>) -> Result<(), Fault> {
    multiply_by(builder, call, call.input(0)?, vec![-1.0], Activation::None)
}

pub(super) fn maximum(builder: &mut Builder<'_, '_>, call: &Call<'_, '_>) -> Result<(), Fault> {
    clip(builder, call, |bound| Activation::Clip { low: bound, high: f32::INFINITY })
}

pub(super) fn minimum(builder: &mut Builder<'_, '_>, call: &Call<'_, '_>) -> Result<(), Fault> {
    clip(builder, call, |bound| Activation::Clip { low: f32::NEG_INFINITY, high: bound })
}

fn clip(builder: &mut Builder<'_, '_>, call: &Call<'_, '_>, activation: fn(f32) -> Activation) -> Result<(), Fault> {
    let Operands::Constant { x, constant, .. } = operands(builder, call)? else {
        return Err(Fault::Unsupported(" of two activations".to_owned()));
    };
    let (shape, bounds) = builder.float_constant(constant)?;
    let [bound] = bounds[..] else {
        return Err(Fault::Unsupported(format!(" with a bound of the shape {shape:?}")));
    };
    require_shape(builder, call.output, shape_of(builder, x))?;
    let x = builder.activation(x)?;
    builder.push(Op::Activate(activation(bound)), vec![x], call.output)
}

fn require_alike(builder: &Builder<'_, '_>, call: &Call<'_, '_>, a: usize, b: usize) -> Result<(), Fault> {
    let (of_a, of_b) = (shape_of(builder, a), shape_of(builder, b));
    if of_a != of_b {
        return Err(Fault::Unsupported(format!(" of the unlike shapes {of_a:?} and {of_b:?}")));
    }
    require_shape(builder, call.output, of_a)
}

/// A value of the negative of what `tensor` holds.
fn negated(builder: &mut Builder<'_, '_>, call: &Call<'_, '_>, tensor: usize) -> Result<ValueId, Fault> {
    let x = builder.activation(tensor)?;
    let shape = shape_of(builder, tensor).to_vec();
    let name = format!("{} minus {}", name_of(builder, call.output), name_of(builder, tensor));
    let negative = builder.new_value(name.clone(), shape);
    // The mirrored grid holds every step's negative: -scale (q - z) = scale (q' - z') with q' = -1 - q, z' = -1 - z.
    if let Some(grid) = builder.graph.quantizations.get(&x) {
        let grid = Quantization { scale: grid.scale.clone(), zero_point: -1 - grid.zero_point };
        builder.graph.quantizations.insert(negative, grid);
    }
    let factor = builder.new_constant(format!("{name} factor"), vec![1], vec![-1.0])?;
    builder.push_value(Op::Multiply, vec![x, factor], negative);
    Ok(negative)
}

/// Adding a constant a channel to a picture is a depthwise 1x1 convolution with weights of 1.
fn add_offsets(
    builder: &mut Builder<'_, '_>,
    call: &Call<'_, '_>,
    (x, value): (usize, ValueId),
    offsets: Vec<f32>,
    activation: Activation,
) -> Result<(), Fault> {
    let shape = shape_of(builder, x);
    require_shape(builder, call.output, shape)?;
    let name = name_of(builder, call.output);
    if let &[1, _, _, channels] = shape {
        builder.reserve(2 * channels)?;
        let weights = builder.new_constant(format!("{name} ones"), vec![1, 1, channels], vec![1.0; channels])?;
        let bias = builder.new_constant(format!("{name} bias"), vec![channels], offsets)?;
        let window = Window { kernel: [1, 1], stride: [1, 1], padding: [0; 4] };
        return builder.push(Op::DepthwiseConvolution { window, activation }, vec![value, weights, bias], call.output);
    }
    let offsets = builder.new_constant(format!("{name} offsets"), vec![offsets.len()], offsets)?;
    builder.push(Op::Add { activation }, vec![value, offsets], call.output)
}

fn multiply_by(
    builder: &mut Builder<'_, '_>,
    call: &Call<'_, '_>,
    x: usize,
    factors: Vec<f32>,
    activation: Activation,
) -> Result<(), Fault> {
    require_shape(builder, call.output, shape_of(builder, x))?;
    let value = builder.activation(x)?;
    let name = format!("{} factors", name_of(builder, call.output));
    let factors = builder.new_constant(name, vec![factors.len()], factors)?;
    push_activated(builder, call, Op::Multiply, vec![value, factors], activation)
}

/// A constant that broadcasts over all axes of `x` but the last, as one element a channel.
fn per_channel(builder: &mut Builder<'_, '_>, x: usize, constant: usize) -> Result<Vec<f32>, Fault> {
    let channels = shape_of(builder, x).last().copied().unwrap_or(1);
    builder.reserve(channels)?;
    let (shape, elements) = builder.float_constant(constant)?;
    match elements[..] {
        [element] => Ok(vec![element; channels]),
        _ if elements.len() == channels && shape.last() == Some(&channels) => Ok(elements),
        _ => Err(Fault::Unsupported(format!(" by a constant of the shape {shape:?} for {channels} channels"))),
    }
}
