//! Pools, resizes, shuffles and products: against words of their contracts rather than against the reference alone.

use std::ops::Range;

use clawdbot_kernels::average_pool::{self, Mean, Windows};
use clawdbot_kernels::geometry::Geometry;
use clawdbot_kernels::isa::Variant;
use clawdbot_kernels::max_pool::{self, Pool};
use clawdbot_kernels::multiply::{self, Multiply};
use clawdbot_kernels::resize::{self, Between, Resize};
use clawdbot_kernels::shuffle::{self, Shuffle};

use crate::guarded::{Edge, Guarded};
use crate::made_up::Source;
use crate::tally::Tally;

/// Rows of a window over a picture, the channels of its pixels, and where the pixels lie.
struct Case {
    geometry: Geometry,
    rows: Range<usize>,
    channels: usize,
    output_stride: usize,
}

fn cases() -> Vec<Case> {
    let mut source = Source::new(11);
    let mut cases = Vec::new();
    for (channels, stride) in [(1, 4), (5, 16), (16, 16), (20, 48), (33, 64), (80, 80), (104, 112)] {
        for kernel in [1, 2, 3, 5, 13] {
            let [input_height, input_width] = [1 + source.below(9), 1 + source.below(9)];
            let padding = source.below(kernel);
            let step = 1 + source.below(2);
            let side = |side: usize| (side + 2 * padding).checked_sub(kernel).map(|room| room / step + 1);
            let (Some(output_height), Some(output_width)) = (side(input_height), side(input_width)) else { continue };
            let geometry = Geometry {
                input_height,
                input_width,
                channels: stride,
                kernel: [kernel; 2],
                stride: [step; 2],
                padding_top: padding,
                padding_left: padding,
                output_height,
                output_width,
            };
            let output_stride = channels + source.below(2) * 7;
            cases.push(Case { geometry, rows: source.below(output_height)..output_height, channels, output_stride });
        }
    }
    cases
}

impl Case {
    fn input_length(&self) -> usize {
        let pixels = self.geometry.input_height * self.geometry.input_width;
        (pixels - 1) * self.geometry.channels + self.channels
    }

    fn output_length(&self) -> usize {
        (self.rows.len() * self.geometry.output_width - 1) * self.output_stride + self.channels
    }

    /// Each result: its place in the output, and the indices of the cells that its window sees.
    fn results(&self) -> Vec<(usize, Vec<usize>)> {
        let geometry = &self.geometry;
        let mut results = Vec::new();
        for (pixel, (y, x)) in
            self.rows.clone().flat_map(|y| (0..geometry.output_width).map(move |x| (y, x))).enumerate()
        {
            for channel in 0..self.channels {
                let mut seen = Vec::new();
                for tap in 0..geometry.taps() {
                    let row = (y * geometry.stride[0] + tap / geometry.kernel[1]).wrapping_sub(geometry.padding_top);
                    let column =
                        (x * geometry.stride[1] + tap % geometry.kernel[1]).wrapping_sub(geometry.padding_left);
                    if row < geometry.input_height && column < geometry.input_width {
                        seen.push((row * geometry.input_width + column) * geometry.channels + channel);
                    }
                }
                results.push((pixel * self.output_stride + channel, seen));
            }
        }
        results
    }
}

pub(crate) fn max_pool(tally: &mut Tally) {
    tally.walk(max_pool::VARIANTS, |variant| {
        for (case, edge) in cases().into_iter().flat_map(|case| Edge::BOTH.map(|edge| (case.copy(), edge))) {
            let bytes = Source::new(3).activations(case.input_length());
            let reals: Vec<f32> = bytes.iter().map(|&byte| f32::from(byte)).collect();
            let (bytes, reals) = (Guarded::new(&bytes, edge), Guarded::new(&reals, edge));
            let mut largest = Guarded::new(&vec![99_i8; case.output_length()], edge);
            let mut largest_real = Guarded::new(&vec![99.0_f32; case.output_length()], edge);
            let (geometry, rows, channels, output_stride) =
                (&case.geometry, case.rows.clone(), case.channels, case.output_stride);
            let (input, output) = (&*bytes, &mut *largest);
            let pool = Pool { geometry, rows: rows.clone(), channels, input, output, output_stride };
            variant.run(max_pool::Task::I8(pool));
            let (input, output) = (&*reals, &mut *largest_real);
            variant.run(max_pool::Task::F32(Pool { geometry, rows, channels, input, output, output_stride }));
            let mut expected = vec![99_i8; case.output_length()];
            for (at, seen) in case.results() {
                expected[at] = seen.iter().map(|&cell| bytes[cell]).max().expect("a window sees a cell");
            }
            assert_eq!(largest.to_vec(), expected, "{}: {geometry:?}", variant.name);
            let reals: Vec<f32> = expected.iter().map(|&byte| f32::from(byte)).collect();
            assert_eq!(largest_real.to_vec(), reals, "{}: {geometry:?}", variant.name);
        }
    });
}

