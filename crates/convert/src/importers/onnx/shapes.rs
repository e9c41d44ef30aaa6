//! What the operators that only move elements make of a shape; the same for constants and for activations.

use super::array::{self, ELEMENTS_MAX};
use super::messages::RANK_MAX;
use super::operators::{Fault, axis};

/// Elements of an axis: `start`, `start + step`, ..., `count` of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) start: usize,
    /// Not 0; negative runs backwards.
    pub(super) step: isize,
    pub(super) count: usize,
}

impl Run {
    /// All of an axis.
    pub(super) const fn all(side: usize) -> Self {
        Self { start: 0, step: 1, count: side }
    }
}

fn require_rank(shape: Vec<usize>) -> Result<Vec<usize>, Fault> {
    if shape.len() <= RANK_MAX && array::count(&shape).is_some() {
        return Ok(shape);
    }
    Err(Fault::Bad(format!("its result would have the shape {shape:?}")))
}

/// `target` may hold one -1, the rest, and zeros, the operand's own sides (unless `allow_zero`).
pub(super) fn reshape(from: &[usize], target: &[i64], allow_zero: bool) -> Result<Vec<usize>, Fault> {
    let bad = || Fault::Bad(format!("its shape {target:?} does not hold what {from:?} does"));
    let mut shape = Vec::with_capacity(target.len());
    let mut rest = None;
    for (at, &side) in target.iter().enumerate() {
        shape.push(match side {
            -1 if rest.is_none() => {
                rest = Some(at);
                1
            }
            0 if !allow_zero => *from.get(at).ok_or_else(bad)?,
            side => usize::try_from(side).ok().filter(|&side| side <= ELEMENTS_MAX).ok_or_else(bad)?,
        });
    }
    let (wanted, known) = (array::count(from).ok_or_else(bad)?, array::count(&shape).ok_or_else(bad)?);
    if let Some(at) = rest {
        shape[at] = wanted.checked_div(known).ok_or_else(bad)?;
    }
    if shape.iter().product::<usize>() != wanted {
        return Err(bad());
    }
    require_rank(shape)
}

/// `[before axis][from axis on]`.
pub(super) fn flatten(from: &[usize], axis: i64) -> Result<Vec<usize>, Fault> {
    let rank = i64::try_from(from.len()).unwrap_or(0);
    let at = if axis < 0 { axis + rank } else { axis };
    let at = usize::try_from(at).ok().filter(|&at| at <= from.len());
    let at = at.ok_or_else(|| Fault::Bad(format!("axis {axis} is not one of {rank}")))?;
    Ok(vec![from[..at].iter().product(), from[at..].iter().product()])
}

/// Without the axes, or without all of one.
pub(super) fn squeeze(from: &[usize], axes: Option<&[i64]>) -> Result<Vec<usize>, Fault> {
    let Some(axes) = axes else { return Ok(from.iter().copied().filter(|&side| side != 1).collect()) };
    let axes = axes.iter().map(|&number| axis(number, from.len())).collect::<Result<Vec<_>, _>>()?;
    if let Some(&axis) = axes.iter().find(|&&axis| from[axis] != 1) {
        return Err(Fault::Bad(format!("axis {axis} of {from:?} is not one element long")));
    }
    Ok((0..from.len()).filter(|axis| !axes.contains(axis)).map(|axis| from[axis]).collect())
}

/// With axes of one, counted in the result.
pub(super) fn unsqueeze(from: &[usize], axes: &[i64]) -> Result<Vec<usize>, Fault> {
    let rank = from.len() + axes.len();
    let mut axes = axes.iter().map(|&number| axis(number, rank)).collect::<Result<Vec<_>, _>>()?;
    axes.sort_unstable();
    let mut shape = from.to_vec();
    for axis in axes {
        if axis > shape.len() {
            return Err(Fault::Bad("its axes are twice the same".to_owned()));
        }
        shape.insert(axis, 1);
    }
    require_rank(shape)
}

