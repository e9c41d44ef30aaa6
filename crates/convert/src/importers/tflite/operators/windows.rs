//! What slides over rows and columns: the windows of convolutions, pools, means, and padding.

use clawdbot_nn::graph::{Op, Window};

use super::activations::fused;
use super::{Call, Fault, push_activated, rank4, require_shape, shape_of};
use crate::importers::tflite::builder::Builder;
use crate::importers::tflite::flatbuffer::Table;

/// No stride, dilation, or padding on a side is longer.
const CELLS_MAX: i32 = 1 << 16;

/// What a window's numbers depend on beside an operator's options.
pub(super) struct Layout {
    /// Rows and columns of the input.
    pub(super) input: [usize; 2],
    /// Of the kernel as it is stored, without a dilation's holes.
    pub(super) kernel: [usize; 2],
    /// The field of the dilation's width, before that of its height; `None` for pools.
    pub(super) dilation_field: Option<usize>,
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

fn side(cells: i32) -> Option<usize> {
    usize::try_from(cells).ok().filter(|_| (1..=CELLS_MAX).contains(&cells))
}

/// Reads padding, strides and dilation; answers the window (holes of the dilation included), the dilation, and the
/// output's rows and columns.
pub(super) fn window(options: &Table<'_>, layout: &Layout) -> Result<(Window, [usize; 2], [usize; 2]), Fault> {
    let same = match options.i8(0, "padding", 0)? {
        0 => true,
        1 => false,
        other => return Err(Fault::Bad(format!("its padding has the unknown number {other}"))),
    };
    let (stride_w, stride_h) = (options.i32(1, "stride_w", 0)?, options.i32(2, "stride_h", 0)?);
    let (Some(down), Some(right)) = (side(stride_h), side(stride_w)) else {
        return Err(Fault::Bad(format!("its strides are {stride_h} and {stride_w}")));
    };
    let mut dilation = [1, 1];
    if let Some(field) = layout.dilation_field {
        let (wide, high) =
            (options.i32(field, "dilation_w_factor", 1)?, options.i32(field + 1, "dilation_h_factor", 1)?);
        let (Some(wide), Some(high)) = (side(wide), side(high)) else {
            return Err(Fault::Bad(format!("its dilation is {high}x{wide}")));
        };
        dilation = [high, wide];
    }
    let kernel = [0, 1].map(|axis| (layout.kernel[axis] - 1).saturating_mul(dilation[axis]).saturating_add(1));
    let (top, bottom, rows) = slide(layout.input[0], kernel[0], down, same)?;
    let (left, end, columns) = slide(layout.input[1], kernel[1], right, same)?;
    Ok((Window { kernel, stride: [down, right], padding: [top, left, bottom, end] }, dilation, [rows, columns]))
}

/// The window of a pool over the first input, checked against the result's shape.
fn pool_window(builder: &Builder<'_, '_>, call: &Call<'_, '_>) -> Result<Window, Fault> {
    let [_, height, width, channels] = rank4(builder, call.input(0)?)?;
    let options = call.options()?;
    let (wide, high) = (options.i32(3, "filter_width", 0)?, options.i32(4, "filter_height", 0)?);
    let (Some(kernel_width), Some(kernel_height)) = (side(wide), side(high)) else {
        return Err(Fault::Bad(format!("its filter is {high}x{wide}")));
    };
    let layout = Layout { input: [height, width], kernel: [kernel_height, kernel_width], dilation_field: None };
    let (window, _, [rows, columns]) = window(&options, &layout)?;
    require_shape(builder, call.output, &[1, rows, columns, channels])?;
    Ok(window)
}

pub(super) fn max_pool(builder: &mut Builder<'_, '_>, call: &Call<'_, '_>) -> Result<(), Fault> {
    let x = builder.activation(call.input(0)?)?;
    let window = pool_window(builder, call)?;
    let activation = fused(&call.options()?, 5)?;
    push_activated(builder, call, Op::MaxPool(window), vec![x], activation)
}

/// The mean of what lies under the window; padding does not count. A window over everything is a global pool.
pub(super) fn average_pool(builder: &mut Builder<'_, '_>, call: &Call<'_, '_>) -> Result<(), Fault> {
    let x = builder.activation(call.input(0)?)?;
    let window = pool_window(builder, call)?;
    let activation = fused(&call.options()?, 5)?;
    let whole = window.kernel == shape_of(builder, call.input(0)?)[1..3] && window.padding == [0; 4];
    let op = if whole { Op::GlobalAveragePool } else { Op::AveragePool { window, padding_counts: false } };
    push_activated(builder, call, op, vec![x], activation)
}

pub(super) fn mean(builder: &mut Builder<'_, '_>, call: &Call<'_, '_>) -> Result<(), Fault> {
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

/// Zeros around rows and columns, and behind the channels. The graph has only the first; channels that are always 0 come
/// from a 1x1 convolution that copies the others.
pub(super) fn pad(builder: &mut Builder<'_, '_>, call: &Call<'_, '_>) -> Result<(), Fault> {
    let mut x = builder.activation(call.input(0)?)?;
    let [_, height, width, channels] = rank4(builder, call.input(0)?)?;
    let cells = builder.integer_constant(call.input(1)?)?;
    let &[0, 0, top, bottom, left, right, 0, more] = &cells[..] else {
        return Err(Fault::Unsupported(format!(
            " with the cells {cells:?} (rows and columns can be padded, and channels behind the last)"
        )));
    };
    if let Some(value) = call.operator.inputs.get(2).copied().flatten() {
        let (_, value) = builder.float_constant(value)?;
        if value != [0.0] {
            return Err(Fault::Unsupported(format!(" with {value:?}")));
        }
    }
    let side = |cells: i32| {
        let checked = usize::try_from(cells).ok().filter(|_| cells <= CELLS_MAX);
        checked.ok_or_else(|| Fault::Bad(format!("it pads by {cells} cells")))
    };
    let cells = [side(top)?, side(left)?, side(bottom)?, side(right)?];
    let more = side(more)?;
    let [rows, columns] = [height + cells[0] + cells[2], width + cells[1] + cells[3]];
    require_shape(builder, call.output, &[1, rows, columns, channels + more])?;
    if more == 0 {
        return builder.push(Op::Pad(cells), vec![x], call.output);
    }
    if cells != [0; 4] {
        let around = builder.new_value_like(call.output, "around", vec![1, rows, columns, channels]);
        builder.push_value(Op::Pad(cells), vec![x], around);
        x = around;
    }
    let inputs = widening(builder, call, channels, more)?;
    let window = Window { kernel: [1, 1], stride: [1, 1], padding: [0; 4] };
    let activation = clawdbot_nn::graph::Activation::None;
    let op = Op::Convolution { window, activation, pad_value: 0.0, residual: false };
    builder.push(op, vec![x, inputs[0], inputs[1]], call.output)
}

/// Weights and bias of a 1x1 convolution that copies `channels` and adds `more` zeros.
fn widening(
    builder: &mut Builder<'_, '_>,
    call: &Call<'_, '_>,
    channels: usize,
    more: usize,
) -> Result<[clawdbot_nn::graph::ValueId; 2], Fault> {
    let n = channels + more;
    builder.reserve(n.saturating_mul(channels + 1))?;
    let mut copies = vec![0.0; n * channels];
    copies.iter_mut().step_by(channels + 1).take(channels).for_each(|weight| *weight = 1.0);
    let name = builder.model.tensors[call.output].name.to_owned();
    let weights = builder.new_constant(format!("{name} copies"), vec![n, 1, 1, channels], copies)?;
    let bias = builder.new_constant(format!("{name} zeros"), vec![n], vec![0.0; n])?;
    Ok([weights, bias])
}