impl Case {
    fn copy(&self) -> Self {
        Self { rows: self.rows.clone(), ..*self }
    }
}

pub(crate) fn average_pool(tally: &mut Tally) {
    tally.walk(average_pool::VARIANTS, |variant| {
        for (case, edge) in cases().into_iter().flat_map(|case| Edge::BOTH.map(|edge| (case.copy(), edge))) {
            for padding_counts in [false, true] {
                let bytes = Source::new(4).activations(case.input_length());
                let reals: Vec<f32> = bytes.iter().map(|&byte| f32::from(byte) - 5.0).collect();
                let (bytes, reals) = (Guarded::new(&bytes, edge), Guarded::new(&reals, edge));
                let mut means = Guarded::new(&vec![99_i8; case.output_length()], edge);
                let mut real_means = Guarded::new(&vec![99.0_f32; case.output_length()], edge);
                let Case { geometry, rows, channels, output_stride } = case.copy();
                let windows = Windows { geometry: &geometry, rows, channels, padding_counts, output_stride };
                let mean = Mean { scale: 0.5, input_zero_point: 5, zero_point: -3 };
                let (input, output) = (&*bytes, &mut *means);
                variant.run(average_pool::Task::I8 { windows: windows.clone(), input, mean, output });
                let (input, output) = (&*reals, &mut *real_means);
                variant.run(average_pool::Task::F32 { windows, input, output });
                for (at, seen) in case.results() {
                    let count = if padding_counts { geometry.taps() } else { seen.len() };
                    let sum: i32 = seen.iter().map(|&cell| i32::from(bytes[cell]) - 5).sum();
                    let exact = f64::from(sum) / count as f64;
                    let rounded = f64::from(means[at]) + 3.0;
                    assert!((rounded - exact / 2.0).abs() <= 0.500_01, "{}: {rounded}, {exact}", variant.name);
                    assert!((f64::from(real_means[at]) - exact).abs() <= 1e-4, "{}: {exact}", variant.name);
                }
            }
        }
    });
}

pub(crate) fn resize(tally: &mut Tally) {
    tally.walk(resize::VARIANTS, |variant| {
        let cell = |first, second, share| Between { first, second, share };
        let down = [cell(0, 0, 0.0), cell(0, 1, 0.25), cell(1, 1, 0.0)];
        let right = [cell(0, 0, 0.0), cell(0, 1, 0.75), cell(1, 2, 0.5), cell(2, 2, 0.0)];
        for (channels, input_stride, output_stride) in [(1, 4, 1), (16, 16, 16), (17, 32, 40)] {
            for edge in Edge::BOTH {
                let length = 5 * input_stride + channels;
                let bytes = Source::new(5).activations(length);
                let reals: Vec<f32> = bytes.iter().map(|&byte| f32::from(byte)).collect();
                let (bytes, reals) = (Guarded::new(&bytes, edge), Guarded::new(&reals, edge));
                let results = 11 * output_stride + channels;
                let mut between = Guarded::new(&vec![99_i8; results], edge);
                let mut real = Guarded::new(&vec![99.0_f32; results], edge);
                let (down, right, input_width) = (&down[..], &right[..], 3);
                let (input, output) = (&*bytes, &mut *between);
                let task = Resize { input, input_width, input_stride, channels, down, right, output, output_stride };
                variant.run(resize::Task::I8(task));
                let (input, output) = (&*reals, &mut *real);
                let task = Resize { input, input_width, input_stride, channels, down, right, output, output_stride };
                variant.run(resize::Task::F32(task));
                for (pixel, (down, right)) in down.iter().flat_map(|d| right.iter().map(move |r| (d, r))).enumerate() {
                    for channel in 0..channels {
                        let cell =
                            |y: u32, x: u32| f64::from(reals[(y as usize * 3 + x as usize) * input_stride + channel]);
                        let line = |y: u32| {
                            cell(y, right.first) * (1.0 - f64::from(right.share))
                                + cell(y, right.second) * f64::from(right.share)
                        };
                        let exact = line(down.first) * (1.0 - f64::from(down.share))
                            + line(down.second) * f64::from(down.share);
                        let at = pixel * output_stride + channel;
                        assert!((f64::from(real[at]) - exact).abs() <= 1e-4, "{}: {exact}", variant.name);
                        assert_eq!(f64::from(between[at]), (exact + 0.5).floor(), "{}: {exact}", variant.name);
                    }
                }
            }
        }
    });
}

