//! The slow version of one step, from `program.rs`'s words: no plan, no packing, no padding channels, one element at a time.

use half::f16;

use crate::model::Model;
use crate::program::{Op, QuantizedEpilogue, QuantizedWeights, Step, Value, Window, channel_stride};

/// Dense elements of a value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Data {
    I8(Vec<i8>),
    F32(Vec<f32>),
}

impl Data {
    fn i8(&self) -> &[i8] {
        match self {
            Self::I8(elements) => elements,
            Self::F32(_) => panic!("floats"),
        }
    }

    fn f32(&self) -> &[f32] {
        match self {
            Self::F32(elements) => elements,
            Self::I8(_) => panic!("bytes"),
        }
    }
}

/// The law of requantisation, from the clamp on.
fn quantize(real: f32, value: &Value, epilogue: &QuantizedEpilogue, model: &Model) -> i8 {
    let (low, high) = (i32::from(epilogue.low) - value.zero_point, i32::from(epilogue.high) - value.zero_point);
    let q = value.zero_point + real.max(low as f32).min(high as f32).round_ties_even() as i32;
    let q = i8::try_from(q).unwrap();
    let table = epilogue.table.as_ref().map(|name| model.tensor(name).unwrap().as_i8().unwrap());
    table.map_or(q, |table| table[usize::try_from(i32::from(q) + 128).unwrap()])
}

/// For each element of the result: its index, its channel, and the input pixel of each tap (`None` for padding).
fn cells(x: &Value, out: &Value, window: Window) -> Vec<(usize, usize, Vec<Option<usize>>)> {
    let [height, width] = [x.shape[1], x.shape[2]].map(|side| isize::try_from(side).unwrap());
    let signed = |number: usize| isize::try_from(number).unwrap();
    let mut result = Vec::new();
    for at in 0..out.pixels() * out.channels() {
        let (pixel, channel) = (at / out.channels(), at % out.channels());
        let (row, column) = (pixel / out.shape[2], pixel % out.shape[2]);
        let taps = (0..window.kernel[0] * window.kernel[1]).map(|tap| {
            let y = signed(row * window.stride[0] + tap / window.kernel[1]) - signed(window.padding[0]);
            let x = signed(column * window.stride[1] + tap % window.kernel[1]) - signed(window.padding[1]);
            let inside = (0..height).contains(&y) && (0..width).contains(&x);
            inside.then(|| usize::try_from(y * width + x).unwrap())
        });
        result.push((at, channel, taps.collect()));
    }
    result
}

/// An I8 convolution: the operand, its window and what a padded cell holds.
struct Layer<'a> {
    x: &'a Value,
    out: &'a Value,
    data: &'a [i8],
    window: Window,
    pad: i8,
    tensors: &'a QuantizedWeights,
}

/// Each accumulator times its channel's scale.
fn sums(model: &Model, layer: &Layer<'_>, depthwise: bool) -> Vec<f32> {
    let weights = model.tensor(&layer.tensors.weights).unwrap().as_i8().unwrap();
    let bias = model.tensor(&layer.tensors.bias).unwrap().as_i32().unwrap();
    let scale = model.tensor(&layer.tensors.scale).unwrap().as_f32().unwrap();
    let channels = layer.x.channels();
    let stride = channel_stride(channels);
    let taps = layer.window.kernel[0] * layer.window.kernel[1];
    let depth = (taps * stride).next_multiple_of(8);
    let cell = |pixel: Option<usize>, channel: usize| {
        i32::from(pixel.map_or(layer.pad, |pixel| layer.data[pixel * channels + channel]))
    };
    let mut result = Vec::new();
    for (_, n, pixels) in cells(layer.x, layer.out, layer.window) {
        let mut sum = bias[n];
        for (tap, &pixel) in pixels.iter().enumerate() {
            if depthwise {
                sum += cell(pixel, n) * i32::from(weights[tap * channels.next_multiple_of(16) + n]);
            } else {
                for channel in 0..channels {
                    let k = tap * stride + channel;
                    let weight = weights[n / 8 * depth * 8 + k / 4 * 32 + n % 8 * 4 + k % 4];
                    sum += cell(pixel, channel) * i32::from(weight);
                }
            }
        }
        result.push(sum as f32 * scale[n]);
    }
    result
}

/// A float convolution in double precision.
fn float_sums(
    x: &Value,
    out: &Value,
    data: &[f32],
    window: Window,
    pad: f32,
    layer: (&[f16], &[f32], bool),
) -> Vec<f64> {
    let (weights, bias, depthwise) = layer;
    let channels = x.channels();
    let taps = window.kernel[0] * window.kernel[1];
    let cell = |pixel: Option<usize>, c: usize| f64::from(pixel.map_or(pad, |pixel| data[pixel * channels + c]));
    let mut result = Vec::new();
    for (_, n, pixels) in cells(x, out, window) {
        let mut sum = f64::from(bias[n]);
        for (tap, &pixel) in pixels.iter().enumerate() {
            if depthwise {
                sum += cell(pixel, n) * weights[tap * channels + n].to_f64();
            } else {
                for channel in 0..channels {
                    let k = tap * channels + channel;
                    sum += cell(pixel, channel) * weights[n / 8 * taps * channels * 8 + k * 8 + n % 8].to_f64();
                }
            }
        }
        result.push(sum);
    }
    result
}

