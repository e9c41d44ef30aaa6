//! The F16-stored convolutions, the reference too, against sums in f64 and the bound that their contract names.

use clawdbot_kernels::activate::{self, Function};
use clawdbot_kernels::conv_f16::{self, ConvF16};
use clawdbot_kernels::depthwise_f16::{self, DepthwiseF16};
use clawdbot_kernels::geometry::Geometry;
use half::f16;

use crate::guarded::{Edge, Guarded};
use crate::made_up::Source;
use crate::tally::Tally;

/// Pictures of 5 x 6 under windows of several sizes.
fn geometries(channels: &[usize]) -> Vec<Geometry> {
    let mut geometries = Vec::new();
    for &channels in channels {
        for (kernel, stride, padding) in [([1, 1], 1, 0), ([3, 3], 1, 1), ([3, 3], 2, 1), ([2, 5], 1, 2)] {
            for [input_height, input_width] in [[1, 1], [2, 1], [5, 6]] {
                let size = |input: usize, kernel: usize| {
                    (input + 2 * padding).checked_sub(kernel).map_or(0, |rest| rest / stride + 1)
                };
                geometries.push(Geometry {
                    input_height,
                    input_width,
                    channels,
                    kernel,
                    stride: [stride, stride],
                    padding_top: padding,
                    padding_left: padding,
                    output_height: size(input_height, kernel[0]),
                    output_width: size(input_width, kernel[1]),
                });
            }
        }
    }
    geometries
}

/// The cell of the input that a window's tap sees, by the definition.
fn cell(geometry: &Geometry, at: [usize; 2], tap: usize) -> Option<usize> {
    let place = |axis: usize, offset: usize, padding: usize, size: usize| {
        let place = (at[axis] * geometry.stride[axis] + offset) as isize - padding as isize;
        (0..size as isize).contains(&place).then_some(place as usize)
    };
    let y = place(0, tap / geometry.kernel[1], geometry.padding_top, geometry.input_height)?;
    let x = place(1, tap % geometry.kernel[1], geometry.padding_left, geometry.input_width)?;
    Some(y * geometry.input_width + x)
}

/// A sum and the sum of its terms' magnitudes.
#[derive(Default)]
struct Exact {
    sum: f64,
    magnitude: f64,
    terms: usize,
}

impl Exact {
    fn add(&mut self, term: f64) {
        self.sum += term;
        self.magnitude += term.abs();
        self.terms += 1;
    }

    /// Panics unless `result` is the clamped sum within (terms + 2) x 2^-23 of the magnitude.
    fn check(&self, result: f32, [low, high]: [f32; 2], context: &str) {
        let expected = self.sum.max(f64::from(low)).min(f64::from(high));
        let bound = (self.terms + 2) as f64 * 2_f64.powi(-23) * self.magnitude;
        let error = (f64::from(result) - expected).abs();
        assert!(error <= bound, "{context}: {result}, expected {expected}, off by {error}, allowed {bound}");
    }
}

fn halves(source: &mut Source, count: usize) -> Vec<u16> {
    source.floats(count).into_iter().map(|value| f16::from_f32(value).to_bits()).collect()
}

fn bounds(source: &mut Source) -> [f32; 2] {
    [[f32::NEG_INFINITY, f32::INFINITY], [0.0, 6.0], [-0.25, 0.25]][source.below(3)]
}

pub(crate) fn conv_f16(tally: &mut Tally) {
    tally.walk(conv_f16::VARIANTS, |variant| {
        for (seed, geometry) in geometries(&[1, 3, 4, 7, 16, 30, 300]).iter().enumerate() {
            for edge in Edge::BOTH {
                let mut source = Source::new(seed as u64);
                let n = [1, 5, 8, 9, 24][source.below(5)];
                let (taps, channels) = (geometry.taps(), geometry.channels);
                let input = source.floats(geometry.input_height * geometry.input_width * channels);
                let input = Guarded::new(&input, edge);
                let loose = halves(&mut source, n * taps * channels);
                let weights = Guarded::new(&conv_f16::pack::pack(&loose, n, taps * channels), edge);
                let bias = Guarded::new(&source.floats(n.next_multiple_of(8)), edge);
                let results = geometry.output_height * geometry.output_width * n;
                let residual = Guarded::new(&source.floats(results), edge);
                let residual = (source.below(2) == 0).then_some(&*residual);
                let [low, high] = bounds(&mut source);
                let pad_value = [0.0, 0.75][source.below(2)];
                let conv = ConvF16 { n, weights: &weights, bias: &bias, pad_value, low, high };
                let mut output = Guarded::new(&vec![f32::NAN; results], edge);
                let rows = 0..geometry.output_height;
                let output_slice = &mut output;
                let input = &*input;
                variant.run(conv_f16::Task { geometry, rows, input, conv: &conv, residual, output: output_slice });
                for (index, &result) in output.iter().enumerate() {
                    let (pixel, n) = (index / n, index % n);
                    let at = [pixel / geometry.output_width, pixel % geometry.output_width];
                    let mut exact = Exact::default();
                    exact.add(f64::from(bias[n]));
                    for k in 0..taps * channels {
                        let value = cell(geometry, at, k / channels);
                        let value = value.map_or(pad_value, |pixel| input[pixel * channels + k % channels]);
                        exact.add(f64::from(value) * f16::from_bits(loose[n * taps * channels + k]).to_f64());
                    }
                    exact.add(residual.map_or(0.0, |residual| f64::from(residual[index])));
                    exact.check(result, [low, high], &format!("{}: {geometry:?} at {index}", variant.name));
                }
            }
        }
    });
}

