//! The packed layout of dense binary16 weights: `[N/8][K][8]`, N padded to 8 by zeros.

/// Packs `weights` (bits) of shape `[n][k]`, k = taps x channels.
///
/// # Panics
/// When `weights` has another length.
#[must_use]
pub fn pack(weights: &[u16], n: usize, k: usize) -> Vec<u16> {
    assert_eq!(weights.len(), n * k, "weights of shape [{n}][{k}]");
    let mut packed = vec![0; n.next_multiple_of(8) * k];
    for (index, &weight) in weights.iter().enumerate() {
        let (n, k_index) = (index / k, index % k);
        packed[n / 8 * (k * 8) + k_index * 8 + n % 8] = weight;
    }
    packed
}
