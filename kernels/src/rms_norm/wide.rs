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
            let inverses = inverses::<R>(&source.unwrap_or(&*output)[first..], tokens, weights.len(), epsilon);
            let outputs =
                output[first..].chunks_mut(tokens).filter_map(|tile| tile.first_chunk_mut::<R>()).zip(weights);
            match source {
                Some(source) => {
                    let sources = source[first..].chunks(tokens).filter_map(|tile| tile.first_chunk::<R>());
                    for ((output, weight), source) in outputs.zip(sources) {
                        let weight = eight::load(weight);
                        for ((output, source), inverse) in output.iter_mut().zip(source).zip(inverses) {
                            eight::store(output, eight::mul(eight::mul(eight::load(source), inverse), weight));
                        }
                    }
                }
                None => {
                    for (output, weight) in outputs {
                        let weight = eight::load(weight);
                        for (output, inverse) in output.iter_mut().zip(inverses) {
                            eight::store(output, eight::mul(eight::mul(eight::load(output), inverse), weight));
                        }
                    }
                }
            }
            R
        }

        /// What the values of R tokens are multiplied by, in each lane; the first chunks of the tiles, `tokens` apart, are theirs.
        #[inline]
        #[target_feature(enable = $features)]
        fn inverses<const R: usize>(
            chunks: &[[f32; 8]],
            tokens: usize,
            count: usize,
            epsilon: f32,
        ) -> [eight::Eight; R] {
            let mut sums = [eight::splat(0.0); R];
            for tile in chunks.chunks(tokens).filter_map(|tile| tile.first_chunk::<R>()) {
                for (sum, chunk) in sums.iter_mut().zip(tile) {
                    let values = eight::load(chunk);
                    *sum = eight::fma(values, values, *sum);
                }
            }
            let width = (8 * count) as f32;
            sums.map(|sum| eight::splat(1.0 / (eight::sum(sum) / width + epsilon).sqrt()))
        }
    };
}
pub(super) use bodies;
