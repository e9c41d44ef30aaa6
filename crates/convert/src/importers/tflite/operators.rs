//! One function an operator: checks its shapes and adds its node.

use clawdbot_nn::graph::{Activation, Op, ValueId, Window};

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
    let [output] = operator.outputs[..] else {
        return match operator.kind.as_str() {
            kind if KINDS.contains(&kind) => {
                Err(Fault::Bad(format!("it has {} results, where one is expected", operator.outputs.len())))
            }
            _ => Err(Fault::Unsupported(String::new())),
        };
    };
    let call = Call { operator, output };
    match operator.kind.as_str() {
        "CONV_2D" => convolution(builder, &call),
        "DEPTHWISE_CONV_2D" => depthwise(builder, &call),
        "FULLY_CONNECTED" => fully_connected(builder, &call),
        "ADD" => add_values(builder, &call),
        "MUL" => multiply(builder, &call),
        "PAD" => pad(builder, &call),
        "MEAN" => mean(builder, &call),
        "RELU" => elementwise(builder, &call, Op::Activate(Activation::Relu)),
        "RELU6" => elementwise(builder, &call, Op::Activate(Activation::Relu6)),
        "LOGISTIC" => elementwise(builder, &call, Op::Activate(Activation::Logistic)),
        "SOFTMAX" => softmax(builder, &call),
        "RESHAPE" | "SQUEEZE" => reshape(builder, &call),
        "CONCATENATION" => concatenate(builder, &call),
        "DEQUANTIZE" => dequantize(builder, &call),
        _ => Err(Fault::Unsupported(String::new())),
    }
}

const KINDS: [&str; 15] = [
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
    "FULLY_CONNECTED",
    "ADD",
    "MUL",
    "PAD",
    "MEAN",
    "RELU",
    "RELU6",
    "LOGISTIC",
    "SOFTMAX",
    "RESHAPE",
    "SQUEEZE",
    "CONCATENATION",
    "DEQUANTIZE",
];

