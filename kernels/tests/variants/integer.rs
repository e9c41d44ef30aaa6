//! The INT8 convolutions.

use clawdbot_kernels::conv::{self, pack};
use clawdbot_kernels::depthwise::{self, Depthwise};
use clawdbot_kernels::epilogue::{Activation, Output, Requantize, Residual};
use clawdbot_kernels::gemm::{self, Gemm};
use clawdbot_kernels::geometry::Geometry;
use clawdbot_kernels::isa::Variant;

use crate::guarded::{Edge, Guarded};
use crate::made_up::Source;
use crate::tally::Tally;

/// What stands in an output before a kernel runs; what it must not write keeps it.
const CANARY: i8 = 0x5a;

/// Everything that one result needs beside the sums, in guarded memory.
struct Surroundings {
    kind: usize,
    rows: usize,
    /// Elements of the first row before the first result: a slice of a wider row may begin anywhere.
    offset: usize,
    stride: usize,
    bias: Guarded<i32>,
    scale: Guarded<f32>,
    residual: Guarded<i8>,
    residual_stride: usize,
    table: [i8; 256],
    bump: [u8; 64],
    shifts: [u32; 2],
    gain: Guarded<i16>,
    zero_points: [i32; 2],
    bounds: [i8; 2],
}

impl Surroundings {
    /// Kinds of output: I8; with table; with residual; with both; leaky; bump; F32.
    const KINDS: usize = 7;
    const F32: usize = 6;

    fn new(source: &mut Source, kind: usize, rows: usize, n: usize, padding: usize, edge: Edge) -> Self {
        let padded = n.next_multiple_of(padding);
        let (stride, residual_stride) = (n + source.below(3) * 5, n + source.below(2) * 3);
        let length = |stride: usize| if rows == 0 { 0 } else { (rows - 1) * stride + n };
        let full = source.below(2) == 0;
        // A ReLU's is -128.
        let zero_point = if source.below(3) == 0 { -128 } else { source.below(256) as i32 - 128 };
        let bump: Vec<i8> = source.activations(64);
        Self {
            kind,
            rows,
            offset: source.below(3) * 7,
            stride,
            bias: Guarded::new(&source.integers(padded, 1 << 14), edge),
            scale: Guarded::new(&source.scales(padded, if kind == 5 { 5 } else { 15 }), edge),
            residual: Guarded::new(&source.activations(length(residual_stride)), edge),
            residual_stride,
            table: source.table(),
            bump: std::array::from_fn(|index| bump[index] as u8),
            shifts: [1 + source.below(8) as u32, source.below(9) as u32],
            gain: Guarded::new(&source.gains(padded), edge),
            zero_points: [zero_point, source.below(256) as i32 - 128],
            bounds: if full { [-128, 127] } else { [-90, 100] },
        }
    }

    const fn length(&self, n: usize) -> usize {
        self.offset + if self.rows == 0 { 0 } else { (self.rows - 1) * self.stride + n }
    }

    fn requantize(&self) -> Requantize<'_> {
        let residual = Residual {
            data: &self.residual,
            stride: self.residual_stride,
            scale: 0.37,
            zero_point: self.zero_points[1],
        };
        Requantize {
            scale: &self.scale,
            zero_point: self.zero_points[0],
            low: self.bounds[0],
            high: self.bounds[1],
            activation: match self.kind {
                1 | 3 => Activation::Table(&self.table),
                4 => Activation::Leaky { slope: 0.1 },
                5 => {
                    let [index_shift, fraction] = self.shifts;
                    Activation::Bump { index_shift, table: &self.bump, fraction, gain: &self.gain }
                }
                _ => Activation::Clamp,
            },
            residual: matches!(self.kind, 2 | 3).then_some(residual),
        }
    }

    /// Runs `kernel` into guarded memory and answers the bits of all of it, what lies between the rows too.
    fn results(&self, n: usize, edge: Edge, kernel: impl FnOnce(Output<'_>)) -> Vec<u32> {
        if self.kind < Self::F32 {
            let mut data = Guarded::new(&vec![CANARY; self.length(n)], edge);
            kernel(Output::I8 { data: &mut data[self.offset..], stride: self.stride, requantize: self.requantize() });
            data.iter().map(|&q| q as u32).collect()
        } else {
            let mut data = Guarded::new(&vec![f32::from(CANARY); self.length(n)], edge);
            let (low, high) = if self.bounds[0] == -128 { (f32::NEG_INFINITY, f32::INFINITY) } else { (-1.5, 6.0) };
            kernel(Output::F32 { data: &mut data[self.offset..], stride: self.stride, scale: &self.scale, low, high });
            data.iter().map(|value| value.to_bits()).collect()
        }
    }
}

