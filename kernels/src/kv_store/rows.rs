//! Where the numbers of a token go, given an ISA's arithmetic.

use super::Task;
use crate::lanes::Lanes;
use crate::pages::{Format, HEAD_DIM_MAX, POSITIONS};

/// The largest finite binary16.
pub(super) const LARGEST: f32 = 65504.0;

/// One token's key or value.
type Row = [Lanes; HEAD_DIM_MAX / 8];

/// Runs `task`. `finite` makes eight numbers finite, `grid` and `levels` are those of `levels.rs`, `narrow` makes binary16.
#[inline(always)]
pub(super) fn store(
    task: Task<'_>,
    finite: impl Fn(&Lanes) -> Lanes,
    grid: impl Fn(&[Lanes]) -> (f32, f32),
    levels: impl Fn(&Lanes, f32) -> [i8; 8],
    narrow: impl Fn(&Lanes) -> [u16; 8],
) {
    let Task { format, head_dim, tokens, position, table, .. } = task;
    let half = format.half_bytes(head_dim);
    let ((keys, _), (values, _)) = (task.keys.as_chunks::<8>(), task.values.as_chunks::<8>());
    let (mut key, mut value): (Row, Row) = ([[0.0; 8]; _], [[0.0; 8]; _]);
    let (key, value) = (&mut key[..head_dim / 8], &mut value[..head_dim / 8]);
    for token in 0..tokens {
        for (row, chunks) in [(&mut *key, &keys[token..]), (&mut *value, &values[token..])] {
            for (target, chunk) in row.iter_mut().zip(chunks.iter().step_by(tokens)) {
                *target = finite(chunk);
            }
        }
        let place = (position + token) % POSITIONS;
        let block = &mut task.arena[table.start(position + token)..][..format.block_bytes(head_dim)];
        let (kept_keys, rest) = block.split_at_mut(half);
        let (kept_values, scales) = rest.split_at_mut(half);
        match format {
            Format::I8 => {
                let (scales, _) = scales.as_chunks_mut::<4>();
                let (scale, inverse) = grid(key);
                scales[place] = scale.to_le_bytes();
                keep_key(key.iter().map(|lanes| levels(lanes, inverse)), head_dim, place, kept_keys);
                let (scale, inverse) = grid(value);
                scales[POSITIONS + place] = scale.to_le_bytes();
                keep_value(value.iter().map(|lanes| levels(lanes, inverse)), place, kept_values);
            }
            Format::F16 => {
                keep_key_numbers(
                    key.iter().map(|lanes| narrow(lanes).map(u16::to_le_bytes)),
                    head_dim,
                    place,
                    kept_keys,
                );
                let numbers = value.iter().map(|lanes| narrow(lanes).map(u16::to_le_bytes));
                keep_value_numbers(numbers, place, kept_values);
            }
            Format::F32 => {
                let bytes = |lanes: &Lanes| lanes.map(f32::to_le_bytes);
                keep_key_numbers(key.iter().map(bytes), head_dim, place, kept_keys);
                keep_value_numbers(value.iter().map(bytes), place, kept_values);
            }
        }
    }
}

/// Four values of a position lie side by side.
#[inline(always)]
fn keep_key(levels: impl Iterator<Item = [i8; 8]>, head_dim: usize, place: usize, kept: &mut [u8]) {
    let groups = &mut kept[place / 8 * head_dim * 8..].as_chunks_mut::<4>().0[..2 * head_dim];
    for (groups, levels) in groups.as_chunks_mut::<16>().0.iter_mut().zip(levels) {
        let [a, b, c, d, e, f, g, h] = levels.map(i8::cast_unsigned);
        groups[place % 8] = [a, b, c, d];
        groups[8 + place % 8] = [e, f, g, h];
    }
}

/// Four positions of a value lie side by side.
#[inline(always)]
fn keep_value(levels: impl Iterator<Item = [i8; 8]>, place: usize, kept: &mut [u8]) {
    let tiles = kept.as_chunks_mut::<32>().0[place / 4..].iter_mut().step_by(POSITIONS / 4);
    for (tile, levels) in tiles.zip(levels) {
        for (cell, level) in tile.as_chunks_mut::<4>().0.iter_mut().zip(levels) {
            cell[place % 4] = level.cast_unsigned();
        }
    }
}

/// Eight positions of a value lie side by side; a number has B bytes.
#[inline(always)]
fn keep_key_numbers<const B: usize>(
    numbers: impl Iterator<Item = [[u8; B]; 8]>,
    head_dim: usize,
    place: usize,
    kept: &mut [u8],
) {
    let cells = kept.as_chunks_mut::<B>().0.as_chunks_mut::<8>().0;
    let cells = &mut cells[place / 8 * head_dim..][..head_dim];
    for (cells, numbers) in cells.as_chunks_mut::<8>().0.iter_mut().zip(numbers) {
        for (cell, number) in cells.iter_mut().zip(numbers) {
            cell[place % 8] = number;
        }
    }
}

/// Eight values of a position lie side by side; a number has B bytes.
#[inline(always)]
fn keep_value_numbers<const B: usize>(numbers: impl Iterator<Item = [[u8; B]; 8]>, place: usize, kept: &mut [u8]) {
    let cells = kept.as_chunks_mut::<B>().0.as_chunks_mut::<8>().0;
    for (cell, numbers) in cells[place..].iter_mut().step_by(POSITIONS).zip(numbers) {
        *cell = numbers;
    }
}
