//! The memory plan: where in one arena each activation lies. Values that are never alive at the same time share memory.
//!
//! Greedy by size (Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference", 2020, section 5.2):
//! the largest value first, each into the smallest gap between those that are alive with it. A pure function of the
//! program.

#[cfg(test)]
mod tests;

use std::ops::Range;

use crate::arena::ALIGNMENT;
use crate::program::{Op, Program, Step, Value};

/// One block of memory and when it is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// Its size.
    pub bytes: usize,
    /// The step that writes it.
    pub first: usize,
    /// The last step that reads it; at least `first`.
    pub last: usize,
}

/// Where a value lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Bytes from the arena's first.
    pub range: Range<usize>,
    /// Elements from pixel to pixel.
    pub stride: usize,
}

/// Where everything lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Of each value.
    pub places: Vec<Place>,
    /// Of each step, whether its result lies there already once its inputs do.
    pub idle: Vec<bool>,
    /// Size of the arena.
    pub arena_bytes: usize,
}

/// Offsets for `blocks`, each a multiple of [`ALIGNMENT`], so that no two that live at the same step overlap; and the end
/// of the highest.
#[must_use]
pub fn place(blocks: &[Lifetime]) -> (Vec<usize>, usize) {
    let mut order: Vec<usize> = (0..blocks.len()).collect();
    order.sort_by_key(|&block| (std::cmp::Reverse(blocks[block].bytes), blocks[block].first));
    let mut offsets = vec![0; blocks.len()];
    let mut end = 0;
    // Placed blocks as (offset, block), in order of their offsets.
    let mut placed: Vec<(usize, usize)> = Vec::with_capacity(blocks.len());
    for block in order {
        let Lifetime { bytes, first, last } = blocks[block];
        let alive = placed.iter().filter(|&&(_, other)| blocks[other].first <= last && first <= blocks[other].last);
        let mut best: Option<(usize, usize)> = None;
        let mut free = 0;
        for &(offset, other) in alive {
            if offset >= free + bytes && best.is_none_or(|(gap, _)| offset - free < gap) {
                best = Some((offset - free, free));
            }
            free = free.max((offset + blocks[other].bytes).next_multiple_of(ALIGNMENT));
        }
        let offset = best.map_or(free, |(_, offset)| offset);
        offsets[block] = offset;
        end = end.max(offset + bytes);
        let at = placed.partition_point(|&entry| entry < (offset, block));
        placed.insert(at, (offset, block));
    }
    (offsets, end)
}

/// The plan of a verified `program`. Inputs keep their memory for themselves, so that they need not be written again
/// before each run; outputs keep theirs from the step that writes them. With `keep_all` no memory is shared: every value
/// can be looked at after a run.
#[must_use]
pub fn plan(program: &Program, keep_all: bool) -> Plan {
    let block_of = blocks_by_value(program);
    let end = program.steps.len();
    let mut blocks: Vec<Lifetime> =
        program.values.iter().map(|value| Lifetime { bytes: value.stored_bytes(), first: end, last: 0 }).collect();
    let mut live = |value: usize, step: usize| {
        let block = &mut blocks[block_of[value]];
        block.first = block.first.min(step);
        block.last = block.last.max(step);
    };
    for (at, step) in program.steps.iter().enumerate() {
        step.inputs.iter().for_each(|input| live(input.0, at));
        live(step.output.0, at);
    }
    for input in &program.inputs {
        live(input.0, 0);
        live(input.0, end);
    }
    program.outputs.iter().for_each(|output| live(output.0, end));
    if keep_all {
        (0..program.values.len()).for_each(|value| {
            live(value, 0);
            live(value, end);
        });
    }
    // Values that nothing touches, and aliases of another, need no block.
    let used: Vec<usize> = (0..blocks.len())
        .filter(|&value| block_of[value] == value && blocks[value].first <= blocks[value].last)
        .collect();
    let needed: Vec<Lifetime> = used.iter().map(|&value| blocks[value]).collect();
    let (offsets, arena_bytes) = place(&needed);
    let mut starts = vec![None; blocks.len()];
    used.iter().zip(offsets).for_each(|(&value, offset)| starts[value] = Some(offset));
    let places = program.values.iter().enumerate().map(|(value, description)| {
        let start = starts[block_of[value]];
        let range = start.map_or(0..0, |start| start..start + description.stored_bytes());
        Place { range, stride: description.stride() }
    });
    let idle = program.steps.iter().map(|step| is_alias(program, step)).collect();
    Plan { places: places.collect(), idle, arena_bytes }
}

/// Whether the result's memory is the input's under another shape.
fn is_alias(program: &Program, step: &Step) -> bool {
    let (Op::Reshape, [input]) = (&step.op, &step.inputs[..]) else { return false };
    let [from, to] = [input, &step.output].map(|id| &program.values[id.0]);
    let dense = |value: &Value| value.stride() == value.channels();
    from.channels() == to.channels() || dense(from) && dense(to)
}

/// For each value the one whose memory it uses: a reshaped value is its input under another shape.
fn blocks_by_value(program: &Program) -> Vec<usize> {
    let mut blocks: Vec<usize> = (0..program.values.len()).collect();
    for step in &program.steps {
        if is_alias(program, step) {
            blocks[step.output.0] = blocks[step.inputs[0].0];
        }
    }
    blocks
}
