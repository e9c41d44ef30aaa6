//! What moves elements and changes none.

use clawdbot_nn::graph::{Activation, Op};

use super::activations::fused;
use super::{Call, Fault, checked_axis, rank4, require_shape, shape_of};
use crate::importers::tflite::builder::Builder;

/// A block of SPACE_TO_DEPTH has at most this side: its square is the number of slices that it becomes.
const BLOCK_MAX: usize = 8;

/// The shape is the one that the file declares for the result.
pub(super) fn reshape(builder: &mut Builder<'_, '_>, call: &Call<'_, '_>) -> Result<(), Fault> {
    let x = builder.activation(call.input(0)?)?;
    let (from, to) = (shape_of(builder, call.input(0)?), shape_of(builder, call.output));
    if from.iter().product::<usize>() != to.iter().product::<usize>() {
        return Err(Fault::Bad(format!("its input has the shape {from:?}, its result {to:?}: not the same elements")));
    }
    builder.push(Op::Reshape, vec![x], call.output)
}

pub(super) fn concatenate(builder: &mut Builder<'_, '_>, call: &Call<'_, '_>) -> Result<(), Fault> {
    let options = call.options()?;
    if fused(&options, 1)? != Activation::None {
        return Err(Fault::Unsupported(" with a fused activation".to_owned()));
    }
    let mut shape = shape_of(builder, call.input(0)?).to_vec();
    let axis = checked_axis(options.i32(0, "axis", 0)?, shape.len())?;
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

/// Stacks values along a new axis: each gets an axis of 1 there, then they are joined.
pub(super) fn pack(builder: &mut Builder<'_, '_>, call: &Call<'_, '_>) -> Result<(), Fault> {
    let part = shape_of(builder, call.input(0)?).to_vec();
    let axis = checked_axis(call.options()?.i32(1, "axis", 0)?, part.len() + 1)?;
    let mut shape = part.clone();
    shape.insert(axis, 1);
    let mut whole = shape.clone();
    whole[axis] = call.operator.inputs.len();
    require_shape(builder, call.output, &whole)?;
    let mut parts = Vec::new();
    for position in 0..call.operator.inputs.len() {
        let input = call.input(position)?;
        let x = builder.activation(input)?;
        if shape_of(builder, input) != part {
            return Err(Fault::Bad(format!("its input {position} has another shape than the first")));
        }
        let layer = builder.new_value_like(input, &format!("as layer {position}"), shape.clone());
        builder.push_value(Op::Reshape, vec![x], layer);
        parts.push(layer);
    }
    builder.push(Op::Concatenate { axis }, parts, call.output)
}

/// The layers along an axis, which vanishes.
pub(super) fn unpack(builder: &mut Builder<'_, '_>, call: &Call<'_, '_>) -> Result<(), Fault> {
    let x = builder.activation(call.input(0)?)?;
    let shape = shape_of(builder, call.input(0)?).to_vec();
    let axis = checked_axis(call.options()?.i32(1, "axis", 0)?, shape.len())?;
    let outputs = call.operator.outputs.clone();
    if shape[axis] != outputs.len() {
        return Err(Fault::Bad(format!("its axis has {} layers, it has {} results", shape[axis], outputs.len())));
    }
    let mut slice = shape.clone();
    slice[axis] = 1;
    let mut layer = slice.clone();
    layer.remove(axis);
    for (at, output) in outputs.into_iter().enumerate() {
        require_shape(builder, output, &layer)?;
        let mut begin = vec![0; shape.len()];
        begin[axis] = at;
        let part = builder.new_value_like(output, "as slice", slice.clone());
        builder.push_value(Op::Slice { begin, step: vec![1; shape.len()] }, vec![x], part);
        builder.push(Op::Reshape, vec![part], output)?;
    }
    Ok(())
}

pub(super) fn split(builder: &mut Builder<'_, '_>, call: &Call<'_, '_>) -> Result<(), Fault> {
    let count = call.operator.outputs.len();
    let axis = builder.integer_constant(call.input(0)?)?;
    let side = |length: usize| length.is_multiple_of(count).then(|| vec![length / count; count]);
    split_input(builder, call, 1, &axis, &side)
}

pub(super) fn split_by_sizes(builder: &mut Builder<'_, '_>, call: &Call<'_, '_>) -> Result<(), Fault> {
    let sizes = builder.integer_constant(call.input(1)?)?;
    let axis = builder.integer_constant(call.input(2)?)?;
    let sides = |length: usize| {
        let known: usize = sizes.iter().filter_map(|&size| usize::try_from(size).ok()).sum();
        let rest = length.checked_sub(known)?;
        Some(sizes.iter().map(|&size| usize::try_from(size).unwrap_or(rest)).collect::<Vec<_>>())
    };
    split_input(builder, call, 0, &axis, &sides)
}

/// Cuts the input at `position` along an axis into parts as `sides` says from its length.
fn split_input(
    builder: &mut Builder<'_, '_>,
    call: &Call<'_, '_>,
    position: usize,
    axis: &[i32],
    sides: &dyn Fn(usize) -> Option<Vec<usize>>,
) -> Result<(), Fault> {
    let x = builder.activation(call.input(position)?)?;
    let shape = shape_of(builder, call.input(position)?).to_vec();
    let &[axis] = axis else { return Err(Fault::Bad("its axis is not one number".to_owned())) };
    let axis = checked_axis(axis, shape.len())?;
    let sides = sides(shape[axis]).filter(|sides| sides.len() == call.operator.outputs.len());
    let Some(sides) = sides.filter(|sides| sides.iter().sum::<usize>() == shape[axis]) else {
        return Err(Fault::Bad(format!("its parts do not make up the {} of its axis", shape[axis])));
    };
    let mut start = 0;
    for (&output, side) in call.operator.outputs.iter().zip(sides) {
        let mut part = shape.clone();
        part[axis] = side;
        require_shape(builder, output, &part)?;
        let mut begin = vec![0; shape.len()];
        begin[axis] = start;
        start += side;
        builder.push(Op::Slice { begin, step: vec![1; shape.len()] }, vec![x], output)?;
    }
    Ok(())
}

pub(super) fn slice(builder: &mut Builder<'_, '_>, call: &Call<'_, '_>) -> Result<(), Fault> {
    let x = builder.activation(call.input(0)?)?;
    let (from, to) = (shape_of(builder, call.input(0)?), shape_of(builder, call.output));
    let begin = builder.integer_constant(call.input(1)?)?;
    let sizes = builder.integer_constant(call.input(2)?)?;
    let begin: Option<Vec<usize>> = begin.iter().map(|&at| usize::try_from(at).ok()).collect();
    let Some(begin) = begin.filter(|begin| begin.len() == from.len() && sizes.len() == from.len()) else {
        return Err(Fault::Bad("its beginning is negative, or has not as many axes as its input".to_owned()));
    };
    let sound = (0..from.len()).all(|axis| {
        let length = from[axis].checked_sub(begin[axis]);
        let size = if sizes[axis] == -1 { length } else { usize::try_from(sizes[axis]).ok() };
        size.is_some() && size <= length && to.get(axis).copied() == size
    });
    if !sound || to.len() != from.len() {
        return Err(Fault::Bad(format!("of {from:?} it takes {sizes:?} from {begin:?}, but its result is {to:?}")));
    }
    let step = vec![1; begin.len()];
    builder.push(Op::Slice { begin, step }, vec![x], call.output)
}

pub(super) fn strided_slice(builder: &mut Builder<'_, '_>, call: &Call<'_, '_>) -> Result<(), Fault> {
    let x = builder.activation(call.input(0)?)?;
    let from = shape_of(builder, call.input(0)?).to_vec();
    let begin = builder.integer_constant(call.input(1)?)?;
    let end = builder.integer_constant(call.input(2)?)?;
    let step = builder.integer_constant(call.input(3)?)?;
    let options = call.options()?;
    let mask = |field, name| options.i32(field, name, 0);
    if mask(2, "ellipsis_mask")? != 0 || mask(3, "new_axis_mask")? != 0 || options.u8(5, "offset", 0)? != 0 {
        return Err(Fault::Unsupported(" with an ellipsis, a new axis or an offset".to_owned()));
    }
    let (from_start, to_end, shrink) = (mask(0, "begin_mask")?, mask(1, "end_mask")?, mask(4, "shrink_axis_mask")?);
    let rank = from.len();
    if [begin.len(), end.len(), step.len()] != [rank; 3] || rank > 8 {
        return Err(Fault::Unsupported(format!(" of {} of its input's {rank} axes", begin.len())));
    }
    let mut starts = Vec::new();
    let mut steps = Vec::new();
    let mut sides = Vec::new();
    for axis in 0..rank {
        let has = |mask: i32| mask >> axis & 1 == 1;
        let Some(step) = usize::try_from(step[axis]).ok().filter(|&step| step > 0) else {
            return Err(Fault::Unsupported(format!(" with the step {}", step[axis])));
        };
        let start = if has(from_start) { 0 } else { place(begin[axis], from[axis]) };
        let end = if has(shrink) {
            start + 1
        } else if has(to_end) {
            from[axis]
        } else {
            place(end[axis], from[axis])
        };
        if start >= end || end > from[axis] {
            return Err(Fault::Bad(format!("it takes nothing of the {} of axis {axis}", from[axis])));
        }
        starts.push(start);
        steps.push(step);
        sides.push((end - start).div_ceil(step));
    }
    let op = Op::Slice { begin: starts, step: steps };
    if shrink == 0 {
        require_shape(builder, call.output, &sides)?;
        return builder.push(op, vec![x], call.output);
    }
    let kept: Vec<usize> = (0..rank).filter(|axis| shrink >> axis & 1 == 0).map(|axis| sides[axis]).collect();
    require_shape(builder, call.output, &kept)?;
    let part = builder.new_value_like(call.output, "as slice", sides);
    builder.push_value(op, vec![x], part);
    builder.push(Op::Reshape, vec![part], call.output)
}

/// A place on an axis, counted from the end if negative, within it.
fn place(at: i32, length: usize) -> usize {
    let distance = usize::try_from(at.unsigned_abs()).unwrap_or(usize::MAX);
    if at < 0 { length.saturating_sub(distance) } else { distance.min(length) }
}

pub(super) fn transpose(builder: &mut Builder<'_, '_>, call: &Call<'_, '_>) -> Result<(), Fault> {
    let x = builder.activation(call.input(0)?)?;
    let from = shape_of(builder, call.input(0)?);
    let order = builder.integer_constant(call.input(1)?)?;
    let order = order.iter().map(|&axis| checked_axis(axis, from.len())).collect::<Result<Vec<_>, _>>()?;
    let mut sorted = order.clone();
    sorted.sort_unstable();
    if !sorted.into_iter().eq(0..from.len()) {
        return Err(Fault::Bad(format!("its order {order:?} is no permutation of its input's axes")));
    }
    let shape: Vec<usize> = order.iter().map(|&axis| from[axis]).collect();
    require_shape(builder, call.output, &shape)?;
    builder.push(Op::Transpose { order }, vec![x], call.output)
}

fn block(call: &Call<'_, '_>) -> Result<usize, Fault> {
    let side = call.options()?.i32(0, "block_size", 0)?;
    let checked = usize::try_from(side).ok().filter(|side| (1..=BLOCK_MAX).contains(side));
    checked.ok_or_else(|| Fault::Unsupported(format!(" with a block of {side}")))
}

/// Each cell of a block becomes a group of channels, row by row: slices with a step, joined.
pub(super) fn space_to_depth(builder: &mut Builder<'_, '_>, call: &Call<'_, '_>) -> Result<(), Fault> {
    let x = builder.activation(call.input(0)?)?;
    let [_, height, width, channels] = rank4(builder, call.input(0)?)?;
    let block = block(call)?;
    if !(height.is_multiple_of(block) && width.is_multiple_of(block)) {
        return Err(Fault::Bad(format!("its block of {block} does not divide {height}x{width}")));
    }
    let part = vec![1, height / block, width / block, channels];
    let mut whole = part.clone();
    whole[3] *= block * block;
    require_shape(builder, call.output, &whole)?;
    let mut parts = Vec::new();
    for (row, column) in (0..block * block).map(|cell| (cell / block, cell % block)) {
        let what = format!("cells {row},{column}");
        let slice = builder.new_value_like(call.output, &what, part.clone());
        let op = Op::Slice { begin: vec![0, row, column, 0], step: vec![1, block, block, 1] };
        builder.push_value(op, vec![x], slice);
        parts.push(slice);
    }
    builder.push(Op::Concatenate { axis: 3 }, parts, call.output)
}

/// The other way round: groups of channels become cells of a block, by a transposition of six axes.
pub(super) fn depth_to_space(builder: &mut Builder<'_, '_>, call: &Call<'_, '_>) -> Result<(), Fault> {
    let x = builder.activation(call.input(0)?)?;
    let [_, height, width, channels] = rank4(builder, call.input(0)?)?;
    let block = block(call)?;
    if !channels.is_multiple_of(block * block) {
        return Err(Fault::Bad(format!("its {channels} channels are not so many times {block} x {block}")));
    }
    let depth = channels / (block * block);
    require_shape(builder, call.output, &[1, height * block, width * block, depth])?;
    let cells = builder.new_value_like(call.output, "cells", vec![1, height, width, block, block, depth]);
    builder.push_value(Op::Reshape, vec![x], cells);
    let moved = builder.new_value_like(call.output, "moved", vec![1, height, block, width, block, depth]);
    builder.push_value(Op::Transpose { order: vec![0, 1, 3, 2, 4, 5] }, vec![cells], moved);
    builder.push(Op::Reshape, vec![moved], call.output)
}
