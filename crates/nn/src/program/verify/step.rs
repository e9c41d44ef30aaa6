//! One step: do its operands fit its operator?

use super::{InvalidProgram, Lookup, Reason, WINDOW_SIDE_MAX, tensors, value_of};
use crate::program::{Op, Program, Step, Value, Window};
use crate::tensor::DataType::{self, F32, I8};

/// A step and its operands, looked up.
pub(super) struct Operands<'a> {
    pub(super) step: &'a Step,
    pub(super) inputs: Vec<&'a Value>,
    pub(super) output: &'a Value,
}

/// Checks `step`; its values exist.
pub(super) fn step(program: &Program, step: &Step, lookup: Lookup<'_>) -> Result<(), InvalidProgram> {
    let inputs = step.inputs.iter().map(|&id| value_of(program, step, id)).collect::<Result<Vec<_>, _>>()?;
    let operands = Operands { step, inputs, output: value_of(program, step, step.output)? };
    operands.check(lookup)
}

impl<'a> Operands<'a> {
    fn check(&self, lookup: Lookup<'_>) -> Result<(), InvalidProgram> {
        match &self.step.op {
            Op::ConvolutionI8 { window, tensors, epilogue, .. } => {
                let x = self.convolved(*window, I8, &[I8, F32])?;
                self.residual(I8)?;
                self.epilogue(epilogue, self.output.channels().next_multiple_of(8), lookup)?;
                tensors::convolution(self.step, lookup, tensors, *window, x.channels(), self.output.channels())
            }
            Op::DepthwiseI8 { window, tensors, epilogue, .. } => {
                self.count(1..=1, "one")?;
                let x = self.convolved(*window, I8, &[I8])?;
                self.same_channels(x)?;
                if x.channels() <= 4 {
                    return Err(self.fault(Reason::FewChannels(x.channels())));
                }
                self.epilogue(epilogue, x.channels().next_multiple_of(16), lookup)?;
                tensors::depthwise(self.step, lookup, tensors, *window, x.channels())
            }
            Op::ConvolutionF16 { window, pad_value, weights, bias, activation } => {
                let x = self.convolved(*window, F32, &[F32])?;
                self.residual(F32)?;
                self.pad_value(*pad_value)?;
                self.activation(*activation)?;
                let padded = self.output.channels().next_multiple_of(8);
                let shape = [padded / 8, self.taps(*window, x.channels())?, 8];
                tensors::halves(self.step, lookup, weights, &shape)?;
                tensors::floats(self.step, lookup, bias, padded)
            }
            Op::DepthwiseF16 { window, pad_value, weights, bias, activation } => {
                self.count(1..=1, "one")?;
                let x = self.convolved(*window, F32, &[F32])?;
                self.same_channels(x)?;
                self.pad_value(*pad_value)?;
                self.activation(*activation)?;
                let shape = [window.kernel[0] * window.kernel[1], x.channels()];
                tensors::halves(self.step, lookup, weights, &shape)?;
                tensors::floats(self.step, lookup, bias, x.channels())
            }
            _ => self.without_weights(lookup),
        }
    }

    fn without_weights(&self, lookup: Lookup<'_>) -> Result<(), InvalidProgram> {
        match &self.step.op {
            Op::AddI8 { epilogue } => {
                self.elementwise(2, I8, I8)?;
                self.plain_epilogue(epilogue, lookup)
            }
            Op::AddF32 { activation } => {
                self.elementwise(2, F32, F32)?;
                self.activation(*activation)
            }
            Op::MultiplyI8 { epilogue } => {
                self.product(I8)?;
                self.plain_epilogue(epilogue, lookup)
            }
            Op::MultiplyF32 => self.product(F32),
            Op::AffineF32 { factors, offsets, activation } => {
                self.elementwise(1, F32, F32)?;
                self.activation(*activation)?;
                [factors, offsets]
                    .into_iter()
                    .try_for_each(|name| tensors::floats(self.step, lookup, name, self.output.channels()))
            }
            Op::ActivateI8 { table } => {
                self.elementwise(1, I8, I8)?;
                self.one_scale_each()?;
                tensors::table(self.step, lookup, table)
            }
            Op::ActivateF32 { activation } => {
                self.elementwise(1, F32, F32)?;
                self.activation(*activation)
            }
            Op::Quantize => self.elementwise(1, F32, I8),
            Op::Dequantize => self.elementwise(1, I8, F32),
            Op::Softmax => self.elementwise(1, F32, F32),
            Op::GlobalAveragePool => self.mean(),
            Op::MaxPool { window } => self.max_pool(*window),
            Op::AveragePool { window, .. } => self.average_pool(*window),
            Op::Resize { .. } => self.resize(),
            Op::Slice { begin, step } => self.slice(begin, step),
            Op::Transpose { order } => self.transpose(order),
            Op::ChannelShuffle { groups } => self.shuffle(*groups),
            Op::Pad { cells } => self.pad(*cells),
            Op::Reshape => self.reshape(),
            Op::Concatenate { axis } => self.concatenate(*axis),
            Op::ConvolutionI8 { .. } | Op::DepthwiseI8 { .. } | Op::ConvolutionF16 { .. } | Op::DepthwiseF16 { .. } => {
                self.check(lookup)
            }
        }
    }

    pub(super) fn fault(&self, reason: Reason) -> InvalidProgram {
        InvalidProgram::step(self.step, reason)
    }

