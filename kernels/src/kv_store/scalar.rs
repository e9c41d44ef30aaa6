//! `kv_store_f32i8_scalar`: the law.

use super::Task;
use crate::float16::narrow;
use crate::lanes::Lanes;
use crate::levels::{grid, levels};
use crate::pages::{Format, HEAD_DIM_MAX, POSITIONS};

/// The largest finite binary16.
const LARGEST: f32 = 65504.0;

/// One token's key or value.
type Row = [Lanes; HEAD_DIM_MAX / 8];

pub(super) fn run(task: Task<'_>) {
    store(task);
}

/// Compiled once for each ISA.
#[inline(always)]
pub(super) fn store(task: Task<'_>) {
    let Task { format, head_dim, tokens, position, table, .. } = task;
    let half = format.half_bytes(head_dim);
    let ((keys, _), (values, _)) = (task.keys.as_chunks::<8>(), task.values.as_chunks::<8>());
    let (mut key, mut value): (Row, Row) = ([[0.0; 8]; _], [[0.0; 8]; _]);
    let (key, value) = (&mut key[..head_dim / 8], &mut value[..head_dim / 8]);
    for token in 0..tokens {
        gather(&keys[token..], tokens, key);
        gather(&values[token..], tokens, value);
        let place = (position + token) % POSITIONS;
        let block = &mut task.arena[table.start(position + token)..][..format.block_bytes(head_dim)];
        let (kept_keys, rest) = block.split_at_mut(half);
        let (kept_values, scales) = rest.split_at_mut(half);
        match format {
            Format::I8 => {
                let (scales, _) = scales.as_chunks_mut::<4>();
                scales[place] = keep_key(key, place, kept_keys).to_le_bytes();
                scales[POSITIONS + place] = keep_value(value, place, kept_values).to_le_bytes();
            }
            Format::F16 => {
                for (chunk, lanes) in key.iter().enumerate() {
                    let cells = kept_keys[place / 8 * head_dim * 16 + chunk * 128..].as_chunks_mut::<16>().0;
                    for (lane, half) in lanes.map(narrow).into_iter().enumerate() {
                        cells[lane][place % 8 * 2..][..2].copy_from_slice(&half.to_le_bytes());
                    }
                }
                for (chunk, lanes) in value.iter().enumerate() {
                    let cell = &mut kept_values.as_chunks_mut::<16>().0[chunk * POSITIONS + place];
                    for (target, half) in cell.as_chunks_mut::<2>().0.iter_mut().zip(lanes.map(narrow)) {
                        *target = half.to_le_bytes();
                    }
                }
            }
        }
    }
}

/// One token's values, made finite.
#[inline(always)]
fn gather(chunks: &[Lanes], tokens: usize, row: &mut [Lanes]) {
    for (target, chunk) in row.iter_mut().zip(chunks.iter().step_by(tokens)) {
        for lane in 0..8 {
            let x = if chunk[lane] < LARGEST { chunk[lane] } else { LARGEST };
            let x = if x > -LARGEST { x } else { -LARGEST };
            target[lane] = if chunk[lane].is_nan() { 0.0 } else { x };
        }
    }
}

/// Four values of a position lie side by side. Answers the scale.
#[inline(always)]
fn keep_key(row: &[Lanes], place: usize, kept: &mut [u8]) -> f32 {
    let (scale, inverse) = grid(row);
    let (groups, _) = kept[place / 8 * row.len() * 64..].as_chunks_mut::<4>();
    for (lanes, groups) in row.iter().zip(groups.as_chunks_mut::<16>().0) {
        let [a, b, c, d, e, f, g, h] = levels(lanes, inverse).map(i8::cast_unsigned);
        groups[place % 8] = [a, b, c, d];
        groups[8 + place % 8] = [e, f, g, h];
    }
    scale
}

/// Four positions of a value lie side by side. Answers the scale.
#[inline(always)]
fn keep_value(row: &[Lanes], place: usize, kept: &mut [u8]) -> f32 {
    let (scale, inverse) = grid(row);
    let (tiles, _) = kept.as_chunks_mut::<32>();
    for (lanes, tiles) in row.iter().zip(tiles.as_chunks_mut::<8>().0) {
        let (cells, _) = tiles[place / 4].as_chunks_mut::<4>();
        for (cell, level) in cells.iter_mut().zip(levels(lanes, inverse)) {
            cell[place % 4] = level.cast_unsigned();
        }
    }
    scale
}