pub(crate) fn depthwise_f16(tally: &mut Tally) {
    tally.walk(depthwise_f16::VARIANTS, |variant| {
        for (seed, geometry) in geometries(&[1, 3, 7, 8, 9, 24, 33]).iter().enumerate() {
            for edge in Edge::BOTH {
                let mut source = Source::new(seed as u64);
                let (taps, channels) = (geometry.taps(), geometry.channels);
                let input = source.floats(geometry.input_height * geometry.input_width * channels);
                let input = Guarded::new(&input, edge);
                let weights = Guarded::new(&halves(&mut source, taps * channels), edge);
                let bias = Guarded::new(&source.floats(channels), edge);
                let [low, high] = bounds(&mut source);
                let pad_value = [0.0, -0.5][source.below(2)];
                let depthwise = DepthwiseF16 { weights: &weights, bias: &bias, pad_value, low, high };
                let results = geometry.output_height * geometry.output_width * channels;
                let mut output = Guarded::new(&vec![f32::NAN; results], edge);
                let rows = 0..geometry.output_height;
                let output_slice = &mut output;
                let input = &*input;
                variant.run(depthwise_f16::Task { geometry, rows, input, depthwise: &depthwise, output: output_slice });
                for (index, &result) in output.iter().enumerate() {
                    let (pixel, channel) = (index / channels, index % channels);
                    let at = [pixel / geometry.output_width, pixel % geometry.output_width];
                    let mut exact = Exact::default();
                    exact.add(f64::from(bias[channel]));
                    for tap in 0..taps {
                        let value = cell(geometry, at, tap);
                        let value = value.map_or(pad_value, |pixel| input[pixel * channels + channel]);
                        exact.add(f64::from(value) * f16::from_bits(weights[tap * channels + channel]).to_f64());
                    }
                    exact.check(result, [low, high], &format!("{}: {geometry:?} at {index}", variant.name));
                }
            }
        }
    });
}

/// The formulas in double precision.
fn exact(function: Function, x: f64) -> f64 {
    let logistic = |x: f64| 1.0 / (1.0 + (-x).exp());
    match function {
        Function::Clamp { low, high } => x.max(low.into()).min(high.into()),
        Function::Leaky { slope } => x.max(f64::from(slope) * x),
        Function::Silu => x * logistic(x),
        Function::HardSwish => x * (x + 3.0).clamp(0.0, 6.0) / 6.0,
        Function::HardSigmoid { slope, offset } => (f64::from(slope) * x + f64::from(offset)).clamp(0.0, 1.0),
        Function::Logistic => logistic(x),
        Function::Tanh => x.tanh(),
        Function::Gelu if x < -12.0 => 0.0,
        // Phi by Simpson's rule over the density: slow, and right to 1e-12.
        Function::Gelu => {
            let density = |t: f64| (-t * t / 2.0).exp() / std::f64::consts::TAU.sqrt();
            let (steps, end) = (2000, x.clamp(-12.0, 12.0));
            let width = end / f64::from(steps);
            let simpson = |at: i32| if at == 0 || at == steps { 1.0 } else { f64::from(2 + at % 2 * 2) };
            let sum: f64 = (0..=steps).map(|at| simpson(at) * density(f64::from(at) * width)).sum();
            x * (0.5 + sum * width / 3.0)
        }
    }
}

pub(crate) fn activate(tally: &mut Tally) {
    let functions = [
        Function::Clamp { low: -1.0, high: f32::INFINITY },
        Function::Leaky { slope: 0.1 },
        Function::Silu,
        Function::HardSwish,
        Function::HardSigmoid { slope: 0.2, offset: 0.5 },
        Function::Logistic,
        Function::Tanh,
        Function::Gelu,
    ];
    tally.walk(activate::VARIANTS, |variant| {
        for function in functions {
            let tight = matches!(function, Function::Silu | Function::Logistic | Function::Tanh);
            let mut inputs: Vec<f32> = (-2003..=2003).map(|step| step as f32 * 0.009).collect();
            inputs.extend((-20..=20).map(|step| step as f32 * 20.0));
            inputs.extend([0.0, -0.0, 1e-30, -1e-30, 1e30, -1e30, 0.624_999, 0.625]);
            for edge in [Edge::Start, Edge::End] {
                let mut values = Guarded::new(&inputs, edge);
                variant.run(activate::Task { function, values: &mut values });
                let mut law = inputs.clone();
                activate::VARIANTS[0].run(activate::Task { function, values: &mut law });
                for ((&x, &value), law) in inputs.iter().zip(values.iter()).zip(law) {
                    assert_eq!(value.to_bits(), law.to_bits(), "{}: {function:?} of {x}", variant.name);
                    let exact = exact(function, x.into());
                    let size = if tight { exact.abs() } else { exact.abs().max(1.0) };
                    // Below -87 the exponential is held at its smallest normal number.
                    let floor = if tight { 1.7e-38 * f64::from(x.abs().max(1.0)) } else { 0.0 };
                    let error = (f64::from(value) - exact).abs();
                    assert!(error <= size * 2_f64.powi(-21) + floor, "{function:?} of {x}: {value}, not {exact}");
                }
            }
        }
    });
}
