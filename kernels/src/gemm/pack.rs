//! The packed weight layout of all dense INT8 kernels: `[N/8][K/4][8][4]`.
//!
//! Groups of 4 along K are what dot product instructions eat, and what NEON's widening multiplies pair up; 8 output
//! channels of a group are two 128-bit registers. N is padded to 8 and K to 8 by zeros.

/// Where the weight of product `k` of output channel `n` stands.
#[must_use]
pub const fn packed_index(k_padded: usize, n: usize, k: usize) -> usize {
    (n / 8) * (k_padded * 8) + (k / 4) * 32 + (n % 8) * 4 + k % 4
}

/// K of a packed convolution: `taps` times the input's channel stride, padded to 8.
#[must_use]
pub const fn packed_k(taps: usize, channel_stride: usize) -> usize {
    (taps * channel_stride).next_multiple_of(8)
}

/// Packs `weights` of shape `[n][taps][channels]` for an input with `channel_stride` elements from pixel to pixel.
///
/// # Panics
/// When `weights` has another length, or `channels > channel_stride`.
#[must_use]
pub fn pack(weights: &[i8], n: usize, taps: usize, channels: usize, channel_stride: usize) -> Vec<i8> {
    assert_eq!(weights.len(), n * taps * channels, "weights of shape [{n}][{taps}][{channels}]");
    assert!(channels <= channel_stride, "{channels} channels in a stride of {channel_stride}");
    let k_padded = packed_k(taps, channel_stride);
    let mut packed = vec![0; n.next_multiple_of(8) * k_padded];
    for (index, &weight) in weights.iter().enumerate() {
        let (n, tap, channel) = (index / (taps * channels), index / channels % taps, index % channels);
        packed[packed_index(k_padded, n, tap * channel_stride + channel)] = weight;
    }
    packed
}

/// Sum of each output channel's weights, `[n padded to 8]`, from weights of shape `[n][anything]`.
///
/// # Panics
/// When `weights` is no multiple of `n`.
#[must_use]
pub fn column_sums(weights: &[i8], n: usize) -> Vec<i32> {
    let mut sums = vec![0; n.next_multiple_of(8)];
    if n > 0 {
        assert!(weights.len().is_multiple_of(n), "{} weights for {n} output channels", weights.len());
        let each = weights.len() / n;
        for (index, &weight) in weights.iter().enumerate() {
            sums[index / each] += i32::from(weight);
        }
    }
    sums
}
