//! Products a cycle of the INT8 and F16 convolutions at the shapes of real networks and of a language model's linear layers,
//! for each instruction set that this processor has: `cargo run --release -p clawdbot-kernels --example pace [FILTER]`.
//!
//! A cycle is a quarter of an iteration of a chain of dependent multiplications and additions, timed in turn with the
//! kernels; every figure is the best of many short runs, because the machine has other things to do. The reference is
//! far slower and left out unless `scalar` is among the arguments. With `memory` it measures something else: see [`memory`].
#![expect(clippy::print_stdout, reason = "a program's own report")]
#![expect(clippy::disallowed_methods, reason = "a stopwatch; no clock is handed to an example")]
#![expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]

mod linear;
mod memory;

use std::hint::black_box;
use std::time::Instant;

use clawdbot_kernels::conv::{conv, pack};
use clawdbot_kernels::conv_f16::{self, ConvF16, conv_f16};
use clawdbot_kernels::depthwise::{self, Depthwise, depthwise};
use clawdbot_kernels::depthwise_f16::{self, DepthwiseF16, depthwise_f16};
use clawdbot_kernels::epilogue::{Activation, Output, Requantize, Residual};
use clawdbot_kernels::gemm::{Gemm, gemm};
use clawdbot_kernels::geometry::Geometry;
use clawdbot_kernels::isa::Isa;

/// A layer: name, kind, side of the square input, channels, output channels, window, step, form of the result.
type Layer = (&'static str, Kind, usize, usize, usize, usize, usize, Form);

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Dense,
    Depthwise,
}

#[derive(Clone, Copy, PartialEq)]
enum Form {
    Clamp,
    Residual,
    Bump,
}

use Form::{Bump, Clamp};
use Kind::{Dense, Depthwise as Deep};

const LAYERS: &[Layer] = &[
    ("mobilenet first", Dense, 224, 4, 32, 3, 2, Clamp),
    ("mobilenet 16>96", Dense, 112, 16, 96, 1, 1, Clamp),
    ("mobilenet 24>144", Dense, 56, 24, 144, 1, 1, Clamp),
    ("mobilenet 144>24", Dense, 56, 144, 24, 1, 1, Clamp),
    ("mobilenet 144>24 add", Dense, 56, 144, 24, 1, 1, Form::Residual),
    ("mobilenet 192>32", Dense, 28, 192, 32, 1, 1, Clamp),
    ("mobilenet 64>384", Dense, 14, 64, 384, 1, 1, Clamp),
    ("mobilenet 384>96", Dense, 14, 384, 96, 1, 1, Clamp),
    ("mobilenet 960>320", Dense, 7, 960, 320, 1, 1, Clamp),
    ("mobilenet 320>1280", Dense, 7, 320, 1280, 1, 1, Clamp),
    ("mobilenet classes", Dense, 1, 1280, 1001, 1, 1, Clamp),
    ("ssd 512>512", Dense, 19, 512, 512, 1, 1, Clamp),
    ("yolox first", Dense, 416, 4, 16, 6, 2, Bump),
    ("yolox 32>16", Dense, 104, 32, 16, 1, 1, Bump),
    ("yolox 64>64", Dense, 52, 64, 64, 1, 1, Bump),
    ("yolox 128>128", Dense, 26, 128, 128, 1, 1, Bump),
    ("yolox 256>128", Dense, 13, 256, 128, 1, 1, Bump),
    ("dense 3x3 64>64", Dense, 28, 64, 64, 3, 1, Clamp),
    ("deep 3x3 32", Deep, 112, 32, 32, 3, 1, Clamp),
    ("deep 3x3/2 96", Deep, 112, 96, 96, 3, 2, Clamp),
    ("deep 3x3 144", Deep, 56, 144, 144, 3, 1, Clamp),
    ("deep 3x3/2 144", Deep, 56, 144, 144, 3, 2, Clamp),
    ("deep 3x3 384", Deep, 14, 384, 384, 3, 1, Clamp),
    ("deep 3x3 960", Deep, 7, 960, 960, 3, 1, Clamp),
    ("deep 3x3 16 bump", Deep, 104, 16, 16, 3, 1, Bump),
    ("deep 5x5 64", Deep, 28, 64, 64, 5, 1, Clamp),
    ("deep 5x5/2 96", Deep, 28, 96, 96, 5, 2, Clamp),
];

/// Seconds of one cycle: of a chain whose every iteration waits three cycles for a product and one for a sum.
fn cycle() -> f64 {
    const ITERATIONS: u32 = 2000;
    let start = Instant::now();
    let mut x = black_box(1_u64);
    for _ in 0..ITERATIONS {
        x = x.wrapping_mul(x).wrapping_add(3);
    }
    black_box(x);
    start.elapsed().as_secs_f64() / f64::from(4 * ITERATIONS)
}

/// Cycles of one call, the best of many.
fn cycles(mut call: impl FnMut()) -> f64 {
    let (mut best, mut one) = (f64::MAX, f64::MAX);
    let begun = Instant::now();
    while begun.elapsed().as_secs_f64() < 0.15 {
        one = one.min(cycle());
        let start = Instant::now();
        call();
        best = best.min(start.elapsed().as_secs_f64());
    }
    best / one
}

/// Numbers without a pattern that matters.
fn bytes(count: usize) -> Vec<i8> {
    (0..count).map(|index| i8::try_from(index * 89 % 255).map_or(-77, |value| value - 60)).collect()
}

fn geometry(side: usize, channels: usize, window: usize, step: usize) -> Geometry {
    let padding = window / 2;
    let output = (side + 2 * padding - window) / step + 1;
    Geometry {
        input_height: side,
        input_width: side,
        channels,
        kernel: [window, window],
        stride: [step, step],
        padding_top: padding,
        padding_left: padding,
        output_height: output,
        output_width: output,
    }
}

