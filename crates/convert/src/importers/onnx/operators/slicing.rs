//! Operators that take parts of values, or put them together.

use clawdbot_nn::graph::{Op, ValueId};

use super::super::builder::{Builder, Known};
use super::super::layout::View;
use super::super::shapes::{self, Run};
use super::{Call, Fault, axis};

/// A value is taken apart into no more pieces, of which each is a node.
const PIECES_MAX: usize = 64;
/// No border of a picture is broader.
const CELLS_MAX: i64 = 1 << 12;

fn define<'a>(builder: &mut Builder<'_, 'a>, name: &'a str, view: View) -> Result<(), Fault> {
    builder.define(name, Known::Activation(view)).map_err(Fault::from)
}

/// The runs of a view's axes, forward ones; `name` is the result's.
fn cut(builder: &mut Builder<'_, '_>, node: &str, name: &str, x: &View, runs: &[Run]) -> Result<View, Fault> {
    if runs.iter().zip(&x.shape).all(|(run, &side)| *run == Run::all(side)) {
        return Ok(x.clone());
    }
    let shape: Vec<usize> = runs.iter().map(|run| run.count).collect();
    let mut begin: Vec<usize> = x.order.iter().map(|&axis| runs[axis].start).collect();
    let step = |run: &Run| usize::try_from(run.step).map_err(|_| Fault::Unsupported(" backwards".to_owned()));
    let mut steps = x.order.iter().map(|&axis| step(&runs[axis])).collect::<Result<Vec<usize>, _>>()?;
    let mut source = builder.materialise(x)?;
    // A part of a part is a part.
    if let Some((Op::Slice { begin: first, step }, &[whole])) =
        builder.producer(source).map(|node| (&node.op, &node.inputs[..]))
    {
        for (at, (first, step)) in first.iter().zip(step).enumerate() {
            begin[at] = first + begin[at] * step;
            steps[at] *= step;
        }
        source = whole;
    }
    let result = View { value: source, shape, order: x.order.clone() };
    let physical = result.physical();
    let value = builder.emit(node, name, Op::Slice { begin, step: steps }, vec![source], physical)?;
    Ok(result.of(value))
}

/// Views of one order, one behind the other along the file's `axis`.
fn join(builder: &mut Builder<'_, '_>, node: &str, name: &str, parts: &[View], axis: usize) -> Result<View, Fault> {
    let Some(first) = parts.first() else { return Err(Fault::Bad("nothing is left of its operand".to_owned())) };
    if parts.len() == 1 {
        return Ok(first.clone());
    }
    let mut shape = first.shape.clone();
    shape[axis] = parts.iter().map(|part| part.shape[axis]).sum();
    let inputs = parts.iter().map(|part| builder.materialise(part)).collect::<Result<Vec<ValueId>, _>>()?;
    let whole = View { shape, ..first.clone() };
    let op = Op::Concatenate { axis: whole.position(axis) };
    let value = builder.emit(node, name, op, inputs, whole.physical())?;
    Ok(whole.of(value))
}

pub(super) fn slice<'a>(builder: &mut Builder<'_, 'a>, call: &Call<'_, 'a>) -> Result<(), Fault> {
    let x = builder.activation(call.input(0)?)?;
    let missing = || Fault::Bad("it lacks its bounds".to_owned());
    let starts = call.integers(builder, "starts", 1)?.ok_or_else(missing)?;
    let ends = call.integers(builder, "ends", 2)?.ok_or_else(missing)?;
    let axes = call.integers(builder, "axes", 3)?;
    let steps = call.integers(builder, "steps", 4)?;
    let runs = shapes::slice(&x.shape, &starts, &ends, axes.as_deref(), steps.as_deref())?;
    let backwards: Vec<usize> = (0..runs.len()).filter(|&axis| runs[axis].step < 0).collect();
    let forward: Vec<Run> =
        runs.iter().zip(&x.shape).map(|(run, &side)| if run.step < 0 { Run::all(side) } else { *run }).collect();
    let mut view = cut(builder, call.name()?, call.output()?, &x, &forward)?;
    for axis in backwards {
        let Run { start, step, count } = runs[axis];
        if count > PIECES_MAX {
            return Err(Fault::Unsupported(format!(" of {count} elements of an axis backwards")));
        }
        let places: Vec<usize> = (0..count).map(|at| start - at * step.unsigned_abs()).collect();
        view = pick(builder, call, &view, axis, &places)?;
    }
    define(builder, call.output()?, view)
}

