//! The body of `neon` and `avx2`.

/// `run`, for registers with `$features`.
macro_rules! bodies {
    ($features:literal) => {
        #[target_feature(enable = $features)]
        pub(super) fn run(task: Task<'_>) {
            let Task { tokens, source, weight, epsilon, output } = task;
            let (output, _) = output.as_chunks_mut::<8>();
            let (weights, _) = weight.as_chunks::<8>();
            for first in (0..output.len()).step_by(weights.len() * tokens) {
                for start in first..first + tokens {
                    match source {
                        Some(source) => {
                            let chunks = &source.as_chunks::<8>().0[start..];
                            let inverse = eight::splat(inverse(chunks, tokens, weights.len(), epsilon));
                            let targets = output[start..].iter_mut().step_by(tokens);
                            for ((target, chunk), weight) in targets.zip(chunks.iter().step_by(tokens)).zip(weights) {
                                let value = eight::mul(eight::load(chunk), inverse);
                                eight::store(target, eight::mul(value, eight::load(weight)));
                            }
                        }
                        None => {
                            let inverse = eight::splat(inverse(&output[start..], tokens, weights.len(), epsilon));
                            for (target, weight) in output[start..].iter_mut().step_by(tokens).zip(weights) {
                                let value = eight::mul(eight::load(target), inverse);
                                eight::store(target, eight::mul(value, eight::load(weight)));
                            }
                        }
                    }
                }
            }
        }

        /// What the values of the first `count` chunks, `tokens` apart, are multiplied by.
        #[inline]
        #[target_feature(enable = $features)]
        fn inverse(chunks: &[[f32; 8]], tokens: usize, count: usize, epsilon: f32) -> f32 {
            let mut sums = eight::splat(0.0);
            for chunk in chunks.iter().step_by(tokens).take(count) {
                let values = eight::load(chunk);
                sums = eight::fma(values, values, sums);
            }
            1.0 / (eight::sum(sums) / (8 * count) as f32 + epsilon).sqrt()
        }
    };
}
pub(super) use bodies;
