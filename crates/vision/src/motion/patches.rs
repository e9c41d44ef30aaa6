//! From cells that differ to rectangles.
//!
//! A cell stays when two of its eight neighbours differ too (a lone cell is noise, a line one cell wide with gaps is an edge
//! in a camera that trembles). Cells that are at most two apart belong together. A patch counts when one of its cells
//! differs strongly (2 in the mask): weak ones alone do not begin a patch, but belong to one.

use super::grid::Grid;
use super::{PATCHES_MAX, Patch};
use crate::preprocess::Crop;

/// Neighbours, the cell itself among them, that must differ.
const NEIGHBOURS_MIN: u8 = 3;

/// The place of no cell at all.
const NOWHERE: [usize; 4] = [usize::MAX, usize::MAX, 0, 0];

/// Finds patches in masks of one size.
#[derive(Clone, Debug)]
pub(super) struct Patches {
    /// Bytes of a row: the columns, and a 0 on either side.
    stride: usize,
    /// Rows of the grid, and one of zeros above and below: 0, 1, 2.
    mask: Vec<u8>,
    /// What stays of it.
    clean: Vec<u8>,
    /// 1 in and around what stays.
    grown: Vec<u8>,
    /// Sums along a row.
    across: [Vec<u8>; 3],
    runs: Vec<Run>,
    found: Vec<Patch>,
}

/// Neighbouring grown cells of one row, and all that is joined with them.
#[derive(Clone, Copy, Debug)]
struct Run {
    /// First column, and the one behind the last, with the border's counted.
    columns: [usize; 2],
    /// A run before it that it is joined with; itself when it is the first of all.
    parent: usize,
    cells: u32,
    peak: u8,
    /// Left, top, right, bottom of its clean cells; the latter two behind the last.
    place: [usize; 4],
}

impl Patches {
    pub(super) fn new(columns: usize, rows: usize) -> Self {
        let stride = columns + 2;
        let plane = || vec![0; stride * (rows + 2)];
        let across = std::array::from_fn(|_| vec![0; stride]);
        // Grown runs have three cells at least and one between them, and grow into the border.
        let runs = Vec::with_capacity((stride / 4 + 1) * (rows + 2));
        let found = Vec::with_capacity(PATCHES_MAX);
        Self { stride, mask: plane(), clean: plane(), grown: plane(), across, runs, found }
    }

    /// The mask with its border.
    pub(super) fn mask(&self) -> &[u8] {
        &self.mask
    }

    /// To be filled; the border must stay 0.
    pub(super) fn mask_mut(&mut self) -> &mut [u8] {
        &mut self.mask
    }

    /// The patches of the last [`Patches::find`]; none if `none`.
    pub(super) fn found(&self, none: bool) -> &[Patch] {
        if none { &[] } else { &self.found }
    }

    /// Finds the patches of the mask; false when there are too many.
    pub(super) fn find(&mut self, grid: &Grid) -> bool {
        self.keep_neighbours();
        self.grow();
        self.collect_runs();
        self.found.clear();
        for index in 0..self.runs.len() {
            let run = self.runs[index];
            if run.parent == index && run.peak == 2 {
                if self.found.len() == PATCHES_MAX {
                    return false;
                }
                self.found.push(patch(&run, grid));
            }
        }
        true
    }

    /// Fills `clean`.
    fn keep_neighbours(&mut self) {
        let Self { stride, mask, clean, across: [above, here, below], .. } = self;
        let row = |y: usize| y * *stride..(y + 1) * *stride;
        sum_across(&mask[row(0)], above);
        sum_across(&mask[row(1)], here);
        for y in 1..mask.len() / *stride - 1 {
            sum_across(&mask[row(y + 1)], below);
            let sums = above.iter().zip(&*here).zip(&*below);
            for ((clean, mask), ((above, here), below)) in clean[row(y)].iter_mut().zip(&mask[row(y)]).zip(sums) {
                *clean = *mask * u8::from(above + here + below >= NEIGHBOURS_MIN);
            }
            std::mem::swap(above, here);
            std::mem::swap(here, below);
        }
    }

