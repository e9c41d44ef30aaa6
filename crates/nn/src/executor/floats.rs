//! The float operators around a network's head. They touch a few thousand numbers a frame, so plain loops do;
//! libm makes them the same on every processor.

/// `output = clamp(a + b)`, all of one length.
pub(super) fn add(a: &[f32], b: &[f32], [low, high]: [f32; 2], output: &mut [f32]) {
    for ((output, a), b) in output.iter_mut().zip(a).zip(b) {
        *output = (a + b).max(low).min(high);
    }
}

/// `output = 1 / (1 + exp(-x))`.
pub(super) fn logistic(input: &[f32], output: &mut [f32]) {
    for (output, x) in output.iter_mut().zip(input) {
        *output = 1.0 / (1.0 + libm::expf(-x));
    }
}

/// `output = exp(x - max) / sum of these`, over rows of `channels`.
pub(super) fn softmax(input: &[f32], channels: usize, output: &mut [f32]) {
    for (output, input) in output.chunks_exact_mut(channels).zip(input.chunks_exact(channels)) {
        let max = input.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        for (output, x) in output.iter_mut().zip(input) {
            *output = libm::expf(x - max);
        }
        let sum: f32 = output.iter().sum();
        output.iter_mut().for_each(|output| *output /= sum);
    }
}

/// Copies `input`, rows of `length`, into rows of `total` at column `start`.
pub(super) fn place(input: &[f32], length: usize, start: usize, total: usize, output: &mut [f32]) {
    for (output, input) in output.chunks_exact_mut(total).zip(input.chunks_exact(length)) {
        output[start..start + length].copy_from_slice(input);
    }
}
