//! Layers with weights.

use clawdbot_nn::graph::{Op, ValueId, Window};
use clawdbot_nn::tensor::Elements;

use super::activations::fused;
use super::windows::{Layout, window};
use super::{Call, Fault, name_of, rank4, require_shape, shape_of};
use crate::importers::tflite::builder::Builder;
use crate::importers::tflite::constants::activation_grid;

/// Up to so many channels a depthwise layer with a multiplier becomes a dense one with zeros in it, which costs no more
/// than its padding to the kernels' four; beyond, its input is repeated.
const DENSE_CHANNELS_MAX: usize = 4;

/// A layer's weights under way into the graph.
struct Weights {
    shape: Vec<usize>,
    elements: Vec<f32>,
    /// Their steps, one an output channel.
    scale: Option<Vec<f32>>,
}

pub(super) fn convolution(builder: &mut Builder<'_, '_>, call: &Call<'_, '_>) -> Result<(), Fault> {
    let x = builder.activation(call.input(0)?)?;
    let [_, height, width, channels] = rank4(builder, call.input(0)?)?;
    let (shape, elements) = builder.float_constant(call.input(1)?)?;
    let &[n, kernel_height, kernel_width, depth] = &shape[..] else {
        return Err(Fault::Bad(format!("its weights have the shape {shape:?}, where four axes are expected")));
    };
    if depth != channels {
        return if channels.is_multiple_of(depth) {
            Err(Fault::Unsupported(format!(" with {} groups", channels / depth)))
        } else {
            Err(Fault::Bad(format!("its weights take {depth} channels, its input has {channels}")))
        };
    }
    let options = call.options()?;
    let layout = Layout { input: [height, width], kernel: [kernel_height, kernel_width], dilation_field: Some(4) };
    let (window, dilation, [rows, columns]) = window(&options, &layout)?;
    require_shape(builder, call.output, &[1, rows, columns, n])?;
    let scale = builder.weight_scales(call.input(1)?, 0, n);
    let weights = spread(builder, Weights { shape, elements, scale }, 1, dilation)?;
    let bias = bias(builder, call, n, weights.scale.as_deref())?;
    let activation = fused(&options, 3)?;
    let inputs = weighted_inputs(builder, call, x, weights, bias)?;
    builder.push(Op::Convolution { window, activation, pad_value: 0.0, residual: false }, inputs, call.output)
}

pub(super) fn depthwise(builder: &mut Builder<'_, '_>, call: &Call<'_, '_>) -> Result<(), Fault> {
    let mut x = builder.activation(call.input(0)?)?;
    let [_, height, width, channels] = rank4(builder, call.input(0)?)?;
    let (shape, elements) = builder.float_constant(call.input(1)?)?;
    let &[1, kernel_height, kernel_width, depth] = &shape[..] else {
        return Err(Fault::Bad(format!(
            "its weights have the shape {shape:?}, where [1, rows, columns, channels] is expected"
        )));
    };
    if !depth.is_multiple_of(channels) {
        return Err(Fault::Bad(format!("its weights take {depth} channels, its input has {channels}")));
    }
    let options = call.options()?;
    let layout = Layout { input: [height, width], kernel: [kernel_height, kernel_width], dilation_field: Some(5) };
    let (window, dilation, [rows, columns]) = window(&options, &layout)?;
    require_shape(builder, call.output, &[1, rows, columns, depth])?;
    let scale = builder.weight_scales(call.input(1)?, 3, depth);
    let weights = Weights { shape: vec![kernel_height, kernel_width, depth], elements, scale };
    let mut weights = spread(builder, weights, 0, dilation)?;
    let bias = bias(builder, call, depth, weights.scale.as_deref())?;
    let activation = fused(&options, 4)?;
    let multiplier = depth / channels;
    let dense = multiplier > 1 && channels <= DENSE_CHANNELS_MAX;
    if dense {
        weights = dense_weights(builder, weights, channels)?;
    } else if multiplier > 1 {
        x = repeated(builder, call, x, [height, width, channels], multiplier);
    }
    let inputs = weighted_inputs(builder, call, x, weights, bias)?;
    let op = if dense {
        Op::Convolution { window, activation, pad_value: 0.0, residual: false }
    } else {
        Op::DepthwiseConvolution { window, activation }
    };
    builder.push(op, inputs, call.output)
}

