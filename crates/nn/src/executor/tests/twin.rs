//! The slow version of one step, from `program.rs`'s words: no plan, no packing, no padding channels, one element at a time.

mod floats;

use half::f16;

use crate::model::Model;
use crate::program::{
    Op, QuantizedActivation, QuantizedEpilogue, QuantizedWeights, Sampling, Step, Value, Window, channel_stride,
};

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
    let real =
        if let QuantizedActivation::Leaky { slope } = epilogue.activation { real.max(real * slope) } else { real };
    let q = value.zero_point + real.max(low as f32).min(high as f32).round_ties_even() as i32;
    let q = i8::try_from(q).unwrap();
    let QuantizedActivation::Table { table } = &epilogue.activation else { return q };
    model.tensor(table).unwrap().as_i8().unwrap()[usize::try_from(i32::from(q) + 128).unwrap()]
}

/// The law of a layer's channel `n`, whatever the form.
fn finish(sum: f32, n: usize, value: &Value, epilogue: &QuantizedEpilogue, model: &Model) -> i8 {
    let QuantizedActivation::Bump { index_shift, fraction, table, gain } = &epilogue.activation else {
        return quantize(sum, value, epilogue, model);
    };
    let (table, gain) = (model.tensor(table).unwrap().as_u8().unwrap(), model.tensor(gain).unwrap().as_i16().unwrap());
    let p = (sum.round_ties_even() as i64).clamp(-32768, 32767);
    let index = (p.abs() + (1 << (index_shift - 1))) >> index_shift;
    let bump = table.get(usize::try_from(index).unwrap()).map_or(0, |&bump| i64::from(bump));
    let scaled = ((p.max(0) - bump) * i64::from(gain[n]) + (1 << 14)) >> 15;
    let half = if *fraction == 0 { 0 } else { 1 << (fraction - 1) };
    let q = (scaled + (i64::from(value.zero_point) << fraction) + half).clamp(-32768, 32767) >> fraction;
    i8::try_from(q.clamp(i64::from(epilogue.low), i64::from(epilogue.high))).unwrap()
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
            let n = |at: usize| at % out.channels();
            Data::I8(results.map(|(at, sum)| finish(sum + residual(at), n(at), out, epilogue, model)).collect())
        }
        Op::DepthwiseI8 { window, pad_value, tensors, epilogue } => {
            let layer = Layer { x: value(0), out, data: inputs[0].i8(), window: *window, pad: *pad_value, tensors };
            let sums = sums(model, &layer, true);
            let results = sums.iter().enumerate();
            Data::I8(results.map(|(at, &sum)| finish(sum, at % out.channels(), out, epilogue, model)).collect())
        }
        Op::ConvolutionF16 { window, pad_value, weights, bias, activation }
        | Op::DepthwiseF16 { window, pad_value, weights, bias, activation } => {
            let depthwise = matches!(step.op, Op::DepthwiseF16 { .. });
            let weights = model.tensor(weights).unwrap().as_f16().unwrap();
            let bias = model.tensor(bias).unwrap().as_f32().unwrap();
            let sums = float_sums(value(0), out, inputs[0].f32(), *window, *pad_value, (weights, bias, depthwise));
            let residual = |at: usize| inputs.get(1).map_or(0.0, |data| f64::from(data.f32()[at]));
            floats::activate(sums.iter().enumerate().map(|(at, sum)| sum + residual(at)), *activation)
        }
        Op::AddI8 { epilogue } => {
            let elements = 0..inputs[0].i8().len();
            Data::I8(elements.map(|at| quantize(real(0, at) + real(1, at), out, epilogue, model)).collect())
        }
        Op::MultiplyI8 { epilogue } => {
            let scale = value(0).scale[0] * value(1).scale[0] / out.scale[0];
            let (a, b) = (inputs[0].i8(), inputs[1].i8());
            let product = |at: usize| {
                let centred = |q: i8, value: &Value| i32::from(q) - value.zero_point;
                (centred(a[at], value(0)) * centred(b[at % b.len()], value(1))) as f32 * scale
            };
            Data::I8((0..a.len()).map(|at| quantize(product(at), out, epilogue, model)).collect())
        }
        Op::ActivateI8 { table } => {
            let table = model.tensor(table).unwrap().as_i8().unwrap();
            let result = inputs[0].i8().iter().map(|&q| table[usize::try_from(i32::from(q) + 128).unwrap()]);
            Data::I8(result.collect())
        }
        Op::AffineF32 { factors, offsets, activation } => {
            let [factors, offsets] = [factors, offsets].map(|name| model.tensor(name).unwrap().as_f32().unwrap());
            let line = |(at, x): (usize, &f32)| f64::from(*x) * f64::from(factors[at % factors.len()]);
            let sums = inputs[0].f32().iter().enumerate();
            floats::activate(sums.map(|sum| line(sum) + f64::from(offsets[sum.0 % offsets.len()])), *activation)
        }
        _ => converted(step, value(0), out, inputs, model).unwrap_or_else(|| floats::plain(program, step, inputs)),
    }
}

