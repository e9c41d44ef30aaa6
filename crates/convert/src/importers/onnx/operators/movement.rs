//! Operators that give elements another shape or order. Most of them change a view and add no node.

use super::super::array::Array;
use super::super::builder::{Builder, Known};
use super::super::layout::View;
use super::super::shapes;
use super::{Call, Fault};

/// The result, made of `x`; where elements had to move for it, what moved them has its name.
fn define<'a>(builder: &mut Builder<'_, 'a>, call: &Call<'_, 'a>, x: &View, view: View) -> Result<(), Fault> {
    if view.value != x.value {
        builder.rename(view.value, call.name()?, call.output()?);
    }
    builder.define(call.output()?, Known::Activation(view)).map_err(Fault::from)
}

/// A Constant's own value, in one of its forms.
pub(super) fn constant<'a>(builder: &mut Builder<'_, 'a>, call: &Call<'_, 'a>) -> Result<(), Fault> {
    let node = call.node;
    let one = |all: usize| vec![all];
    let array = if let Some(stored) = node.tensor("value")? {
        builder.decode(call.output()?, stored)?
    } else if let Some(value) = node.float("value_float")? {
        Array::floats(vec![], vec![value])
    } else if let Some(all) = node.floats("value_floats")? {
        Array::floats(one(all.len()), all)
    } else if let Some(value) = node.integer("value_int")? {
        Array::integers(vec![], vec![value])
    } else if let Some(all) = node.integers("value_ints")? {
        Array::integers(one(all.len()), all)
    } else {
        return Err(Fault::Unsupported(" without a dense value of numbers".to_owned()));
    };
    builder.spend(array.elements.len())?;
    builder.define(call.output()?, Known::Constant(array.into())).map_err(Fault::from)
}

/// The shape of an activation is known before it is.
pub(super) fn shape<'a>(builder: &mut Builder<'_, 'a>, call: &Call<'_, 'a>) -> Result<(), Fault> {
    let x = builder.activation(call.input(0)?)?;
    let shape = super::super::fold::shape_between(call, &x.shape)?;
    builder.define(call.output()?, Known::Constant(shape.into())).map_err(Fault::from)
}

pub(super) fn reshape<'a>(builder: &mut Builder<'_, 'a>, call: &Call<'_, 'a>) -> Result<(), Fault> {
    let x = builder.activation(call.input(0)?)?;
    let target = call.integers(builder, "shape", 1)?.ok_or_else(|| Fault::Bad("it lacks its shape".to_owned()))?;
    let shape = shapes::reshape(&x.shape, &target, call.integer_or("allowzero", 0)? != 0)?;
    let view = builder.reshape(&x, &shape)?;
    define(builder, call, &x, view)
}

pub(super) fn flatten<'a>(builder: &mut Builder<'_, 'a>, call: &Call<'_, 'a>) -> Result<(), Fault> {
    let x = builder.activation(call.input(0)?)?;
    let shape = shapes::flatten(&x.shape, call.integer_or("axis", 1)?)?;
    let view = builder.reshape(&x, &shape)?;
    define(builder, call, &x, view)
}

pub(super) fn squeeze<'a>(builder: &mut Builder<'_, 'a>, call: &Call<'_, 'a>) -> Result<(), Fault> {
    let x = builder.activation(call.input(0)?)?;
    let axes = call.integers(builder, "axes", 1)?;
    let shape = shapes::squeeze(&x.shape, axes.as_deref())?;
    let view = builder.reshape(&x, &shape)?;
    define(builder, call, &x, view)
}

pub(super) fn unsqueeze<'a>(builder: &mut Builder<'_, 'a>, call: &Call<'_, 'a>) -> Result<(), Fault> {
    let x = builder.activation(call.input(0)?)?;
    let axes = call.integers(builder, "axes", 1)?.ok_or_else(|| Fault::Bad("it lacks its axes".to_owned()))?;
    let shape = shapes::unsqueeze(&x.shape, &axes)?;
    let view = builder.reshape(&x, &shape)?;
    define(builder, call, &x, view)
}

pub(super) fn transpose<'a>(builder: &mut Builder<'_, 'a>, call: &Call<'_, 'a>) -> Result<(), Fault> {
    let x = builder.activation(call.input(0)?)?;
    let order = call.node.integers("perm")?;
    let order = shapes::permutation(order.as_deref(), x.shape.len())?;
    define(builder, call, &x, x.transpose(&order))
}

/// Of an activation only where nothing is repeated.
pub(super) fn expand<'a>(builder: &mut Builder<'_, 'a>, call: &Call<'_, 'a>) -> Result<(), Fault> {
    let x = builder.activation(call.input(0)?)?;
    let target = call.integers(builder, "shape", 1)?.unwrap_or_default();
    let target: Vec<usize> = target.iter().map(|&side| usize::try_from(side).unwrap_or(0)).collect();
    let shape = shapes::broadcast(&x.shape, &target)?;
    if shape.iter().product::<usize>() != x.shape.iter().product::<usize>() {
        return Err(Fault::Unsupported(format!(" of a value {:?} to {shape:?}", x.shape)));
    }
    let view = builder.reshape(&x, &shape)?;
    define(builder, call, &x, view)
}

/// Channels become blocks of rows and columns: as a matrix of rows (DCR) or of channels (CRD).
pub(super) fn depth_to_space<'a>(builder: &mut Builder<'_, 'a>, call: &Call<'_, 'a>) -> Result<(), Fault> {
    let x = builder.picture(call.input(0)?)?;
    let &[_, channels, rows, columns] = &x.shape[..] else { return Err(Fault::Bad("it is no picture".to_owned())) };
    let block = usize::try_from(call.integer_or("blocksize", 0)?).unwrap_or(0);
    let depth = block.checked_mul(block).and_then(|cells| channels.checked_div(cells)).unwrap_or(0);
    if depth == 0 || depth * block * block != channels {
        return Err(Fault::Bad(format!("its blocks of {block} do not fit {channels} channels")));
    }
    let (split, order) = match call.node.text("mode")?.unwrap_or("DCR") {
        "DCR" => (vec![1, block, block, depth, rows, columns], [0, 3, 4, 1, 5, 2]),
        "CRD" => (vec![1, depth, block, block, rows, columns], [0, 1, 4, 2, 5, 3]),
        other => return Err(Fault::Bad(format!("its mode is {other:?}"))),
    };
    let split = builder.reshape(&x, &split)?;
    let view = builder.reshape(&split.transpose(&order), &[1, depth, rows * block, columns * block])?;
    define(builder, call, &x, view)
}
