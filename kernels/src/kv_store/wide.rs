//! The body of `neon` and `avx2`.

/// `run`, for registers with `$features`.
macro_rules! bodies {
    ($features:literal) => {
        #[target_feature(enable = $features)]
        pub(super) fn run(task: Task<'_>) {
            store(
                task,
                |lanes| finite(lanes),
                |row| eight::grid(row),
                |lanes, inverse| eight::levels(lanes, eight::splat(inverse)),
                |lanes| eight::narrow(eight::load(lanes)),
            );
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn finite(lanes: &[f32; 8]) -> [f32; 8] {
            let x = eight::load(lanes);
            let number = eight::above(eight::absolute(x), eight::splat(-1.0)); // all but NaN
            let x = eight::larger(eight::splat(-LARGEST), eight::smaller(eight::splat(LARGEST), x));
            eight::array(eight::keep(number, x))
        }
    };
}
pub(super) use bodies;
