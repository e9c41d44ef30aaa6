//! The packed layout of INT4 weights: blocks of 32 along K by 8 rows, 144 bytes each, `[N/8][K/32]` of them.
//!
//! A block is the scales of its 8 rows (binary16, little endian), then 4 tiles of 32 bytes. Tile j holds k = 8j..8j + 8, four
//! bytes a row after the other: byte i of a row has k = 8j + i in its low nibble and k = 8j + 4 + i in its high one, so that
//! one shift and one mask make two groups of 4 along K, which is what dot products eat. A weight is (nibble - 8) x scale.

use crate::float16;
use crate::linear::{
    GROUP, SCALES, check_place, float_index, pack_blocks, panel_of, quantize_rows, scale as scale_of_row,
};

/// Bytes of a block.
pub const BLOCK: usize = 144;

/// Range of a weight over its scale.
pub const RANGE: [i8; 2] = [-8, 7];

/// The scale, as binary16 bits, of up to 32 finite values: the one with the largest magnitude becomes -8, the end of the range that
/// reaches further. Rounded to binary16 already: whoever rounds values by it must take it as it is.
#[must_use]
pub fn scale(values: &[f32]) -> u16 {
    // With the sign moved behind them, bits are in the order of magnitudes, and a negative one comes after its twin.
    let largest = values.iter().map(|x| x.to_bits().rotate_left(1)).max().unwrap_or(0);
    float16::narrow(f32::from_bits(largest.rotate_right(1)) / -8.0)
}

/// [`scale`] for each 32 of `values`.
#[must_use]
pub fn scales(values: &[f32]) -> Vec<u16> {
    values.chunks(GROUP).map(scale).collect()
}

/// Packs `values` of shape `[N][K]` by `scales` (binary16 bits, `[N][K/32]`): each is divided by its scale and rounded to the
/// nearest whole number in -8..=7, ties to even.
///
/// Eight rows after the other may be packed and put one behind the other; the last ones may be fewer.
///
/// # Panics
/// When K is no multiple of 32, `values` no rows of K, or the scales are not one for each 32.
#[must_use]
pub fn pack(values: &[f32], k: usize, scales: &[u16]) -> Vec<u8> {
    pack_quants(&quantize_rows(values, k, scales, RANGE), k, scales)
}

/// Packs weights that are whole numbers already, those beyond -8..=7 held there; for the rest see [`pack`].
///
/// # Panics
/// As [`pack`].
#[must_use]
pub fn pack_quants(quants: &[i8], k: usize, scales: &[u16]) -> Vec<u8> {
    pack_blocks(quants, k, scales, (BLOCK, 0x88), |bytes, row, quants| {
        let nibble = |at: usize| (quants[at].clamp(RANGE[0], RANGE[1]) + 8).cast_unsigned();
        for (tile, bytes) in bytes.as_chunks_mut::<32>().0.iter_mut().enumerate() {
            for (at, byte) in bytes[4 * row..][..4].iter_mut().enumerate() {
                *byte = nibble(8 * tile + at) | nibble(8 * tile + 4 + at) << 4;
            }
        }
    })
}

/// Unpacks row `row` of a matrix: weight k goes where [`float_index`] puts value k of token `token` of `tokens`. One token's
/// are a plain vector.
///
/// # Panics
/// When the matrix has no such row, or `output` is not K floats for each token.
pub fn gather_row(weights: &[u8], k: usize, row: usize, output: &mut [f32], [token, tokens]: [usize; 2]) {
    check_place(output.len(), k, [token, tokens]);
    let (panel, row) = panel_of(weights, k, row, BLOCK);
    for (group, block) in panel.chunks_exact(BLOCK).enumerate() {
        for at in 0..GROUP {
            let weight = (nibble(&block[SCALES..], row, at) - 8) as f32 * scale_of_row(block, row);
            output[float_index(tokens, group * GROUP + at, token)] = weight;
        }
    }
}

/// The nibble of row `row` at `k` of a group, of the bytes behind a block's scales.
pub(super) const fn nibble(bytes: &[u8], row: usize, k: usize) -> i32 {
    (bytes[k / 8 * 32 + row * 4 + k % 4] >> (k / 4 % 2 * 4) & 0xf) as i32
}