/// The integer law: shares in steps of 1/2048.
fn bilinear(x: &Value, out: &Value, data: &[i8], sampling: Sampling) -> Data {
    let channels = out.channels();
    let share = |share: f64| (share as f32 * 2048.0).round_ties_even() as i64;
    let mut result = Vec::new();
    for (row, column) in (0..out.pixels()).map(|at| (at / out.shape[2], at % out.shape[2])) {
        let (ys, down) = sampling.cells(row, x.shape[1], out.shape[1]);
        let (xs, right) = sampling.cells(column, x.shape[2], out.shape[2]);
        let (w, v) = (share(down), share(right));
        for channel in 0..channels {
            let cell = |y: usize, c: usize| i64::from(data[(ys[y] * x.shape[2] + xs[c]) * channels + channel]);
            let line = |y: usize| cell(y, 0) * (2048 - v) + cell(y, 1) * v;
            let sum = line(0) * (2048 - w) + line(1) * w;
            result.push(i8::try_from((sum + (1 << 21)).div_euclid(1 << 22)).unwrap());
        }
    }
    Data::I8(result)
}

/// I8 in and I8 out, by its own law; or a conversion.
fn converted(step: &Step, x: &Value, out: &Value, inputs: &[Data], model: &Model) -> Option<Data> {
    let whole = QuantizedEpilogue::whole();
    let channels = out.channels();
    Some(match (&step.op, &inputs[0]) {
        (Op::Quantize, Data::F32(reals)) => {
            let inverse = |at: usize| 1.0 / out.scale[at % channels % out.scale.len()];
            let reals = reals.iter().enumerate();
            Data::I8(reals.map(|(at, real)| quantize(real * inverse(at), out, &whole, model)).collect())
        }
        (Op::Dequantize, Data::I8(all)) => {
            Data::F32(all.iter().enumerate().map(|(at, &q)| x.real(q, at % channels)).collect())
        }
        (Op::GlobalAveragePool, Data::I8(all)) => {
            let scale = x.scale[0] / (out.scale[0] * x.pixels() as f32);
            let sum =
                |c: usize| -> i32 { all.iter().skip(c).step_by(channels).map(|&q| i32::from(q) - x.zero_point).sum() };
            Data::I8((0..channels).map(|c| quantize(sum(c) as f32 * scale, out, &whole, model)).collect())
        }
        (Op::AveragePool { window, padding_counts }, Data::I8(all)) => {
            let result = cells(x, out, *window).into_iter().map(|(_, channel, pixels)| {
                let inside: Vec<usize> = pixels.iter().flatten().copied().collect();
                let count = if *padding_counts { pixels.len() } else { inside.len() };
                let cell = |pixel: &usize| i32::from(all[pixel * channels + channel]) - x.zero_point;
                let factor = x.scale[0] / out.scale[0] / count as f32;
                quantize(inside.iter().map(cell).sum::<i32>() as f32 * factor, out, &whole, model)
            });
            Data::I8(result.collect())
        }
        (Op::Resize { sampling: sampling @ Sampling::Bilinear(_) }, Data::I8(all)) => bilinear(x, out, all, *sampling),
        _ => return None,
    })
}