fn clamp(sums: impl Iterator<Item = f64>, low: Option<f32>, high: Option<f32>) -> Data {
    let (low, high) = (low.unwrap_or(f32::NEG_INFINITY), high.unwrap_or(f32::INFINITY));
    Data::F32(sums.map(|sum| (sum as f32).max(low).min(high)).collect())
}

/// The result of `step` over `inputs`.
pub(super) fn result(model: &Model, step: &Step, inputs: &[Data]) -> Data {
    let program = model.program();
    let value = |at: usize| &program.values[step.inputs[at].0];
    let out = &program.values[step.output.0];
    let real = |at: usize, element: usize| {
        let (value, q) = (value(at), i32::from(inputs[at].i8()[element]));
        (q - value.zero_point) as f32 * (value.scale[0] / out.scale[0])
    };
    match &step.op {
        Op::ConvolutionI8 { window, pad_value, tensors, epilogue } => {
            let layer = Layer { x: value(0), out, data: inputs[0].i8(), window: *window, pad: *pad_value, tensors };
            let sums = sums(model, &layer, false);
            if out.scale.is_empty() {
                return Data::F32(sums);
            }
            let residual = |at: usize| if step.inputs.len() == 2 { real(1, at) } else { 0.0 };
            let results = sums.iter().enumerate();
            Data::I8(results.map(|(at, sum)| quantize(sum + residual(at), out, epilogue, model)).collect())
        }
        Op::DepthwiseI8 { window, pad_value, tensors, epilogue } => {
            let layer = Layer { x: value(0), out, data: inputs[0].i8(), window: *window, pad: *pad_value, tensors };
            Data::I8(sums(model, &layer, true).iter().map(|&sum| quantize(sum, out, epilogue, model)).collect())
        }
        Op::ConvolutionF16 { window, pad_value, weights, bias, low, high }
        | Op::DepthwiseF16 { window, pad_value, weights, bias, low, high } => {
            let depthwise = matches!(step.op, Op::DepthwiseF16 { .. });
            let weights = model.tensor(weights).unwrap().as_f16().unwrap();
            let bias = model.tensor(bias).unwrap().as_f32().unwrap();
            let sums = float_sums(value(0), out, inputs[0].f32(), *window, *pad_value, (weights, bias, depthwise));
            let residual = |at: usize| inputs.get(1).map_or(0.0, |data| f64::from(data.f32()[at]));
            clamp(sums.iter().enumerate().map(|(at, sum)| sum + residual(at)), *low, *high)
        }
        Op::AddI8 { epilogue } => {
            let elements = 0..inputs[0].i8().len();
            Data::I8(elements.map(|at| quantize(real(0, at) + real(1, at), out, epilogue, model)).collect())
        }
        _ => plain(step, value(0), out, inputs, model),
    }
}

/// The operators without tensors.
fn plain(step: &Step, x: &Value, out: &Value, inputs: &[Data], model: &Model) -> Data {
    let whole = QuantizedEpilogue { low: -128, high: 127, table: None };
    let channels = out.channels();
    match &step.op {
        Op::AddF32 { low, high } => {
            let pairs = inputs[0].f32().iter().zip(inputs[1].f32());
            clamp(pairs.map(|(a, b)| f64::from(a + b)), *low, *high)
        }
        Op::Quantize => {
            let inverse = |at: usize| 1.0 / out.scale[at % channels % out.scale.len()];
            let reals = inputs[0].f32().iter().enumerate();
            Data::I8(reals.map(|(at, real)| quantize(real * inverse(at), out, &whole, model)).collect())
        }
        Op::Dequantize => {
            let elements = inputs[0].i8().iter().enumerate();
            Data::F32(elements.map(|(at, &q)| x.real(q, at % channels)).collect())
        }
        Op::GlobalAveragePool => match &inputs[0] {
            Data::I8(all) => {
                let scale = x.scale[0] / (out.scale[0] * x.pixels() as f32);
                let sum = |c: usize| -> i32 {
                    all.iter().skip(c).step_by(channels).map(|&q| i32::from(q) - x.zero_point).sum()
                };
                Data::I8((0..channels).map(|c| quantize(sum(c) as f32 * scale, out, &whole, model)).collect())
            }
            Data::F32(all) => {
                let sum = |c: usize| -> f64 { all.iter().skip(c).step_by(channels).map(|&x| f64::from(x)).sum() };
                Data::F32((0..channels).map(|c| (sum(c) / x.pixels() as f64) as f32).collect())
            }
        },
        Op::Reshape => inputs[0].clone(),
        Op::Concatenate { axis } => {
            let outer: usize = out.shape[..*axis].iter().product();
            let rows = (0..outer).flat_map(|row| {
                inputs.iter().flat_map(move |input| {
                    let length = input.f32().len() / outer;
                    input.f32()[row * length..(row + 1) * length].to_vec()
                })
            });
            Data::F32(rows.collect())
        }
        Op::Logistic => {
            Data::F32(inputs[0].f32().iter().map(|&x| (1.0 / (1.0 + f64::from(-x).exp())) as f32).collect())
        }
        Op::Softmax => {
            let rows = inputs[0].f32().chunks_exact(channels).flat_map(|row| {
                let max = row.iter().copied().fold(f32::MIN, f32::max);
                let sum: f64 = row.iter().map(|&x| f64::from(x - max).exp()).sum();
                row.iter().map(move |&x| (f64::from(x - max).exp() / sum) as f32)
            });
            Data::F32(rows.collect())
        }
        op => panic!("{op:?} has tensors"),
    }
}
