//! Sums, means and conversions.

use clawdbot_kernels::add::{self, Add};
use clawdbot_kernels::isa::Variant;
use clawdbot_kernels::pool::{self, Pool};
use clawdbot_kernels::{dequantize, quantize};

use crate::guarded::{Edge, Guarded};
use crate::made_up::Source;
use crate::tally::Tally;

/// Around the width of a register and far from it.
const LENGTHS: [usize; 12] = [0, 1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 1000];

pub(crate) fn add(tally: &mut Tally) {
    tally.walk(add::VARIANTS, |variant| {
        let every_pair: Vec<(i8, i8)> =
            (i8::MIN..=i8::MAX).flat_map(|a| (i8::MIN..=i8::MAX).map(move |b| (a, b))).collect();
        let mut source = Source::new(1);
        let table = source.table();
        for case in 0..40 {
            for edge in Edge::BOTH {
                let (a, b): (Vec<i8>, Vec<i8>) = match LENGTHS.get(case) {
                    Some(&length) => (source.activations(length), source.activations(length)),
                    None => every_pair.iter().copied().unzip(),
                };
                let (a, b) = (Guarded::new(&a, edge), Guarded::new(&b, edge));
                let scales = source.scales(2, 7);
                let add = Add {
                    scales: [scales[0], scales[1]],
                    zero_points: [source.below(256) as i32 - 128, source.below(256) as i32 - 128],
                    zero_point: source.below(256) as i32 - 128,
                    low: if case % 2 == 0 { -128 } else { -77 },
                    high: if case % 3 == 0 { 127 } else { 99 },
                    table: (case % 4 == 0).then_some(&table),
                };
                // One row, or rows that begin further apart than they are long, the last with nothing behind it.
                let strides =
                    if a.len() > 40 && case % 5 > 0 { [37, 37 + case % 2, 37 + case % 3] } else { [a.len(); 3] };
                let [width, rows] = if strides[0] == a.len() { [a.len(), 1] } else { [33, (a.len() - 34) / 39 + 1] };
                let run = |variant: &Variant<add::AddI8>| {
                    let mut output = Guarded::new(&vec![0; (rows - 1) * strides[2] + width], edge);
                    let [a_stride, b_stride, output_stride] = strides;
                    let (a, b, add, output_bytes) = (&*a, &*b, &add, &mut *output);
                    let task =
                        add::Task { rows, width, a, a_stride, b, b_stride, add, output: output_bytes, output_stride };
                    variant.run(task);
                    output.to_vec()
                };
                assert_eq!(run(variant), run(&add::VARIANTS[0]), "{}: {add:?}, {} pairs", variant.name, a.len());
            }
        }
    });
}

pub(crate) fn pool(tally: &mut Tally) {
    tally.walk(pool::VARIANTS, |variant| {
        for (pixels, channels) in [(1, 1), (1, 16), (4, 7), (49, 32), (100, 16), (600, 48)] {
            for edge in Edge::BOTH {
                let mut source = Source::new(pixels as u64);
                let input = source.activations(pixels * channels);
                let floats: Vec<f32> = input.iter().map(|&q| f32::from(q)).collect();
                let (input, floats) = (Guarded::new(&input, edge), Guarded::new(&floats, edge));
                let scale = 1.0 / pixels as f32;
                let pool = Pool { scale, input_zero_point: 5, zero_point: 5, low: -128, high: 127 };
                let mut means = Guarded::new(&vec![0_i8; channels], edge);
                variant.run(pool::Task::I8 { input: &input, pool, output: &mut means });
                let mut expected = vec![0_i8; channels];
                pool::VARIANTS[0].run(pool::Task::I8 { input: &input, pool, output: &mut expected });
                assert_eq!(means.to_vec(), expected, "{}: {pixels} pixels of {channels}", variant.name);
                let mut real = Guarded::new(&vec![0.0_f32; channels], edge);
                variant.run(pool::Task::F32 { input: &floats, output: &mut real });
                for channel in 0..channels {
                    let sum: i32 = (0..pixels).map(|pixel| i32::from(input[pixel * channels + channel])).sum();
                    let mean = f64::from(sum) / pixels as f64;
                    assert!((f64::from(means[channel]) - mean).abs() <= 0.500_01, "{}: I8, {mean}", variant.name);
                    assert!((f64::from(real[channel]) - mean).abs() <= 1e-4, "{}: F32, {mean}", variant.name);
                }
            }
        }
    });
}