pub(super) fn split<'a>(builder: &mut Builder<'_, 'a>, call: &Call<'_, 'a>) -> Result<(), Fault> {
    let x = builder.activation(call.input(0)?)?;
    let along = axis(call.integer_or("axis", 0)?, x.shape.len())?;
    let sizes = call.integers(builder, "split", 1)?;
    let parts = shapes::split(x.shape[along], sizes.as_deref(), call.node.outputs.len())?;
    for (name, part) in call.node.outputs.iter().zip(parts).filter(|(name, _)| !name.is_empty()) {
        let mut runs: Vec<Run> = x.shape.iter().map(|&side| Run::all(side)).collect();
        runs[along] = part;
        let view = cut(builder, call.node.name, name, &x, &runs)?;
        define(builder, name, view)?;
    }
    Ok(())
}

pub(super) fn gather<'a>(builder: &mut Builder<'_, 'a>, call: &Call<'_, 'a>) -> Result<(), Fault> {
    let x = builder.activation(call.input(0)?)?;
    let along = axis(call.integer_or("axis", 0)?, x.shape.len())?;
    let indices = builder.constant(call.input(1)?)?;
    let side = x.shape[along];
    let place =
        |&index: &i64| axis(index, side).map_err(|_| Fault::Bad(format!("its index {index} is not one of {side}")));
    let all = indices.as_integers().ok_or_else(|| Fault::Bad("its indices are not integer".to_owned()))?;
    if all.is_empty() || indices.shape.len() > 1 {
        return Err(Fault::Unsupported(format!(" with indices of the shape {:?}", indices.shape)));
    }
    let places = all.iter().map(place).collect::<Result<Vec<usize>, _>>()?;
    let mut view = pick(builder, call, &x, along, &places)?;
    if indices.shape.is_empty() {
        let shape = view.shape.iter().enumerate().filter(|(axis, _)| *axis != along).map(|(_, &side)| side);
        view = builder.reshape(&view, &shape.collect::<Vec<usize>>())?;
    }
    define(builder, call.output()?, view)
}

/// The `places` of an axis, in this order.
fn pick<'a>(
    builder: &mut Builder<'_, 'a>,
    call: &Call<'_, 'a>,
    x: &View,
    axis: usize,
    places: &[usize],
) -> Result<View, Fault> {
    let runs = runs_of(places);
    if runs.len() > PIECES_MAX {
        return Err(Fault::Unsupported(format!(" of {} separate parts of an axis", runs.len())));
    }
    let (node, output) = (call.name()?, call.output()?);
    if let Some(parts) = whole_parts(builder, x, axis, &runs) {
        return join(builder, node, output, &parts, axis);
    }
    let mut parts = Vec::with_capacity(runs.len());
    for (at, run) in runs.iter().enumerate() {
        let mut all: Vec<Run> = x.shape.iter().map(|&side| Run::all(side)).collect();
        all[axis] = *run;
        let name = if runs.len() == 1 { output.to_owned() } else { format!("{output} part {at}") };
        parts.push(cut(builder, &name, &name, x, &all)?);
    }
    join(builder, node, output, &parts, axis)
}

/// Places as runs of one step each, as long as they come.
fn runs_of(places: &[usize]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for &place in places {
        let fits = runs.last().is_some_and(|run| run.start + run.count == place);
        match runs.last_mut() {
            Some(run) if fits => run.count += 1,
            _ => runs.push(Run { start: place, step: 1, count: 1 }),
        }
    }
    runs
}

/// The parts that x was put together from, in the order that `runs` wants them, where each run is a whole part.
fn whole_parts(builder: &Builder<'_, '_>, x: &View, axis: usize, runs: &[Run]) -> Option<Vec<View>> {
    let node = builder.producer(x.value)?;
    let position = x.position(axis);
    if node.op != (Op::Concatenate { axis: position }) || *builder.shape_of(x.value) != x.physical() {
        return None;
    }
    let mut start = 0;
    let mut parts = Vec::new();
    for &input in &node.inputs {
        let count = builder.shape_of(input)[position];
        parts.push((Run { start, step: 1, count }, input));
        start += count;
    }
    let part = |run: &Run| {
        let (_, value) = parts.iter().find(|(part, _)| part == run)?;
        let mut shape = x.shape.clone();
        shape[axis] = run.count;
        Some(View { value: *value, shape, order: x.order.clone() })
    };
    runs.iter().map(part).collect()
}

