//! The walk over pages of F16 or F32, given an ISA's arithmetic.

use std::ops::Range;

use super::Task;
use super::rows::{Block, ROWS, Row, TILE};
use crate::lanes::Lanes;
use crate::pages::{HEAD_DIM_MAX, POSITIONS};

/// A row's query.
pub(super) type Query = [f32; HEAD_DIM_MAX];
/// Eight values of 32 positions in F16.
pub(super) type Panel = [u8; 16 * POSITIONS];
/// Eight values of 32 positions in F32.
pub(super) type WidePanel = [u8; 32 * POSITIONS];
/// A row's sums of values.
pub(super) type Sums = [Lanes; HEAD_DIM_MAX / 8];

/// An ISA's arithmetic.
#[derive(Debug)]
pub(super) struct Parts<Scores, Weigh, Sums, Multiply> {
    /// Leaves the sums of up to [`TILE`] rows by 32 positions.
    pub(super) scores: Scores,
    /// Makes weights of a row's sums, given the task's scale and soft cap; answers the correction of what was before.
    pub(super) weigh: Weigh,
    /// Adds to the sums of up to [`TILE`] rows by eight values of each panel.
    pub(super) sums: Sums,
    /// Multiplies by a number.
    pub(super) multiply: Multiply,
}

/// Runs `task`; a panel has P bytes.
#[inline(always)]
pub(super) fn walk<const P: usize>(
    mut task: Task<'_>,
    parts: Parts<
        impl Fn(&[Query], &[u8], &mut [Block]),
        impl Fn(&mut Row, &mut Block, (f32, Option<f32>), &Range<usize>) -> f32,
        impl Fn(&[Block], &[[u8; P]], &mut [Sums]),
        impl Fn(&mut Lanes, f32),
    >,
) {
    let (half, length) = (task.format.half_bytes(task.head_dim), task.format.block_bytes(task.head_dim));
    let output = std::mem::take(&mut task.output).as_chunks_mut::<8>().0;
    output.fill([0.0; 8]);
    let mut now: [Sums; TILE] = [[[0.0; 8]; HEAD_DIM_MAX / 8]; TILE];
    let all = task.tokens * task.heads;
    for first in (0..all).step_by(ROWS) {
        let mut rows = [Row::NONE; ROWS];
        let rows = &mut rows[..ROWS.min(all - first)];
        for (index, row) in rows.iter_mut().enumerate() {
            *row = Row::new(&task, first + index);
        }
        let queries = gather(&task, rows);
        for start in Row::pages(rows) {
            let block = &task.arena[task.table.start(start)..][..length];
            let (keys, values) = block.split_at(half);
            let (panels, _) = values.as_chunks::<P>();
            for (tile, rows) in rows.chunks_mut(TILE).enumerate() {
                let (count, first) = (rows.len(), tile * TILE);
                let mut weights: [Block; TILE] = [[[0.0; 8]; POSITIONS / 8]; TILE];
                (parts.scores)(&queries[first..first + count], keys, &mut weights[..count]);
                let mut seen = [false; TILE];
                for (index, row) in rows.iter_mut().enumerate() {
                    let visible = row.visible(start);
                    if visible.is_empty() {
                        continue;
                    }
                    seen[index] = true;
                    let correction = (parts.weigh)(row, &mut weights[index], (task.scale, task.softcap), &visible);
                    let sources = output[row.chunk..].iter().step_by(task.tokens);
                    for (now, source) in now[index][..panels.len()].iter_mut().zip(sources) {
                        *now = *source;
                        (parts.multiply)(now, correction);
                    }
                }
                (parts.sums)(&weights[..count], panels, &mut now[..count]);
                for ((row, now), _) in rows.iter().zip(&now).zip(seen).filter(|(_, seen)| *seen) {
                    for (target, now) in output[row.chunk..].iter_mut().step_by(task.tokens).zip(&now[..panels.len()]) {
                        *target = *now;
                    }
                }
            }
        }
        for row in rows.iter() {
            row.finish(&task, output, &parts.multiply);
        }
    }
}

/// The queries of `rows`, each in one piece.
#[inline(always)]
fn gather(task: &Task<'_>, rows: &[Row]) -> [Query; ROWS] {
    let mut queries = [[0.0; HEAD_DIM_MAX]; ROWS];
    let (chunks, _) = task.queries.as_chunks::<8>();
    for (query, row) in queries.iter_mut().zip(rows) {
        let targets = query[..task.head_dim].as_chunks_mut::<8>().0.iter_mut();
        for (target, chunk) in targets.zip(chunks[row.chunk..].iter().step_by(task.tokens)) {
            *target = *chunk;
        }
    }
    queries
}

/// Eight numbers of a page in F32.
#[inline(always)]
pub(super) fn lanes(bytes: &[u8; 32]) -> Lanes {
    let (numbers, _) = bytes.as_chunks::<4>();
    std::array::from_fn(|lane| f32::from_le_bytes(numbers[lane]))
}