    /// Fills `grown`.
    fn grow(&mut self) {
        let Self { stride, clean, grown, across: [column, ..], .. } = self;
        let rows = clean.len() / *stride;
        for y in 0..rows {
            let (first, last) = (y.saturating_sub(1), (y + 1).min(rows - 1));
            let row = |y: usize| &clean[y * *stride..][..*stride];
            for (any, ((above, here), below)) in column.iter_mut().zip(row(first).iter().zip(row(y)).zip(row(last))) {
                *any = above | here | below;
            }
            let grown = &mut grown[y * *stride..][..*stride];
            let end = *stride - 1;
            grown[0] = column[0] | column[1];
            grown[end] = column[end - 1] | column[end];
            let neighbours = column.iter().zip(&column[1..]).zip(&column[2..]);
            for (grown, ((left, here), right)) in grown[1..end].iter_mut().zip(neighbours) {
                *grown = left | here | right;
            }
        }
    }

    fn collect_runs(&mut self) {
        self.runs.clear();
        let mut before = 0..0;
        for y in 0..self.grown.len() / self.stride {
            let start = self.runs.len();
            let mut x = 0;
            while let Some(first) = next_grown(&self.grown[y * self.stride..][..self.stride], x) {
                let row = &self.grown[y * self.stride..][..self.stride];
                x = row[first..].iter().position(|cell| *cell == 0).map_or(self.stride, |length| first + length);
                self.add_run(y, [first, x], before.clone());
            }
            before = start..self.runs.len();
        }
        // Joined runs are behind their parents, so everything has arrived when a parent hands on.
        for index in (0..self.runs.len()).rev() {
            let run = self.runs[index];
            if run.parent != index {
                self.runs[run.parent].absorb(&run);
            }
        }
    }

    /// A run of row `y`, joined with those `before`, in the row above, that it touches.
    fn add_run(&mut self, y: usize, columns: [usize; 2], before: std::ops::Range<usize>) {
        let index = self.runs.len();
        let clean = &self.clean[y * self.stride..][columns[0]..columns[1]];
        let cells = clean.iter().map(|cell| u32::from(*cell != 0)).sum();
        let peak = clean.iter().copied().max().unwrap_or_default();
        // A run may have grown out of the rows above and below it alone.
        let end = |cell: Option<usize>| cell.map(|cell| columns[0] + cell);
        let (first, last) = (clean.iter().position(|cell| *cell != 0), clean.iter().rposition(|cell| *cell != 0));
        let place = end(first).zip(end(last)).map_or(NOWHERE, |(first, last)| [first, y, last + 1, y + 1]);
        let run = Run { columns, parent: index, cells, peak, place };
        self.runs.push(run);
        for other in before {
            let [first, end] = self.runs[other].columns;
            if first <= columns[1] && columns[0] <= end {
                let (a, b) = (self.root(index), self.root(other));
                self.runs[a.max(b)].parent = a.min(b);
            }
        }
    }

    fn root(&self, mut index: usize) -> usize {
        while self.runs[index].parent != index {
            index = self.runs[index].parent;
        }
        index
    }
}

impl Run {
    fn absorb(&mut self, other: &Self) {
        let [left, top, right, bottom] = other.place;
        self.cells += other.cells;
        self.peak = self.peak.max(other.peak);
        self.place =
            [self.place[0].min(left), self.place[1].min(top), self.place[2].max(right), self.place[3].max(bottom)];
    }
}

/// How many of each cell and its two neighbours are not 0.
#[inline(never)]
fn sum_across(row: &[u8], sums: &mut [u8]) {
    let end = row.len() - 1;
    let neighbours = row.iter().zip(&row[1..]).zip(&row[2..]);
    for (sum, ((left, here), right)) in sums[1..end].iter_mut().zip(neighbours) {
        *sum = (*left).min(1) + (*here).min(1) + (*right).min(1);
    }
}

/// The first place from `from` on that is not 0. Most of a row is, so it goes by blocks.
fn next_grown(row: &[u8], mut from: usize) -> Option<usize> {
    while row[from..].first_chunk::<16>().is_some_and(|block| u128::from_ne_bytes(*block) == 0) {
        from += 16;
    }
    row[from..].iter().position(|cell| *cell != 0).map(|at| from + at)
}

fn patch(run: &Run, grid: &Grid) -> Patch {
    let ([width, height], [columns, rows], side) = (grid.picture(), grid.cells(), grid.side());
    let [left, top, right, bottom] = run.place.map(|edge| edge - 1);
    // What fills no cell at the right and at the bottom belongs to the last one.
    let right = if right == columns { width } else { right * side };
    let bottom = if bottom == rows { height } else { bottom * side };
    let (left, top) = (left * side, top * side);
    Patch { place: Crop { left, top, width: right - left, height: bottom - top }, cells: run.cells }
}
