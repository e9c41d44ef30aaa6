//! Which values lie within another, so that joining and cutting along the channels copies nothing.
//!
//! The parts of a concatenation are written side by side into the rows of its result, and a slice of the channels is its
//! input's rows from some channel on. A step reads its operands and writes its result as separate pieces of memory, so a value
//! only moves in where no step then writes into a row that it also reads. Everything here is about I8: F32 values are few
//! and lie densely.

#[cfg(test)]
mod tests;

use crate::program::{Op, Program, Step, Value, ValueId};
use crate::tensor::DataType;

/// Values that share one row: bounds the work of planning a forged program.
const ROW_MATES_MAX: usize = 64;

/// Where a value lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Home {
    /// The value whose rows it is part of; itself when it has its own.
    pub(super) host: usize,
    /// Its first channel there.
    pub(super) channel: usize,
}

/// Finds the values that can lie within others.
pub(super) struct Views<'a> {
    program: &'a Program,
    homes: Vec<Home>,
    /// For each value that is a host, all values in its rows, itself included.
    mates: Vec<Vec<usize>>,
    /// For each value, the step that writes it.
    writers: Vec<Option<usize>>,
    /// For each value, the steps that read it.
    readers: Vec<Vec<usize>>,
    /// For each value, whether its memory may be part of another's.
    movable: Vec<bool>,
}

/// The home of each value of a verified `program`.
pub(super) fn homes(program: &Program) -> Vec<Home> {
    let mut views = Views::new(program);
    for (at, step) in program.steps.iter().enumerate() {
        match &step.op {
            Op::Concatenate { axis } if *axis + 1 == program.values[step.output.0].shape.len() => views.join(step),
            Op::Slice { .. } => views.cut(at, step),
            _ => {}
        }
    }
    views.homes
}

/// The first channel of a slice that takes whole pixels apart and nothing else.
pub(super) fn channel_slice(program: &Program, step: &Step) -> Option<usize> {
    let (Op::Slice { begin, step: each }, [input]) = (&step.op, &step.inputs[..]) else { return None };
    let (x, output) = (&program.values[input.0], &program.values[step.output.0]);
    let last = x.shape.len().checked_sub(1)?;
    let whole = begin[..last].iter().all(|&begin| begin == 0) && x.shape[..last] == output.shape[..last];
    (whole && each.iter().all(|&step| step == 1)).then_some(begin[last])
}

impl<'a> Views<'a> {
    fn new(program: &'a Program) -> Self {
        let count = program.values.len();
        let (mut writers, mut readers) = (vec![None; count], vec![Vec::new(); count]);
        for (at, step) in program.steps.iter().enumerate() {
            writers[step.output.0] = Some(at);
            step.inputs.iter().for_each(|input| readers[input.0].push(at));
        }
        let mut movable: Vec<bool> = program.values.iter().map(can_be_part).collect();
        let ends = program.inputs.iter().chain(&program.outputs);
        ends.for_each(|id| movable[id.0] = false);
        let homes = (0..count).map(|host| Home { host, channel: 0 }).collect();
        Self { program, homes, mates: (0..count).map(|value| vec![value]).collect(), writers, readers, movable }
    }

    /// Moves the parts of a concatenation into its result where that goes.
    fn join(&mut self, step: &Step) {
        let mut channel = 0;
        for (index, &part) in step.inputs.iter().enumerate() {
            if step.inputs[..index].iter().all(|&earlier| earlier != part) && self.writes_parts(part) {
                self.move_in(part.0, step.output.0, channel);
            }
            channel += self.program.values[part.0].channels();
        }
    }

    /// Lets a slice of channels stay where its input is.
    fn cut(&mut self, at: usize, step: &Step) {
        let Some(channel) = channel_slice(self.program, step) else { return };
        let input = step.inputs[0].0;
        // The picture that the caller fills has pixels of four bytes.
        if can_be_part(&self.program.values[input]) && self.writers[step.output.0] == Some(at) {
            self.move_in(step.output.0, input, channel);
        }
    }

    /// Lets `value`, and what lies in it, be part of the rows of `host` from `channel` on, if it may.
    fn move_in(&mut self, value: usize, host: usize, channel: usize) {
        let fits = self.program.values[host].data_type == DataType::I8
            && self.movable[value]
            && self.homes[value].host == value
            && self.readers[value].iter().all(|&reader| self.reads_parts(reader, value));
        let Home { host, channel: first } = Home { channel: self.homes[host].channel + channel, ..self.homes[host] };
        if !fits || host == value || self.mates[value].len() + self.mates[host].len() > ROW_MATES_MAX {
            return;
        }
        let before: Vec<(usize, Home)> = self.mates[value].iter().map(|&mate| (mate, self.homes[mate])).collect();
        for &(mate, home) in &before {
            self.homes[mate] = Home { host, channel: first + home.channel };
        }
        let together = self.mates[host].iter().chain(&self.mates[value]);
        if together.copied().any(|mate| self.is_written_from_its_own_row(mate)) {
            before.into_iter().for_each(|(mate, home)| self.homes[mate] = home);
            return;
        }
        let newcomers = std::mem::take(&mut self.mates[value]);
        self.mates[host].extend(newcomers);
    }

    /// Whether the step that makes `value` reads something in the same rows, other than what is in its place already.
    fn is_written_from_its_own_row(&self, value: usize) -> bool {
        let Some(at) = self.writers[value] else { return false };
        let step = &self.program.steps[at];
        let home = self.homes[value];
        let mut channel = home.channel;
        step.inputs.iter().any(|input| {
            let own = self.homes[input.0];
            let in_place = match &step.op {
                Op::Concatenate { .. } => own == Home { host: home.host, channel },
                Op::Slice { .. } => channel_slice(self.program, step)
                    .is_some_and(|first| Home { channel: own.channel + first, ..own } == home),
                _ => false,
            };
            channel += self.program.values[input.0].channels();
            own.host == home.host && !in_place
        })
    }

    /// Whether the step that makes `value` can leave bytes between its pixels as they are.
    fn writes_parts(&self, ValueId(value): ValueId) -> bool {
        let channels = self.program.values[value].channels();
        self.writers[value].is_some_and(|at| match self.program.steps[at].op {
            // It writes whole blocks of 16 channels.
            Op::DepthwiseI8 { .. } => channels.is_multiple_of(16),
            Op::Pad { .. } | Op::GlobalAveragePool | Op::Reshape => false,
            _ => true,
        })
    }

    /// Whether the step number `at` can read `value` where its pixels are further apart than its channels need.
    fn reads_parts(&self, at: usize, value: usize) -> bool {
        let step = &self.program.steps[at];
        match &step.op {
            Op::ConvolutionI8 { window, .. } => window.is_pointwise() || step.inputs[0].0 != value,
            Op::DepthwiseI8 { .. } | Op::GlobalAveragePool | Op::Reshape => false,
            _ => true,
        }
    }
}

/// Whether a value's pixels are long enough, and bytes.
fn can_be_part(value: &Value) -> bool {
    value.data_type == DataType::I8 && value.channels() > 4
}