fn activation(options: &Table<'_>, field: usize) -> Result<Activation, Fault> {
    match options.i8(field, "fused_activation_function", 0)? {
        0 => Ok(Activation::None),
        1 => Ok(Activation::Relu),
        3 => Ok(Activation::Relu6),
        2 => Err(Fault::Unsupported(" with a fused RELU_N1_TO_1".to_owned())),
        4 => Err(Fault::Unsupported(" with a fused TANH".to_owned())),
        other => Err(Fault::Unsupported(format!(" with the fused activation number {other}"))),
    }
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

/// Padding, stride and output size along one axis, as TensorFlow computes them: SAME yields ceil(input / stride) cells
/// and puts the odd cell of padding at the end.
fn slide(input: usize, kernel: usize, stride: usize, same: bool) -> Result<(usize, usize, usize), Fault> {
    if same {
        let output = input.div_ceil(stride);
        let padding = ((output - 1) * stride + kernel).saturating_sub(input);
        Ok((padding / 2, padding - padding / 2, output))
    } else if input >= kernel {
        Ok((0, 0, (input - kernel) / stride + 1))
    } else {
        Err(Fault::Bad(format!("its kernel of {kernel} does not fit the input's {input} without padding")))
    }
}

/// Reads padding, strides and dilation of a (depthwise) convolution; answers the window and the output's rows, columns.
fn window(
    options: &Table<'_>,
    dilation_field: usize,
    input: [usize; 2],
    kernel: [usize; 2],
) -> Result<(Window, [usize; 2]), Fault> {
    let same = match options.i8(0, "padding", 0)? {
        0 => true,
        1 => false,
        other => return Err(Fault::Bad(format!("its padding has the unknown number {other}"))),
    };
    let (stride_w, stride_h) = (options.i32(1, "stride_w", 0)?, options.i32(2, "stride_h", 0)?);
    let side = |stride: i32| usize::try_from(stride).ok().filter(|stride| (1..=1 << 16).contains(stride));
    let (Some(down), Some(right)) = (side(stride_h), side(stride_w)) else {
        return Err(Fault::Bad(format!("its strides are {stride_h} and {stride_w}")));
    };
    let dilation_w = options.i32(dilation_field, "dilation_w_factor", 1)?;
    let dilation_h = options.i32(dilation_field + 1, "dilation_h_factor", 1)?;
    if (dilation_w, dilation_h) != (1, 1) {
        return Err(Fault::Unsupported(format!(" with the dilation {dilation_h}x{dilation_w}")));
    }
    let (top, bottom, rows) = slide(input[0], kernel[0], down, same)?;
    let (left, end, columns) = slide(input[1], kernel[1], right, same)?;
    Ok((Window { kernel, stride: [down, right], padding: [top, left, bottom, end] }, [rows, columns]))
}

/// The third input, or zeros.
fn bias(builder: &mut Builder<'_, '_>, call: &Call<'_, '_>, count: usize) -> Result<Vec<f32>, Fault> {
    let Some(tensor) = call.operator.inputs.get(2).copied().flatten() else { return Ok(vec![0.0; count]) };
    let (shape, elements) = builder.float_constant(tensor)?;
    if elements.len() == count {
        Ok(elements)
    } else {
        Err(Fault::Bad(format!("its bias has the shape {shape:?}, where {count} elements are expected")))
    }
}

/// Weights and bias as constants of the graph, beside the activation.
fn weighted_inputs(
    builder: &mut Builder<'_, '_>,
    call: &Call<'_, '_>,
    x: ValueId,
    weights: (Vec<usize>, Vec<f32>),
    bias: Vec<f32>,
) -> Result<Vec<ValueId>, Fault> {
    let weights_name = name_of(builder, call.input(1)?);
    let bias_name = format!("{} bias", name_of(builder, call.output));
    let weights = builder.new_constant(weights_name, weights.0, weights.1)?;
    let bias = builder.new_constant(bias_name, vec![bias.len()], bias)?;
    Ok(vec![x, weights, bias])
}

fn convolution(builder: &mut Builder<'_, '_>, call: &Call<'_, '_>) -> Result<(), Fault> {
    let x = builder.activation(call.input(0)?)?;
    let [_, height, width, channels] = rank4(builder, call.input(0)?)?;
    let (shape, weights) = builder.float_constant(call.input(1)?)?;
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
    let (window, [rows, columns]) = window(&options, 4, [height, width], [kernel_height, kernel_width])?;
    require_shape(builder, call.output, &[1, rows, columns, n])?;
    let bias = bias(builder, call, n)?;
    let activation = activation(&options, 3)?;
    let inputs = weighted_inputs(builder, call, x, (shape, weights), bias)?;
    builder.push(Op::Convolution { window, activation, pad_value: 0.0, residual: false }, inputs, call.output)
}

fn depthwise(builder: &mut Builder<'_, '_>, call: &Call<'_, '_>) -> Result<(), Fault> {
    let x = builder.activation(call.input(0)?)?;
    let [_, height, width, channels] = rank4(builder, call.input(0)?)?;
    let (shape, weights) = builder.float_constant(call.input(1)?)?;
    let &[1, kernel_height, kernel_width, depth] = &shape[..] else {
        return Err(Fault::Bad(format!(
            "its weights have the shape {shape:?}, where [1, rows, columns, channels] is expected"
        )));
    };
    if depth != channels {
        return if depth.is_multiple_of(channels) {
            Err(Fault::Unsupported(format!(" with the channel multiplier {}", depth / channels)))
        } else {
            Err(Fault::Bad(format!("its weights take {depth} channels, its input has {channels}")))
        };
    }
    let options = call.options()?;
    let (window, [rows, columns]) = window(&options, 5, [height, width], [kernel_height, kernel_width])?;
    require_shape(builder, call.output, &[1, rows, columns, channels])?;
    let bias = bias(builder, call, channels)?;
    let activation = activation(&options, 4)?;
    let weights = (vec![kernel_height, kernel_width, channels], weights);
    let inputs = weighted_inputs(builder, call, x, weights, bias)?;
    builder.push(Op::DepthwiseConvolution { window, activation }, inputs, call.output)
}

/// A fully connected layer is a 1x1 convolution over one pixel, between two changes of shape where they are needed.
fn fully_connected(builder: &mut Builder<'_, '_>, call: &Call<'_, '_>) -> Result<(), Fault> {
    let mut x = builder.activation(call.input(0)?)?;
    let (shape, weights) = builder.float_constant(call.input(1)?)?;
    let &[n, k] = &shape[..] else {
        return Err(Fault::Bad(format!("its weights have the shape {shape:?}, where two axes are expected")));
    };
    let options = call.options()?;
    if options.i8(1, "weights_format", 0)? != 0 {
        return Err(Fault::Unsupported(" with shuffled weights".to_owned()));
    }
    let input_shape = shape_of(builder, call.input(0)?);
    if input_shape.iter().product::<usize>() != k {
        return Err(Fault::Bad(format!("its weights take {k} elements, its input has the shape {input_shape:?}")));
    }
    let output_shape = shape_of(builder, call.output);
    if output_shape.iter().product::<usize>() != n {
        return Err(Fault::Bad(format!("it makes {n} elements, its result has the shape {output_shape:?}")));
    }
    let bias = bias(builder, call, n)?;
    let activation = activation(&options, 0)?;
    let pixel = vec![1, 1, 1, k];
    if input_shape != pixel {
        let flat = builder.new_value(format!("{} as pixel", name_of(builder, call.input(0)?)), pixel);
        builder.push_value(Op::Reshape, vec![x], flat);
        x = flat;
    }
    let inputs = weighted_inputs(builder, call, x, (vec![n, 1, 1, k], weights), bias)?;
    let window = Window { kernel: [1, 1], stride: [1, 1], padding: [0; 4] };
    let op = Op::Convolution { window, activation, pad_value: 0.0, residual: false };
    if output_shape == [1, 1, 1, n] {
        return builder.push(op, inputs, call.output);
    }
    let flat = builder.new_value(format!("{} as pixel", name_of(builder, call.output)), vec![1, 1, 1, n]);
    builder.push_value(op, inputs, flat);
    builder.push(Op::Reshape, vec![flat], call.output)
}

fn add_values(builder: &mut Builder<'_, '_>, call: &Call<'_, '_>) -> Result<(), Fault> {
    let (a, b) = (call.input(0)?, call.input(1)?);
    if builder.is_constant(a) || builder.is_constant(b) {
        return add_constant(builder, call);
    }
    let inputs = vec![builder.activation(a)?, builder.activation(b)?];
    if shape_of(builder, a) != shape_of(builder, b) {
        let (a, b) = (shape_of(builder, a), shape_of(builder, b));
        return Err(Fault::Unsupported(format!(" of the unlike shapes {a:?} and {b:?}")));
    }
    require_shape(builder, call.output, shape_of(builder, a))?;
    let activation = activation(&call.options()?, 0)?;
    builder.push(Op::Add { activation }, inputs, call.output)
}

/// Adding a constant a channel is a depthwise 1x1 convolution with weights of 1.
fn add_constant(builder: &mut Builder<'_, '_>, call: &Call<'_, '_>) -> Result<(), Fault> {
    let (x, constant) = activation_and_constant(builder, call)?;
    let channels = rank4(builder, x)?[3];
    let bias = per_channel(builder, constant, channels)?;
    require_shape(builder, call.output, shape_of(builder, x))?;
    let activation = activation(&call.options()?, 0)?;
    let value = builder.activation(x)?;
    let name = name_of(builder, call.output);
    let weights = builder.new_constant(format!("{name} ones"), vec![1, 1, channels], vec![1.0; channels])?;
    let bias = builder.new_constant(format!("{name} bias"), vec![channels], bias)?;
    let window = Window { kernel: [1, 1], stride: [1, 1], padding: [0; 4] };
    builder.push(Op::DepthwiseConvolution { window, activation }, vec![value, weights, bias], call.output)
}

fn multiply(builder: &mut Builder<'_, '_>, call: &Call<'_, '_>) -> Result<(), Fault> {
    let (x, constant) = activation_and_constant(builder, call)?;
    let channels = shape_of(builder, x).last().copied().unwrap_or(1);
    let factors = per_channel(builder, constant, channels)?;
    require_shape(builder, call.output, shape_of(builder, x))?;
    let activation = activation(&call.options()?, 0)?;
    let value = builder.activation(x)?;
    let name = name_of(builder, call.output);
    let factors = builder.new_constant(format!("{name} factors"), vec![channels], factors)?;
    if activation == Activation::None {
        return builder.push(Op::Multiply, vec![value, factors], call.output);
    }
    let product = builder.new_value(format!("{name} product"), shape_of(builder, x).to_vec());
    builder.push_value(Op::Multiply, vec![value, factors], product);
    builder.push(Op::Activate(activation), vec![product], call.output)
}

fn activation_and_constant(builder: &Builder<'_, '_>, call: &Call<'_, '_>) -> Result<(usize, usize), Fault> {
    let (a, b) = (call.input(0)?, call.input(1)?);
    match (builder.is_constant(a), builder.is_constant(b)) {
        (false, true) => Ok((a, b)),
        (true, false) => Ok((b, a)),
        (false, false) => Err(Fault::Unsupported(" of two activations".to_owned())),
        (true, true) => Err(Fault::Unsupported(" of two constants".to_owned())),
    }
}

/// A constant that broadcasts over all axes but the last, as one element a channel.
fn per_channel(builder: &mut Builder<'_, '_>, tensor: usize, channels: usize) -> Result<Vec<f32>, Fault> {
    let (shape, elements) = builder.float_constant(tensor)?;
    match elements[..] {
        [element] => Ok(vec![element; channels]),
        _ if elements.len() == channels && shape.last() == Some(&channels) => Ok(elements),
        _ => Err(Fault::Unsupported(format!(" by a constant of the shape {shape:?} for {channels} channels"))),
    }
}

fn pad(builder: &mut Builder<'_, '_>, call: &Call<'_, '_>) -> Result<(), Fault> {
    let x = builder.activation(call.input(0)?)?;
    let [_, height, width, channels] = rank4(builder, call.input(0)?)?;
    let cells = builder.integer_constant(call.input(1)?)?;
    let &[0, 0, top, bottom, left, right, 0, 0] = &cells[..] else {
        return Err(Fault::Unsupported(format!(" with the cells {cells:?} (only rows and columns can be padded)")));
    };
    let side = |cells: i32| {
        let checked = usize::try_from(cells).ok().filter(|&cells| cells <= 1 << 16);
        checked.ok_or_else(|| Fault::Bad(format!("it pads by {cells} cells")))
    };
    let cells = [side(top)?, side(left)?, side(bottom)?, side(right)?];
    let padded = [1, height + cells[0] + cells[2], width + cells[1] + cells[3], channels];
    require_shape(builder, call.output, &padded)?;
    builder.push(Op::Pad(cells), vec![x], call.output)
}

fn mean(builder: &mut Builder<'_, '_>, call: &Call<'_, '_>) -> Result<(), Fault> {
    let x = builder.activation(call.input(0)?)?;
    let channels = rank4(builder, call.input(0)?)?[3];
    let mut axes = builder.integer_constant(call.input(1)?)?;
    for axis in &mut axes {
        *axis = if *axis < 0 { axis.saturating_add(4) } else { *axis };
    }
    axes.sort_unstable();
    if axes != [1, 2] {
        return Err(Fault::Unsupported(format!(" over the axes {axes:?}")));
    }
    let keep = call.options()?.u8(0, "keep_dims", 0)? != 0;
    let shape = if keep { vec![1, 1, 1, channels] } else { vec![1, channels] };
    require_shape(builder, call.output, &shape)?;
    builder.push(Op::GlobalAveragePool, vec![x], call.output)
}

fn elementwise(builder: &mut Builder<'_, '_>, call: &Call<'_, '_>, op: Op) -> Result<(), Fault> {
    let x = builder.activation(call.input(0)?)?;
    require_shape(builder, call.output, shape_of(builder, call.input(0)?))?;
    builder.push(op, vec![x], call.output)
}

#[expect(clippy::float_cmp, reason = "a beta that is not exactly 1 is another function")]
fn softmax(builder: &mut Builder<'_, '_>, call: &Call<'_, '_>) -> Result<(), Fault> {
    let beta = call.options()?.f32(0, "beta", 0.0)?;
    if beta != 1.0 {
        return Err(Fault::Unsupported(format!(" with the beta {beta}")));
    }
    if shape_of(builder, call.input(0)?).is_empty() {
        return Err(Fault::Bad("its input is a scalar".to_owned()));
    }
    elementwise(builder, call, Op::Softmax)
}

fn reshape(builder: &mut Builder<'_, '_>, call: &Call<'_, '_>) -> Result<(), Fault> {
    let x = builder.activation(call.input(0)?)?;
    let (from, to) = (shape_of(builder, call.input(0)?), shape_of(builder, call.output));
    if from.iter().product::<usize>() != to.iter().product::<usize>() {
        return Err(Fault::Bad(format!("its input has the shape {from:?}, its result {to:?}: not the same elements")));
    }
    builder.push(Op::Reshape, vec![x], call.output)
}

fn concatenate(builder: &mut Builder<'_, '_>, call: &Call<'_, '_>) -> Result<(), Fault> {
    let options = call.options()?;
    if activation(&options, 1)? != Activation::None {
        return Err(Fault::Unsupported(" with a fused activation".to_owned()));
    }
    let mut shape = shape_of(builder, call.input(0)?).to_vec();
    let axis = options.i32(0, "axis", 0)?;
    let distance = usize::try_from(axis.unsigned_abs()).unwrap_or(usize::MAX);
    let axis = if axis < 0 { shape.len().checked_sub(distance) } else { Some(distance) };
    let axis = axis.filter(|&axis| axis < shape.len());
    let axis = axis.ok_or_else(|| Fault::Bad(format!("its axis is not one of its input's {}", shape.len())))?;
    let mut inputs = Vec::new();
    shape[axis] = 0;
    for position in 0..call.operator.inputs.len() {
        let input = call.input(position)?;
        inputs.push(builder.activation(input)?);
        let part = shape_of(builder, input);
        let agree = part.len() == shape.len() && (0..shape.len()).all(|side| side == axis || part[side] == shape[side]);
        if !agree {
            return Err(Fault::Bad(format!(
                "its input {position} has the shape {part:?}, which does not fit the others'"
            )));
        }
        shape[axis] += part[axis];
    }
    require_shape(builder, call.output, &shape)?;
    builder.push(Op::Concatenate { axis }, inputs, call.output)
}

/// FP16 and INT8 constants are widened while importing, so that the operator vanishes.
fn dequantize(builder: &mut Builder<'_, '_>, call: &Call<'_, '_>) -> Result<(), Fault> {
    let input = call.input(0)?;
    if !builder.is_constant(input) {
        return Err(Fault::Unsupported(format!(" of `{}`, which is not a constant", name_of(builder, input))));
    }
    let (shape, elements) = builder.float_constant(input)?;
    require_shape(builder, call.output, &shape)?;
    let value = builder.new_constant(name_of(builder, call.output), shape, elements)?;
    builder.alias(call.output, value);
    Ok(())
}
