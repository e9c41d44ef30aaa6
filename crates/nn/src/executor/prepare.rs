//! Looks everything up that a step needs, once.

use std::ops::Range;

use clawdbot_kernels::geometry::Geometry;
use clawdbot_kernels::pool::Pool;

use super::ExecutorError;
use super::bands::Rows;
use super::work::{Dense, Epilogue, Fused, Halves, Operand, Quantized, Work};
use crate::model::Model;
use crate::plan::Plan;
use crate::program::{Op, QuantizedEpilogue, QuantizedWeights, Step, Value, ValueId, Window};
use crate::tensor::DataType;

/// Elements of a cheap operator cost as much as this share of a multiplication in [`Rows::work`].
const CHEAP: usize = 8;

/// The work of each step of a verified model.
pub(super) fn work(model: &Model, plan: &Plan) -> Result<Vec<Work>, ExecutorError> {
    let prepare = |step| {
        let prepared = Preparation { model, plan, step }.work();
        prepared.ok_or_else(|| ExecutorError::Step(step.name.clone()))
    };
    model.program().steps.iter().map(prepare).collect()
}

struct Preparation<'a> {
    model: &'a Model,
    plan: &'a Plan,
    step: &'a Step,
}

impl<'a> Preparation<'a> {
    /// `None` only where the model was not verified.
    fn work(&self) -> Option<Work> {
        let output = self.output();
        Some(match &self.step.op {
            Op::ConvolutionI8 { window, pad_value, tensors, epilogue } => {
                let epilogue = self.epilogue(epilogue)?;
                let epilogue = (output.data_type == DataType::I8).then_some(epilogue);
                Work::Dense(Box::new(Dense { epilogue, ..self.dense(*window, *pad_value, tensors)? }))
            }
            Op::DepthwiseI8 { window, pad_value, tensors, epilogue } => {
                let layer = Box::new(self.dense(*window, *pad_value, tensors)?);
                Work::Depthwise { layer, epilogue: self.epilogue(epilogue)? }
            }
            Op::ConvolutionF16 { window, pad_value, weights, bias, low, high } => Work::DenseF16 {
                input: self.operand(0)?,
                geometry: self.geometry(*window)?,
                n: output.channels(),
                layer: self.halves(weights, bias, *pad_value, [*low, *high])?,
                residual: self.step.inputs.get(1).and_then(|_| self.operand(1)),
                rows: self.rows_of(window.kernel[0] * window.kernel[1] * self.input(0)?.channels()),
            },
            Op::DepthwiseF16 { window, pad_value, weights, bias, low, high } => Work::DepthwiseF16 {
                input: self.operand(0)?,
                geometry: self.geometry(*window)?,
                layer: self.halves(weights, bias, *pad_value, [*low, *high])?,
                rows: self.rows_of(window.kernel[0] * window.kernel[1]),
            },
            Op::AddI8 { epilogue } => self.add_i8(epilogue)?,
            Op::AddF32 { low, high } => Work::AddF32 {
                inputs: [self.operand(0)?, self.operand(1)?],
                bounds: bounds([*low, *high]),
                rows: Rows { count: output.stored_elements(), elements: 1, work: CHEAP },
            },
            Op::Quantize => Work::Quantize {
                input: self.operand(0)?,
                channels: output.channels(),
                inverse_scale: output.scale.iter().map(|scale| 1.0 / scale).collect(),
                zero_point: output.zero_point,
                rows: self.pixels(output),
            },
            Op::Dequantize => Work::Dequantize {
                input: self.operand(0)?,
                channels: output.channels(),
                scale: self.input(0)?.scale.clone(),
                zero_point: self.input(0)?.zero_point,
                rows: self.pixels(output),
            },
            Op::GlobalAveragePool if output.data_type == DataType::I8 => self.pool_i8()?,
            Op::GlobalAveragePool => Work::PoolF32 { input: self.operand(0)? },
            Op::Reshape => Work::Alias,
            Op::Concatenate { axis } => self.concatenate(*axis)?,
            Op::Logistic => Work::Logistic { input: self.operand(0)? },
            Op::Softmax => Work::Softmax { input: self.operand(0)?, channels: output.channels() },
        })
    }

