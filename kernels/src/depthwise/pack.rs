//! The packed layout of depthwise weights: `[taps][channels padded to 16]`, zeros beyond the channels.

/// Packs `weights` of shape `[taps][channels]`.
///
/// # Panics
/// When `weights` has another length.
#[must_use]
pub fn pack(weights: &[i8], taps: usize, channels: usize) -> Vec<i8> {
    assert_eq!(weights.len(), taps * channels, "weights of shape [{taps}][{channels}]");
    let padded = channels.next_multiple_of(16);
    let mut packed = vec![0; taps * padded];
    for (index, &weight) in weights.iter().enumerate() {
        packed[index / channels * padded + index % channels] = weight;
    }
    packed
}

/// Sum of each channel's weights, `[channels padded to 16]`, from weights of shape `[taps][channels]`.
///
/// # Panics
/// When `weights` is no multiple of `channels`.
#[must_use]
pub fn column_sums(weights: &[i8], channels: usize) -> Vec<i32> {
    let mut sums = vec![0; channels.next_multiple_of(16)];
    if channels > 0 {
        assert!(weights.len().is_multiple_of(channels), "{} weights for {channels} channels", weights.len());
        for (index, &weight) in weights.iter().enumerate() {
            sums[index % channels] += i32::from(weight);
        }
    }
    sums
}
