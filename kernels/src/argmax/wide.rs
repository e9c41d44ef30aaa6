//! The body of `neon` and `avx2`.

/// `run`, for registers with `$features`.
macro_rules! bodies {
    ($features:literal) => {
        #[target_feature(enable = $features)]
        pub(super) fn run(task: Task<'_>) {
            let Task { count, logits, places } = task;
            let tokens = places.len();
            let (chunks, _) = logits.as_chunks::<8>();
            for (token, place) in places.iter_mut().enumerate() {
                let mut best = eight::splat(f32::NEG_INFINITY);
                // Numbers of chunks, as bits: they are chosen from, not computed with.
                let mut chunk_of = eight::splat(0.0);
                for (index, chunk) in (0_u32..).zip(chunks[token..].iter().step_by(tokens).take(count / 8)) {
                    let values = eight::load(chunk);
                    let above = eight::above(values, best);
                    best = eight::select(above, values, best);
                    chunk_of = eight::select(above, eight::splat(f32::from_bits(index)), chunk_of);
                }
                let chunk_of = eight::array(chunk_of).map(f32::to_bits);
                *place = settle(eight::array(best), chunk_of, |at| chunks[at / 8 * tokens + token][at % 8], count);
            }
        }
    };
}
pub(super) use bodies;
