//! The loops around a tile of the dense INT8 kernels, once for all instruction sets.
//!
//! A macro, and not a generic function: a function with target features can be neither a trait's method nor forced into
//! its caller, so each instruction set's file asks for its own copy by `dense!("its features")`. It brings
//!
//! - `ROWS`, the rows of a full tile, even;
//! - `Block`, what turns the sums of 8 output channels into results;
//! - `wide_matrix` and `wide_windows`, which take as many of the channels as they like by wider tiles, and answer the first
//!   that they left;
//! - `each_tile!(ONE, source, tiles, panel, block, sums => { ... })`: the same of full tiles, one after the other;
//! - `sums!(R, pieces, block)`: the sums, bias included, of R rows of any [`crate::strided::Pieces`] by 8 channels. R is
//!   `ROWS`, or 1 to 4 for what is left over. A macro too: the compiler would call it, and pass sums through memory.

macro_rules! dense {
    ($features:literal) => {
        /// All rows of a matrix, by one panel of 8 output channels after the other, so that the panel stays in the first
        /// cache.
        #[target_feature(enable = $features)]
        pub(crate) fn matrix(
            source: &$crate::strided::Strided<'_>,
            rows: usize,
            gemm: &$crate::gemm::Gemm<'_>,
            output: &mut $crate::epilogue::Output<'_>,
        ) {
            let from = wide_matrix(source, rows, gemm, output);
            for (n, panel) in gemm.panels(from) {
                let block = Block::new(gemm.bias, output, n, gemm.n);
                let done = by_form::<true>(source, panel, &block, 0..rows, output);
                rest(source, done..rows, panel, &block, output);
            }
        }

        /// The rows `rows` of a matrix, by smaller tiles.
        #[target_feature(enable = $features)]
        fn rest(
            source: &$crate::strided::Strided<'_>,
            rows: std::ops::Range<usize>,
            panel: &[$crate::strided::Group],
            block: &Block<'_>,
            output: &mut $crate::epilogue::Output<'_>,
        ) {
            let mut row = rows.start;
            while row < rows.end {
                row += match rows.end - row {
                    1 => left_over::<1, _>(source.tiles::<1, true>(row, 1, panel), block, row, output),
                    2 => left_over::<2, _>(source.tiles::<2, true>(row, 1, panel), block, row, output),
                    3 => left_over::<3, _>(source.tiles::<3, true>(row, 1, panel), block, row, output),
                    _ => left_over::<4, _>(source.tiles::<4, true>(row, 1, panel), block, row, output),
                };
            }
        }

        /// The full tiles of the rows `run` of the output, which are the rows of `source` from its first on; answers the
        /// output's row after them.
        #[target_feature(enable = $features)]
        fn by_form<const ONE: bool>(
            source: &$crate::strided::Strided<'_>,
            panel: &[$crate::strided::Group],
            block: &Block<'_>,
            run: std::ops::Range<usize>,
            output: &mut $crate::epilogue::Output<'_>,
        ) -> usize {
            let after = run.start + run.len() / ROWS * ROWS;
            let run = run.start..after;
            match block.form(output) {
                form::CLAMP => full::<{ form::CLAMP }, ONE>(source, panel, block, run, output),
                form::PLAIN => full::<{ form::PLAIN }, ONE>(source, panel, block, run, output),
                form::RELU => full::<{ form::RELU }, ONE>(source, panel, block, run, output),
                form::RESIDUAL => full::<{ form::RESIDUAL }, ONE>(source, panel, block, run, output),
                form::LEAKY => full::<{ form::LEAKY }, ONE>(source, panel, block, run, output),
                form::BUMP => full::<{ form::BUMP }, ONE>(source, panel, block, run, output),
                form::BUMP_6 => full::<{ form::BUMP_6 }, ONE>(source, panel, block, run, output),
                form::BUMP_7 => full::<{ form::BUMP_7 }, ONE>(source, panel, block, run, output),
                _ => other::<ONE>(source, panel, block, run, output),
            }
            after
        }

        /// Full tiles of a form of their own.
        #[inline(never)]
        #[target_feature(enable = $features)]
        fn full<const FORM: u8, const ONE: bool>(
            source: &$crate::strided::Strided<'_>,
            panel: &[$crate::strided::Group],
            block: &Block<'_>,
            run: std::ops::Range<usize>,
            output: &mut $crate::epilogue::Output<'_>,
        ) {
            let mut places = block.places(output, &run);
            each_tile!(ONE, source, run.len() / ROWS, panel, block, sums => {
                let (mut targets, residual) = places.next::<FORM, ROWS>();
                let pairs = sums.as_chunks::<2>().0.iter().zip(residual.as_chunks::<2>().0);
                for (targets, (sums, residual)) in targets.as_chunks_mut::<2>().0.iter_mut().zip(pairs) {
                    block.store::<FORM>(sums, residual, targets);
                }
            });
        }

        /// Full tiles of any form.
        #[inline(never)]
        #[target_feature(enable = $features)]
        fn other<const ONE: bool>(
            source: &$crate::strided::Strided<'_>,
            panel: &[$crate::strided::Group],
            block: &Block<'_>,
            run: std::ops::Range<usize>,
            output: &mut $crate::epilogue::Output<'_>,
        ) {
            let mut row = run.start;
            each_tile!(ONE, source, run.len() / ROWS, panel, block, sums => {
                block.store_other(&sums, row, output);
                row += ROWS;
            });
        }

        /// The one tile of `tiles`, of R rows; answers R.
        #[inline(never)]
        #[target_feature(enable = $features)]
        fn left_over<'a, const R: usize, P: $crate::strided::Pieces<'a, R>>(
            tiles: impl IntoIterator<Item = P>,
            block: &Block<'_>,
            row: usize,
            output: &mut $crate::epilogue::Output<'_>,
        ) -> usize {
            for pieces in tiles {
                let sums = sums!(R, pieces, block);
                block.store_other(&sums, row, output);
            }
            R
        }

        /// A convolution over a picture of at least 8 channels.
        #[target_feature(enable = $features)]
        pub(crate) fn windows(mut task: $crate::conv::Task<'_>) {
            use $crate::rows::{Run, Windows};
            let windows = Windows::new(task.geometry, task.rows, task.input, task.pad_value);
            let output = &mut task.output;
            let from = wide_windows(&windows, task.gemm, output);
            for (n, panel) in task.gemm.panels(from) {
                let block = Block::new(task.gemm.bias, output, n, task.gemm.n);
                for run in windows.runs(ROWS) {
                    match run {
                        Run::Inside(source, run) => {
                            by_form::<false>(&source, panel, &block, run, output);
                        }
                        Run::Anywhere(run) => anywhere(&windows, panel, &block, run, output),
                    }
                }
            }
        }

        /// The output pixels `run`, whose windows may lie anywhere.
        #[target_feature(enable = $features)]
        fn anywhere(
            windows: &$crate::rows::Windows<'_, i8>,
            panel: &[$crate::strided::Group],
            block: &Block<'_>,
            run: std::ops::Range<usize>,
            output: &mut $crate::epilogue::Output<'_>,
        ) {
            let mut row = run.start;
            while row < run.end {
                row += match run.end - row {
                    ROWS.. => left_over::<ROWS, _>([windows.tile(row, panel)], block, row, output),
                    1 => left_over::<1, _>([windows.tile(row, panel)], block, row, output),
                    2 => left_over::<2, _>([windows.tile(row, panel)], block, row, output),
                    3 => left_over::<3, _>([windows.tile(row, panel)], block, row, output),
                    _ => left_over::<4, _>([windows.tile(row, panel)], block, row, output),
                };
            }
        }

        /// A convolution over a picture of 4 channels, the last of which is mostly none: then by strips, else the windows
        /// are gathered, band by band.
        #[target_feature(enable = $features)]
        pub(crate) fn picture(mut task: $crate::conv::Task<'_>) {
            use $crate::strip::{Strip, reordered, room};
            let mut weights = room();
            let Some(gemm) = reordered(&task, &mut weights) else {
                return gathered(task);
            };
            let mut strip = Strip::new(&task);
            let width = task.geometry.output_width;
            let mut pixel = 0;
            for y in task.rows {
                for x in (0..width).step_by(strip.pixels()) {
                    let pixels = strip.pixels().min(width - x);
                    let source = strip.windows(y, x, pixels, gemm.k);
                    matrix(&source, pixels, &gemm, &mut task.output.below(pixel));
                    pixel += pixels;
                }
            }
        }

        /// Any picture of 4 channels.
        #[target_feature(enable = $features)]
        fn gathered(mut task: $crate::conv::Task<'_>) {
            use $crate::rows::{GATHERED, Rows, Windows};
            let k = task.gemm.k;
            let windows = Windows::new(task.geometry, task.rows, task.input, task.pad_value);
            let mut buffer = [0; GATHERED];
            let mut first = 0;
            while first < windows.count() {
                let rows = windows.gather(first, k, &mut buffer);
                let source = $crate::strided::Strided {
                    input: &buffer,
                    start: 0,
                    row_stride: k,
                    pieces: 1,
                    piece_stride: 0,
                    length: k,
                };
                matrix(&source, rows, task.gemm, &mut task.output.below(first));
                first += rows;
            }
        }
    };
}
pub(crate) use dense;
