//! One step: do its operands fit its operator?

use super::{InvalidProgram, Lookup, Reason, WINDOW_SIDE_MAX, tensors, value_of};
use crate::program::{Op, Program, QuantizedEpilogue, Step, Value, Window};
use crate::tensor::DataType::{self, F32, I8};

/// Pixels whose INT8 sum fits 32 bits whatever they hold.
const POOLED_PIXELS_MAX: usize = 1 << 23;

/// A step and its operands, looked up.
struct Operands<'a> {
    step: &'a Step,
    inputs: Vec<&'a Value>,
    output: &'a Value,
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
                self.epilogue(epilogue, lookup)?;
                tensors::convolution(self.step, lookup, tensors, *window, x.channels(), self.output.channels())
            }
            Op::DepthwiseI8 { window, tensors, epilogue, .. } => {
                self.count(1..=1, "one")?;
                let x = self.convolved(*window, I8, &[I8])?;
                self.same_channels(x)?;
                if x.channels() <= 4 {
                    return Err(self.fault(Reason::FewChannels(x.channels())));
                }
                self.epilogue(epilogue, lookup)?;
                tensors::depthwise(self.step, lookup, tensors, *window, x.channels())
            }
            Op::ConvolutionF16 { window, pad_value, weights, bias, low, high } => {
                let x = self.convolved(*window, F32, &[F32])?;
                self.residual(F32)?;
                self.pad_value(*pad_value)?;
                self.bounds(*low, *high)?;
                let padded = self.output.channels().next_multiple_of(8);
                let shape = [padded / 8, self.taps(*window, x.channels())?, 8];
                tensors::floats(self.step, lookup, (weights, &shape), (bias, padded))
            }
            Op::DepthwiseF16 { window, pad_value, weights, bias, low, high } => {
                self.count(1..=1, "one")?;
                let x = self.convolved(*window, F32, &[F32])?;
                self.same_channels(x)?;
                self.pad_value(*pad_value)?;
                self.bounds(*low, *high)?;
                let shape = [window.kernel[0] * window.kernel[1], x.channels()];
                tensors::floats(self.step, lookup, (weights, &shape), (bias, x.channels()))
            }
            Op::AddI8 { epilogue } => {
                self.elementwise(2, I8, I8)?;
                self.inputs.iter().copied().chain([self.output]).try_for_each(|value| self.one_scale(value))?;
                self.epilogue(epilogue, lookup)
            }
            Op::AddF32 { low, high } => {
                self.elementwise(2, F32, F32)?;
                self.bounds(*low, *high)
            }
            Op::Quantize => self.elementwise(1, F32, I8),
            Op::Dequantize => self.elementwise(1, I8, F32),
            Op::Logistic | Op::Softmax => self.elementwise(1, F32, F32),
            Op::GlobalAveragePool => self.pool(),
            Op::Reshape => self.reshape(),
            Op::Concatenate { axis } => self.concatenate(*axis),
        }
    }

    fn fault(&self, reason: Reason) -> InvalidProgram {
        InvalidProgram::step(self.step, reason)
    }

    fn count(&self, wanted: std::ops::RangeInclusive<usize>, words: &'static str) -> Result<(), InvalidProgram> {
        let count = self.inputs.len();
        if wanted.contains(&count) { Ok(()) } else { Err(self.fault(Reason::InputCount { count, wanted: words })) }
    }

    fn kind(&self, value: &Value, wanted: &[DataType]) -> Result<(), InvalidProgram> {
        if wanted.contains(&value.data_type) {
            return Ok(());
        }
        Err(self.fault(Reason::OperandType { value: value.name.clone(), data_type: value.data_type }))
    }

    fn shape(&self, value: &Value, fits: bool, wanted: impl FnOnce() -> String) -> Result<(), InvalidProgram> {
        if fits {
            return Ok(());
        }
        let (name, shape) = (value.name.clone(), value.shape.clone());
        Err(self.fault(Reason::OperandShape { value: name, shape, wanted: wanted() }))
    }

    fn one_scale(&self, value: &Value) -> Result<(), InvalidProgram> {
        let one = value.data_type != I8 || value.scale.len() == 1;
        if one { Ok(()) } else { Err(self.fault(Reason::ChannelScales(value.name.clone()))) }
    }

    fn same_channels(&self, x: &Value) -> Result<(), InvalidProgram> {
        self.shape(self.output, self.output.channels() == x.channels(), || {
            format!("a depthwise result has its input's {} channels", x.channels())
        })
    }

    /// The windowed operand; its and the result's sides fit the window.
    fn convolved(&self, window: Window, wanted: DataType, results: &[DataType]) -> Result<&'a Value, InvalidProgram> {
        self.count(1..=2, "one, or two where the second is a residual")?;
        let x = self.inputs[0];
        self.kind(x, &[wanted])?;
        self.kind(self.output, results)?;
        for value in [x, self.output] {
            self.shape(value, value.shape.len() == 4, || String::from("a convolution takes and makes [1][H][W][C]"))?;
        }
        let sides = window.kernel.iter().chain(&window.stride).all(|side| (1..=WINDOW_SIDE_MAX).contains(side));
        let padding = window.padding.iter().enumerate().all(|(side, &cells)| cells < window.kernel[side % 2]);
        let size = window.output_size([x.shape[1], x.shape[2]]);
        let Some(size) = size.filter(|_| sides && padding) else {
            return Err(self.fault(Reason::Window(format!("{window:?} over {:?}", x.shape))));
        };
        self.shape(self.output, self.output.shape[1..3] == size, || {
            format!("its window makes {size:?} rows and columns")
        })?;
        Ok(x)
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

    fn epilogue(&self, epilogue: &QuantizedEpilogue, lookup: Lookup<'_>) -> Result<(), InvalidProgram> {
        if epilogue.low > epilogue.high {
            return Err(self.fault(Reason::Bounds(f32::from(epilogue.low), f32::from(epilogue.high))));
        }
        epilogue.table.as_ref().map_or(Ok(()), |name| tensors::table(self.step, lookup, name))
    }

    fn bounds(&self, low: Option<f32>, high: Option<f32>) -> Result<(), InvalidProgram> {
        let (low, high) = (low.unwrap_or(f32::NEG_INFINITY), high.unwrap_or(f32::INFINITY));
        if low <= high { Ok(()) } else { Err(self.fault(Reason::Bounds(low, high))) }
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

    fn pool(&self) -> Result<(), InvalidProgram> {
        self.count(1..=1, "one")?;
        let x = self.inputs[0];
        self.kind(self.output, &[x.data_type])?;
        self.one_scale(x)?;
        self.one_scale(self.output)?;
        let fits = x.shape.len() == 4 && x.pixels() <= POOLED_PIXELS_MAX;
        self.shape(x, fits, || format!("pooling takes [1][H][W][C] of at most {POOLED_PIXELS_MAX} pixels"))?;
        let pooled = self.output.pixels() == 1 && self.output.channels() == x.channels();
        self.shape(self.output, pooled, || format!("pooling makes one pixel of {} channels", x.channels()))
    }

    fn reshape(&self) -> Result<(), InvalidProgram> {
        self.count(1..=1, "one")?;
        let x = self.inputs[0];
        self.kind(x, &[F32])?;
        self.kind(self.output, &[F32])?;
        let fits = x.stored_elements() == self.output.stored_elements();
        self.shape(self.output, fits, || format!("it must hold the {} elements of its input", x.stored_elements()))
    }

    fn concatenate(&self, axis: usize) -> Result<(), InvalidProgram> {
        self.count(1..=usize::MAX, "at least one")?;
        self.kind(self.output, &[F32])?;
        let Some(&length) = self.output.shape.get(axis) else { return Err(self.fault(Reason::Axis(axis))) };
        let mut sum = 0_usize;
        for value in &self.inputs {
            self.kind(value, &[F32])?;
            let others = |value: &Value| -> Vec<usize> {
                value.shape.iter().enumerate().filter(|&(at, _)| at != axis).map(|(_, &side)| side).collect()
            };
            let fits = value.shape.len() == self.output.shape.len() && others(value) == others(self.output);
            self.shape(value, fits, || format!("it may differ from {:?} only along axis {axis}", self.output.shape))?;
            sum = sum.saturating_add(value.shape[axis]);
        }
        self.shape(self.output, sum == length, || format!("its inputs add up to {sum} along axis {axis}"))
    }
}
