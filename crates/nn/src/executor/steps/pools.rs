//! Pools.

use clawdbot_kernels::average_pool::{self, Mean, Windows, average_pool};
use clawdbot_kernels::geometry::Geometry;
use clawdbot_kernels::max_pool::{self, max_pool};
use clawdbot_kernels::pool::{self, Pool, pool};

use super::preparation::Preparation;
use super::{Context, Operand, Run};
use crate::executor::bands::{Rows, in_bands};
use crate::executor::memory::Memory;
use crate::program::Window;
use crate::tensor::DataType;

/// The mean of all pixels of an I8 value.
#[derive(Debug)]
pub(super) struct MeanI8 {
    input: Operand,
    pool: Pool,
}

impl MeanI8 {
    #[expect(clippy::cast_precision_loss, reason = "verification bounds the pixels by 2^23, which f32 holds")]
    pub(super) fn new(preparation: &Preparation<'_>) -> Option<Self> {
        let (input, output) = (preparation.input(0)?, preparation.output());
        let scale = input.scale.first()? / (output.scale.first()? * input.pixels() as f32);
        let (input_zero_point, zero_point) = (input.zero_point, output.zero_point);
        let pool = Pool { scale, input_zero_point, zero_point, low: i8::MIN, high: i8::MAX };
        Some(Self { input: preparation.operand(0)?, pool })
    }
}

impl Run for MeanI8 {
    fn run(&self, context: &Context<'_>, memory: &Memory<'_>, output: &mut [u8]) {
        let (input, output) = (memory.elements(&self.input.range), bytemuck::cast_slice_mut(output));
        pool(context.isa, pool::Task::I8 { input, pool: self.pool, output });
    }
}

/// The mean of all pixels of an F32 value.
#[derive(Debug)]
pub(super) struct MeanF32 {
    input: Operand,
}

impl MeanF32 {
    pub(super) fn new(preparation: &Preparation<'_>) -> Option<Self> {
        Some(Self { input: preparation.operand(0)? })
    }
}

impl Run for MeanF32 {
    fn run(&self, context: &Context<'_>, memory: &Memory<'_>, output: &mut [u8]) {
        let (input, output) = (memory.elements(&self.input.range), bytemuck::cast_slice_mut(output));
        pool(context.isa, pool::Task::F32 { input, output });
    }
}

/// A window over the first input, whatever it does.
#[derive(Debug)]
struct Over {
    input: Operand,
    geometry: Geometry,
    channels: usize,
    output_stride: usize,
    integers: bool,
    rows: Rows,
}

impl Over {
    fn new(preparation: &Preparation<'_>, window: Window) -> Option<Self> {
        Some(Self {
            input: preparation.operand(0)?,
            geometry: preparation.geometry(window)?,
            channels: preparation.output().channels(),
            output_stride: preparation.output_stride(),
            integers: preparation.output().data_type == DataType::I8,
            rows: preparation.picture_rows(window.kernel[0] * window.kernel[1]),
        })
    }

    fn largest<T: bytemuck::Pod + Send + Sync>(
        &self,
        context: &Context<'_>,
        memory: &Memory<'_>,
        output: &mut [u8],
        task: impl Fn(max_pool::Pool<'_, T>) + Sync,
    ) {
        let (geometry, channels, output_stride) = (&self.geometry, self.channels, self.output_stride);
        let input = memory.elements(&self.input.range);
        in_bands(context.workers, self.rows, bytemuck::cast_slice_mut(output), |rows, output| {
            task(max_pool::Pool { geometry, rows, channels, input, output, output_stride });
        });
    }
}

/// The largest element under a window.
#[derive(Debug)]
pub(super) struct Maximum(Over);

impl Maximum {
    pub(super) fn new(preparation: &Preparation<'_>, window: Window) -> Option<Self> {
        Over::new(preparation, window).map(Self)
    }
}

impl Run for Maximum {
    fn run(&self, context: &Context<'_>, memory: &Memory<'_>, output: &mut [u8]) {
        if self.0.integers {
            self.0.largest(context, memory, output, |pool| max_pool(context.isa, max_pool::Task::I8(pool)));
        } else {
            self.0.largest(context, memory, output, |pool| max_pool(context.isa, max_pool::Task::F32(pool)));
        }
    }
}

/// The mean under a window.
#[derive(Debug)]
pub(super) struct Average {
    over: Over,
    padding_counts: bool,
    mean: Mean,
}

impl Average {
    pub(super) fn new(preparation: &Preparation<'_>, window: Window, padding_counts: bool) -> Option<Self> {
        let (input, output) = (preparation.input(0)?, preparation.output());
        let scale = |value: &crate::program::Value| value.scale.first().copied().unwrap_or(1.0);
        let mean = Mean {
            scale: scale(input) / scale(output),
            input_zero_point: input.zero_point,
            zero_point: output.zero_point,
        };
        Some(Self { over: Over::new(preparation, window)?, padding_counts, mean })
    }

    fn windows(&self, rows: std::ops::Range<usize>) -> Windows<'_> {
        let Over { geometry, channels, output_stride, .. } = &self.over;
        let padding_counts = self.padding_counts;
        Windows { geometry, rows, channels: *channels, padding_counts, output_stride: *output_stride }
    }
}

impl Run for Average {
    fn run(&self, context: &Context<'_>, memory: &Memory<'_>, output: &mut [u8]) {
        let (isa, rows) = (context.isa, self.over.rows);
        if self.over.integers {
            let input = memory.elements(&self.over.input.range);
            in_bands(context.workers, rows, bytemuck::cast_slice_mut(output), |rows, output| {
                let (windows, mean) = (self.windows(rows), self.mean);
                average_pool(isa, average_pool::Task::I8 { windows, input, mean, output });
            });
        } else {
            let input = memory.elements(&self.over.input.range);
            in_bands(context.workers, rows, bytemuck::cast_slice_mut(output), |rows, output| {
                average_pool(isa, average_pool::Task::F32 { windows: self.windows(rows), input, output });
            });
        }
    }
}
