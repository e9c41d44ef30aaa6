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

/// How far before their use weights are asked for, in bytes. Rows of a few hundred values are too short for the processor to see
/// that they are read in order, and it does not look beyond a page. Of 0.5 to 32 KiB, 8 are the most that leaves half of a first
/// cache to two streams; half and double are as good (`docs/reference/language-speed.md`).
#[cfg(target_arch = "x86_64")]
pub(crate) const AHEAD: usize = 8 << 10;

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
            let first = token == 0;
            while let (Some(blocks), Some(step)) = (blocks.next(), steps.next()) {
                for (results, [block]) in results.iter_mut().zip(blocks) {
                    if first {
                        for line in (0..BLOCK).step_by(64) {
                            $crate::x86::prefetch(block, $crate::linear::loops::AHEAD + line);
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
