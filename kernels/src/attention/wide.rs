//! `law.rs` in registers, for `neon`, `neon_dotprod` and `avx2`.

/// The functions, for registers with `$features`.
macro_rules! bodies {
    ($features:literal) => {
        /// A query as integers. Answers its scale.
        #[inline]
        #[target_feature(enable = $features)]
        pub(super) fn quantize(values: &[[f32; 8]], target: &mut [i8]) -> f32 {
            let (scale, inverse) = eight::grid(values);
            let inverse = eight::splat(inverse);
            for (target, values) in target.as_chunks_mut::<8>().0.iter_mut().zip(values) {
                *target = eight::levels(values, inverse);
            }
            scale
        }

        /// See [`super::integers::Parts`].
        #[inline]
        #[target_feature(enable = $features)]
        pub(super) fn weigh_integers(
            row: &mut Row,
            dots: Dots<'_>,
            visible: &Range<usize>,
            target: &mut Levels,
        ) -> [f32; 2] {
            let factor = eight::splat(dots.factor);
            let (sums, _) = dots.sums.as_chunks::<8>();
            let mut scores = [factor; 4];
            for ((score, sums), scales) in scores.iter_mut().zip(sums).zip(&dots.scales[0]) {
                *score = eight::mul(eight::floats(sums), eight::mul(eight::load(scales), factor));
            }
            let correction = weigh(row, &mut scores, dots.softcap, visible);
            let mut most = eight::splat(0.0);
            for (score, scales) in scores.iter_mut().zip(&dots.scales[1]) {
                *score = eight::mul(*score, eight::load(scales));
                most = eight::larger(most, *score);
            }
            let most = eight::largest(most);
            let inverse = if most >= SMALLEST { LEVEL_MAX / most } else { 0.0 };
            let (inverse, round) = (eight::splat(inverse), eight::splat(ROUND));
            for (target, score) in target.as_chunks_mut::<8>().0.iter_mut().zip(scores) {
                eight::store_14_bits(target, eight::add(eight::mul(score, inverse), round));
            }
            [correction, most / LEVEL_MAX]
        }

        /// See [`super::floats::Parts`].
        #[inline]
        #[target_feature(enable = $features)]
        pub(super) fn weigh_floats(
            row: &mut Row,
            target: &mut Block,
            (scale, softcap): (f32, Option<f32>),
            visible: &Range<usize>,
        ) -> f32 {
            let scale = eight::splat(scale);
            let mut scores = [scale; 4];
            for (score, sums) in scores.iter_mut().zip(target.iter()) {
                *score = eight::mul(eight::load(sums), scale);
            }
            let correction = weigh(row, &mut scores, softcap, visible);
            for (target, score) in target.iter_mut().zip(scores) {
                eight::store(target, score);
            }
            correction
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn weigh(row: &mut Row, scores: &mut [eight::Eight; 4], softcap: Option<f32>, visible: &Range<usize>) -> f32 {
            if let Some(cap) = softcap {
                for score in scores.iter_mut() {
                    let power = eight::exponential(eight::mul(*score, eight::splat(2.0 / cap)));
                    let share = eight::div(eight::splat(2.0 * cap), eight::add(eight::splat(1.0), power));
                    *score = eight::sub(eight::splat(cap), share);
                }
            }
            let seen = [
                eight::is_in(0, visible),
                eight::is_in(8, visible),
                eight::is_in(16, visible),
                eight::is_in(24, visible),
            ];
            let mut most = eight::splat(row.most);
            for (score, seen) in scores.iter().zip(seen) {
                most = eight::select(seen, eight::larger(most, *score), most);
            }
            let most = eight::largest(most);
            let correction = eight::exponential(eight::splat(row.most - most));
            let correction = eight::array(correction)[0];
            let (most_of_all, mut sums) = (eight::splat(most), eight::splat(0.0));
            for (score, seen) in scores.iter_mut().zip(seen) {
                *score = eight::keep(seen, eight::exponential(eight::sub(*score, most_of_all)));
                sums = eight::add(sums, *score);
            }
            row.total = row.total.mul_add(correction, eight::sum(sums));
            row.most = most;
            correction
        }

        /// Over pages of F32, given a task whose format that is: a row at a time, for nobody is in a hurry there.
        #[inline]
        #[target_feature(enable = $features)]
        pub(super) fn run_wide(task: Task<'_>) {
            let dim = task.head_dim;
            let scores = |queries: &[_], keys: &[_], target: &mut [_]| wide_scores(queries, keys, dim, target);
            let sums = |weights: &[_], panels: &[_], target: &mut [_]| wide_sums(weights, panels, target);
            let weigh = |row: &mut _, sums: &mut _, scale, visible: &Range<_>| weigh_floats(row, sums, scale, visible);
            let multiply = |target: &mut _, factor| multiply(target, factor);
            floats::walk(task, floats::Parts { scores, weigh, sums, multiply });
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn wide_scores(queries: &[floats::Query], keys: &[u8], dim: usize, target: &mut [Block]) {
            let (keys, _) = keys.as_chunks::<32>();
            for (query, target) in queries.iter().zip(target) {
                let octets: [&[[u8; 32]]; 4] = std::array::from_fn(|octet| &keys[octet * dim..][..dim]);
                let mut sums = [eight::splat(0.0); 4];
                for (d, &value) in query[..dim].iter().enumerate() {
                    let value = eight::splat(value);
                    for (sum, octet) in sums.iter_mut().zip(octets) {
                        *sum = eight::fma(eight::load(&floats::lanes(&octet[d])), value, *sum);
                    }
                }
                for (sum, target) in sums.into_iter().zip(target) {
                    eight::store(target, sum);
                }
            }
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn wide_sums(weights: &[Block], panels: &[floats::WidePanel], target: &mut [floats::Sums]) {
            for (weights, target) in weights.iter().zip(target) {
                for (panel, target) in panels.iter().zip(target) {
                    let mut sum = eight::load(target);
                    for (values, &weight) in panel.as_chunks::<32>().0.iter().zip(weights.as_flattened()) {
                        sum = eight::fma(eight::load(&floats::lanes(values)), eight::splat(weight), sum);
                    }
                    eight::store(target, sum);
                }
            }
        }

        /// Corrects what was before and adds sums in steps.
        #[inline]
        #[target_feature(enable = $features)]
        pub(super) fn add(target: &mut [f32; 8], sums: &[i32; 8], [correction, step]: [f32; 2]) {
            let before = eight::mul(eight::load(target), eight::splat(correction));
            eight::store(target, eight::fma(eight::floats(sums), eight::splat(step), before));
        }

        #[inline]
        #[target_feature(enable = $features)]
        pub(super) fn multiply(target: &mut [f32; 8], factor: f32) {
            eight::store(target, eight::mul(eight::load(target), eight::splat(factor)));
        }
    };
}
pub(super) use bodies;
