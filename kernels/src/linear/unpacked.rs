//! The loops of the linear layers where many tokens read the same weights, which are unpacked once for all of them. Once for all
//! instruction sets: a macro, for the reason of [`crate::dense`].

/// From so many tokens on it is worth it: with 8 of them it takes as long as without, with 12 it saves a tenth
/// (`cargo run --release -p clawdbot-kernels --example pace linear`, trials on an AMD EPYC).
pub(crate) const MANY: usize = 10;

/// Groups along K that are unpacked at a time. They and what a tile's tokens have there fit a first cache.
pub(crate) const SPAN: usize = 16;

/// Brings `run`, by tiles of eight rows by up to six tokens, from a type `Unpacked` for a group of eight rows, and
///
/// - `Unpacked::NOTHING`, and `unpack(block)` of it;
/// - `share(results, unpacked, step)`: the results of eight rows by R tokens with a group's share added;
/// - `few(task)`, for fewer tokens than [`MANY`].
///
/// Between the spans of K results lie in the output, as the floats they are: the law's order is kept.
macro_rules! by_unpacked {
    ($features:literal) => {
        #[target_feature(enable = $features)]
        pub(super) fn run(task: Task<'_>) {
            use $crate::linear::unpacked::{MANY, SPAN};
            let (tokens, groups) = (task.activations.tokens, task.activations.groups());
            if tokens < MANY || groups == 0 {
                return few(task);
            }
            let mut panels = $crate::linear::Panels::<BLOCK>::new(task);
            let mut unpacked = [Unpacked::NOTHING; SPAN];
            for panel in 0..panels.count {
                for first in (0..groups).step_by(SPAN) {
                    let span = first..groups.min(first + SPAN);
                    for (unpacked, block) in unpacked.iter_mut().zip(panels.blocks_of(panel, span.clone())) {
                        // What the next span needs comes meanwhile.
                        $crate::x86::prefetch::<BLOCK, false>(block, SPAN * BLOCK);
                        unpacked.unpack(block);
                    }
                    let unpacked = &unpacked[..span.len()];
                    let mut token = 0;
                    while token < tokens {
                        token += match tokens - token {
                            1 => unpacked_tile::<1>(&mut panels, [panel, token], unpacked, span.clone()),
                            2 => unpacked_tile::<2>(&mut panels, [panel, token], unpacked, span.clone()),
                            3 => unpacked_tile::<3>(&mut panels, [panel, token], unpacked, span.clone()),
                            4 => unpacked_tile::<4>(&mut panels, [panel, token], unpacked, span.clone()),
                            5 => unpacked_tile::<5>(&mut panels, [panel, token], unpacked, span.clone()),
                            _ => unpacked_tile::<6>(&mut panels, [panel, token], unpacked, span.clone()),
                        };
                    }
                }
            }
        }

        /// The results of eight rows by R tokens with the share of `span` added, or begun with it; answers R.
        #[inline(never)]
        #[target_feature(enable = $features)]
        fn unpacked_tile<const R: usize>(
            panels: &mut $crate::linear::Panels<'_, BLOCK>,
            [panel, token]: [usize; 2],
            unpacked: &[Unpacked],
            span: std::ops::Range<usize>,
        ) -> usize {
            let begins = span.start == 0;
            let mut steps = $crate::linear::Steps::<R>::new(&panels.activations, token, span);
            let targets = panels.results::<R>(panel, token);
            let mut results = [std::arch::x86_64::_mm256_setzero_ps(); R];
            if !begins {
                for (result, target) in results.iter_mut().zip(&*targets) {
                    *result = $crate::x86::load_f32x8(target);
                }
            }
            let mut groups = unpacked.iter();
            while let (Some(unpacked), Some(step)) = (groups.next(), steps.next()) {
                results = share(results, unpacked, &step);
            }
            for (target, result) in targets.iter_mut().zip(results) {
                $crate::x86::store_f32x8(target, result);
            }
            R
        }
    };
}
pub(crate) use by_unpacked;
