//! The body of `neon` and `avx2`.

/// `run`, for registers with `$features`.
macro_rules! bodies {
    ($features:literal) => {
        #[target_feature(enable = $features)]
        pub(super) fn run(task: Task<'_>) {
            let Task { tokens, head_dim, rotary, cos, sin, values } = task;
            let half = rotary / 16; // chunks of eight
            let ((cos, _), (sin, _)) = (cos.as_chunks::<8>(), sin.as_chunks::<8>());
            for head in values.chunks_exact_mut(head_dim * tokens) {
                let (lower, upper) = head.as_chunks_mut::<8>().0.split_at_mut(half * tokens);
                let rows = lower.chunks_exact_mut(tokens).zip(upper.chunks_exact_mut(tokens));
                for (chunk, (lower, upper)) in rows.enumerate() {
                    let angles = cos[chunk..].iter().step_by(half).zip(sin[chunk..].iter().step_by(half));
                    for ((lower, upper), (cos, sin)) in lower.iter_mut().zip(upper).zip(angles) {
                        let (a, b) = (eight::load(lower), eight::load(upper));
                        let (cos, sin) = (eight::load(cos), eight::load(sin));
                        eight::store(lower, eight::fma(eight::negative(b), sin, eight::mul(a, cos)));
                        eight::store(upper, eight::fma(a, sin, eight::mul(b, cos)));
                    }
                }
            }
        }
    };
}
pub(super) use bodies;