/// Cycles of a layer in INT8.
fn integers(isa: Isa, layer: &Layer) -> f64 {
    let &(_, kind, side, channels, n, window, step, form) = layer;
    let geometry = geometry(side, channels, window, step);
    let (taps, pixels) = (window * window, geometry.output_height * geometry.output_width);
    let input = bytes(side * side * channels);
    let stride = n.next_multiple_of(16);
    let (bias, scale, gain) = (vec![5; stride], vec![0.001; stride], vec![9000; stride]);
    let residual = Residual { data: &bytes(pixels * stride), stride, scale: 0.5, zero_point: 3 };
    let table = [7; 64];
    let requantize = Requantize {
        scale: &scale,
        zero_point: -128,
        low: -128,
        high: 127,
        activation: match form {
            Form::Bump => Activation::Bump { index_shift: 6, table: &table, fraction: 4, gain: &gain },
            Form::Clamp | Form::Residual => Activation::Clamp,
        },
        residual: (form == Form::Residual).then_some(residual),
    };
    let mut data = vec![0; pixels * stride];
    if kind == Kind::Depthwise {
        let weights = depthwise::pack::pack(&bytes(taps * channels), taps, channels);
        let depthwise_weights = Depthwise { weights: &weights, bias: &bias, pad_value: -128 };
        return cycles(|| {
            let (rows, output) = (0..geometry.output_height, data.as_mut_slice());
            let (geometry, depthwise_weights) = (&geometry, &depthwise_weights);
            let task = depthwise::Task {
                geometry,
                rows,
                input: &input,
                depthwise: depthwise_weights,
                requantize,
                output,
                output_stride: stride,
            };
            depthwise(isa, task);
        });
    }
    let loose = bytes(n * taps * channels);
    let weights = pack::pack(&loose, n, taps, channels, channels);
    let sums = pack::column_sums(&loose, n);
    let k = pack::packed_k(taps, channels);
    let numbers = Gemm { k, n, weights: &weights, bias: &bias, column_sums: &sums };
    cycles(|| {
        let output = Output::I8 { data: &mut data, stride, requantize };
        if window == 1 {
            gemm(isa, pixels, &input, channels, &numbers, output);
        } else {
            conv(isa, &geometry, 0..geometry.output_height, &input, -128, &numbers, output);
        }
    })
}

/// Cycles of a layer in F16.
fn floats(isa: Isa, layer: &Layer) -> f64 {
    let &(_, kind, side, channels, n, window, step, _) = layer;
    let geometry = &geometry(side, channels, window, step);
    let (taps, pixels) = (window * window, geometry.output_height * geometry.output_width);
    let (input, bias) = (&vec![0.5; side * side * channels], vec![0.5; n.next_multiple_of(8)]);
    let mut data = vec![0.0; pixels * n];
    let (low, high, pad_value) = (0.0, 6.0, 0.0);
    if kind == Kind::Depthwise {
        let weights = vec![0x3800; taps * channels];
        let depthwise = &DepthwiseF16 { weights: &weights, bias: &bias, pad_value, low, high };
        return cycles(|| {
            let (rows, output) = (0..geometry.output_height, data.as_mut_slice());
            depthwise_f16(isa, depthwise_f16::Task { geometry, rows, input, depthwise, output });
        });
    }
    let weights = conv_f16::pack::pack(&vec![0x3800; n * taps * channels], n, taps * channels);
    let conv = &ConvF16 { n, weights: &weights, bias: &bias, pad_value, low, high };
    cycles(|| {
        let (rows, output) = (0..geometry.output_height, data.as_mut_slice());
        conv_f16(isa, conv_f16::Task { geometry, rows, input, conv, residual: None, output });
    })
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let reference = arguments.iter().any(|word| word == "scalar");
    let filter: Vec<_> = arguments.iter().filter(|word| *word != "scalar").collect();
    let isas: Vec<Isa> =
        Isa::ALL.into_iter().filter(|isa| isa.available() && (reference || *isa != Isa::Scalar)).collect();
    if filter.iter().any(|word| *word == "memory") {
        memory::print(&isas);
        return;
    }
    let best = Isa::detect();
    println!("products a cycle (thousands of cycles)");
    let heads: Vec<String> = isas.iter().map(|isa| format!("{:>20}", isa.name())).collect();
    println!("{:<22}{} {:>19}", "layer", heads.concat(), "f16");
    let is_asked = |name: &str| filter.iter().all(|word| name.contains(word.as_str()));
    for layer in LAYERS.iter().filter(|layer| is_asked(layer.0)) {
        let &(name, kind, side, channels, n, window, step, _) = layer;
        let output = geometry(side, channels, window, step).output_width.pow(2);
        let products = output * window * window * channels * if kind == Kind::Dense { n } else { 1 };
        let cell = |cycles: f64| format!("{:>11.2} ({:>6.0})", products as f64 / cycles, cycles / 1000.0);
        let cells: Vec<String> = isas.iter().map(|&isa| cell(integers(isa, layer))).collect();
        println!("{name:<22}{} {}", cells.concat(), cell(floats(best, layer)));
    }
    for &(name, block, tokens) in linear::LAYERS.iter().filter(|layer| is_asked(layer.0)) {
        let cell = |&isa: &Isa| {
            let (products, cycles) = linear::pace(isa, block, tokens);
            format!("{:>11.2} ({:>6.0})", products as f64 / cycles, cycles / 1000.0)
        };
        println!("{name:<22}{}", isas.iter().map(cell).collect::<String>());
    }
}
