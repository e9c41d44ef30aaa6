//! The loops around a tile of the linear layers, once for all instruction sets: a macro, for the reason of [`crate::dense`].

/// Brings `run`. `both` makes twice eight rows by the only token, the others eight rows by as many tokens as stand before
/// them, from the most to one.
#[cfg(target_arch = "aarch64")]
macro_rules! by_tiles {
    ($features:literal, $both:path, $($most:literal => $tile:path),+) => {
        #[target_feature(enable = $features)]
        pub(super) fn run(task: Task<'_>) {
            let mut panels = $crate::linear::Panels::<BLOCK>::new(task);
            let tokens = panels.activations.tokens;
            let mut panel = 0;
            while tokens == 1 && panel + 1 < panels.count {
                if let Some((tile, results)) = panels.tile(panel, 0) {
                    $both(&tile, results);
                }
                panel += 2;
            }
            for panel in panel..panels.count {
                let mut token = 0;
                $(
                    while tokens - token >= $most {
                        if let Some((tile, results)) = panels.tile(panel, token) {
                            $tile(&tile, results);
                        }
                        token += $most;
                    }
                )+
            }
        }
    };
}
#[cfg(target_arch = "aarch64")]
pub(crate) use by_tiles;

/// How far before their use the weights of a tile of P times eight rows by R tokens are asked for, in bytes, where its rows take
/// `bytes` together, and whether they come into the second cache only.
///
/// Up to two tokens wait for memory. A single one that reads eight rows after the other reads all of memory in order, which the
/// processor sees by itself, and is not helped. One that reads two times eight rows side by side begins both anew before it has seen
/// it, and two tokens keep it busy in between: their weights come into the second cache, since a core has few places for what its
/// first one waits for, and from the same place in a later tile, the next that is at least [`FAR`] away: a nearer one, or one in
/// between, lies partly in rows that were read already, while the beginnings of the next rows are asked for by nobody. Rows longer
/// than [`FAR_MAX`] would be dropped again before they are read; the processor sees by itself that those are read in order. More
/// tokens compute: theirs come [`NEAR`] ahead into the first cache.
///
/// `cargo run --release -p clawdbot-kernels --example pace memory` shows it; what else was tried stands in
/// `docs/reference/language-speed.md`.
#[cfg(target_arch = "x86_64")]
pub(crate) const fn ahead<const P: usize, const R: usize>(bytes: usize) -> Ahead {
    match bytes {
        _ if R > 2 => Ahead::First(NEAR),
        _ if P * R == 1 => Ahead::Nothing,
        1..=FAR_MAX => Ahead::Second(FAR.div_ceil(bytes) * bytes),
        _ => Ahead::Nothing,
    }
}

/// What is asked for, how many bytes ahead.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ahead {
    Nothing,
    /// Into the first cache.
    First(usize),
    /// Into the second one.
    Second(usize),
}

/// What memory delivers while it is waited for, and some more: 8 to 64 KiB are as good.
#[cfg(target_arch = "x86_64")]
const FAR: usize = 16 << 10;

/// Less than any second cache of a processor with AVX2 (256 KiB).
#[cfg(target_arch = "x86_64")]
const FAR_MAX: usize = 160 << 10;

/// Leaves most of a first cache to the activations.
#[cfg(target_arch = "x86_64")]
const NEAR: usize = 2 << 10;

/// Brings `$run`, by tiles of eight rows by up to four tokens, or, with `pairs`, twice eight rows by the only token, from
/// `group(results, block, step)`: the results of eight rows by R tokens with a group's share added. It is generic over R and over
/// which eight rows they are (0: all of the tile, 1 and 2: of a pair), so that each tile has copies of its own, called at one
/// place: such a function becomes part of its caller, while one with two callers stayed a function under fat LTO, and a loop over
/// a pair stayed a loop after a change elsewhere; results went through memory in both.
#[cfg(target_arch = "x86_64")]
macro_rules! by_groups {
    ($run:ident, $features:literal, pairs: $pairs:literal) => {
        #[target_feature(enable = $features)]
        pub(super) fn $run(task: Task<'_>) {
            let mut panels = $crate::linear::Panels::<BLOCK>::new(task);
            let tokens = panels.activations.tokens;
            let mut panel = 0;
            while $pairs && tokens == 1 && panel + 1 < panels.count {
                tile::<2, 1>(&mut panels, panel, 0);
                panel += 2;
            }
            for panel in panel..panels.count {
                let mut token = 0;
                while token < tokens {
                    token += match tokens - token {
                        1 => tile::<1, 1>(&mut panels, panel, token),
                        2 => tile::<1, 2>(&mut panels, panel, token),
                        3 => tile::<1, 3>(&mut panels, panel, token),
                        _ => tile::<1, 4>(&mut panels, panel, token),
                    };
                }
            }
        }

        /// P times eight rows from `panel` on by R tokens from `token` on; answers R.
        #[inline(never)]
        #[target_feature(enable = $features)]
        fn tile<const P: usize, const R: usize>(
            panels: &mut $crate::linear::Panels<'_, BLOCK>,
            panel: usize,
            token: usize,
        ) -> usize {
            use $crate::linear::loops::{Ahead, ahead};
            const { assert!(P == 1 || P == 2) }
            let mut blocks = panels.blocks::<P>(panel);
            let mut steps = $crate::linear::Steps::<R>::new(&panels.activations, token, 0..panels.groups);
            let mut results = [[std::arch::x86_64::_mm256_setzero_ps(); R]; P];
            // Later tokens find the weights in the cache.
            let bytes = panels.bytes::<P>();
            let ahead = if token == 0 { ahead::<P, R>(bytes) } else { Ahead::Nothing };
            while let (Some(blocks), Some(step)) = (blocks.next(), steps.next()) {
                let blocks = blocks.map(|[block]| block);
                for block in blocks {
                    match ahead {
                        Ahead::Nothing => {}
                        Ahead::First(near) => $crate::x86::prefetch::<BLOCK, true>(block, near),
                        Ahead::Second(far) => $crate::x86::prefetch::<BLOCK, false>(block, far),
                    }
                }
                let [first, second] = [0, P - 1];
                if P == 1 {
                    results[first] = group::<R, 0>(results[first], blocks[first], &step);
                } else {
                    results[first] = group::<R, 1>(results[first], blocks[first], &step);
                    results[second] = group::<R, 2>(results[second], blocks[second], &step);
                }
            }
            for (index, results) in results.iter().enumerate() {
                for (target, &result) in panels.results::<R>(panel + index, token).iter_mut().zip(results) {
                    $crate::x86::store_f32x8(target, result);
                }
            }
            R
        }
    };
}
#[cfg(target_arch = "x86_64")]
pub(crate) use by_groups;

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;

    #[test]
    fn two_at_a_time_ask_for_the_same_place_of_a_later_tile() {
        for bytes in [272, 2 * 2592, 18432, 139_264] {
            assert_eq!((ahead::<1, 2>(bytes), ahead::<1, 1>(bytes)), (ahead::<2, 1>(bytes), Ahead::Nothing));
            let Ahead::Second(far) = ahead::<2, 1>(bytes) else { panic!("{bytes}") };
            assert!(far.is_multiple_of(bytes) && far >= FAR && far < FAR + bytes, "{bytes}: {far}");
            assert_eq!(ahead::<1, 4>(bytes), Ahead::First(NEAR));
        }
        assert_eq!((ahead::<2, 1>(0), ahead::<1, 2>(FAR_MAX + 1)), (Ahead::Nothing, Ahead::Nothing));
    }
}
