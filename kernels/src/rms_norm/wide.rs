//! The body of `neon` and `avx2`.

/// `run`, for registers with `$features`. Tokens lie side by side, so several are read line by line of the cache.
macro_rules! bodies {
    ($features:literal) => {
        #[target_feature(enable = $features)]
        pub(super) fn run(task: Task<'_>) {
            let Task { tokens, source, weight, epsilon, output } = task;
            let (output, _) = output.as_chunks_mut::<8>();
            let (weights, _) = weight.as_chunks::<8>();
            let source = source.map(|source| source.as_chunks::<8>().0);
            for (group, output) in output.chunks_exact_mut(weights.len() * tokens).enumerate() {
                let source = source.map(|source| &source[group * output.len()..][..output.len()]);
                let mut token = 0;
                while token < tokens {
                    let place = [token, tokens];
                    token += match tokens - token {
                        1..4 => some::<1>(source, weights, epsilon, place, output),
                        4..8 => some::<4>(source, weights, epsilon, place, output),
                        _ => some::<8>(source, weights, epsilon, place, output),
                    };
                }
            }
        }

        /// Normalises a group of R tokens from `first` on; answers R.
        #[inline]
        #[target_feature(enable = $features)]
        fn some<const R: usize>(
            source: Option<&[[f32; 8]]>,
            weights: &[[f32; 8]],
            epsilon: f32,
            [first, tokens]: [usize; 2],
            output: &mut [[f32; 8]],
        ) -> usize {
            let inverses = inverses::<R>(source.unwrap_or(&*output), [first, tokens], epsilon);
            for (tile, (output, weight)) in output.chunks_exact_mut(tokens).zip(weights).enumerate() {
                let weight = eight::load(weight);
                for (token, inverse) in (first..first + R).zip(inverses) {
                    let value = match source {
                        Some(source) => eight::load(&source[tile * tokens + token]),
                        None => eight::load(&output[token]),
                    };
                    eight::store(&mut output[token], eight::mul(eight::mul(value, inverse), weight));
                }
            }
            R
        }

        /// What the values of R tokens from `first` on are multiplied by, in each lane.
        #[inline]
        #[target_feature(enable = $features)]
        fn inverses<const R: usize>(
            chunks: &[[f32; 8]],
            [first, tokens]: [usize; 2],
            epsilon: f32,
        ) -> [eight::Eight; R] {
            let mut sums = [eight::splat(0.0); R];
            for tile in chunks.chunks_exact(tokens) {
                for (sum, chunk) in sums.iter_mut().zip(&tile[first..]) {
                    let values = eight::load(chunk);
                    *sum = eight::fma(values, values, *sum);
                }
            }
            let width = (8 * (chunks.len() / tokens)) as f32;
            sums.map(|sum| eight::splat(1.0 / (eight::sum(sum) / width + epsilon).sqrt()))
        }
    };
}
pub(super) use bodies;