pub(crate) fn shuffle(tally: &mut Tally) {
    tally.walk(shuffle::VARIANTS, |variant| {
        for (channels, groups) in [(1, 1), (6, 3), (116, 2), (32, 2), (34, 2), (48, 4), (9, 9)] {
            for (rows, edge) in [(1, Edge::Start), (1, Edge::End), (5, Edge::Start), (5, Edge::End)] {
                let (input_stride, output_stride) = (channels + 3, channels + 1);
                let length = |stride: usize| (rows - 1) * stride + channels;
                let input = Source::new(6).activations(length(input_stride));
                let reals: Vec<f32> = input.iter().map(|&byte| f32::from(byte)).collect();
                let (bytes, reals) = (Guarded::new(&input, edge), Guarded::new(&reals, edge));
                let mut mixed = Guarded::new(&vec![99_i8; length(output_stride)], edge);
                let mut real = Guarded::new(&vec![99.0_f32; length(output_stride)], edge);
                let (input, output) = (&*bytes, &mut *mixed);
                let task = Shuffle { rows, channels, groups, input, input_stride, output, output_stride };
                variant.run(shuffle::Task::I8(task));
                let (input, output) = (&*reals, &mut *real);
                let task = Shuffle { rows, channels, groups, input, input_stride, output, output_stride };
                variant.run(shuffle::Task::F32(task));
                let mut expected = vec![99_i8; length(output_stride)];
                for row in 0..rows {
                    for (group, place) in (0..groups).flat_map(|g| (0..channels / groups).map(move |s| (g, s))) {
                        let from = row * input_stride + group * (channels / groups) + place;
                        expected[row * output_stride + place * groups + group] = bytes[from];
                    }
                }
                assert_eq!(mixed.to_vec(), expected, "{}: {channels} in {groups}", variant.name);
                let expected: Vec<f32> = expected.iter().map(|&byte| f32::from(byte)).collect();
                assert_eq!(real.to_vec(), expected, "{}: {channels} in {groups}", variant.name);
            }
        }
    });
}

pub(crate) fn multiply(tally: &mut Tally) {
    tally.walk(multiply::VARIANTS, |variant| {
        let mut source = Source::new(7);
        let table = source.table();
        for case in 0..60 {
            let edge = Edge::BOTH[case % 2];
            let channels = [1, 7, 8, 9, 16, 24, 33][case % 7];
            let (rows, one) = (1 + source.below(4), source.below(2) == 0);
            let (a_stride, output_stride) = (channels + source.below(2) * 5, channels + source.below(2) * 3);
            let b_stride = if one { 0 } else { channels + source.below(2) };
            let length = |stride: usize| (rows - 1) * stride + channels;
            let a = Guarded::new(&source.activations(length(a_stride)), edge);
            let b = Guarded::new(&source.activations(length(b_stride)), edge);
            let numbers = Multiply {
                scale: source.scales(1, 14)[0],
                zero_points: [source.below(256) as i32 - 128, source.below(256) as i32 - 128],
                zero_point: source.below(256) as i32 - 128,
                low: if case % 2 == 0 { -128 } else { -77 },
                high: if case % 3 == 0 { 127 } else { 99 },
                table: (case % 4 == 0).then_some(&table),
            };
            let run = |variant: &Variant<multiply::MultiplyI8>| {
                let mut output = Guarded::new(&vec![0x5a; length(output_stride)], edge);
                let (a, b, multiply, slice) = (&*a, &*b, &numbers, &mut *output);
                variant.run(multiply::Task {
                    rows,
                    channels,
                    a,
                    a_stride,
                    b,
                    b_stride,
                    multiply,
                    output: slice,
                    output_stride,
                });
                output.to_vec()
            };
            let expected = run(&multiply::VARIANTS[0]);
            assert_eq!(run(variant), expected, "{}: {numbers:?}", variant.name);
            let product = (i32::from(a[0]) - numbers.zero_points[0]) * (i32::from(b[0]) - numbers.zero_points[1]);
            let q = (product as f32 * numbers.scale).round_ties_even() + numbers.zero_point as f32;
            let q = q.clamp(f32::from(numbers.low), f32::from(numbers.high)) as i8;
            assert_eq!(expected[0], numbers.table.map_or(q, |table| table[(i32::from(q) + 128) as usize]));
        }
    });
}
