//! From the file's order of axes (NCHW) to the graph's (NHWC), moving as little as possible.
//!
//! An activation is a [`View`]: the elements of a value of the graph, in row-major order, are those of an array whose axes
//! are the file's in another order. Transposing changes the view and nothing else; so does reshaping, as long as axes that
//! become one lie side by side. Only an operator that needs its axes in a certain order makes elements move.

#[cfg(test)]
mod tests;

use clawdbot_nn::graph::ValueId;

/// The order of a picture's axes: the file's batch, rows, columns, channels.
pub(super) const PICTURE: [usize; 4] = [0, 2, 3, 1];

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct View {
    /// Whose elements; its own shape may be another, with as many elements.
    pub(super) value: ValueId,
    /// The length of each axis, in the file's order.
    pub(super) shape: Vec<usize>,
    /// Axis k as it lies in memory is the file's axis `order[k]`.
    pub(super) order: Vec<usize>,
}

/// How a transposition of memory looks once sides of one and axes that stay together are merged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Movement {
    /// Before.
    pub(super) shape: Vec<usize>,
    /// Axis k after is axis `order[k]` before.
    pub(super) order: Vec<usize>,
}

impl View {
    /// Elements in the file's own order.
    pub(super) fn plain(value: ValueId, shape: Vec<usize>) -> Self {
        let order = (0..shape.len()).collect();
        Self { value, shape, order }
    }

    /// A picture: `shape` is NCHW, the value NHWC.
    pub(super) fn picture(value: ValueId, shape: Vec<usize>) -> Self {
        Self { value, shape, order: PICTURE.to_vec() }
    }

    /// The same view of another value.
    pub(super) fn of(&self, value: ValueId) -> Self {
        Self { value, ..self.clone() }
    }

    /// The shape as it lies in memory.
    pub(super) fn physical(&self) -> Vec<usize> {
        self.order.iter().map(|&axis| self.shape[axis]).collect()
    }

    /// Where the file's axis lies in memory.
    pub(super) fn position(&self, axis: usize) -> usize {
        self.order.iter().position(|&other| other == axis).unwrap_or(axis)
    }

    /// Axis k of the result is axis `permutation[k]`.
    pub(super) fn transpose(&self, permutation: &[usize]) -> Self {
        let shape = permutation.iter().map(|&axis| self.shape[axis]).collect();
        let mut new_axis = vec![0; permutation.len()];
        permutation.iter().enumerate().for_each(|(new, &old)| new_axis[old] = new);
        Self { value: self.value, shape, order: self.order.iter().map(|&axis| new_axis[axis]).collect() }
    }

    /// The same elements under another shape; where axes must become one that do not lie side by side, the order in which
    /// they would, to [`arrange`](super::builder::Builder::arrange) first.
    pub(super) fn reshape(&self, shape: &[usize]) -> Result<Self, Vec<usize>> {
        let groups = groups(&self.shape, shape);
        let memory: Vec<usize> = self.order.iter().copied().filter(|&axis| self.shape[axis] != 1).collect();
        let (mut order, mut wanted) = (Vec::with_capacity(shape.len()), Vec::new());
        let (mut fits, mut at) = (true, 0);
        while let Some(axis) = memory.get(at) {
            let Some((from, to)) = groups.iter().find(|(from, _)| from.contains(axis)) else { break };
            if !wanted.contains(axis) {
                wanted.extend(from);
                order.extend(to);
            }
            if memory[at..].starts_with(from) {
                at += from.len();
            } else {
                fits = false;
                at += 1;
            }
        }
        if !fits {
            return Err(with_unit_axes(&wanted, &self.shape));
        }
        Ok(Self { value: self.value, shape: shape.to_vec(), order: with_unit_axes(&order, shape) })
    }

    /// What must move so that memory has the `order`; `None` when nothing must.
    pub(super) fn movement(&self, order: &[usize]) -> Option<Movement> {
        let heavy =
            |order: &[usize]| -> Vec<usize> { order.iter().copied().filter(|&axis| self.shape[axis] != 1).collect() };
        let (from, to) = (heavy(&self.order), heavy(order));
        if from == to {
            return None;
        }
        // Runs of axes that follow each other in both orders move as one.
        let mut runs: Vec<Vec<usize>> = Vec::new();
        for &axis in &from {
            let follows = |run: &Vec<usize>| {
                let last = run.last().copied();
                to.windows(2).any(|pair| Some(pair[0]) == last && pair[1] == axis)
            };
            match runs.last_mut().filter(|run| follows(run)) {
                Some(run) => run.push(axis),
                None => runs.push(vec![axis]),
            }
        }
        let length = |run: &Vec<usize>| run.iter().map(|&axis| self.shape[axis]).product();
        let shape = runs.iter().map(length).collect();
        let starts = to.iter().filter_map(|axis| runs.iter().position(|run| run[0] == *axis));
        Some(Movement { shape, order: starts.collect() })
    }
}

/// Which axes of `from` hold the same elements as which of `to`, the smallest groups first to last; sides of one are in none.
fn groups(from: &[usize], to: &[usize]) -> Vec<(Vec<usize>, Vec<usize>)> {
    let heavy = |shape: &[usize]| -> Vec<usize> { (0..shape.len()).filter(|&axis| shape[axis] != 1).collect() };
    let (from_axes, to_axes) = (heavy(from), heavy(to));
    let (mut from_axes, mut to_axes) = (from_axes.into_iter().peekable(), to_axes.into_iter().peekable());
    let mut groups = Vec::new();
    while from_axes.peek().is_some() || to_axes.peek().is_some() {
        let (mut left, mut right) = (Vec::new(), Vec::new());
        let (mut left_count, mut right_count) = (1_usize, 1_usize);
        loop {
            let next = if left.is_empty() || (!right.is_empty() && left_count < right_count) {
                from_axes.next().map(|axis| {
                    left.push(axis);
                    left_count = left_count.saturating_mul(from[axis]);
                })
            } else {
                to_axes.next().map(|axis| {
                    right.push(axis);
                    right_count = right_count.saturating_mul(to[axis]);
                })
            };
            if next.is_none() || (left_count == right_count && !left.is_empty() && !right.is_empty()) {
                break;
            }
        }
        groups.push((left, right));
    }
    groups
}

/// `order` with the axes of one put in: behind the axis before them in the file, or first.
fn with_unit_axes(order: &[usize], shape: &[usize]) -> Vec<usize> {
    let mut order = order.to_vec();
    for axis in (0..shape.len()).filter(|&axis| shape[axis] == 1) {
        let before = axis.checked_sub(1).and_then(|before| order.iter().position(|&other| other == before));
        order.insert(before.map_or(0, |at| at + 1), axis);
    }
    order
}
