//! Softmax over any axis. Before opset 13 all axes from the given one count as one.

use clawdbot_nn::graph::Op;

use super::super::builder::{Builder, Known};
use super::super::layout::View;
use super::{Call, Fault, axis};

pub(super) fn softmax<'a>(builder: &mut Builder<'_, 'a>, call: &Call<'_, 'a>) -> Result<(), Fault> {
    let x = builder.activation(call.input(0)?)?;
    let rank = x.shape.len();
    let is_old = call.opset < 13;
    let along = axis(call.integer_or("axis", if is_old { 1 } else { -1 })?, rank)?;
    let axes: Vec<usize> = if is_old { (along..rank).collect() } else { vec![along] };
    // The axes that are summed over lie last, in the file's order.
    let others = x.order.iter().copied().filter(|axis| !axes.contains(axis));
    let order: Vec<usize> = others.chain(axes.iter().copied()).collect();
    let x = builder.arrange(&x, &order)?;
    let summed: usize = axes.iter().map(|&axis| x.shape[axis]).product();
    let source = if builder.shape_of(x.value).last() == Some(&summed) {
        x.value
    } else {
        let rows = x.shape.iter().product::<usize>() / summed.max(1);
        builder.shaped(x.value, vec![rows, summed])?
    };
    let shape = builder.shape_of(source).to_vec();
    let value = builder.emit(call.name()?, call.output()?, Op::Softmax, vec![source], shape)?;
    let result: View = x.of(value);
    builder.define(call.output()?, Known::Activation(result)).map_err(Fault::from)
}
