//! From a row's blocks to floats. The layouts are those of the blocks in ggml's `ggml-common.h`, as its documentation and the
//! `gguf` package describe them; d is a scale, m a least value, both F16, q the stored whole number.
//!
//! | type | bytes of a block | value |
//! |---|---|---|
//! | Q8_0 | d, 32 x i8 | d q |
//! | Q4_0 | d, 16 | d (q - 8) |
//! | Q4_1 | d, m, 16 | d q + m |
//! | Q5_0 | d, 4 of fifth bits, 16 | d (q - 16) |
//! | Q5_1 | d, m, 4 of fifth bits, 16 | d q + m |
//!
//! Of 16 bytes the low nibbles are values 0..16, the high ones values 16..32; bit j of the fifth bits (little-endian) belongs
//! to value j. The K types are in [`k_quants`].

mod k_quants;

use half::{bf16, f16};

use super::types::BlockType;

/// Writes the floats of a row. Types that are not listed here leave it as it is: false.
pub(super) fn row(block_type: BlockType, bytes: &[u8], out: &mut [f32]) -> bool {
    let Some(&(_, read)) = READERS.iter().find(|(known, _)| *known == block_type) else { return false };
    let blocks = bytes.chunks_exact(block_type.bytes());
    blocks.zip(out.chunks_exact_mut(block_type.values())).for_each(|(block, values)| read(block, values));
    true
}

/// The types that are read, for messages.
pub(super) fn names() -> String {
    READERS.iter().map(|(known, _)| known.name()).collect::<Vec<_>>().join(", ")
}

/// Reads one block.
type Reader = fn(&[u8], &mut [f32]);

const READERS: &[(BlockType, Reader)] = &[
    (BlockType::F32, f32_value),
    (BlockType::F16, f16_value),
    (BlockType::BF16, bf16_value),
    (BlockType::Q8_0, q8_0),
    (BlockType::Q4_0, q4_0),
    (BlockType::Q4_1, q4_1),
    (BlockType::Q5_0, q5_0),
    (BlockType::Q5_1, q5_1),
    (BlockType::Q4_K, k_quants::q4_k),
    (BlockType::Q5_K, k_quants::q5_k),
    (BlockType::Q6_K, k_quants::q6_k),
];

/// The F16 at the byte `at`.
fn half_at(block: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

fn f32_value(block: &[u8], out: &mut [f32]) {
    out[0] = f32::from_le_bytes([block[0], block[1], block[2], block[3]]);
}

fn f16_value(block: &[u8], out: &mut [f32]) {
    out[0] = half_at(block, 0);
}

fn bf16_value(block: &[u8], out: &mut [f32]) {
    out[0] = bf16::from_le_bytes([block[0], block[1]]).to_f32();
}

fn q8_0(block: &[u8], out: &mut [f32]) {
    let scale = half_at(block, 0);
    for (value, &byte) in out.iter_mut().zip(&block[2..]) {
        *value = scale * f32::from(byte.cast_signed());
    }
}

/// Value `at` of 32 whose nibbles lie in 16 bytes.
fn nibble(bytes: &[u8], at: usize) -> u8 {
    if at < 16 { bytes[at] & 15 } else { bytes[at - 16] >> 4 }
}

/// The same with the fifth bit of value `at` on top.
fn five_bits(fifths: &[u8], bytes: &[u8], at: usize) -> u8 {
    nibble(bytes, at) | ((fifths[at / 8] >> (at % 8)) & 1) << 4
}

fn q4_0(block: &[u8], out: &mut [f32]) {
    let scale = half_at(block, 0);
    for (at, value) in out.iter_mut().enumerate() {
        *value = scale * (f32::from(nibble(&block[2..], at)) - 8.0);
    }
}

fn q4_1(block: &[u8], out: &mut [f32]) {
    let (scale, least) = (half_at(block, 0), half_at(block, 2));
    for (at, value) in out.iter_mut().enumerate() {
        *value = scale * f32::from(nibble(&block[4..], at)) + least;
    }
}

fn q5_0(block: &[u8], out: &mut [f32]) {
    let scale = half_at(block, 0);
    for (at, value) in out.iter_mut().enumerate() {
        *value = scale * (f32::from(five_bits(&block[2..6], &block[6..], at)) - 16.0);
    }
}

fn q5_1(block: &[u8], out: &mut [f32]) {
    let (scale, least) = (half_at(block, 0), half_at(block, 2));
    for (at, value) in out.iter_mut().enumerate() {
        *value = scale * f32::from(five_bits(&block[4..8], &block[8..], at)) + least;
    }
}
