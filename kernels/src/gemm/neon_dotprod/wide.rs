//! Tiles of six rows by sixteen output channels, see [`crate::dot`].

use std::ops::Range;

use super::Block;
use crate::dot::{CHANNELS, ROWS, Tiles};
use crate::epilogue::neon::{Pixels, Reals};
use crate::epilogue::{Output, Requantize, Residual, form};
use crate::gemm::Gemm;
use crate::rows::{Run, Windows};
use crate::strided::{Cells, CellsMut, Group, Strided};

/// Sixteen output channels: their first one, their weights, and what makes results of their sums.
struct Wide<'a> {
    n: usize,
    panels: &'a [Group],
    bias: &'a [i32; CHANNELS],
    finish: Finish<'a>,
}

#[expect(clippy::large_enum_variant, reason = "there is one at a time, on the stack")]
enum Finish<'a> {
    I8(Pixels<'a>),
    F32(Reals),
}

impl<'a> Wide<'a> {
    /// The channels from `n` on.
    #[target_feature(enable = "neon")]
    fn new(gemm: &Gemm<'a>, output: &Output<'a>, n: usize) -> Self {
        let finish = match output {
            Output::I8 { requantize, .. } => Finish::I8(Pixels::new(gemm.bias, requantize, n)),
            Output::F32 { scale, low, high, .. } => Finish::F32(Reals::new(scale, [*low, *high], n)),
        };
        let bias = gemm.bias[n..].first_chunk().expect("biases are padded to 8");
        Self { n, panels: gemm.sixteen(n), bias, finish }
    }

    /// The full tiles of the rows `run` of the output, which are the rows of `source` from its first on; answers the
    /// output's row after them.
    #[target_feature(enable = "neon,dotprod")]
    fn run(&self, source: &Strided<'_>, run: Range<usize>, output: &mut Output<'_>) -> usize {
        let count = run.len() / ROWS;
        let run = run.start..run.start + count * ROWS;
        let after = run.end;
        let tiles = Tiles::new(source, count, self.panels, self.bias);
        match (&self.finish, output) {
            (Finish::I8(pixels), Output::I8 { data, stride, requantize }) => {
                let places = Places::new(data, *stride, requantize, run, self.n);
                match requantize.form() {
                    form::CLAMP => full::<{ form::CLAMP }>(tiles, pixels, places),
                    form::PLAIN => full::<{ form::PLAIN }>(tiles, pixels, places),
                    form::RELU => full::<{ form::RELU }>(tiles, pixels, places),
                    form::RESIDUAL => full::<{ form::RESIDUAL }>(tiles, pixels, places),
                    form::LEAKY => full::<{ form::LEAKY }>(tiles, pixels, places),
                    form::BUMP => full::<{ form::BUMP }>(tiles, pixels, places),
                    form::BUMP_6 => full::<{ form::BUMP_6 }>(tiles, pixels, places),
                    form::BUMP_7 => full::<{ form::BUMP_7 }>(tiles, pixels, places),
                    _ => full::<{ form::OTHER }>(tiles, pixels, places),
                }
            }
            (Finish::F32(reals), Output::F32 { data, stride, .. }) => {
                full_reals(tiles, reals, data, *stride, run.start * *stride + self.n);
            }
            _ => unreachable!("a block is made for the output that it stores to"),
        }
        after
    }
}

/// All rows of a matrix by the channels that come in sixteens; answers the first channel that is left.
#[target_feature(enable = "neon,dotprod")]
pub(super) fn wide_matrix(source: &Strided<'_>, rows: usize, gemm: &Gemm<'_>, output: &mut Output<'_>) -> usize {
    let after = gemm.n / CHANNELS * CHANNELS;
    for n in (0..after).step_by(CHANNELS) {
        let wide = Wide::new(gemm, output, n);
        let row = wide.run(source, 0..rows, output);
        if rows - row > ROWS / 2 && rows > ROWS {
            // A full tile that makes some rows once more is faster than a smaller one.
            let first = rows - ROWS;
            let start = source.start + first * source.row_stride;
            wide.run(&Strided { start, ..*source }, first..rows, output);
        } else if row < rows {
            let (low, high) = gemm.sixteen(n).split_at(gemm.k / 4);
            super::rest(source, row..rows, low, &Block::new(gemm.bias, output, n, gemm.n), output);
            super::rest(source, row..rows, high, &Block::new(gemm.bias, output, n + 8, gemm.n), output);
        }
    }
    after
}

/// The same for the windows of a convolution.
#[target_feature(enable = "neon,dotprod")]
pub(super) fn wide_windows(windows: &Windows<'_, i8>, gemm: &Gemm<'_>, output: &mut Output<'_>) -> usize {
    let after = gemm.n / CHANNELS * CHANNELS;
    for n in (0..after).step_by(CHANNELS) {
        let wide = Wide::new(gemm, output, n);
        let (low, high) = wide.panels.split_at(gemm.k / 4);
        let blocks = [Block::new(gemm.bias, output, n, gemm.n), Block::new(gemm.bias, output, n + 8, gemm.n)];
        for run in windows.runs(ROWS) {
            match run {
                Run::Inside(source, run) => {
                    wide.run(&source, run, output);
                }
                Run::Anywhere(run) => {
                    super::anywhere(windows, low, &blocks[0], run.clone(), output);
                    super::anywhere(windows, high, &blocks[1], run, output);
                }
            }
        }
    }
    after
}

/// Where the results of some rows by sixteen channels go, and their residual.
struct Places<'a> {
    results: CellsMut<'a, CHANNELS>,
    residual: Cells<'a, CHANNELS>,
    /// The first row's number.
    row: usize,
}

impl<'a> Places<'a> {
    fn new(data: &'a mut [i8], stride: usize, requantize: &Requantize<'a>, run: Range<usize>, n: usize) -> Self {
        let residual = requantize
            .residual
            .map(|Residual { data, stride, .. }| Cells::new(data, run.start * stride + n, stride, run.len()));
        let results = CellsMut::new(data, run.start * stride + n, stride, run.len());
        Self { results, residual: residual.unwrap_or_else(|| Cells::new(&[], 0, 0, 0)), row: run.start }
    }
}

/// Full tiles of a form.
#[inline(never)]
#[target_feature(enable = "neon,dotprod")]
fn full<const FORM: u8>(mut tiles: Tiles<'_>, pixels: &Pixels<'_>, mut places: Places<'_>) {
    while let Some(sums) = tiles.next() {
        let mut targets = places.results.next::<ROWS>();
        let residual = if FORM == form::RESIDUAL { places.residual.next() } else { [&[0; CHANNELS]; ROWS] };
        for ((sums, residual), target) in sums.iter().zip(&residual).zip(&mut targets) {
            if FORM == form::OTHER {
                pixels.store_other(*sums, places.row, *target);
                places.row += 1;
            } else {
                pixels.store::<FORM>(*sums, residual, target);
            }
        }
    }
}

/// Full tiles of real numbers.
#[inline(never)]
#[target_feature(enable = "neon,dotprod")]
fn full_reals(mut tiles: Tiles<'_>, reals: &Reals, data: &mut [f32], stride: usize, start: usize) {
    let mut start = start;
    while let Some(sums) = tiles.next() {
        for sums in &sums {
            reals.store(*sums, data[start..].first_chunk_mut().expect("sixteen results"));
            start += stride;
        }
    }
}