    fn value(&self, id: ValueId) -> &'a Value {
        &self.model.program().values[id.0]
    }

    fn output(&self) -> &'a Value {
        self.value(self.step.output)
    }

    fn input(&self, index: usize) -> Option<&'a Value> {
        self.step.inputs.get(index).map(|&id| self.value(id))
    }

    fn operand(&self, index: usize) -> Option<Operand> {
        let id = *self.step.inputs.get(index)?;
        Some(Operand { range: self.plan.ranges[id.0].clone(), stride: self.value(id).stride() })
    }

    fn range(&self, tensor: &str) -> Option<Range<usize>> {
        self.model.entry(tensor).map(|entry| entry.range.clone())
    }

    fn geometry(&self, window: Window) -> Option<Geometry> {
        let (&[_, input_height, input_width, _], &[_, output_height, output_width, _]) =
            (&self.input(0)?.shape[..], &self.output().shape[..])
        else {
            return None;
        };
        let [padding_top, padding_left, _, _] = window.padding;
        let (kernel, stride, channels) = (window.kernel, window.stride, self.input(0)?.stride());
        Some(Geometry {
            input_height,
            input_width,
            channels,
            kernel,
            stride,
            padding_top,
            padding_left,
            output_height,
            output_width,
        })
    }

    /// The result as rows of pixels, each element of which costs `multiplications`.
    fn rows_of(&self, multiplications: usize) -> Rows {
        let output = self.output();
        let (count, width) = (output.shape[1], output.shape[2]);
        let elements = width * output.stride();
        Rows { count, elements, work: elements.saturating_mul(multiplications) }
    }

    /// A value as pixels of a cheap operator.
    fn pixels(&self, value: &Value) -> Rows {
        Rows { count: value.pixels(), elements: value.stride(), work: value.stride() * CHEAP }
    }

    /// A dense or depthwise INT8 layer, without its epilogue.
    fn dense(&self, window: Window, pad_value: i8, tensors: &QuantizedWeights) -> Option<Dense> {
        let (input, output) = (self.operand(0)?, self.output());
        let taps = window.kernel[0] * window.kernel[1];
        let k = (taps * input.stride).next_multiple_of(8);
        let depthwise = matches!(self.step.op, Op::DepthwiseI8 { .. });
        // A pixel of 4 channels is shorter than the 8 that a GEMM reads at once.
        let pointwise = !depthwise && window.is_pointwise() && input.stride.is_multiple_of(8);
        let mut rows = self.rows_of(if depthwise { taps } else { k });
        if pointwise {
            let elements = output.stride();
            rows = Rows { count: output.pixels(), elements, work: elements.saturating_mul(k) };
        }
        Some(Dense {
            geometry: self.geometry(window)?,
            pointwise,
            pad_value,
            k,
            n: output.channels(),
            tensors: Quantized {
                weights: self.range(&tensors.weights)?,
                bias: self.range(&tensors.bias)?,
                scale: self.range(&tensors.scale)?,
                column_sums: self.range(&tensors.column_sums)?,
            },
            epilogue: None,
            output_stride: output.stride(),
            input,
            rows,
        })
    }

    fn epilogue(&self, epilogue: &QuantizedEpilogue) -> Option<Epilogue> {
        let output = self.output();
        let table = match &epilogue.table {
            Some(name) => Some(self.range(name)?),
            None => None,
        };
        let convolution = matches!(self.step.op, Op::ConvolutionI8 { .. });
        let residual = match self.input(1).filter(|_| convolution) {
            Some(value) => Some(Fused {
                operand: self.operand(1)?,
                scale: value.scale.first()? / output.scale.first()?,
                zero_point: value.zero_point,
            }),
            None => None,
        };
        let QuantizedEpilogue { low, high, .. } = *epilogue;
        Some(Epilogue { zero_point: output.zero_point, low, high, table, residual })
    }

    fn halves(&self, weights: &str, bias: &str, pad_value: f32, limits: [Option<f32>; 2]) -> Option<Halves> {
        let [low, high] = bounds(limits);
        Some(Halves { weights: self.range(weights)?, bias: self.range(bias)?, pad_value, low, high })
    }

    fn add_i8(&self, epilogue: &QuantizedEpilogue) -> Option<Work> {
        let (a, b, output) = (self.input(0)?, self.input(1)?, self.output());
        let share = |value: &Value| Some(value.scale.first()? / output.scale.first()?);
        Some(Work::AddI8 {
            inputs: [self.operand(0)?, self.operand(1)?],
            scales: [share(a)?, share(b)?],
            zero_points: [a.zero_point, b.zero_point],
            epilogue: self.epilogue(epilogue)?,
            rows: Rows { count: output.stored_elements(), elements: 1, work: CHEAP },
        })
    }

    #[expect(clippy::cast_precision_loss, reason = "verification bounds the pixels by 2^23, which f32 holds")]
    fn pool_i8(&self) -> Option<Work> {
        let (input, output) = (self.input(0)?, self.output());
        let scale = input.scale.first()? / (output.scale.first()? * input.pixels() as f32);
        let (input_zero_point, zero_point) = (input.zero_point, output.zero_point);
        let pool = Pool { scale, input_zero_point, zero_point, low: i8::MIN, high: i8::MAX };
        Some(Work::PoolI8 { input: self.operand(0)?, pool })
    }

    fn concatenate(&self, axis: usize) -> Option<Work> {
        let length = |value: &Value| value.shape[axis..].iter().product::<usize>();
        let inputs = (0..self.step.inputs.len()).map(|at| Some((self.operand(at)?, length(self.input(at)?))));
        Some(Work::Concatenate { inputs: inputs.collect::<Option<Vec<_>>>()?, total: length(self.output()) })
    }
}

/// Bounds of a float result; absent means unbounded.
fn bounds([low, high]: [Option<f32>; 2]) -> [f32; 2] {
    [low.unwrap_or(f32::NEG_INFINITY), high.unwrap_or(f32::INFINITY)]
}
