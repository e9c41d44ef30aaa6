//! The body of `neon` and `avx2`.

/// `run`, for registers with `$features`.
macro_rules! bodies {
    ($features:literal) => {
        #[target_feature(enable = $features)]
        pub(super) fn run(task: Task<'_>) {
            let tile = task.tokens;
            let ((input, _), (output, _)) = (task.input.as_chunks::<8>(), task.output.as_chunks_mut::<8>());
            for (output, input) in output.chunks_exact_mut(tile).zip(input.chunks_exact(2 * tile)) {
                let (gate, up) = input.split_at(tile);
                match task.function {
                    Function::Silu => {
                        for ((output, gate), up) in output.iter_mut().zip(gate).zip(up) {
                            let x = eight::load(gate);
                            gated(output, x, x, up);
                        }
                    }
                    Function::GeluTanh => {
                        for ((output, gate), up) in output.iter_mut().zip(gate).zip(up) {
                            let x = eight::load(gate);
                            let slope = eight::fma(eight::mul(x, x), eight::splat(BEND), eight::splat(SLOPE));
                            gated(output, x, eight::mul(x, slope), up);
                        }
                    }
                }
            }
        }

        /// x / (1 + e^-z) * up.
        #[inline]
        #[target_feature(enable = $features)]
        fn gated(output: &mut [f32; 8], x: eight::Eight, z: eight::Eight, up: &[f32; 8]) {
            let below = eight::add(eight::splat(1.0), eight::exponential(eight::negative(z)));
            eight::store(output, eight::mul(eight::div(x, below), eight::load(up)));
        }
    };
}
pub(super) use bodies;
