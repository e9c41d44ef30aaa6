//! What follows from the names of both families: the laws of `lanes.rs`, `exponential.rs` and `levels.rs` in registers.

/// The functions, for registers with `$features`.
macro_rules! shared {
    ($features:literal) => {
        /// By the law of `lanes.rs`.
        #[inline]
        #[target_feature(enable = $features)]
        pub(crate) fn sum(lanes: Eight) -> f32 {
            crate::lanes::sum(array(lanes))
        }

        /// By the law of `lanes.rs`.
        #[inline]
        #[target_feature(enable = $features)]
        pub(crate) fn largest(lanes: Eight) -> f32 {
            crate::lanes::largest(array(lanes))
        }

        /// As a plain array.
        #[inline]
        #[target_feature(enable = $features)]
        pub(crate) fn array(lanes: Eight) -> [f32; 8] {
            let mut array = [0.0; 8];
            store(&mut array, lanes);
            array
        }

        /// By the law of `exponential.rs`.
        #[inline]
        #[target_feature(enable = $features)]
        pub(crate) fn exponential(x: Eight) -> Eight {
            use crate::exponential::{HIGHEST, LN_2_REST, LOWEST, ROUND, TAIL};
            let x = smaller(splat(HIGHEST), larger(splat(LOWEST), x));
            let shifted = fma(x, splat(std::f32::consts::LOG2_E), splat(ROUND));
            let n = sub(shifted, splat(ROUND));
            let r = fma(n, splat(-std::f32::consts::LN_2), x);
            let r = fma(n, splat(LN_2_REST), r);
            let mut tail = splat(TAIL[0]);
            for coefficient in &TAIL[1..] {
                tail = fma(r, tail, splat(*coefficient));
            }
            scale(tail, shifted)
        }

        /// By the law of `levels.rs`: the scale of a row, and what its values are multiplied by.
        #[inline]
        #[target_feature(enable = $features)]
        pub(crate) fn grid(row: &[[f32; 8]]) -> (f32, f32) {
            let mut most = splat(0.0);
            for chunk in row {
                most = larger(most, absolute(load(chunk)));
            }
            crate::levels::of_largest(largest(most))
        }

        /// By the law of `levels.rs`: eight values on the grid.
        #[inline]
        #[target_feature(enable = $features)]
        pub(crate) fn levels(values: &[f32; 8], inverse: Eight) -> [i8; 8] {
            bytes(add(mul(load(values), inverse), splat(crate::exponential::ROUND)))
        }
    };
}
pub(super) use shared;
