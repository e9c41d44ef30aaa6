//! Operators that only move elements. Everything is counted in bytes here, so that one code moves both types.

use clawdbot_kernels::shuffle::{self, shuffle};

use super::preparation::{CHEAP, Preparation};
use super::{Context, Operand, Run};
use crate::executor::bands::{Rows, in_bands};
use crate::executor::memory::Memory;
use crate::program::Value;
use crate::tensor::DataType;

/// One axis that is walked.
#[derive(Clone, Copy, Debug)]
struct Axis {
    count: usize,
    /// Bytes from step to step in the input.
    from: usize,
    /// Bytes from step to step in the result.
    to: usize,
}

/// A box of elements and where it goes.
#[derive(Debug)]
struct Part {
    input: Operand,
    /// The first byte in the input.
    from: usize,
    /// The first byte in the result.
    to: usize,
    /// From the outermost on.
    axes: Vec<Axis>,
    /// Bytes that lie side by side in both.
    run: usize,
}

/// Copies boxes.
#[derive(Debug)]
pub(super) struct Move {
    /// What the result holds where no part goes; `None` where parts go everywhere.
    fill: Option<u8>,
    parts: Vec<Part>,
}

/// Bytes from step to step along each axis of a value whose pixels are `stride` elements apart.
fn strides(value: &Value, stride: usize) -> Vec<usize> {
    let last = value.shape.len().saturating_sub(1);
    let pixels = |axis: usize| value.shape[axis + 1..last].iter().product::<usize>();
    let elements = (0..=last).map(|axis| if axis == last { 1 } else { stride * pixels(axis) });
    elements.map(|elements| elements * value.data_type.bytes()).collect()
}

impl Part {
    /// `axes` from the outermost on, over elements of `bytes`.
    fn new(input: Operand, [from, to]: [usize; 2], axes: impl Iterator<Item = Axis>, bytes: usize) -> Self {
        let mut merged: Vec<Axis> = Vec::new();
        let element = Axis { count: bytes, from: 1, to: 1 };
        for axis in axes.chain([element]).filter(|axis| axis.count != 1) {
            match merged.last_mut() {
                Some(outer) if outer.from == axis.from * axis.count && outer.to == axis.to * axis.count => {
                    *outer = Axis { count: outer.count * axis.count, ..axis };
                }
                _ => merged.push(axis),
            }
        }
        let run = match merged.last() {
            Some(&Axis { count, from: 1, to: 1 }) => {
                merged.pop();
                count
            }
            _ => 1,
        };
        Self { input, from, to, axes: merged, run }
    }

    /// Bytes of the result from the first to the last that one step of the outermost axis writes.
    fn reach(&self) -> usize {
        self.axes.iter().skip(1).map(|axis| (axis.count - 1) * axis.to).sum::<usize>() + self.run
    }

    fn copy(&self, axes: &[Axis], input: &[u8], output: &mut [u8]) {
        match axes {
            [] => match self.run {
                1 => output[0] = input[0],
                4 => output[..4].copy_from_slice(&input[..4]),
                run => output[..run].copy_from_slice(&input[..run]),
            },
            [axis, inner @ ..] => {
                for step in 0..axis.count {
                    self.copy(inner, &input[step * axis.from..], &mut output[step * axis.to..]);
                }
            }
        }
    }

    fn run(&self, context: &Context<'_>, memory: &Memory<'_>, output: &mut [u8]) {
        let input = &memory.bytes(&self.input.range)[self.from..];
        match &self.axes[..] {
            // Every step of the outermost axis stays in its own stretch of the result.
            [outer, inner @ ..] if self.to + self.reach() <= outer.to => {
                let rows = Rows { count: outer.count, elements: outer.to, work: outer.to * CHEAP };
                in_bands(context.workers, rows, output, |band, output: &mut [u8]| {
                    for (step, output) in band.zip(output.chunks_mut(outer.to)) {
                        self.copy(inner, &input[step * outer.from..], &mut output[self.to..]);
                    }
                });
            }
            axes => self.copy(axes, input, &mut output[self.to..]),
        }
    }
}

impl Run for Move {
    fn run(&self, context: &Context<'_>, memory: &Memory<'_>, output: &mut [u8]) {
        if let Some(value) = self.fill {
            output.fill(value);
        }
        self.parts.iter().for_each(|part| part.run(context, memory, output));
    }
}

/// Elements at regular places.
pub(super) fn slice(preparation: &Preparation<'_>, begin: &[usize], step: &[usize]) -> Option<Move> {
    let (input, output) = (preparation.operand(0)?, preparation.output());
    let from = strides(preparation.input(0)?, input.stride);
    let to = strides(output, preparation.output_stride());
    let axes = (0..output.shape.len()).map(|axis| Axis {
        count: output.shape[axis],
        from: from[axis] * step[axis],
        to: to[axis],
    });
    let first = from.iter().zip(begin).map(|(stride, begin)| stride * begin).sum();
    Some(Move { fill: None, parts: vec![Part::new(input, [first, 0], axes, output.data_type.bytes())] })
}

