//! The loops around a tile of the dense INT8 kernels, once for all instruction sets.
//!
//! A macro, and not a generic function: a function with target features can be neither a trait's method nor forced into
//! its caller, so each instruction set's file asks for its own copy by `dense!("its features")`. It brings
//!
//! - `ROWS`, the rows of a full tile, even;
//! - `Block::new(bias, output, n, channels)`, what turns the sums of 8 output channels into results;
//! - `tile::<FORM, R, P>(pieces, block, row, output)`: R rows of any [`crate::strided::Pieces`] by 8 channels. R is `ROWS`
//!   for every [`crate::epilogue::form`], and 1 to 4 (and `ROWS`) for form `OTHER`, which stores whatever is left over.

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
            for (n, panel) in gemm.panels() {
                let block = Block::new(gemm.bias, output, n, gemm.n);
                let run = 0..rows;
                let row = match output.form((gemm.n - n).min(8)) {
                    form::CLAMP => full::<{ form::CLAMP }>(source, panel, &block, run, output),
                    form::RESIDUAL => full::<{ form::RESIDUAL }>(source, panel, &block, run, output),
                    form::LEAKY => full::<{ form::LEAKY }>(source, panel, &block, run, output),
                    form::BUMP => full::<{ form::BUMP }>(source, panel, &block, run, output),
                    _ => full::<{ form::OTHER }>(source, panel, &block, run, output),
                };
                let mut row = row;
                while row < rows {
                    let left = rows - row;
                    row += match left {
                        1 => tile::<{ form::OTHER }, 1, _>(source.tile(row, panel), &block, row, output),
                        2 => tile::<{ form::OTHER }, 2, _>(source.tile(row, panel), &block, row, output),
                        3 => tile::<{ form::OTHER }, 3, _>(source.tile(row, panel), &block, row, output),
                        _ => tile::<{ form::OTHER }, 4, _>(source.tile(row, panel), &block, row, output),
                    };
                }
            }
        }

        /// The full tiles of the rows `run` of the output, which are the rows of `source` from its first on; answers the
        /// output's row after them.
        #[inline]
        #[target_feature(enable = $features)]
        fn full<const FORM: u8>(
            source: &$crate::strided::Strided<'_>,
            panel: &[$crate::strided::Group],
            block: &Block<'_>,
            run: std::ops::Range<usize>,
            output: &mut $crate::epilogue::Output<'_>,
        ) -> usize {
            let mut row = run.start;
            while run.end - row >= ROWS {
                row += tile::<FORM, ROWS, _>(source.tile(row - run.start, panel), block, row, output);
            }
            row
        }

        /// A convolution over a picture of at least 8 channels.
        #[target_feature(enable = $features)]
        pub(crate) fn windows(mut task: $crate::conv::Task<'_>) {
            use $crate::rows::{Run, Windows};
            let windows = Windows::new(task.geometry, task.rows, task.input, task.pad_value);
            let output = &mut task.output;
            for (n, panel) in task.gemm.panels() {
                let block = Block::new(task.gemm.bias, output, n, task.gemm.n);
                let form = output.form((task.gemm.n - n).min(8));
                for run in windows.runs(ROWS) {
                    match run {
                        Run::Inside(source, run) => {
                            let source = &source;
                            match form {
                                form::CLAMP => full::<{ form::CLAMP }>(source, panel, &block, run, output),
                                form::RESIDUAL => full::<{ form::RESIDUAL }>(source, panel, &block, run, output),
                                form::LEAKY => full::<{ form::LEAKY }>(source, panel, &block, run, output),
                                form::BUMP => full::<{ form::BUMP }>(source, panel, &block, run, output),
                                _ => full::<{ form::OTHER }>(source, panel, &block, run, output),
                            };
                        }
                        Run::Anywhere(run) => {
                            let mut row = run.start;
                            while row < run.end {
                                let left = run.end - row;
                                row += match left {
                                    ROWS.. => {
                                        tile::<{ form::OTHER }, ROWS, _>(windows.tile(row, panel), &block, row, output)
                                    }
                                    1 => tile::<{ form::OTHER }, 1, _>(windows.tile(row, panel), &block, row, output),
                                    2 => tile::<{ form::OTHER }, 2, _>(windows.tile(row, panel), &block, row, output),
                                    3 => tile::<{ form::OTHER }, 3, _>(windows.tile(row, panel), &block, row, output),
                                    _ => tile::<{ form::OTHER }, 4, _>(windows.tile(row, panel), &block, row, output),
                                };
                            }
                        }
                    }
                }
            }
        }

        /// A convolution over a picture of 4 channels: the windows are gathered, band by band.
        #[target_feature(enable = $features)]
        pub(crate) fn picture(mut task: $crate::conv::Task<'_>) {
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
