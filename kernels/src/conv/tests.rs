//! The reference and the packers against the definition on unpacked weights; entries refuse what does not fit.

use super::{conv, pack};
use crate::depthwise::{self, Depthwise, depthwise};
use crate::epilogue::{Activation, Output, Requantize};
use crate::gemm::{Gemm, gemm};
use crate::geometry::Geometry;
use crate::isa::Isa;

const GEOMETRY: Geometry = Geometry {
    input_height: 5,
    input_width: 6,
    channels: 16,
    kernel: [3, 3],
    stride: [2, 2],
    padding_top: 1,
    padding_left: 1,
    output_height: 3,
    output_width: 3,
};
const CHANNELS: usize = 11;
const N: usize = 5;
const PAD_VALUE: i8 = -7;

fn numbers(count: usize, step: usize) -> Vec<i8> {
    (0..count).map(|index| i8::try_from(index * step % 255).map_or(-127, |value| value - 64)).collect()
}

/// `bias + sum` at one output cell by signed coordinates; `weight` is asked by tap and channel.
fn by_definition(input: &[i8], at: [i64; 2], channels: usize, weight: impl Fn(usize, usize) -> i8) -> i32 {
    let mut sum = 100;
    for tap in 0..9 {
        let y = at[0] * 2 + i64::try_from(tap / 3).unwrap() - 1;
        let x = at[1] * 2 + i64::try_from(tap % 3).unwrap() - 1;
        for channel in 0..channels {
            let inside = (0..5).contains(&y) && (0..6).contains(&x);
            let pixel = if inside { usize::try_from(y * 6 + x).unwrap() } else { 0 };
            let value = if inside { input[pixel * 16 + channel] } else { PAD_VALUE };
            sum += i32::from(value) * i32::from(weight(tap, channel));
        }
    }
    sum
}

fn cells() -> impl Iterator<Item = [i64; 2]> {
    (0..9).map(|pixel| [pixel / 3, pixel % 3])
}

#[test]
fn packed_weights_give_the_convolution_of_the_unpacked_ones() {
    let input = numbers(5 * 6 * 16, 37);
    let weights = numbers(N * 9 * CHANNELS, 71);
    let packed = pack::pack(&weights, N, 9, CHANNELS, 16);
    let column_sums = pack::column_sums(&weights, N);
    let gemm = Gemm { k: 144, n: N, weights: &packed, bias: &[100; 8], column_sums: &column_sums };
    let mut data = vec![0.0; 9 * N];
    let (low, high) = (f32::NEG_INFINITY, f32::INFINITY);
    let output = Output::F32 { data: &mut data, stride: N, scale: &[1.0; 8], low, high };
    conv(Isa::detect(), &GEOMETRY, 0..3, &input, PAD_VALUE, &gemm, output);
    for (pixel, at) in cells().enumerate() {
        for n in 0..N {
            let sum = by_definition(&input, at, CHANNELS, |tap, channel| weights[(n * 9 + tap) * CHANNELS + channel]);
            assert_eq!(data[pixel * N + n], sum as f32, "at {at:?}, channel {n}");
        }
    }
    let sum: i32 = weights[9 * CHANNELS..2 * 9 * CHANNELS].iter().map(|&weight| i32::from(weight)).sum();
    assert_eq!(column_sums[1], sum);
}

#[test]
fn packed_depthwise_weights_give_the_convolution_of_the_unpacked_ones() {
    let input = numbers(5 * 6 * 16, 41);
    let weights = numbers(9 * CHANNELS, 53);
    let packed = depthwise::pack::pack(&weights, 9, CHANNELS);
    let requantize = Requantize {
        scale: &[0.01; 16],
        zero_point: 3,
        low: -100,
        high: 100,
        activation: Activation::Clamp,
        residual: None,
    };
    let mut output = vec![0; 9 * 16];
    let task = depthwise::Task {
        geometry: &GEOMETRY,
        rows: 0..3,
        input: &input,
        depthwise: &Depthwise { weights: &packed, bias: &[100; 16], pad_value: PAD_VALUE },
        requantize,
        output: &mut output,
        output_stride: 16,
    };
    depthwise(Isa::detect(), task);
    for (pixel, at) in cells().enumerate() {
        for channel in 0..CHANNELS {
            let only = |tap: usize, c: usize| if c == channel { weights[tap * CHANNELS + c] } else { 0 };
            let sum = by_definition(&input, at, CHANNELS, only) as f32 * 0.01;
            let expected = 3 + sum.clamp(-103.0, 97.0).round_ties_even() as i32;
            assert_eq!(i32::from(output[pixel * 16 + channel]), expected, "at {at:?}, channel {channel}");
        }
    }
}

fn refused(call: impl FnOnce() + std::panic::UnwindSafe) -> String {
    let panic = std::panic::catch_unwind(call).expect_err("a slice that is too short");
    panic.downcast_ref::<String>().cloned().expect("a message with numbers in it")
}

#[test]
fn entries_refuse_slices_that_are_too_short() {
    let product = |input: usize, weights: usize, bias: usize, output: usize| {
        refused(move || {
            let (weights, bias, mut data) = (vec![0; weights], vec![0; bias], vec![0.0; output]);
            let matrix = Gemm { k: 16, n: 3, weights: &weights, bias: &bias, column_sums: &[0; 8] };
            let output = Output::F32 { data: &mut data, stride: 3, scale: &[1.0; 8], low: 0.0, high: 1.0 };
            gemm(Isa::detect(), 2, &vec![0; input], 16, &matrix, output);
        })
    };
    assert!(product(31, 128, 8, 6).contains("the input holds 31 elements"));
    assert!(product(32, 127, 8, 6).contains("127 weights"));
    assert!(product(32, 128, 7, 6).contains("7 biases"));
    assert!(product(32, 128, 8, 5).contains("the output holds 5 elements"));
}

#[test]
fn an_absent_isa_is_refused_by_name() {
    let absent = Isa::ALL.into_iter().find(|isa| !isa.available()).expect("no processor has all");
    let variant = crate::gemm::VARIANTS.iter().find(|variant| variant.isa == absent).unwrap();
    let message = refused(|| {
        let gemm = Gemm { k: 0, n: 0, weights: &[], bias: &[], column_sums: &[] };
        let output = Output::F32 { data: &mut [], stride: 0, scale: &[], low: 0.0, high: 0.0 };
        variant.run(crate::gemm::Task { rows: 0, input: &[], input_stride: 0, gemm: &gemm, output });
    });
    assert!(message.contains(variant.name) && message.contains(absent.name()), "{message}");
}