/// Depthwise weights `[Kh][Kw][N]` over `channels` as dense ones `[N][Kh][Kw][C]`.
fn dense_weights(builder: &mut Builder<'_, '_>, weights: Weights, channels: usize) -> Result<Weights, Fault> {
    let [high, wide, n] = weights.shape[..] else { return Ok(weights) };
    let (taps, multiplier) = (high * wide, n / channels);
    builder.reserve(taps * n * channels)?;
    let mut elements = vec![0.0; taps * n * channels];
    for (at, &weight) in weights.elements.iter().enumerate() {
        let (tap, output) = (at / n, at % n);
        elements[(output * taps + tap) * channels + output / multiplier] = weight;
    }
    Ok(Weights { shape: vec![n, high, wide, channels], elements, ..weights })
}

/// Each channel of x `multiplier` times: copies side by side, then shuffled to stand by each other.
fn repeated(
    builder: &mut Builder<'_, '_>,
    call: &Call<'_, '_>,
    x: ValueId,
    [height, width, channels]: [usize; 3],
    multiplier: usize,
) -> ValueId {
    let shape = vec![1, height, width, channels * multiplier];
    let input = call.operator.inputs.first().copied().flatten().unwrap_or(call.output);
    let copies = builder.new_value_like(input, "copies", shape.clone());
    builder.push_value(Op::Concatenate { axis: 3 }, vec![x; multiplier], copies);
    let shuffled = builder.new_value_like(input, "repeated", shape);
    builder.push_value(Op::ChannelShuffle { groups: multiplier }, vec![copies], shuffled);
    shuffled
}

/// Weights with the holes of a dilation written out; the two kernel axes begin at `axis`.
fn spread(
    builder: &mut Builder<'_, '_>,
    weights: Weights,
    axis: usize,
    dilation: [usize; 2],
) -> Result<Weights, Fault> {
    if dilation == [1, 1] {
        return Ok(weights);
    }
    let [high, wide] = [weights.shape[axis], weights.shape[axis + 1]];
    let [rows, columns] = [(high - 1) * dilation[0] + 1, (wide - 1) * dilation[1] + 1];
    let outer: usize = weights.shape[..axis].iter().product();
    let inner: usize = weights.shape[axis + 2..].iter().product();
    let count = [outer, rows, columns, inner].iter().try_fold(1_usize, |product, &side| product.checked_mul(side));
    let count = count.ok_or_else(|| Fault::Bad("its dilated kernel is too large".to_owned()))?;
    builder.reserve(count)?;
    let mut elements = vec![0.0; count];
    for (at, row) in weights.elements.chunks_exact(inner).enumerate() {
        let (slice, tap) = (at / (high * wide), at % (high * wide));
        let place = (slice * rows + tap / wide * dilation[0]) * columns + tap % wide * dilation[1];
        elements[place * inner..][..inner].copy_from_slice(row);
    }
    let mut shape = weights.shape;
    [shape[axis], shape[axis + 1]] = [rows, columns];
    Ok(Weights { shape, elements, scale: weights.scale })
}

