//! The walk over pages of I8, given an ISA's two products: scores of a tile's rows, and weighted sums of eight values.

use super::Task;
use super::rows::{Block, ROWS, Row, TILE, bend, levels};
use crate::lanes::Lanes;
use crate::pages::{Format, HEAD_DIM_MAX, POSITIONS};

/// A row's query, quantised.
pub(super) type Query = [i8; HEAD_DIM_MAX];
/// Its weights.
pub(super) type Levels = [i16; POSITIONS];
/// Eight values of 32 positions.
pub(super) type Panel = [u8; 8 * POSITIONS];
/// A row's sums of values.
pub(super) type Sums = [[i32; 8]; HEAD_DIM_MAX / 8];

/// What the queries of some rows are as integers.
struct Queries {
    levels: [Query; ROWS],
    /// Query scale times the task's.
    factors: [f32; ROWS],
}

/// Runs `task`. `scores(queries, keys, target)` leaves the sums of up to [`TILE`] rows by 32 positions, `sums(levels,
/// panels, target)` those of up to [`TILE`] rows by eight values of each panel.
#[inline(always)]
pub(super) fn walk(
    task: &mut Task<'_>,
    scores: impl Fn(&[Query], &[u8], &mut [[i32; POSITIONS]]),
    sums: impl Fn(&[Levels], &[Panel], &mut [Sums]),
) {
    let half = Format::I8.half_bytes(task.head_dim);
    let output = std::mem::take(&mut task.output).as_chunks_mut::<8>().0;
    output.fill([0.0; 8]);
    let mut now: [Sums; TILE] = [[[0; 8]; HEAD_DIM_MAX / 8]; TILE];
    let all = task.tokens * task.heads;
    for first in (0..all).step_by(ROWS) {
        let count = ROWS.min(all - first);
        let mut rows = [Row::NONE; ROWS];
        for (index, row) in rows[..count].iter_mut().enumerate() {
            *row = Row::new(task, first + index);
        }
        let queries = quantize(task, &rows[..count]);
        for start in Row::pages(&rows[..count]) {
            let block = &task.arena[task.table.start(start)..][..Format::I8.block_bytes(task.head_dim)];
            let (keys, rest) = block.split_at(half);
            let (values, scales) = rest.split_at(half);
            let scales = [numbers(&scales[..4 * POSITIONS]), numbers(&scales[4 * POSITIONS..])];
            for tile in (0..count).step_by(TILE) {
                let end = count.min(tile + TILE);
                let mut dots = [[0; POSITIONS]; TILE];
                scores(&queries.levels[tile..end], keys, &mut dots[..end - tile]);
                let mut weights = [[0; POSITIONS]; TILE];
                let mut steps = [None; TILE];
                for (index, row) in rows[tile..end].iter_mut().enumerate() {
                    let factor = queries.factors[tile + index];
                    steps[index] = weigh(task, row, start, &dots[index], factor, &scales, &mut weights[index]);
                }
                let panels = values.as_chunks::<{ 8 * POSITIONS }>().0;
                sums(&weights[..end - tile], panels, &mut now[..end - tile]);
                for ((row, sums), step) in rows[tile..end].iter().zip(&now).zip(steps) {
                    let Some([correction, step]) = step else { continue };
                    let targets = output[row.chunk..].iter_mut().step_by(task.tokens);
                    for (target, sums) in targets.zip(&sums[..panels.len()]) {
                        for lane in 0..8 {
                            target[lane] = (sums[lane] as f32).mul_add(step, target[lane] * correction);
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

/// A row's weights of a block. Answers the correction of what was before and the step of the weights; `None` where the row
/// sees nothing of it.
#[inline(always)]
fn weigh(
    task: &Task<'_>,
    row: &mut Row,
    start: usize,
    dots: &[i32; POSITIONS],
    factor: f32,
    [key_scales, value_scales]: &[Block; 2],
    target: &mut Levels,
) -> Option<[f32; 2]> {
    let visible = row.visible(start);
    if visible.is_empty() {
        return None;
    }
    let mut scores: Block = [[0.0; 8]; POSITIONS / 8];
    for ((score, &dot), scale) in scores.as_flattened_mut().iter_mut().zip(dots).zip(key_scales.as_flattened()) {
        *score = dot as f32 * (scale * factor);
    }
    if let Some(cap) = task.softcap {
        bend(&mut scores, cap);
    }
    let correction = row.weigh(&mut scores, &visible);
    Some([correction, levels(&scores, value_scales, target)])
}

/// The queries of `rows` by the law of `levels.rs`.
#[inline(always)]
fn quantize(task: &Task<'_>, rows: &[Row]) -> Queries {
    let mut queries = Queries { levels: [[0; HEAD_DIM_MAX]; ROWS], factors: [0.0; ROWS] };
    let (chunks, _) = task.queries.as_chunks::<8>();
    let mut values: [Lanes; HEAD_DIM_MAX / 8] = [[0.0; 8]; _];
    let values = &mut values[..task.head_dim / 8];
    for (index, row) in rows.iter().enumerate() {
        for (value, chunk) in values.iter_mut().zip(chunks[row.chunk..].iter().step_by(task.tokens)) {
            *value = *chunk;
        }
        let (scale, inverse) = crate::levels::grid(values);
        queries.factors[index] = scale * task.scale;
        for (target, value) in queries.levels[index].as_chunks_mut::<8>().0.iter_mut().zip(values.iter()) {
            *target = crate::levels::levels(value, inverse);
        }
    }
    queries
}

/// 32 floats that lie in a block as bytes.
#[inline(always)]
fn numbers(bytes: &[u8]) -> Block {
    let mut numbers: Block = [[0.0; 8]; POSITIONS / 8];
    for (number, bytes) in numbers.as_flattened_mut().iter_mut().zip(bytes.as_chunks::<4>().0) {
        *number = f32::from_le_bytes(*bytes);
    }
    numbers
}