/// Axes in another order.
pub(super) fn transpose(preparation: &Preparation<'_>, order: &[usize]) -> Option<Move> {
    let (input, output) = (preparation.operand(0)?, preparation.output());
    let from = strides(preparation.input(0)?, input.stride);
    let to = strides(output, preparation.output_stride());
    let axes = order.iter().zip(&output.shape).zip(&to);
    let axes = axes.map(|((&axis, &count), &to)| Axis { count, from: from[axis], to });
    Some(Move { fill: None, parts: vec![Part::new(input, [0, 0], axes, output.data_type.bytes())] })
}

/// Real zeros around a picture.
pub(super) fn pad(preparation: &Preparation<'_>, [top, left, _, _]: [usize; 4]) -> Option<Move> {
    let (input, output, value) = (preparation.operand(0)?, preparation.output(), preparation.input(0)?);
    let (from, to) = (strides(value, input.stride), strides(output, preparation.output_stride()));
    let axes = (0..value.shape.len()).map(|axis| Axis { count: value.shape[axis], from: from[axis], to: to[axis] });
    let part = Part::new(input, [0, top * to[1] + left * to[2]], axes, output.data_type.bytes());
    let zero = i8::try_from(output.zero_point).ok()?.cast_unsigned();
    Some(Move { fill: Some(zero), parts: vec![part] })
}

/// One after the other along an axis. What the plan already placed in the result stays where it is.
pub(super) fn concatenate(preparation: &Preparation<'_>, axis: usize) -> Option<Move> {
    let output = preparation.output();
    let to = strides(output, preparation.output_stride());
    let mut first = 0;
    let mut parts = Vec::new();
    for index in 0..preparation.step.inputs.len() {
        let (input, value) = (preparation.operand(index)?, preparation.input(index)?);
        let from = strides(value, input.stride);
        let axes = (0..value.shape.len()).map(|axis| Axis { count: value.shape[axis], from: from[axis], to: to[axis] });
        if !preparation.is_in_place(index, first) {
            parts.push(Part::new(input, [0, first], axes, output.data_type.bytes()));
        }
        first += value.shape[axis] * to[axis];
    }
    Some(Move { fill: None, parts })
}

/// A channel shuffle.
#[derive(Debug)]
pub(super) struct Shuffle {
    input: Operand,
    groups: usize,
    channels: usize,
    integers: bool,
    rows: Rows,
}

impl Shuffle {
    pub(super) fn new(preparation: &Preparation<'_>, groups: usize) -> Option<Self> {
        let output = preparation.output();
        Some(Self {
            input: preparation.operand(0)?,
            groups,
            channels: output.channels(),
            integers: output.data_type == DataType::I8,
            rows: preparation.pixels(CHEAP),
        })
    }

    fn bands<T: bytemuck::Pod + Send + Sync>(
        &self,
        context: &Context<'_>,
        memory: &Memory<'_>,
        output: &mut [u8],
        task: impl Fn(shuffle::Shuffle<'_, T>) + Sync,
    ) {
        let input: &[T] = memory.elements(&self.input.range);
        let (input_stride, output_stride) = (self.input.stride, self.rows.elements);
        in_bands(context.workers, self.rows, bytemuck::cast_slice_mut(output), |band, output| {
            let input = &input[band.start * input_stride..];
            let (rows, channels, groups) = (band.len(), self.channels, self.groups);
            task(shuffle::Shuffle { rows, channels, groups, input, input_stride, output, output_stride });
        });
    }
}

impl Run for Shuffle {
    fn run(&self, context: &Context<'_>, memory: &Memory<'_>, output: &mut [u8]) {
        if self.integers {
            self.bands(context, memory, output, |task| shuffle(context.isa, shuffle::Task::I8(task)));
        } else {
            self.bands(context, memory, output, |task| shuffle(context.isa, shuffle::Task::F32(task)));
        }
    }
}

/// The same elements in pixels of another length.
#[derive(Debug)]
pub(super) struct Reflow {
    input: Operand,
    /// Bytes of a pixel, and from pixel to pixel, in input and result.
    pixels: [(usize, usize); 2],
    /// All bytes, without those between pixels.
    bytes: usize,
    /// Divides both pixels.
    run: usize,
}

impl Reflow {
    pub(super) fn new(preparation: &Preparation<'_>) -> Option<Self> {
        let (input, value, output) = (preparation.operand(0)?, preparation.input(0)?, preparation.output());
        let size = output.data_type.bytes();
        let from = (value.channels() * size, input.stride * size);
        let to = (output.channels() * size, preparation.output_stride() * size);
        let bytes = output.pixels() * to.0;
        Some(Self { input, pixels: [from, to], bytes, run: common_divisor(from.0, to.0) })
    }
}

impl Run for Reflow {
    fn run(&self, _: &Context<'_>, memory: &Memory<'_>, output: &mut [u8]) {
        let input = memory.bytes(&self.input.range);
        let [from, to] = self.pixels.map(|(length, stride)| move |at: usize| at / length * stride + at % length);
        for at in (0..self.bytes).step_by(self.run) {
            output[to(at)..][..self.run].copy_from_slice(&input[from(at)..][..self.run]);
        }
    }
}

const fn common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { common_divisor(b, a % b) }
}
