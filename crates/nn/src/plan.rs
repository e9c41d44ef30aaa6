//! The memory plan: where in one arena each activation lies. Values that are never alive at the same time share memory, and
//! a value that is part of another lies in it ([`views`]).
//!
//! Greedy by size (Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference", 2020, section 5.2):
//! the largest value first, each into the smallest gap between those that are alive with it. A pure function of the
//! program.

#[cfg(test)]
mod tests;
mod views;

use std::ops::Range;

use crate::arena::ALIGNMENT;
use crate::program::{Op, Program, Step, Value, channel_stride};
use crate::tensor::DataType;
use views::Home;

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
/// can be looked at after a run, and has its own rows.
#[must_use]
pub fn plan(program: &Program, keep_all: bool) -> Plan {
    let homes = if keep_all { own_homes(program) } else { views::homes(program) };
    let homes = with_aliases(program, homes);
    let end = program.steps.len();
    let mut blocks: Vec<Lifetime> =
        program.values.iter().map(|value| Lifetime { bytes: value.stored_bytes(), first: end, last: 0 }).collect();
    let mut live = |value: usize, step: usize| {
        let block = &mut blocks[homes[value].host];
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
    for (value, home) in homes.iter().enumerate().filter(|&(value, home)| home.host != value) {
        // The last pixel of a part is read as far as its channel stride, which may be beyond the row.
        let host = &program.values[home.host];
        let needed = home.channel + channel_stride(program.values[value].channels());
        let beyond = if host.data_type == DataType::I8 { needed.saturating_sub(host.stride()) } else { 0 };
        blocks[home.host].bytes = blocks[home.host].bytes.max(host.stored_bytes() + beyond);
    }
    // Values that nothing touches, and parts of another, need no block.
    let used: Vec<usize> = (0..blocks.len())
        .filter(|&value| homes[value].host == value && blocks[value].first <= blocks[value].last)
        .collect();
    let needed: Vec<Lifetime> = used.iter().map(|&value| blocks[value]).collect();
    let (offsets, arena_bytes) = place(&needed);
    let mut starts = vec![None; blocks.len()];
    used.iter().zip(offsets).for_each(|(&value, offset)| starts[value] = Some(offset));
    let places: Vec<Place> =
        homes.iter().enumerate().map(|(value, home)| home.place(program, value, starts[home.host])).collect();
    let idle = program.steps.iter().map(|step| is_idle(program, &places, step)).collect();
    Plan { places, idle, arena_bytes }
}

impl Home {
    fn place(&self, program: &Program, value: usize, start: Option<usize>) -> Place {
        let (description, host) = (&program.values[value], &program.values[self.host]);
        let Some(start) = start else { return Place { range: 0..0, stride: description.stride() } };
        if description.stride() == host.stride() || description.data_type != DataType::I8 {
            let start = start + self.channel * description.data_type.bytes();
            return Place { range: start..start + description.stored_bytes(), stride: description.stride() };
        }
        let (start, stride) = (start + self.channel, host.stride());
        let bytes = (description.pixels() - 1) * stride + description.stride();
        Place { range: start..start + bytes, stride }
    }
}

fn own_homes(program: &Program) -> Vec<Home> {
    (0..program.values.len()).map(|host| Home { host, channel: 0 }).collect()
}

/// Whether the result of `step` is where it should be once its inputs are.
fn is_idle(program: &Program, places: &[Place], step: &Step) -> bool {
    let output = &places[step.output.0];
    let is_at = |input: &Place, channel: usize| {
        input.stride == output.stride && input.range.start == output.range.start + channel
    };
    let placed = |input: usize, channel: usize| is_at(&places[step.inputs[input].0], channel);
    match &step.op {
        Op::Reshape => is_alias(program, step),
        Op::Slice { .. } => views::channel_slice(program, step).is_some_and(|channel| {
            let input = &places[step.inputs[0].0];
            program.values[step.output.0].data_type == DataType::I8
                && input.stride == output.stride
                && output.range.start == input.range.start + channel
        }),
        Op::Concatenate { axis } => {
            let channels = step.inputs.iter().scan(0, |sum, input| {
                let first = *sum;
                *sum += program.values[input.0].channels();
                Some(first)
            });
            *axis + 1 == program.values[step.output.0].shape.len()
                && program.values[step.output.0].data_type == DataType::I8
                && channels.enumerate().all(|(input, channel)| placed(input, channel))
        }
        _ => false,
    }
}

/// Whether the result's memory is the input's under another shape.
fn is_alias(program: &Program, step: &Step) -> bool {
    let (Op::Reshape, [input]) = (&step.op, &step.inputs[..]) else { return false };
    let [from, to] = [input, &step.output].map(|id| &program.values[id.0]);
    let dense = |value: &Value| value.stride() == value.channels();
    from.channels() == to.channels() || dense(from) && dense(to)
}

/// Lets a reshaped value be its input under another shape.
fn with_aliases(program: &Program, mut homes: Vec<Home>) -> Vec<Home> {
    for step in &program.steps {
        if is_alias(program, step) {
            homes[step.output.0] = homes[step.inputs[0].0];
        }
    }
    homes
}