    pub(super) fn count(
        &self,
        wanted: std::ops::RangeInclusive<usize>,
        words: &'static str,
    ) -> Result<(), InvalidProgram> {
        let count = self.inputs.len();
        if wanted.contains(&count) { Ok(()) } else { Err(self.fault(Reason::InputCount { count, wanted: words })) }
    }

    pub(super) fn kind(&self, value: &Value, wanted: &[DataType]) -> Result<(), InvalidProgram> {
        if wanted.contains(&value.data_type) {
            return Ok(());
        }
        Err(self.fault(Reason::OperandType { value: value.name.clone(), data_type: value.data_type }))
    }

    pub(super) fn shape(
        &self,
        value: &Value,
        fits: bool,
        wanted: impl FnOnce() -> String,
    ) -> Result<(), InvalidProgram> {
        if fits {
            return Ok(());
        }
        let (name, shape) = (value.name.clone(), value.shape.clone());
        Err(self.fault(Reason::OperandShape { value: name, shape, wanted: wanted() }))
    }

    pub(super) fn one_scale(&self, value: &Value) -> Result<(), InvalidProgram> {
        let one = value.data_type != I8 || value.scale.len() == 1;
        if one { Ok(()) } else { Err(self.fault(Reason::ChannelScales(value.name.clone()))) }
    }

    /// Refuses operands with a scale a channel.
    pub(super) fn one_scale_each(&self) -> Result<(), InvalidProgram> {
        self.inputs.iter().copied().chain([self.output]).try_for_each(|value| self.one_scale(value))
    }

    /// Refuses unless the result is I8 or F32 as x is, and each channel of it has the scale and zero point of the channel of
    /// x that `source` names.
    pub(super) fn same_grid(&self, x: &Value, source: impl Fn(usize) -> usize) -> Result<(), InvalidProgram> {
        self.kind(self.output, &[x.data_type])?;
        let scale = |value: &Value, channel: usize| value.scale.get(channel).or(value.scale.first()).copied();
        let same = x.zero_point == self.output.zero_point
            && (0..self.output.channels()).all(|at| scale(self.output, at) == scale(x, source(at)));
        if same { Ok(()) } else { Err(self.fault(Reason::Grid(x.name.clone()))) }
    }

    fn same_channels(&self, x: &Value) -> Result<(), InvalidProgram> {
        self.shape(self.output, self.output.channels() == x.channels(), || {
            format!("a depthwise result has its input's {} channels", x.channels())
        })
    }

    /// The convolved operand; its and the result's sides fit the window.
    fn convolved(&self, window: Window, wanted: DataType, results: &[DataType]) -> Result<&'a Value, InvalidProgram> {
        self.count(1..=2, "one, or two where the second is a residual")?;
        let x = self.inputs[0];
        self.kind(x, &[wanted])?;
        self.kind(self.output, results)?;
        self.windowed(x, window)?;
        Ok(x)
    }

    /// Refuses unless `window` over x makes the result's rows and columns.
    pub(super) fn windowed(&self, x: &Value, window: Window) -> Result<(), InvalidProgram> {
        for value in [x, self.output] {
            self.picture(value)?;
        }
        let sides = window.kernel.iter().chain(&window.stride).all(|side| (1..=WINDOW_SIDE_MAX).contains(side));
        let padding = window.padding.iter().enumerate().all(|(side, &cells)| cells < window.kernel[side % 2]);
        let size = window.output_size([x.shape[1], x.shape[2]]);
        let Some(size) = size.filter(|_| sides && padding) else {
            return Err(self.fault(Reason::Window(format!("{window:?} over {:?}", x.shape))));
        };
        self.shape(self.output, self.output.shape[1..3] == size, || {
            format!("its window makes {size:?} rows and columns")
        })
    }

    /// Refuses a value that is no `[1][H][W][C]`.
    pub(super) fn picture(&self, value: &Value) -> Result<(), InvalidProgram> {
        self.shape(value, value.shape.len() == 4, || String::from("its operator takes and makes [1][H][W][C]"))
    }

    fn taps(&self, window: Window, channels: usize) -> Result<usize, InvalidProgram> {
        let taps = (window.kernel[0] * window.kernel[1]).checked_mul(channels);
        taps.ok_or_else(|| self.fault(Reason::Window(format!("{window:?}"))))
    }

    fn residual(&self, wanted: DataType) -> Result<(), InvalidProgram> {
        let Some(residual) = self.inputs.get(1) else { return Ok(()) };
        self.kind(residual, &[wanted])?;
        self.kind(self.output, &[wanted])?;
        self.one_scale(residual)?;
        self.one_scale(self.output)?;
        self.shape(residual, residual.shape == self.output.shape, || {
            format!("a residual has the result's shape {:?}", self.output.shape)
        })
    }

    fn pad_value(&self, value: f32) -> Result<(), InvalidProgram> {
        if value.is_finite() { Ok(()) } else { Err(self.fault(Reason::PadValue(value))) }
    }

    /// `count` inputs of one type, each of the result's shape.
    fn elementwise(&self, count: usize, from: DataType, to: DataType) -> Result<(), InvalidProgram> {
        self.count(count..=count, if count == 1 { "one" } else { "two" })?;
        self.kind(self.output, &[to])?;
        for value in &self.inputs {
            self.kind(value, &[from])?;
            self.shape(value, value.shape == self.output.shape, || {
                format!("its operator wants the result's shape {:?}", self.output.shape)
            })?;
        }
        Ok(())
    }
}
