//! The loops around a tile of the dense INT8 kernels on x86, once for both instruction sets. They go over bands of rows
//! ([`crate::bands`]), or over the lines of a picture of four channels ([`crate::narrow`]).
//!
//! A macro, and not a generic function, for the reason that the `dense` module of Arm gives: a function with target features
//! can be neither a trait's method nor forced into its caller. Each instruction set's file asks for its own copy by
//! `banded!("its features", rows of each smaller tile)`. It brings
//!
//! - `ROWS`, the rows of a full tile;
//! - `Group`, the bytes that a multiplication takes from a row at a time, and `convert`, which makes some of elements;
//! - `LINE`, the bytes of a picture's line, `put`, which puts cells into one, and `add_line`, which adds the products of
//!   R windows' cells in it;
//! - `start`, what the sums of B x 8 output channels start with, and `accumulate`, which adds the products of R rows.

/// All of some rows, `WAITING` rows at a time and of those tile by tile: `$body` leaves the sums of `$now` rows from `$row`
/// on in `$place`, and `$block` makes results of them, whose first row is `$first`.
macro_rules! each_tile {
    ($block:ident, $first:expr, $rows:expr, $sums:ident, $output:ident, ($row:ident, $now:ident, $place:ident) => $body:expr) => {
        use $crate::epilogue::avx2::WAITING;
        for first in (0..$rows).step_by(WAITING) {
            let rows = ($rows - first).min(WAITING);
            let (mut row, mut free) = (0, &mut $sums[..]);
            while row < rows {
                let ($now, $row) = ($crate::bands::tile_rows(rows - row, ROWS), first + row);
                let $place;
                ($place, free) = free.split_at_mut($now * B);
                $body;
                row += $now;
            }
            $block.finish($sums, $first + first, rows, $output);
        }
    };
}
pub(crate) use each_tile;

