//! The walk over pages of F16, given an ISA's two products: scores of a tile's rows, and weighted sums of eight values.

use super::Task;
use super::rows::{Block, ROWS, Row, TILE, bend};
use crate::lanes::Lanes;
use crate::pages::{Format, HEAD_DIM_MAX, POSITIONS};

/// A row's query.
pub(super) type Query = [f32; HEAD_DIM_MAX];
/// Eight values of 32 positions.
pub(super) type Panel = [u8; 16 * POSITIONS];
/// A row's sums of values.
pub(super) type Sums = [Lanes; HEAD_DIM_MAX / 8];

/// Runs `task`. `scores(queries, keys, target)` leaves the sums of up to [`TILE`] rows by 32 positions, `sums(weights,
/// panels, target)` adds to those of up to [`TILE`] rows by eight values of each panel.
#[inline(always)]
pub(super) fn walk(
    task: &mut Task<'_>,
    scores: impl Fn(&[Query], &[u8], &mut [Block]),
    sums: impl Fn(&[Block], &[Panel], &mut [Sums]),
) {
    let half = Format::F16.half_bytes(task.head_dim);
    let output = std::mem::take(&mut task.output).as_chunks_mut::<8>().0;
    output.fill([0.0; 8]);
    let mut now: [Sums; TILE] = [[[0.0; 8]; HEAD_DIM_MAX / 8]; TILE];
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
                let panels = values.as_chunks::<{ 16 * POSITIONS }>().0;
                let mut seen = [false; TILE];
                for (index, row) in rows[tile..end].iter_mut().enumerate() {
                    let Some(correction) = weigh(task, row, start, &mut weights[index]) else { continue };
                    seen[index] = true;
                    let sources = output[row.chunk..].iter().step_by(task.tokens);
                    for (now, source) in now[index][..panels.len()].iter_mut().zip(sources) {
                        *now = source.map(|value| value * correction);
                    }
                }
                sums(&weights[..end - tile], panels, &mut now[..end - tile]);
                for ((row, now), _) in rows[tile..end].iter().zip(&now).zip(seen).filter(|(_, seen)| *seen) {
                    for (target, now) in output[row.chunk..].iter_mut().step_by(task.tokens).zip(&now[..panels.len()]) {
                        *target = *now;
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