pub(crate) fn gemm(tally: &mut Tally) {
    tally.walk(gemm::VARIANTS, |variant| {
        let mut seed = 0;
        for rows in [0, 1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 17, 51, 101] {
            for k in [0, 8, 16, 24, 40, 256, 264, 520] {
                for n in [1, 3, 7, 8, 9, 16, 17, 24, 40] {
                    for edge in Edge::BOTH {
                        gemm_case(variant, [rows, k, n], edge, seed);
                        seed += 1;
                    }
                }
            }
        }
    });
}

fn gemm_case(variant: &Variant<gemm::GemmI8>, [rows, k, n]: [usize; 3], edge: Edge, seed: u64) {
    let mut source = Source::new(seed);
    let input_stride = k + 16 * source.below(2);
    let length = if rows == 0 { 0 } else { (rows - 1) * input_stride + k };
    let input = Guarded::new(&source.activations(length), edge);
    let loose = source.weights(n * k);
    let weights = Guarded::new(&pack::pack(&loose, n, 1, k, k), edge);
    let column_sums = Guarded::new(&pack::column_sums(&loose, n), edge);
    let kind = source.below(Surroundings::KINDS);
    let around = Surroundings::new(&mut source, kind, rows, n, 8, edge);
    let gemm = Gemm { k, n, weights: &weights, bias: &around.bias, column_sums: &column_sums };
    let run = |variant: &Variant<gemm::GemmI8>| {
        around.results(n, edge, |output| {
            let (input, gemm) = (&*input, &gemm);
            variant.run(gemm::Task { rows, input, input_stride, gemm, output });
        })
    };
    let context = format!("{}: rows {rows}, K {k}, N {n}, kind {kind}, seed {seed}", variant.name);
    assert_eq!(run(variant), run(&gemm::VARIANTS[0]), "{context}");
}

/// Sizes of pictures, windows, steps and paddings that meet every border.
fn geometries(channels: &[usize]) -> Vec<Geometry> {
    let mut geometries = Vec::new();
    let windows = [
        ([1, 1], [1, 1]),
        ([1, 1], [2, 2]),
        ([3, 3], [1, 1]),
        ([3, 3], [2, 2]),
        ([5, 5], [1, 1]),
        ([1, 3], [1, 2]),
        ([6, 6], [2, 2]),
    ];
    for &channels in channels {
        for (kernel, stride) in windows {
            for [input_height, input_width] in [[1, 1], [4, 5], [9, 8], [5, 23], [7, 970]] {
                // The widest are for strips of a picture.
                if input_width > 900 && channels != 4 {
                    continue;
                }
                for padding in
                    [[0, 0, 0, 0], [kernel[0] / 2, kernel[1] / 2, kernel[0] / 2, kernel[1] / 2], [0, 0, 1, 1]]
                {
                    let [top, left, bottom, right] = padding;
                    let size = |input: usize, before: usize, after: usize, kernel: usize, stride: usize| {
                        (input + before + after).checked_sub(kernel).map_or(0, |rest| rest / stride + 1)
                    };
                    geometries.push(Geometry {
                        input_height,
                        input_width,
                        channels,
                        kernel,
                        stride,
                        padding_top: top,
                        padding_left: left,
                        output_height: size(input_height, top, bottom, kernel[0], stride[0]),
                        output_width: size(input_width, left, right, kernel[1], stride[1]),
                    });
                }
            }
        }
    }
    geometries
}

