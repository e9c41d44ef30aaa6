//! Pictures with other sides.

use clawdbot_kernels::resize::{self as kernel, Between, resize};

use super::preparation::{CHEAP, Preparation};
use super::{Context, Operand, Run};
use crate::executor::bands::{Rows, in_bands};
use crate::executor::memory::Memory;
use crate::program::Sampling;
use crate::tensor::DataType;

/// See the module.
#[derive(Debug)]
pub(super) struct Resize {
    input: Operand,
    input_width: usize,
    channels: usize,
    down: Vec<Between>,
    right: Vec<Between>,
    output_stride: usize,
    integers: bool,
    rows: Rows,
}

impl Resize {
    pub(super) fn new(preparation: &Preparation<'_>, sampling: Sampling) -> Option<Self> {
        let (from, to) = (&preparation.input(0)?.shape, &preparation.output().shape);
        Some(Self {
            input: preparation.operand(0)?,
            input_width: *from.get(2)?,
            channels: preparation.output().channels(),
            down: between(sampling, *from.get(1)?, *to.get(1)?)?,
            right: between(sampling, *from.get(2)?, *to.get(2)?)?,
            output_stride: preparation.output_stride(),
            integers: preparation.output().data_type == DataType::I8,
            rows: preparation.picture_rows(CHEAP),
        })
    }

    fn bands<T: bytemuck::Pod + Send + Sync>(
        &self,
        context: &Context<'_>,
        memory: &Memory<'_>,
        output: &mut [u8],
        task: impl Fn(kernel::Resize<'_, T>) + Sync,
    ) {
        let input = memory.elements(&self.input.range);
        in_bands(context.workers, self.rows, bytemuck::cast_slice_mut(output), |rows, output| {
            task(kernel::Resize {
                input,
                input_width: self.input_width,
                input_stride: self.input.stride,
                channels: self.channels,
                down: &self.down[rows],
                right: &self.right,
                output,
                output_stride: self.output_stride,
            });
        });
    }
}

impl Run for Resize {
    fn run(&self, context: &Context<'_>, memory: &Memory<'_>, output: &mut [u8]) {
        if self.integers {
            self.bands(context, memory, output, |task| resize(context.isa, kernel::Task::I8(task)));
        } else {
            self.bands(context, memory, output, |task| resize(context.isa, kernel::Task::F32(task)));
        }
    }
}

/// The cells of a side of `original` that each place of a side of `new` lies between.
#[expect(clippy::cast_possible_truncation, reason = "a share needs no double precision")]
fn between(sampling: Sampling, original: usize, new: usize) -> Option<Vec<Between>> {
    let place = |to| {
        let ([first, second], share) = sampling.cells(to, original, new);
        Some(Between { first: u32::try_from(first).ok()?, second: u32::try_from(second).ok()?, share: share as f32 })
    };
    (0..new).map(place).collect()
}
