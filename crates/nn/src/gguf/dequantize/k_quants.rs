//! The K types: 256 values in sub-blocks whose scales are whole numbers times a scale of the block.
//!
//! Q4_K: d, m, 12 bytes of scales, 128 of nibbles. Q5_K: d, m, 12 of scales, 32 of fifth bits, 128 of nibbles. Eight sub-blocks
//! of 32; sub-blocks 2i and 2i + 1 are the low and the high nibbles of bytes 32i..32i + 32, and bits 2i and 2i + 1 of the
//! fifth bits' bytes. Value = (d s) q - (m l), s and l being the sub-block's 6-bit scale and least value.
//!
//! The 12 bytes: of s and l 0..4 the six bits are the low ones of bytes 0..4 and 4..8; of 4..8 the low four bits are the low
//! (s) and high (l) nibbles of bytes 8..12, the top two bits the top ones of bytes 0..4 (s) and 4..8 (l).
//!
//! Q6_K: 128 bytes of low nibbles, 64 of top bits, 16 scales i8, d. Two halves of 128 values, each with 64 and 32 of the bytes
//! and 8 scales: value 32 g + l, g in 0..4, has the nibble of byte l + 32 (g % 2) (the low one for g < 2) and bits 2g of
//! top byte l; value = (d s) (q - 32), s being scale 2 g + l / 16.

use super::half_at;

/// Least value and scale of sub-block `at`, 6 bits each.
fn six_bits(bytes: &[u8], at: usize) -> (f32, f32) {
    let (scale, least) = if at < 4 {
        (bytes[at] & 63, bytes[at + 4] & 63)
    } else {
        let low = bytes[at + 4];
        ((low & 15) | (bytes[at - 4] >> 6) << 4, (low >> 4) | (bytes[at] >> 6) << 4)
    };
    (f32::from(scale), f32::from(least))
}

/// Both types of eight sub-blocks; `fifths` is empty where there is no fifth bit.
fn eight_sub_blocks(block: &[u8], fifths: &[u8], nibbles: &[u8], out: &mut [f32]) {
    let (scale, least) = (half_at(block, 0), half_at(block, 2));
    for (at, values) in out.chunks_exact_mut(32).enumerate() {
        let (sub_scale, sub_least) = six_bits(&block[4..16], at);
        let (step, offset) = (scale * sub_scale, least * sub_least);
        for (index, value) in values.iter_mut().enumerate() {
            let byte = nibbles[at / 2 * 32 + index];
            let nibble = if at.is_multiple_of(2) { byte & 15 } else { byte >> 4 };
            let fifth = fifths.get(index).map_or(0, |bits| (bits >> at) & 1);
            *value = step * f32::from(nibble | fifth << 4) - offset;
        }
    }
}

pub(super) fn q4_k(block: &[u8], out: &mut [f32]) {
    eight_sub_blocks(block, &[], &block[16..], out);
}

pub(super) fn q5_k(block: &[u8], out: &mut [f32]) {
    eight_sub_blocks(block, &block[16..48], &block[48..], out);
}

pub(super) fn q6_k(block: &[u8], out: &mut [f32]) {
    let scale = half_at(block, 208);
    for (half, values) in out.chunks_exact_mut(128).enumerate() {
        let (low, top) = (&block[half * 64..][..64], &block[128 + half * 32..][..32]);
        let scales = &block[192 + half * 8..][..8];
        for (at, value) in values.iter_mut().enumerate() {
            let (group, index) = (at / 32, at % 32);
            let byte = low[index + 32 * (group % 2)];
            let nibble = if group < 2 { byte & 15 } else { byte >> 4 };
            let bits = nibble | ((top[index] >> (2 * group)) & 3) << 4;
            let step = scale * f32::from(scales[2 * group + index / 16].cast_signed());
            *value = step * (f32::from(bits) - 32.0);
        }
    }
}