pub(crate) fn quantize(tally: &mut Tally) {
    tally.walk(quantize::VARIANTS, |variant| {
        for (seed, channels) in [1, 2, 7, 8, 9, 16, 17, 40].into_iter().enumerate() {
            for (rows, edge) in [(0, Edge::Start), (1, Edge::End), (1, Edge::Start), (5, Edge::End), (5, Edge::Start)] {
                let mut source = Source::new(seed as u64);
                let mut input = source.floats(rows * channels);
                let odd = [0.5, 1.5, -0.5, -2.5, -0.0, f32::INFINITY, f32::NEG_INFINITY, 1e38, f32::MIN_POSITIVE];
                for value in &mut input {
                    *value = if source.below(3) == 0 { odd[source.below(odd.len())] } else { *value * 200.0 };
                }
                let input = Guarded::new(&input, edge);
                let one = source.below(2) == 0;
                let scales: Vec<f32> = if one { vec![1.0] } else { vec![0.7; channels] };
                let inverse_scale = Guarded::new(&scales, edge);
                let output_stride = channels + source.below(2) * 3;
                let zero_point = source.below(256) as i32 - 128;
                let length = if rows == 0 { 0 } else { (rows - 1) * output_stride + channels };
                let run = |variant: &Variant<quantize::Quantize>| {
                    let mut output = Guarded::new(&vec![0x5a; length], edge);
                    let (input, inverse_scale) = (&*input, &*inverse_scale);
                    variant.run(quantize::Task {
                        channels,
                        input,
                        inverse_scale,
                        zero_point,
                        output: &mut output,
                        output_stride,
                    });
                    output.to_vec()
                };
                let context = format!("{}: {rows} x {channels}, zero point {zero_point}", variant.name);
                assert_eq!(run(variant), run(&quantize::VARIANTS[0]), "{context}");
            }
        }
    });
}

pub(crate) fn dequantize(tally: &mut Tally) {
    tally.walk(dequantize::VARIANTS, |variant| {
        for (seed, channels) in [1, 2, 7, 8, 9, 16, 17, 256].into_iter().enumerate() {
            for (rows, edge) in [(0, Edge::Start), (1, Edge::End), (1, Edge::Start), (5, Edge::End), (5, Edge::Start)] {
                let mut source = Source::new(seed as u64);
                let input_stride = channels + source.below(2) * 3;
                let length = if rows == 0 { 0 } else { (rows - 1) * input_stride + channels };
                let input = Guarded::new(&source.activations(length), edge);
                let one = source.below(2) == 0;
                let scale = source.floats(if one { 1 } else { channels });
                let scale = Guarded::new(&scale, edge);
                let zero_point = source.below(256) as i32 - 128;
                let run = |variant: &Variant<dequantize::Dequantize>| {
                    let mut output = Guarded::new(&vec![0.0; rows * channels], edge);
                    let (input, scale) = (&*input, &*scale);
                    let output_slice = &mut output;
                    variant.run(dequantize::Task {
                        channels,
                        input,
                        input_stride,
                        scale,
                        zero_point,
                        output: output_slice,
                    });
                    output.iter().map(|value| value.to_bits()).collect::<Vec<_>>()
                };
                let context = format!("{}: {rows} x {channels}, zero point {zero_point}", variant.name);
                assert_eq!(run(variant), run(&dequantize::VARIANTS[0]), "{context}");
            }
        }
    });
}
