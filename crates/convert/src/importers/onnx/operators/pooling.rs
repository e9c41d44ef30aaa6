//! Pools, and reductions over rows and columns, which are pools too.

use clawdbot_nn::graph::{Op, Window};

use super::super::builder::{Builder, Known};
use super::super::layout::View;
use super::convolution::{Sliding, pair, sliding};
use super::{Call, Fault, axis};

pub(super) fn maximum<'a>(builder: &mut Builder<'_, 'a>, call: &Call<'_, 'a>) -> Result<(), Fault> {
    if call.node.outputs.len() > 1 {
        return Err(Fault::Unsupported(" with places as a second result".to_owned()));
    }
    let x = builder.picture(call.input(0)?)?;
    let (sliding, _) = window(call, &x)?;
    pool(builder, call, &x, Op::MaxPool(sliding.window), sliding.output)
}

pub(super) fn average<'a>(builder: &mut Builder<'_, 'a>, call: &Call<'_, 'a>) -> Result<(), Fault> {
    let x = builder.picture(call.input(0)?)?;
    let (sliding, is_wider) = window(call, &x)?;
    let padding_counts = call.integer_or("count_include_pad", 0)? != 0;
    if padding_counts && is_wider {
        return Err(Fault::Unsupported(" where padding counts and ceil_mode adds cells that do not".to_owned()));
    }
    pool(builder, call, &x, Op::AveragePool { window: sliding.window, padding_counts }, sliding.output)
}

fn pool<'a>(
    builder: &mut Builder<'_, 'a>,
    call: &Call<'_, 'a>,
    x: &View,
    op: Op,
    [rows, columns]: [usize; 2],
) -> Result<(), Fault> {
    let source = builder.materialise(x)?;
    let channels = x.shape[1];
    let value = builder.emit(call.name()?, call.output()?, op, vec![source], vec![1, rows, columns, channels])?;
    let view = View::picture(value, vec![1, channels, rows, columns]);
    builder.define(call.output()?, Known::Activation(view)).map_err(Fault::from)
}

/// The window of a pool, and whether `ceil_mode` makes it look beyond the padding.
fn window(call: &Call<'_, '_>, x: &View) -> Result<(Sliding, bool), Fault> {
    let kernel =
        call.node.integers("kernel_shape")?.ok_or_else(|| Fault::Bad("it lacks its kernel_shape".to_owned()))?;
    if kernel.len() != 2 {
        return Err(Fault::Unsupported(format!(" in {} dimensions", kernel.len())));
    }
    let kernel = pair(call, "kernel_shape", [1, 1])?;
    if pair(call, "dilations", [1, 1])? != [1, 1] {
        return Err(Fault::Unsupported(" with dilation".to_owned()));
    }
    let sides = [x.shape[2], x.shape[3]];
    let mut sliding = sliding(call, sides, kernel)?;
    let mut is_wider = false;
    let Window { stride, padding, .. } = sliding.window;
    if (0..4).any(|side| padding[side] >= kernel[side % 2]) {
        return Err(Fault::Bad(format!("its pads {padding:?} are not smaller than its window of {kernel:?}")));
    }
    if call.integer_or("ceil_mode", 0)? != 0 {
        for axis in 0..2 {
            let room = sides[axis] + padding[axis] + padding[axis + 2];
            let mut places = (room - kernel[axis]).div_ceil(stride[axis]) + 1;
            // A window must begin inside.
            if (places - 1) * stride[axis] >= sides[axis] + padding[axis] {
                places -= 1;
            }
            let missing = ((places - 1) * stride[axis] + kernel[axis]).saturating_sub(room);
            sliding.output[axis] = places;
            sliding.window.padding[axis + 2] += missing;
            is_wider |= missing > 0;
        }
    }
    Ok((sliding, is_wider))
}

pub(super) fn global_average<'a>(builder: &mut Builder<'_, 'a>, call: &Call<'_, 'a>) -> Result<(), Fault> {
    let x = builder.picture(call.input(0)?)?;
    pool(builder, call, &x, Op::GlobalAveragePool, [1, 1])
}

pub(super) fn global_maximum<'a>(builder: &mut Builder<'_, 'a>, call: &Call<'_, 'a>) -> Result<(), Fault> {
    let x = builder.picture(call.input(0)?)?;
    pool(builder, call, &x, whole_maximum(&x), [1, 1])
}

fn whole_maximum(x: &View) -> Op {
    Op::MaxPool(Window { kernel: [x.shape[2], x.shape[3]], stride: [1, 1], padding: [0; 4] })
}

pub(super) fn reduce_mean<'a>(builder: &mut Builder<'_, 'a>, call: &Call<'_, 'a>) -> Result<(), Fault> {
    reduce(builder, call, |_| Op::GlobalAveragePool)
}

pub(super) fn reduce_maximum<'a>(builder: &mut Builder<'_, 'a>, call: &Call<'_, 'a>) -> Result<(), Fault> {
    reduce(builder, call, whole_maximum)
}

/// Over rows and columns, whichever of the file's axes those are.
fn reduce<'a>(builder: &mut Builder<'_, 'a>, call: &Call<'_, 'a>, op: fn(&View) -> Op) -> Result<(), Fault> {
    let x = builder.activation(call.input(0)?)?;
    let rank = x.shape.len();
    let axes = call.integers(builder, "axes", 1)?.unwrap_or_default();
    let mut axes = axes.iter().map(|&number| axis(number, rank)).collect::<Result<Vec<usize>, _>>()?;
    axes.sort_unstable();
    axes.dedup();
    let others: Vec<usize> = (1..rank).filter(|axis| !axes.contains(axis)).collect();
    let (&[first, second], &[channels]) = (&axes[..], &others[..]) else {
        return Err(Fault::Unsupported(format!(" over the axes {axes:?} of {:?} (only rows and columns)", x.shape)));
    };
    if x.shape[0] != 1 || first == 0 {
        return Err(Fault::Unsupported(format!(" over the axes {axes:?} of {:?} (only rows and columns)", x.shape)));
    }
    // As if the file's order were NCHW.
    let picture = x.transpose(&[0, channels, first, second]);
    let picture = builder.arrange(&picture, &super::super::layout::PICTURE)?;
    let source = builder.materialise(&picture)?;
    let count = picture.shape[1];
    let value = builder.emit(call.name()?, call.output()?, op(&picture), vec![source], vec![1, 1, 1, count])?;
    let mut kept = vec![1; rank];
    kept[channels] = count;
    let view = View::picture(value, vec![1, count, 1, 1]);
    let shape = if call.integer_or("keepdims", 1)? != 0 { kept } else { vec![1, count] };
    let view = builder.reshape(&view, &shape)?;
    builder.define(call.output()?, Known::Activation(view)).map_err(Fault::from)
}
