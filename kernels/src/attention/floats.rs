//! The walk over pages of F16, given an ISA's two products: scores of a tile's rows, and weighted sums of eight values.

use super::Task;
use super::rows::{Block, ROWS, Row, TILE, bend};
use crate::lanes::Lanes;
use crate::pages::{Format, HEAD_DIM_MAX, POSITIONS};

/// A row's query.
pub(super) type Query = [f32; HEAD_DIM_MAX];
/// Eight values of 32 positions.
pub(super) type Panel = [u8; 16 * POSITIONS];

/// Runs `task`. `scores(queries, keys, target)` leaves the sums of up to [`TILE`] rows by 32 positions, `sums(weights,
/// panel, target)` adds to those of up to [`TILE`] rows by eight values.
#[inline(always)]
pub(super) fn walk(
    task: &mut Task<'_>,
    scores: impl Fn(&[Query], &[u8], &mut [Block]),
    sums: impl Fn(&[Block], &Panel, &mut [Lanes]),
) {
    let half = Format::F16.half_bytes(task.head_dim);
    let output = std::mem::take(&mut task.output).as_chunks_mut::<8>().0;
    output.fill([0.0; 8]);
    let all = task.tokens * task.heads;
    for first in (0..all).step_by(ROWS) {
        let count = ROWS.min(all - first);
        let mut rows = [Row::NONE; ROWS];
        for (index, row) in rows[..count].iter_mut().enumerate() {
            *row = Row::new(task, first + index);
        }
        let queries = gather(task, &rows[..count]);
        for start in Row::pages(&rows[..count]) {
            let block = &task.arena[task.table.start(start)..][..Format::F16.block_bytes(task.head_dim)];
            let (keys, values) = block.split_at(half);
            for tile in (0..count).step_by(TILE) {
                let end = count.min(tile + TILE);
                let mut weights: [Block; TILE] = [[[0.0; 8]; POSITIONS / 8]; TILE];
                scores(&queries[tile..end], keys, &mut weights[..end - tile]);
                let mut corrections = [None; TILE];
                for (index, row) in rows[tile..end].iter_mut().enumerate() {
                    corrections[index] = weigh(task, row, start, &mut weights[index]);
                }
                for (chunk, panel) in values.as_chunks::<{ 16 * POSITIONS }>().0.iter().enumerate() {
                    let mut now = [[0.0; 8]; TILE];
                    for ((row, now), correction) in rows[tile..end].iter().zip(&mut now).zip(&corrections) {
                        *now = output[row.chunk + chunk * task.tokens].map(|value| value * correction.unwrap_or(1.0));
                    }
                    sums(&weights[..end - tile], panel, &mut now[..end - tile]);
                    for ((row, now), correction) in rows[tile..end].iter().zip(&now).zip(&corrections) {
                        if correction.is_some() {
                            output[row.chunk + chunk * task.tokens] = *now;
                        }
                    }
                }
            }
        }
        for row in &rows[..count] {
            row.finish(task.tokens, output, task.head_dim / 8);
        }
    }
}

/// Turns a row's sums into weights. Answers the correction of what was before; `None` where the row sees nothing of the
/// block.
#[inline(always)]
fn weigh(task: &Task<'_>, row: &mut Row, start: usize, scores: &mut Block) -> Option<f32> {
    let visible = row.visible(start);
    if visible.is_empty() {
        return None;
    }
    for score in scores.as_flattened_mut() {
        *score *= task.scale;
    }
    if let Some(cap) = task.softcap {
        bend(scores, cap);
    }
    Some(row.weigh(scores, &visible))
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
