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

/// How far before their use the weights of a tile are asked for, in bytes, where its rows take `bytes` together: the same place in a
/// later tile, the next that is at least [`AHEAD`] away. A nearer place, or one in between, lies with the rows of one tile partly in
/// rows that were read already, and the beginnings of the next ones are not asked for by anybody. Rows that are longer than
/// [`AHEAD_MAX`] would be dropped from the second cache before they are read; the processor sees by itself that those are read in
/// order.
///
/// They come into the second cache, not the first: a core has few places for what its first cache waits for. Read from memory by one
/// core of an AMD EPYC (Zen 4), K = 576 and 2048: INT4 7.7 and 11.6 GB/s unasked, 11.5 and 11.7 into the first cache 8 KiB ahead, 24.5
/// and 25.8 so; a loop that only adds reads 27 (`docs/reference/language-speed.md`).
#[cfg(target_arch = "x86_64")]
pub(crate) const fn ahead(bytes: usize) -> Option<usize> {
    if bytes == 0 || bytes > AHEAD_MAX { None } else { Some(AHEAD.div_ceil(bytes) * bytes) }
}

/// What memory delivers while it is waited for, and some more: 8 to 64 KiB are as good.
#[cfg(target_arch = "x86_64")]
const AHEAD: usize = 16 << 10;

/// Less than any second cache of a processor with AVX2 (256 KiB).
#[cfg(target_arch = "x86_64")]
const AHEAD_MAX: usize = 160 << 10;

/// Brings `run`, by tiles of eight rows by up to four tokens, or twice eight rows by the only token, from
/// `group(results, block, step)`: the results of eight rows by R tokens with a group's share added.
#[cfg(target_arch = "x86_64")]
macro_rules! by_groups {
    ($features:literal) => {
        #[target_feature(enable = $features)]
        pub(super) fn run(task: Task<'_>) {
            let mut panels = $crate::linear::Panels::<BLOCK>::new(task);
            let tokens = panels.activations.tokens;
            let mut panel = 0;
            while tokens == 1 && panel + 1 < panels.count {
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
            let mut blocks = panels.blocks::<P>(panel);
            let mut steps = $crate::linear::Steps::<R>::new(&panels.activations, token);
            let mut results = [[std::arch::x86_64::_mm256_setzero_ps(); R]; P];
            // Later tokens find the weights in the cache.
            let ahead = if token == 0 { $crate::linear::loops::ahead(panels.bytes::<P>()) } else { None };
            while let (Some(blocks), Some(step)) = (blocks.next(), steps.next()) {
                for (results, [block]) in results.iter_mut().zip(blocks) {
                    if let Some(ahead) = ahead {
                        for line in (0..BLOCK).step_by(64) {
                            $crate::x86::prefetch(block, ahead + line);
                        }
                    }
                    *results = group(*results, block, &step);
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
    fn what_is_asked_for_lies_in_a_later_tile_at_the_same_place() {
        for bytes in [272, 2 * 2592, 18432, 139_264] {
            let ahead = ahead(bytes).unwrap();
            assert!(ahead.is_multiple_of(bytes) && ahead >= AHEAD && ahead < AHEAD + bytes, "{bytes}: {ahead}");
        }
        assert_eq!((ahead(0), ahead(AHEAD_MAX + 1)), (None, None));
    }
}
