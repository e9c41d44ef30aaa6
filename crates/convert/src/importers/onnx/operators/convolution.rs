//! Convolutions. What the graph has no operator for, groups and dilation, becomes zeros in the weights where it stays small.

use clawdbot_nn::graph::{Activation, Op, Quantization, Window};

use super::super::array::{Array, Grid};
use super::super::builder::{Builder, Known};
use super::super::layout::View;
use super::{Call, Fault};

/// No kernel is higher or wider, no step longer, no border broader.
const CELLS_MAX: usize = 1 << 12;
/// Weights that are made dense or dilated may hold so many elements: 4 MiB of floats.
const EXPANDED_MAX: usize = 1 << 20;

/// Rows and columns of `x` and of what a window makes of it.
pub(super) struct Sliding {
    pub(super) window: Window,
    pub(super) output: [usize; 2],
}

/// A pair of sizes from an attribute, each from 1.
pub(super) fn pair(call: &Call<'_, '_>, attribute: &str, default: [usize; 2]) -> Result<[usize; 2], Fault> {
    let Some(all) = call.node.integers(attribute)? else { return Ok(default) };
    let size = |&size: &i64| usize::try_from(size).ok().filter(|size| (1..=CELLS_MAX).contains(size));
    let sizes: Option<Vec<usize>> = all.iter().map(size).collect();
    match sizes.as_deref() {
        Some(&[rows, columns]) => Ok([rows, columns]),
        Some(&[_]) | Some(&[_, _, _]) => Err(Fault::Unsupported(format!(" in {} dimensions", all.len()))),
        _ => Err(Fault::Bad(format!("its {attribute} is {all:?}"))),
    }
}

/// A window of `kernel` (as spread as dilation makes it) over `sides` rows and columns.
pub(super) fn sliding(call: &Call<'_, '_>, sides: [usize; 2], kernel: [usize; 2]) -> Result<Sliding, Fault> {
    let stride = pair(call, "strides", [1, 1])?;
    let spread = |axis: usize| {
        let output = sides[axis].div_ceil(stride[axis]);
        ((output - 1) * stride[axis] + kernel[axis]).saturating_sub(sides[axis])
    };
    let padding = match call.node.text("auto_pad")?.unwrap_or("NOTSET") {
        "NOTSET" => explicit(call)?,
        "VALID" => [0; 4],
        "SAME_UPPER" => [spread(0) / 2, spread(1) / 2, spread(0).div_ceil(2), spread(1).div_ceil(2)],
        "SAME_LOWER" => [spread(0).div_ceil(2), spread(1).div_ceil(2), spread(0) / 2, spread(1) / 2],
        other => return Err(Fault::Bad(format!("its auto_pad is {other:?}"))),
    };
    let places = |axis: usize| {
        let room = sides[axis] + padding[axis] + padding[axis + 2];
        room.checked_sub(kernel[axis]).map(|rest| rest / stride[axis] + 1)
    };
    match (places(0), places(1)) {
        (Some(rows), Some(columns)) => {
            Ok(Sliding { window: Window { kernel, stride, padding }, output: [rows, columns] })
        }
        _ => Err(Fault::Bad(format!(
            "its window of {kernel:?} cells is larger than its operand of {sides:?} with padding"
        ))),
    }
}

/// The attribute `pads`: top, left, bottom, right.
fn explicit(call: &Call<'_, '_>) -> Result<[usize; 4], Fault> {
    let Some(all) = call.node.integers("pads")? else { return Ok([0; 4]) };
    let cells = |&cells: &i64| usize::try_from(cells).ok().filter(|&cells| cells <= CELLS_MAX);
    let cells: Option<Vec<usize>> = all.iter().map(cells).collect();
    match cells.as_deref() {
        Some(&[top, left, bottom, right]) => Ok([top, left, bottom, right]),
        _ => Err(Fault::Unsupported(format!(" with the pads {all:?}"))),
    }
}

/// The grid of weights whose output channels lie along `axis`, if the file's scales are along it too.
pub(super) fn weight_grid(grid: Option<&Grid>, axis: usize, channels: usize) -> Option<Quantization> {
    let grid = grid?;
    let fits = grid.scales.len() == 1 || (grid.axis == axis && grid.scales.len() == channels);
    fits.then(|| Quantization { scale: grid.scales.clone(), zero_point: 0 })
}

/// Weights `[n][c][rows][columns]`, `c` for each of `groups`.
struct Weights {
    n: usize,
    c: usize,
    kernel: [usize; 2],
    elements: Vec<f32>,
}

