//! `max_pool_i8f32_16_neon`: sixteen channels of bytes at a time, first down the columns that the windows of a row of
//! pixels share, then along the row: a window of K x K costs 2 K comparisons, not K x K.
//!
//! Floats, which few networks pool, and channels that are no whole sixteen go the way of the reference.

use std::ops::Range;

use std::arch::aarch64::vmaxq_s8;

use super::{Pool, Task, scalar};
use crate::arm::{load_i8x16, store_i8x16};
use crate::strided::cells;

/// Channels at a time.
const BLOCK: usize = 16;

/// Widest picture.
const COLUMNS: usize = 256;

#[target_feature(enable = "neon")]
pub(super) fn run(task: Task<'_>) {
    match task {
        Task::I8(pool) if pool.geometry.input_width <= COLUMNS => bytes(pool),
        other => scalar::run(other),
    }
}

#[target_feature(enable = "neon")]
fn bytes(mut pool: Pool<'_, i8>) {
    let after = pool.channels / BLOCK * BLOCK;
    let mut columns = [[0; BLOCK]; COLUMNS];
    for channel in (0..after).step_by(BLOCK) {
        for y in pool.rows.clone() {
            row(&mut pool, channel, y, &mut columns);
        }
    }
    if after < pool.channels && !pool.output.is_empty() {
        scalar::run(Task::I8(Pool {
            input: &pool.input[after..],
            output: &mut pool.output[after..],
            channels: pool.channels - after,
            ..pool
        }));
    }
}

/// The part of a window of `size` cells, the first of which is `start` less `padding`, that lies in 0..`side`.
fn inside(start: usize, padding: usize, size: usize, side: usize) -> Range<usize> {
    start.saturating_sub(padding)..(start + size).saturating_sub(padding).min(side)
}

/// The pixels of row y of the output.
#[target_feature(enable = "neon")]
fn row(pool: &mut Pool<'_, i8>, channel: usize, y: usize, columns: &mut [[i8; BLOCK]; COLUMNS]) {
    let geometry = pool.geometry;
    let [height, width] = geometry.kernel;
    let line = geometry.input_width * geometry.channels;
    let lines = inside(y * geometry.stride[0], geometry.padding_top, height, geometry.input_height);
    let columns = &mut columns[..geometry.input_width];
    for (x, column) in columns.iter_mut().enumerate() {
        let start = lines.start * line + x * geometry.channels + channel;
        store_largest(column, cells::<_, BLOCK>(pool.input, start, line, lines.len()));
    }
    for x in 0..geometry.output_width {
        let seen = inside(x * geometry.stride[1], geometry.padding_left, width, geometry.input_width);
        let pixel = (y - pool.rows.start) * geometry.output_width + x;
        let target = pool.output[pixel * pool.output_stride + channel..].first_chunk_mut().expect("sixteen channels");
        store_largest(target, columns[seen].iter());
    }
}

/// The largest of some cells, channel by channel; none leave the target as it is.
#[inline]
#[target_feature(enable = "neon")]
fn store_largest<'a>(target: &mut [i8; BLOCK], mut cells: impl Iterator<Item = &'a [i8; BLOCK]>) {
    if let Some(first) = cells.next() {
        let mut largest = load_i8x16(first);
        for cell in cells {
            largest = vmaxq_s8(largest, load_i8x16(cell));
        }
        store_i8x16(target, largest);
    }
}
