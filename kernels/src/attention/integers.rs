//! The walk over pages of I8, given an ISA's arithmetic.

use std::ops::Range;

use super::Task;
use super::rows::{Block, ROWS, Row, TILE};
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

/// The scores of a row as integers, and what makes numbers of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dots<'a> {
    /// Exact sums.
    pub(super) sums: &'a [i32; POSITIONS],
    /// Query scale times the task's.
    pub(super) factor: f32,
    /// Scales of keys and of values.
    pub(super) scales: &'a [Block; 2],
    /// The task's.
    pub(super) softcap: Option<f32>,
}

/// An ISA's arithmetic.
#[derive(Debug)]
pub(super) struct Parts<Quantize, Scores, Weigh, Sums, Add, Multiply> {
    /// Leaves a query as integers by the law of `levels.rs`, and answers its scale.
    pub(super) quantize: Quantize,
    /// Leaves the sums of up to [`TILE`] rows by 32 positions.
    pub(super) scores: Scores,
    /// Leaves a row's weights of a block; answers the correction of what was before, and the step of the weights.
    pub(super) weigh: Weigh,
    /// Leaves the sums of up to [`TILE`] rows by eight values of each panel.
    pub(super) sums: Sums,
    /// Corrects what was before and adds sums in steps.
    pub(super) add: Add,
    /// Multiplies by a number.
    pub(super) multiply: Multiply,
}

/// Runs `task`.
#[inline(always)]
pub(super) fn walk(
    mut task: Task<'_>,
    parts: Parts<
        impl Fn(&[Lanes], &mut [i8]) -> f32,
        impl Fn(&[Query], &[u8], &mut [[i32; POSITIONS]]),
        impl Fn(&mut Row, Dots<'_>, &Range<usize>, &mut Levels) -> [f32; 2],
        impl Fn(&[Levels], &[Panel], &mut [Sums]),
        impl Fn(&mut Lanes, &[i32; 8], [f32; 2]),
        impl Fn(&mut Lanes, f32),
    >,
) {
    let half = Format::I8.half_bytes(task.head_dim);
    let output = std::mem::take(&mut task.output).as_chunks_mut::<8>().0;
    output.fill([0.0; 8]);
    let mut queries = [[0; HEAD_DIM_MAX]; ROWS];
    let mut now: [Sums; TILE] = [[[0; 8]; HEAD_DIM_MAX / 8]; TILE];
    let all = task.tokens * task.heads;
    for first in (0..all).step_by(ROWS) {
        let mut rows = [Row::NONE; ROWS];
        let rows = &mut rows[..ROWS.min(all - first)];
        let mut factors = [0.0; ROWS];
        for (index, row) in rows.iter_mut().enumerate() {
            *row = Row::new(&task, first + index);
            factors[index] = quantize(&task, row, &mut queries[index], &parts.quantize) * task.scale;
        }
        for start in Row::pages(rows) {
            let block = &task.arena[task.table.start(start)..][..Format::I8.block_bytes(task.head_dim)];
            let (keys, rest) = block.split_at(half);
            let (values, scales) = rest.split_at(half);
            let scales = &[numbers(&scales[..4 * POSITIONS]), numbers(&scales[4 * POSITIONS..])];
            let (panels, _) = values.as_chunks::<{ 8 * POSITIONS }>();
            for (tile, rows) in rows.chunks_mut(TILE).enumerate() {
                let (count, first) = (rows.len(), tile * TILE);
                let mut dots = [[0; POSITIONS]; TILE];
                (parts.scores)(&queries[first..first + count], keys, &mut dots[..count]);
                let mut levels = [[0; POSITIONS]; TILE];
                let mut steps = [None; TILE];
                for (index, row) in rows.iter_mut().enumerate() {
                    let visible = row.visible(start);
                    if !visible.is_empty() {
                        let factor = factors[first + index];
                        let dots = Dots { sums: &dots[index], factor, scales, softcap: task.softcap };
                        steps[index] = Some((parts.weigh)(row, dots, &visible, &mut levels[index]));
                    }
                }
                (parts.sums)(&levels[..count], panels, &mut now[..count]);
                for ((row, sums), step) in rows.iter().zip(&now).zip(steps) {
                    let Some(step) = step else { continue };
                    for (target, sums) in output[row.chunk..].iter_mut().step_by(task.tokens).zip(&sums[..panels.len()])
                    {
                        (parts.add)(target, sums, step);
                    }
                }
            }
        }
        for row in rows.iter() {
            row.finish(&task, output, &parts.multiply);
        }
    }
}

/// The query of a row as integers. Answers its scale.
#[inline(always)]
fn quantize(task: &Task<'_>, row: &Row, target: &mut Query, quantize: impl Fn(&[Lanes], &mut [i8]) -> f32) -> f32 {
    let (chunks, _) = task.queries.as_chunks::<8>();
    let mut values: [Lanes; HEAD_DIM_MAX / 8] = [[0.0; 8]; _];
    let values = &mut values[..task.head_dim / 8];
    for (value, chunk) in values.iter_mut().zip(chunks[row.chunk..].iter().step_by(task.tokens)) {
        *value = *chunk;
    }
    quantize(values, &mut target[..task.head_dim])
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