pub(super) fn concatenate<'a>(builder: &mut Builder<'_, 'a>, call: &Call<'_, 'a>) -> Result<(), Fault> {
    let mut order: Option<View> = None;
    for position in 0..call.node.inputs.len() {
        if builder.constant_if(call.input(position)?)?.is_none() && order.is_none() {
            order = Some(builder.activation(call.input(position)?)?);
        }
    }
    let first = order.ok_or_else(|| Fault::Bad("it has no operands".to_owned()))?;
    let rank = first.shape.len();
    let number = call.node.integer("axis")?.ok_or_else(|| Fault::Bad("it lacks its axis".to_owned()))?;
    let along = axis(number, rank)?;
    let mut parts = Vec::with_capacity(call.node.inputs.len());
    for position in 0..call.node.inputs.len() {
        let name = call.input(position)?;
        let part = match builder.constant_if(name)? {
            None => builder.activation(name)?,
            Some(array) if array.shape.len() == rank => {
                let turned = array.permuted(&first.order);
                let grid = format!("{} part {position}", call.output()?);
                let value = builder.new_constant(grid, turned.shape.clone(), turned.to_floats(), None)?;
                View { value, shape: array.shape.clone(), order: first.order.clone() }
            }
            Some(array) => return Err(Fault::Bad(format!("its constant {:?} has not {rank} axes", array.shape))),
        };
        let fits =
            part.shape.len() == rank && (0..rank).all(|axis| axis == along || part.shape[axis] == first.shape[axis]);
        if !fits {
            return Err(Fault::Bad(format!(
                "its operand {position} has the shape {:?}, which does not fit the others'",
                part.shape
            )));
        }
        parts.push(builder.arrange(&part, &first.order)?);
    }
    let view = join(builder, call.name()?, call.output()?, &parts, along)?;
    define(builder, call.output()?, view)
}

/// Blocks of rows and columns become channels, block row first, then block column, then channel.
pub(super) fn space_to_depth<'a>(builder: &mut Builder<'_, 'a>, call: &Call<'_, 'a>) -> Result<(), Fault> {
    let x = builder.picture(call.input(0)?)?;
    let block = usize::try_from(call.integer_or("blocksize", 0)?).unwrap_or(0);
    let fits = (1..=8).contains(&block) && x.shape[2].is_multiple_of(block) && x.shape[3].is_multiple_of(block);
    if !fits {
        return Err(Fault::Bad(format!("its blocks of {block} do not fit {:?}", x.shape)));
    }
    let step = isize::try_from(block).unwrap_or(1);
    let mut parts = Vec::new();
    for (row, column) in (0..block * block).map(|at| (at / block, at % block)) {
        let runs = [
            Run::all(1),
            Run::all(x.shape[1]),
            Run { start: row, step, count: x.shape[2] / block },
            Run { start: column, step, count: x.shape[3] / block },
        ];
        let name = format!("{} block {row} {column}", call.output()?);
        parts.push(cut(builder, &name, &name, &x, &runs)?);
    }
    let view = join(builder, call.name()?, call.output()?, &parts, 1)?;
    define(builder, call.output()?, view)
}

pub(super) fn pad<'a>(builder: &mut Builder<'_, 'a>, call: &Call<'_, 'a>) -> Result<(), Fault> {
    let mode = call.node.text("mode")?.unwrap_or("constant");
    if mode != "constant" {
        return Err(Fault::Unsupported(format!(" in the mode {mode:?}")));
    }
    let x = builder.activation(call.input(0)?)?;
    let rank = x.shape.len();
    let cells = call.integers(builder, "pads", 1)?.ok_or_else(|| Fault::Bad("it lacks its pads".to_owned()))?;
    let axes = match call.integers(builder, "axes", 3)? {
        Some(axes) => axes.iter().map(|&number| axis(number, rank)).collect::<Result<Vec<usize>, _>>()?,
        None => (0..rank).collect(),
    };
    if cells.len() != 2 * axes.len() {
        return Err(Fault::Bad(format!("its pads {cells:?} are not two for each of {} axes", axes.len())));
    }
    if cells.iter().all(|&cells| cells == 0) {
        return define(builder, call.output()?, x);
    }
    let value = match (call.node.float("value")?, call.optional(2)) {
        (Some(value), _) => value,
        (None, Some(name)) => builder.constant(name)?.single().unwrap_or(f32::NAN),
        (None, None) => 0.0,
    };
    let mut sides = [[0_i64; 2]; 2];
    for (at, &axis) in axes.iter().enumerate() {
        let pair = [cells[at], cells[at + axes.len()]];
        match axis.checked_sub(2) {
            Some(side @ 0..=1) if rank == 4 => sides[side] = pair,
            _ if pair == [0, 0] => {}
            _ => return Err(Fault::Unsupported(format!(" of axis {axis} (only rows and columns)"))),
        }
    }
    if value != 0.0 || sides.iter().flatten().any(|cells| !(0..=CELLS_MAX).contains(cells)) {
        return Err(Fault::Unsupported(format!(" by {sides:?} cells of {value} (only zeros, up to {CELLS_MAX})")));
    }
    let x = builder.picture(call.input(0)?)?;
    let [[top, bottom], [left, right]] = sides.map(|side| side.map(|cells| usize::try_from(cells).unwrap_or(0)));
    let source = builder.materialise(&x)?;
    let view = View::picture(x.value, vec![1, x.shape[1], x.shape[2] + top + bottom, x.shape[3] + left + right]);
    let physical = view.physical();
    let value =
        builder.emit(call.name()?, call.output()?, Op::Pad([top, left, bottom, right]), vec![source], physical)?;
    define(builder, call.output()?, view.of(value))
}