macro_rules! banded {
    ($features:literal, $($less:literal),+) => {
        /// A matrix product.
        #[target_feature(enable = $features)]
        pub(crate) fn matrix(mut task: $crate::gemm::Task<'_>) {
            use $crate::bands::{K_MAX, Matrix};
            if task.gemm.k > K_MAX {
                return $crate::gemm::scalar::run(task); // no network has such a layer
            }
            let rows = Matrix { rows: task.rows, width: task.gemm.k, stride: task.input_stride, input: task.input };
            sweep(&rows, task.gemm, &mut task.output);
        }

        /// A convolution.
        #[target_feature(enable = $features)]
        pub(crate) fn windows(task: $crate::conv::Task<'_>) {
            use $crate::{bands, conv, narrow};
            if task.gemm.k > bands::K_MAX {
                return conv::scalar::run(task); // no network has such a layer
            }
            let conv::Task { geometry, rows, input, pad_value, gemm, mut output } = task;
            if narrow::fits(geometry) {
                return picture(&narrow::Windows { geometry, rows, input, pad_value }, gemm, &mut output);
            }
            sweep(&bands::Windows::new(geometry, rows, input, pad_value), gemm, &mut output);
        }

        /// All rows of `source` by all output channels.
        #[inline]
        #[target_feature(enable = $features)]
        fn sweep(
            source: &impl $crate::bands::Source<i8>,
            gemm: &$crate::gemm::Gemm<'_>,
            output: &mut $crate::epilogue::Output<'_>,
        ) {
            use $crate::bands::{GROUPS, GROUPS_MAX, short};
            if short(gemm.k / 4) {
                sweep_in(&mut [[0; size_of::<Group>()]; GROUPS], source, gemm, output);
            } else {
                sweep_in(&mut [[0; size_of::<Group>()]; GROUPS_MAX], source, gemm, output);
            }
        }

        /// [`sweep`] with bands in `buffer`.
        #[inline]
        #[target_feature(enable = $features)]
        fn sweep_in(
            buffer: &mut [Group],
            source: &impl $crate::bands::Source<i8>,
            gemm: &$crate::gemm::Gemm<'_>,
            output: &mut $crate::epilogue::Output<'_>,
        ) {
            let convert = |elements: &[i8], groups: &mut [Group]| convert(elements, groups);
            let mut sums = $crate::epilogue::avx2::NO_SUMS;
            $crate::bands::sweep::<i8, Group, 4>(buffer, source, [gemm.k / 4, gemm.n], convert, |band, n| {
                if gemm.n - n > 8 {
                    panel::<2>(&band, gemm, n, &mut sums, output);
                } else {
                    panel::<1>(&band, gemm, n, &mut sums, output);
                }
            });
        }

        /// The rows of a band by B x 8 output channels from `n` on.
        #[inline(never)]
        #[target_feature(enable = $features)]
        fn panel<const B: usize>(
            band: &$crate::bands::Band<'_, Group>,
            gemm: &$crate::gemm::Gemm<'_>,
            n: usize,
            sums: &mut $crate::epilogue::avx2::Sums,
            output: &mut $crate::epilogue::Output<'_>,
        ) {
            let (weights, start) = ($crate::bands::without_padding(gemm.blocks(n)), start(gemm, n));
            let block = $crate::epilogue::avx2::Block::<B>::new(output, n, gemm.n);
            $crate::banded::each_tile!(block, band.first, band.rows, sums, output, (row, rows, place) => match rows {
                $($less => tile::<$less, B>(band.tile(row), weights, start, place),)+
                _ => tile::<ROWS, B>(band.tile(row), weights, start, place),
            });
        }

        /// Leaves the sums of R rows by B x 8 output channels in `place`.
        #[inline]
        #[target_feature(enable = $features)]
        fn tile<const R: usize, const B: usize>(
            rows: [&[Group]; R],
            weights: [&[[i8; 32]]; B],
            start: [std::arch::x86_64::__m256i; B],
            place: &mut [[i32; 8]],
        ) {
            let mut sums = [start; R];
            accumulate(&mut sums, rows, weights);
            $crate::epilogue::avx2::leave(&sums, place);
        }

        /// The windows over a picture of four channels by all output channels.
        #[inline]
        #[target_feature(enable = $features)]
        fn picture(
            windows: &$crate::narrow::Windows<'_>,
            gemm: &$crate::gemm::Gemm<'_>,
            output: &mut $crate::epilogue::Output<'_>,
        ) {
            use $crate::narrow::{NO_GROUPS, Weights};
            let kernel = windows.geometry.kernel;
            match Weights::three(gemm, kernel, &mut NO_GROUPS.clone()) {
                Some(weights) => by_cells::<3, 5>(windows, gemm, weights, output),
                None if kernel[1] == 3 => by_cells::<4, 3>(windows, gemm, Weights::four(gemm, kernel), output),
                None => by_cells::<4, 0>(windows, gemm, Weights::four(gemm, kernel), output),
            }
        }

        /// The same with P bytes of each cell and S groups of each line, if S is not 0.
        #[inline(never)]
        #[target_feature(enable = $features)]
        fn by_cells<const P: usize, const S: usize>(
            windows: &$crate::narrow::Windows<'_>,
            gemm: &$crate::gemm::Gemm<'_>,
            weights: $crate::narrow::Weights<'_, P>,
            output: &mut $crate::epilogue::Output<'_>,
        ) {
            use $crate::narrow::{self, Lines};
            let (mut lines, mut sums) = (narrow::no_lines(), $crate::epilogue::avx2::NO_SUMS);
            let put = |lines: &mut Lines<LINE>, [line, at]: [usize; 2], cells: &[i8]| {
                put::<P>(&mut lines[line], at, cells);
            };
            narrow::sweep::<Lines<LINE>, P>(&mut lines, windows, gemm.n, put, |lines, strip, n| {
                if gemm.n - n > 8 {
                    strip_panel::<2, P, S>(lines, strip, gemm, (weights, n), &mut sums, output);
                } else {
                    strip_panel::<1, P, S>(lines, strip, gemm, (weights, n), &mut sums, output);
                }
            });
        }

        /// The pixels of a strip by B x 8 output channels from `n` on.
        #[inline(never)]
        #[target_feature(enable = $features)]
        fn strip_panel<const B: usize, const P: usize, const S: usize>(
            lines: &$crate::narrow::Lines<LINE>,
            strip: &$crate::narrow::Strip,
            gemm: &$crate::gemm::Gemm<'_>,
            (weights, n): ($crate::narrow::Weights<'_, P>, usize),
            sums: &mut $crate::epilogue::avx2::Sums,
            output: &mut $crate::epilogue::Output<'_>,
        ) {
            let weights = (weights.blocks(n), weights.window(), start(gemm, n));
            let block = $crate::epilogue::avx2::Block::<B>::new(output, n, gemm.n);
            $crate::banded::each_tile!(block, strip.first, strip.pixels, sums, output, (x, pixels, place) => match pixels {
                $($less => strip_tile::<$less, B, S>(lines, strip, x, weights, place),)+
                _ => strip_tile::<ROWS, B, S>(lines, strip, x, weights, place),
            });
        }

        /// Leaves the sums of the windows of R pixels by B x 8 output channels in `place`. Of the weights: the groups, how
        /// many lines of how many groups they are, and what the sums start with.
        #[inline]
        #[target_feature(enable = $features)]
        fn strip_tile<const R: usize, const B: usize, const S: usize>(
            lines: &$crate::narrow::Lines<LINE>,
            strip: &$crate::narrow::Strip,
            x: usize,
            (blocks, [height, steps], start): ([&[[i8; 32]]; B], [usize; 2], [std::arch::x86_64::__m256i; B]),
            place: &mut [[i32; 8]],
        ) {
            use $crate::{bands::part, narrow::BYTES};
            let mut sums = [start; R];
            let steps = if S == 0 { steps } else { S };
            for (index, line) in lines.iter().enumerate().take(height) {
                let cells = strip.cells::<R>(line, x, LINE - BYTES + 4 * steps);
                add_line(&mut sums, cells, part(blocks, index * steps, steps));
            }
            $crate::epilogue::avx2::leave(&sums, place);
        }
    };
}
pub(crate) use banded;