/// A fully connected layer is a 1x1 convolution over the rows of its input, between two changes of shape where they are
/// needed.
pub(super) fn fully_connected(builder: &mut Builder<'_, '_>, call: &Call<'_, '_>) -> Result<(), Fault> {
    let mut x = builder.activation(call.input(0)?)?;
    let (shape, elements) = builder.float_constant(call.input(1)?)?;
    let &[n, k] = &shape[..] else {
        return Err(Fault::Bad(format!("its weights have the shape {shape:?}, where two axes are expected")));
    };
    let options = call.options()?;
    if options.i8(1, "weights_format", 0)? != 0 {
        return Err(Fault::Unsupported(" with shuffled weights".to_owned()));
    }
    let input_shape = shape_of(builder, call.input(0)?);
    let count: usize = input_shape.iter().product();
    if !count.is_multiple_of(k) {
        return Err(Fault::Bad(format!("its weights take {k} elements, its input has the shape {input_shape:?}")));
    }
    let rows = count / k;
    let output_shape = shape_of(builder, call.output);
    if Some(output_shape.iter().product::<usize>()) != rows.checked_mul(n) {
        return Err(Fault::Bad(format!("it makes {rows} x {n} elements, its result has the shape {output_shape:?}")));
    }
    let scale = builder.weight_scales(call.input(1)?, 0, n);
    let bias = bias(builder, call, n, scale.as_deref())?;
    let activation = fused(&options, 0)?;
    let pixels = vec![1, 1, rows, k];
    if input_shape != pixels {
        let flat = builder.new_value_like(call.input(0)?, "as pixels", pixels);
        builder.push_value(Op::Reshape, vec![x], flat);
        x = flat;
    }
    let weights = Weights { shape: vec![n, 1, 1, k], elements, scale };
    let inputs = weighted_inputs(builder, call, x, weights, bias)?;
    let window = Window { kernel: [1, 1], stride: [1, 1], padding: [0; 4] };
    let op = Op::Convolution { window, activation, pad_value: 0.0, residual: false };
    if output_shape == [1, 1, rows, n] {
        return builder.push(op, inputs, call.output);
    }
    let flat = builder.new_value_like(call.output, "as pixels", vec![1, 1, rows, n]);
    builder.push_value(op, inputs, flat);
    builder.push(Op::Reshape, vec![flat], call.output)
}

/// The third input, or zeros. Integers count steps of the input's scale times the weights', whatever scale the file
/// gives them: that is how they are added up.
#[expect(clippy::cast_possible_truncation, reason = "a float holds as much of a bias as matters")]
fn bias(
    builder: &mut Builder<'_, '_>,
    call: &Call<'_, '_>,
    count: usize,
    weight_scales: Option<&[f32]>,
) -> Result<Vec<f32>, Fault> {
    let Some(tensor) = call.operator.inputs.get(2).copied().flatten() else {
        builder.reserve(count)?;
        return Ok(vec![0.0; count]);
    };
    let constant = builder.constant(tensor)?;
    let elements = match constant.elements() {
        Elements::F32(elements) => elements.clone(),
        Elements::I32(steps) => {
            let input = activation_grid(&builder.model.tensors[call.input(0)?]);
            let (Some(input), Some(weights)) = (input, weight_scales) else {
                return Err(Fault::Bad("its bias is integer, but its input or its weights are not".to_owned()));
            };
            let scale = f64::from(input.scale.first().copied().unwrap_or(1.0));
            steps.iter().zip(weights).map(|(&q, &weight)| (f64::from(q) * scale * f64::from(weight)) as f32).collect()
        }
        Elements::I8(_) => return Err(Fault::Bad("its bias has bytes".to_owned())),
    };
    if elements.len() == count && constant.shape().iter().product::<usize>() == count {
        return Ok(elements);
    }
    let shape = constant.shape();
    Err(Fault::Bad(format!("its bias has the shape {shape:?}, where {count} elements are expected")))
}

/// Weights and bias as constants of the graph, beside the activation.
fn weighted_inputs(
    builder: &mut Builder<'_, '_>,
    call: &Call<'_, '_>,
    x: ValueId,
    weights: Weights,
    bias: Vec<f32>,
) -> Result<Vec<ValueId>, Fault> {
    let weights_name = name_of(builder, call.input(1)?);
    let bias_name = format!("{} bias", name_of(builder, call.output));
    let weights = builder.new_weights(weights_name, (weights.shape, weights.elements), weights.scale)?;
    let bias = builder.new_constant(bias_name, vec![bias.len()], bias)?;
    Ok(vec![x, weights, bias])
}
