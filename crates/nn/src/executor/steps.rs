//! The steps of a program with everything looked up: how each calls its kernel. One file for each kind of step: what it
//! holds, how that is found once, and how it runs.

mod conversions;
mod dense;
mod depthwise;
mod epilogue;
mod functions;
mod halves;
mod movement;
mod pools;
mod preparation;
mod resize;
mod sums;

use std::ops::Range;

use clawdbot_kernels::isa::Isa;

use super::ExecutorError;
use super::memory::Memory;
use crate::model::Model;
use crate::plan::Plan;
use crate::program::Op;
use crate::tensor::DataType;
use crate::workers::Workers;
use preparation::Preparation;

/// What all steps share during a run.
pub(super) struct Context<'a> {
    pub(super) isa: Isa,
    pub(super) workers: &'a Workers,
    /// The model's bytes: every tensor's range counts in them.
    pub(super) tensors: &'a [u8],
}

impl<'a> Context<'a> {
    /// The elements of a tensor; verification proved its type, and the bundle its alignment.
    fn tensor<T: bytemuck::Pod>(&self, range: &Range<usize>) -> &'a [T] {
        bytemuck::cast_slice(&self.tensors[range.clone()])
    }
}

/// An operand in the arena.
#[derive(Clone, Debug)]
struct Operand {
    range: Range<usize>,
    /// Elements from pixel to pixel.
    stride: usize,
}

/// One step.
pub(super) trait Run: std::fmt::Debug + Send + Sync {
    /// Makes `output`, the step's result in the arena, from what lies in `memory`.
    fn run(&self, context: &Context<'_>, memory: &Memory<'_>, output: &mut [u8]);
}

/// The work of each step of a verified model; `None` where the plan alone makes the result.
pub(super) fn prepare(model: &Model, plan: &Plan) -> Result<Vec<Option<Box<dyn Run>>>, ExecutorError> {
    let prepared = |at: usize| {
        let step = &model.program().steps[at];
        let run = if plan.idle[at] { Some(None) } else { of(&Preparation { model, plan, step }).map(Some) };
        run.ok_or_else(|| ExecutorError::Step(step.name.clone()))
    };
    (0..model.program().steps.len()).map(prepared).collect()
}

/// `None` only where the model was not verified.
fn of(preparation: &Preparation<'_>) -> Option<Box<dyn Run>> {
    let integers = preparation.output().data_type == DataType::I8;
    Some(match &preparation.step.op {
        Op::ConvolutionI8 { window, pad_value, tensors, epilogue } => {
            Box::new(dense::Dense::new(preparation, *window, *pad_value, tensors, epilogue)?)
        }
        Op::DepthwiseI8 { window, pad_value, tensors, epilogue } => {
            Box::new(depthwise::Depthwise::new(preparation, *window, *pad_value, tensors, epilogue)?)
        }
        Op::ConvolutionF16 { window, pad_value, weights, bias, activation } => {
            let layer = halves::Layer::new(preparation, *pad_value, [weights, bias], *activation)?;
            Box::new(halves::Dense::new(preparation, *window, layer)?)
        }
        Op::DepthwiseF16 { window, pad_value, weights, bias, activation } => {
            let layer = halves::Layer::new(preparation, *pad_value, [weights, bias], *activation)?;
            Box::new(halves::Depthwise::new(preparation, *window, layer)?)
        }
        Op::AddI8 { epilogue } => Box::new(sums::AddI8::new(preparation, epilogue)?),
        Op::AddF32 { activation } => Box::new(sums::PairF32::add(preparation, *activation)?),
        Op::MultiplyI8 { epilogue } => Box::new(sums::MultiplyI8::new(preparation, epilogue)?),
        Op::MultiplyF32 => Box::new(sums::PairF32::multiply(preparation)?),
        Op::AffineF32 { factors, offsets, activation } => {
            Box::new(sums::AffineF32::new(preparation, [factors, offsets], *activation)?)
        }
        Op::ActivateI8 { table } => Box::new(functions::Table::new(preparation, table)?),
        Op::ActivateF32 { activation } => Box::new(functions::Function::new(preparation, *activation)?),
        Op::Softmax => Box::new(functions::Softmax::new(preparation)?),
        Op::Quantize => Box::new(conversions::Quantize::new(preparation)?),
        Op::Dequantize => Box::new(conversions::Dequantize::new(preparation)?),
        Op::GlobalAveragePool if integers => Box::new(pools::MeanI8::new(preparation)?),
        Op::GlobalAveragePool => Box::new(pools::MeanF32::new(preparation)?),
        Op::MaxPool { window } => Box::new(pools::Maximum::new(preparation, *window)?),
        Op::AveragePool { window, padding_counts } => {
            Box::new(pools::Average::new(preparation, *window, *padding_counts)?)
        }
        Op::Resize { sampling } => Box::new(resize::Resize::new(preparation, *sampling)?),
        Op::ChannelShuffle { groups } => Box::new(movement::Shuffle::new(preparation, *groups)?),
        Op::Slice { begin, step } => Box::new(movement::slice(preparation, begin, step)?),
        Op::Transpose { order } => Box::new(movement::transpose(preparation, order)?),
        Op::Pad { cells } => Box::new(movement::pad(preparation, *cells)?),
        Op::Concatenate { axis } => Box::new(movement::concatenate(preparation, *axis)?),
        Op::Reshape => Box::new(movement::Reflow::new(preparation)?),
    })
}
