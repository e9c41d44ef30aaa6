//! The body of `neon` and `avx2`.

/// `run`, for registers with `$features`.
macro_rules! bodies {
    ($features:literal) => {
        #[target_feature(enable = $features)]
        pub(super) fn run(task: Task<'_>) {
            match task.addend {
                Addend::Tensor { data, factor } => {
                    let (chunks, rest) = task.values.as_chunks_mut::<8>();
                    let (addends, rest_addends) = data.as_chunks::<8>();
                    let wide = eight::splat(factor);
                    for (values, addends) in chunks.iter_mut().zip(addends) {
                        let sum = eight::fma(eight::load(addends), wide, eight::load(values));
                        eight::store(values, sum);
                    }
                    for (value, addend) in rest.iter_mut().zip(rest_addends) {
                        *value = addend.mul_add(factor, *value);
                    }
                }
                Addend::Bias { data, tokens } => {
                    let tiles = task.values.as_chunks_mut::<8>().0.chunks_exact_mut(tokens);
                    for (tile, bias) in tiles.zip(data.as_chunks::<8>().0) {
                        let bias = eight::load(bias);
                        for values in tile {
                            eight::store(values, eight::add(eight::load(values), bias));
                        }
                    }
                }
            }
        }
    };
}
pub(super) use bodies;