/// The order of a transposition; backwards where it is left out.
pub(super) fn permutation(order: Option<&[i64]>, rank: usize) -> Result<Vec<usize>, Fault> {
    let Some(order) = order else { return Ok((0..rank).rev().collect()) };
    let axes = order.iter().map(|&number| axis(number, rank)).collect::<Result<Vec<_>, _>>()?;
    let mut sorted = axes.clone();
    sorted.sort_unstable();
    if sorted.into_iter().eq(0..rank) {
        Ok(axes)
    } else {
        Err(Fault::Bad(format!("{order:?} is no order of {rank} axes")))
    }
}

/// What a Slice takes of each axis.
pub(super) fn slice(
    from: &[usize],
    starts: &[i64],
    ends: &[i64],
    axes: Option<&[i64]>,
    steps: Option<&[i64]>,
) -> Result<Vec<Run>, Fault> {
    let mut runs: Vec<Run> = from.iter().map(|&side| Run::all(side)).collect();
    let counts = [ends.len(), axes.map_or(starts.len(), <[i64]>::len), steps.map_or(starts.len(), <[i64]>::len)];
    if counts != [starts.len(); 3] {
        return Err(Fault::Bad("it has not as many starts as ends, axes and steps".to_owned()));
    }
    for (at, (&start, &end)) in starts.iter().zip(ends).enumerate() {
        let number = axes.map_or_else(|| i64::try_from(at).unwrap_or(i64::MAX), |axes| axes[at]);
        let axis = axis(number, from.len())?;
        let step = steps.map_or(1, |steps| steps[at]);
        runs[axis] = run(from[axis], start, end, step).ok_or_else(|| Fault::Bad(format!("its step is {step}")))?;
    }
    Ok(runs)
}

/// Numbers beyond the axis mean its ends; `None` for a step of 0.
fn run(side: usize, start: i64, end: i64, step: i64) -> Option<Run> {
    let side = i64::try_from(side).ok()?;
    let step = step.clamp(-(1 << 32), 1 << 32);
    let inside = |place: i64, low: i64, high: i64| {
        (if place < 0 { place.saturating_add(side) } else { place }).clamp(low, high.max(low))
    };
    let (start, count) = match step {
        0 => return None,
        1.. => {
            let (start, end) = (inside(start, 0, side), inside(end, 0, side));
            (start, (end - start + step - 1).max(0) / step)
        }
        _ => {
            let (start, end) = (inside(start, 0, side - 1), inside(end, -1, side - 1));
            (start, (start - end - step - 1).max(0) / -step)
        }
    };
    let count = if side == 0 { 0 } else { count };
    Some(Run { start: start.try_into().ok()?, step: step.try_into().ok()?, count: count.try_into().ok()? })
}

/// The shape that two operands broadcast to.
pub(super) fn broadcast(a: &[usize], b: &[usize]) -> Result<Vec<usize>, Fault> {
    let rank = a.len().max(b.len());
    let side = |shape: &[usize], axis: usize| (axis + shape.len()).checked_sub(rank).map_or(1, |axis| shape[axis]);
    let sides = (0..rank).map(|axis| match (side(a, axis), side(b, axis)) {
        (a, b) if a == b => Some(a),
        (1, side) | (side, 1) => Some(side),
        _ => None,
    });
    sides.collect::<Option<Vec<usize>>>().ok_or_else(|| Fault::Bad(format!("{a:?} and {b:?} do not broadcast")))
}

/// The parts of an axis: as told, or alike.
pub(super) fn split(side: usize, sizes: Option<&[i64]>, parts: usize) -> Result<Vec<Run>, Fault> {
    let sizes: Vec<usize> = match sizes {
        Some(sizes) => sizes.iter().map(|&size| usize::try_from(size).unwrap_or(usize::MAX)).collect(),
        None if parts > 0 => {
            // All parts alike; what is missing, the last one lacks (opset 18).
            let size = side.div_ceil(parts);
            (0..parts).map(|part| size.min(side.saturating_sub(part * size))).collect()
        }
        None => vec![],
    };
    let total = sizes.iter().try_fold(0_usize, |total, &size| total.checked_add(size));
    if total != Some(side) || sizes.len() != parts {
        return Err(Fault::Bad(format!("its {parts} parts {sizes:?} are not those of {side}")));
    }
    let mut start = 0;
    let run = |&count: &usize| {
        let run = Run { start, step: 1, count };
        start += count;
        run
    };
    Ok(sizes.iter().map(run).collect())
}
