//! One block of each type, filled with a pattern, against the values that the `gguf` package 0.19.0 gives for it.
//!
//! The pattern: byte i is (37 i + 11) mod 256; scale and least value are 0.03125 and -0.75, so that all results are exact.

use half::f16;

use crate::gguf::dequantize;
use crate::gguf::types::BlockType;

/// Where a block's scale and least value stand.
const HALVES: [(BlockType, &[usize]); 8] = [
    (BlockType::Q8_0, &[0]),
    (BlockType::Q4_0, &[0]),
    (BlockType::Q4_1, &[0, 2]),
    (BlockType::Q5_0, &[0]),
    (BlockType::Q5_1, &[0, 2]),
    (BlockType::Q4_K, &[0, 2]),
    (BlockType::Q5_K, &[0, 2]),
    (BlockType::Q6_K, &[208]),
];

fn values(block_type: BlockType) -> Vec<f32> {
    let mut block: Vec<u8> = (0..block_type.bytes()).map(|at| u8::try_from((at * 37 + 11) % 256).unwrap()).collect();
    let (_, places) = HALVES.iter().find(|(known, _)| *known == block_type).unwrap();
    for (&at, value) in places.iter().zip([0.03125, -0.75]) {
        block[at..at + 2].copy_from_slice(&f16::from_f32(value).to_le_bytes());
    }
    let mut out = vec![0.0; block_type.values()];
    assert!(dequantize::row(block_type, &block, &mut out));
    out
}

/// Compares values 0, 1, 15, 16, 17 and 31, and the sum of all, value i taken i mod 7 + 1 times.
#[track_caller]
fn check(block_type: BlockType, places: &[usize], expected: &[f32], weighted: f64) {
    let found = values(block_type);
    let picked: Vec<f32> = places.iter().map(|&at| found[at]).collect();
    assert_eq!(picked, expected, "{}", block_type.name());
    let sum: f64 =
        found.iter().zip((1..=7_u8).cycle()).map(|(&value, times)| f64::from(value) * f64::from(times)).sum();
    assert!((sum - weighted).abs() < 1e-9, "{}: {sum} instead of {weighted}", block_type.name());
}

#[test]
fn blocks_of_32() {
    let places = [0, 1, 15, 16, 17, 31];
    check(BlockType::Q8_0, &places, &[2.65625, 3.8125, -4.0, -2.84375, -1.6875, -1.5], -19.3125);
    check(BlockType::Q4_0, &places, &[-0.09375, 0.0625, -0.25, -0.09375, -0.03125, 0.0], 0.875);
    check(BlockType::Q4_1, &places, &[-0.28125, -0.625, -0.4375, -0.46875, -0.375, -0.375], -63.5);
    check(BlockType::Q5_0, &places, &[0.28125, -0.0625, -0.375, 0.4375, 0.0, 0.03125], 3.5);
    check(BlockType::Q5_1, &places, &[-0.15625, 0.0, 0.1875, -0.15625, -0.59375, -0.59375], -34.90625);
}

#[test]
fn blocks_of_256() {
    let places = [0, 1, 31, 32, 63, 64, 95, 127, 128, 160, 200, 255];
    let q4 =
        [48.90625, 38.25, 44.0625, 18.625, 19.625, 59.84375, 53.4375, 28.5625, 22.40625, 39.375, 17.34375, 28.3125];
    check(BlockType::Q4_K, &places, &q4, 32033.375);
    let q5 =
        [64.40625, 38.25, 44.0625, 21.875, 20.875, 59.84375, 73.9375, 25.9375, 41.90625, 28.125, 17.34375, 30.1875];
    check(BlockType::Q5_K, &places, &q5, 39821.125);
    let q6 = [-44.71875, 53.0, -3.0, 7.21875, -18.125, -95.0, 93.0, 46.875, -10.96875, 20.96875, 34.03125, -1.875];
    check(BlockType::Q6_K, &places, &q6, 308.65625);
}

#[test]
fn floats_of_16_bits() {
    let mut out = [0.0; 2];
    assert!(dequantize::row(BlockType::F16, &[0x00, 0x3c, 0x01, 0x00], &mut out));
    assert_eq!(out, [1.0, 5.960_464_5e-8]);
    assert!(dequantize::row(BlockType::BF16, &[0x80, 0x3f, 0x40, 0xc0], &mut out));
    assert_eq!(out, [1.0, -3.0]);
}