/// All rows, or those without the first and the last.
fn some_rows(source: &mut Source, geometry: &Geometry) -> std::ops::Range<usize> {
    if geometry.output_height > 2 && source.below(2) == 0 {
        1..geometry.output_height - 1
    } else {
        0..geometry.output_height
    }
}

pub(crate) fn conv(tally: &mut Tally) {
    tally.walk(conv::VARIANTS, |variant| {
        for (seed, geometry) in geometries(&[4, 8, 16, 48, 272]).iter().enumerate() {
            for edge in Edge::BOTH {
                let mut source = Source::new(seed as u64);
                let n = [1, 4, 8, 13, 16, 25, 32][source.below(7)];
                let rows = some_rows(&mut source, geometry);
                let (taps, channels) = (geometry.taps(), geometry.channels);
                let input = source.activations(geometry.input_height * geometry.input_width * channels);
                let input = Guarded::new(&input, edge);
                // A picture's fourth channel is mostly none.
                let real = if channels == 4 && source.below(4) > 0 { 3 } else { channels };
                let loose = source.weights(n * taps * real);
                let weights = Guarded::new(&pack::pack(&loose, n, taps, real, channels), edge);
                let column_sums = Guarded::new(&pack::column_sums(&loose, n), edge);
                let pixels = rows.len() * geometry.output_width;
                let around = Surroundings::new(&mut source, seed % Surroundings::KINDS, pixels, n, 8, edge);
                let k = pack::packed_k(taps, channels);
                let gemm = Gemm { k, n, weights: &weights, bias: &around.bias, column_sums: &column_sums };
                let pad_value = source.activations(1)[0];
                let run = |variant: &Variant<conv::ConvI8>| {
                    around.results(n, edge, |output| {
                        let (rows, input, gemm) = (rows.clone(), &*input, &gemm);
                        variant.run(conv::Task { geometry, rows, input, pad_value, gemm, output });
                    })
                };
                let context = format!("{}: {geometry:?}, rows {rows:?}, N {n}, seed {seed}", variant.name);
                assert_eq!(run(variant), run(&conv::VARIANTS[0]), "{context}");
            }
        }
    });
}

pub(crate) fn depthwise(tally: &mut Tally) {
    tally.walk(depthwise::VARIANTS, |variant| {
        for (seed, geometry) in geometries(&[4, 16, 32, 48, 144]).iter().enumerate() {
            for edge in Edge::BOTH {
                let mut source = Source::new(seed as u64);
                let rows = some_rows(&mut source, geometry);
                let (taps, channels) = (geometry.taps(), geometry.channels);
                let input = source.activations(geometry.input_height * geometry.input_width * channels);
                let input = Guarded::new(&input, edge);
                let weights = depthwise::pack::pack(&source.weights(taps * channels), taps, channels);
                let weights = Guarded::new(&weights, edge);
                let pixels = rows.len() * geometry.output_width;
                let around = Surroundings::new(&mut source, seed % Surroundings::F32, pixels, channels, 16, edge);
                let depthwise =
                    Depthwise { weights: &weights, bias: &around.bias, pad_value: source.activations(1)[0] };
                let run = |variant: &Variant<depthwise::DepthwiseI8>| {
                    around.results(channels, edge, |output| {
                        let Output::I8 { data, stride, requantize } = output else { unreachable!("kinds of I8") };
                        let (rows, input, depthwise) = (rows.clone(), &*input, &depthwise);
                        variant.run(depthwise::Task {
                            geometry,
                            rows,
                            input,
                            depthwise,
                            requantize,
                            output: data,
                            output_stride: stride,
                        });
                    })
                };
                let context = format!("{}: {geometry:?}, rows {rows:?}, seed {seed}", variant.name);
                assert_eq!(run(variant), run(&depthwise::VARIANTS[0]), "{context}");
            }
        }
    });
}