pub(super) fn convolution<'a>(builder: &mut Builder<'_, 'a>, call: &Call<'_, 'a>) -> Result<(), Fault> {
    let x = builder.picture(call.input(0)?)?;
    let array = builder.constant(call.input(1)?)?;
    let &[n, c, rows, columns] = &array.shape[..] else {
        return Err(Fault::Unsupported(format!(" with weights of the shape {:?} (only two dimensions)", array.shape)));
    };
    if n == 0 || c == 0 || !(1..=CELLS_MAX).contains(&rows) || !(1..=CELLS_MAX).contains(&columns) {
        return Err(Fault::Bad(format!("its weights have the shape {:?}", array.shape)));
    }
    if pair(call, "kernel_shape", [rows, columns])? != [rows, columns] {
        return Err(Fault::Bad(format!("its kernel_shape is not that of its weights, {:?}", array.shape)));
    }
    let groups = usize::try_from(call.integer_or("group", 1)?).unwrap_or(0);
    let channels = x.shape[1];
    if groups == 0 || c.checked_mul(groups) != Some(channels) || !n.is_multiple_of(groups) {
        return Err(Fault::Bad(format!(
            "its weights {:?} in {groups} groups do not fit its operand's {channels} channels",
            array.shape
        )));
    }
    let bias = match call.optional(2) {
        Some(name) => builder.constant(name)?.to_floats(),
        None => vec![0.0; n],
    };
    if bias.len() != n {
        return Err(Fault::Bad(format!("its bias has {} elements for {n} channels", bias.len())));
    }
    let weights = Weights { n, c, kernel: [rows, columns], elements: array.to_floats() };
    let weights = dilate(builder, call, weights)?;
    let sliding = sliding(call, [x.shape[2], x.shape[3]], weights.kernel)?;
    let grid = weight_grid(array.grid.as_ref(), 0, n);
    let is_depthwise = groups == channels && n == channels && groups > 1;
    let name = call.output()?;
    let window = sliding.window;
    let (op, shape, elements) = if is_depthwise {
        let [rows, columns] = weights.kernel;
        let op = Op::DepthwiseConvolution { window, activation: Activation::None };
        (op, vec![rows, columns, n], depthwise_order(&weights))
    } else {
        let weights = dense(builder, weights, groups)?;
        let [rows, columns] = weights.kernel;
        let op = Op::Convolution { window, activation: Activation::None, pad_value: 0.0, residual: false };
        (op, vec![n, rows, columns, channels], dense_order(&weights))
    };
    let weights = builder.new_constant(format!("{name} weights"), shape, elements, grid)?;
    let bias = builder.new_constant(format!("{name} bias"), vec![n], bias, None)?;
    let value = builder.materialise(&x)?;
    let [rows, columns] = sliding.output;
    let result = builder.emit(call.name()?, name, op, vec![value, weights, bias], vec![1, rows, columns, n])?;
    let view = View::picture(result, vec![1, n, rows, columns]);
    builder.define(name, Known::Activation(view)).map_err(Fault::from)
}

/// Zeros between the cells of the kernel.
fn dilate(builder: &mut Builder<'_, '_>, call: &Call<'_, '_>, weights: Weights) -> Result<Weights, Fault> {
    let dilations = pair(call, "dilations", [1, 1])?;
    if dilations == [1, 1] || weights.kernel == [1, 1] {
        return Ok(weights);
    }
    let Weights { n, c, kernel: [rows, columns], elements } = weights;
    let kernel = [(rows - 1) * dilations[0] + 1, (columns - 1) * dilations[1] + 1];
    let count = require_small(n * c, kernel, || format!(" with the dilation {dilations:?} of a kernel this large"))?;
    builder.spend(count)?;
    let mut spread = vec![0.0; count];
    for (at, &weight) in elements.iter().enumerate() {
        let (plane, row, column) = (at / (rows * columns), at / columns % rows, at % columns);
        spread[(plane * kernel[0] + row * dilations[0]) * kernel[1] + column * dilations[1]] = weight;
    }
    Ok(Weights { n, c, kernel, elements: spread })
}

/// How many elements `planes` of a kernel hold, if that is not too many.
fn require_small(planes: usize, kernel: [usize; 2], form: impl Fn() -> String) -> Result<usize, Fault> {
    let count = planes.checked_mul(kernel[0]).and_then(|count| count.checked_mul(kernel[1]));
    count.filter(|&count| count <= EXPANDED_MAX).ok_or_else(|| Fault::Unsupported(form()))
}

/// Zeros for the channels of other groups.
fn dense(builder: &mut Builder<'_, '_>, weights: Weights, groups: usize) -> Result<Weights, Fault> {
    if groups == 1 {
        return Ok(weights);
    }
    let Weights { n, c, kernel, elements } = weights;
    let channels = c * groups;
    let count = require_small(n * channels, kernel, || format!(" with {groups} groups of so many channels"))?;
    builder.spend(count)?;
    let plane = kernel[0] * kernel[1];
    let mut whole = vec![0.0; count];
    for (at, cells) in elements.chunks_exact(plane).enumerate() {
        let (output, input) = (at / c, at % c);
        let group = output / (n / groups);
        let start = (output * channels + group * c + input) * plane;
        whole[start..start + plane].copy_from_slice(cells);
    }
    Ok(Weights { n, c: channels, kernel, elements: whole })
}

/// `[n][c][rows][columns]` to `[n][rows][columns][c]`.
fn dense_order(weights: &Weights) -> Vec<f32> {
    let [rows, columns] = weights.kernel;
    let array = Array::floats(vec![weights.n, weights.c, rows, columns], weights.elements.clone());
    array.permuted(&[0, 2, 3, 1]).to_floats()
}

/// `[channels][1][rows][columns]` to `[rows][columns][channels]`.
fn depthwise_order(weights: &Weights) -> Vec<f32> {
    let array = Array::floats(vec![weights.n, weights.kernel[0] * weights.kernel[1]], weights.elements.clone());
    array.permuted(&[1, 0]).to_floats()
}
