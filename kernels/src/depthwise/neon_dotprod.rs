//! `depthwise_i8i8i32_1x16_neon_dotprod`: windows of 3x3 by dot products, sixteen channels of a pixel at a time.
//!
//! A dot product wants four neighbouring bytes of one sum. So the three cells of a *column* of the window are laid side by
//! side, channel by channel, with a fourth byte that meets a weight of zero: one table look-up for four channels. A column
//! serves all windows that see it, so a pixel costs 12 `sdot` and, at a step of 1, one new column.
//!
//! Other windows, and channels that are no whole sixteen, go the way of [`super::neon`].

use std::arch::aarch64::{
    int8x16_t, int8x16x3_t, uint8x16_t, vaddq_u8, vandq_s8, vdupq_n_s8, vdupq_n_s32, vdupq_n_u8, vqtbl3q_s8,
    vreinterpretq_s8_s32,
};

use super::padded::BLOCK;
use super::slide::{fits, slide};
use super::{Task, neon};
use crate::arm::{load_i8x16, load_u8x16, store_i8x16};
use crate::dot::{Column, Window};
use crate::epilogue::neon::Pixels;

slide!("neon,dotprod");

#[target_feature(enable = "neon,dotprod")]
pub(super) fn run(mut task: Task<'_>) {
    if fits(task.geometry) {
        let after = sixteens(&mut task);
        neon::anywhere(task, after);
    } else {
        neon::run(task);
    }
}

/// The numbers of the channels `channel..channel + 16`.
#[target_feature(enable = "neon")]
fn window(task: &Task<'_>, channel: usize) -> Window {
    let padded = task.geometry.channels.next_multiple_of(BLOCK);
    let index = index();
    let bias = *task.depthwise.bias[channel..].first_chunk().expect("biases are padded to 16");
    let mut window = Window { bias, columns: [[[0; BLOCK]; 4]; 3] };
    for (x, quads) in window.columns.iter_mut().enumerate() {
        let mut cells = [vdupq_n_s8(0); 3];
        for (y, cell) in cells.iter_mut().enumerate() {
            let weights = &task.depthwise.weights[(3 * y + x) * padded + channel..];
            *cell = load_i8x16(weights.first_chunk().expect("packed weights"));
        }
        let fourth = vreinterpretq_s8_s32(vdupq_n_s32(0x00ff_ffff));
        for (bytes, quad) in quads.iter_mut().zip(column(cells, &index)) {
            store_i8x16(bytes, vandq_s8(quad, fourth));
        }
    }
    window
}

/// Which bytes of three cells stand in the registers of a column.
type Index = [uint8x16_t; 4];

#[inline]
#[target_feature(enable = "neon")]
fn index() -> Index {
    let first = load_u8x16(&[0, 16, 32, 0, 1, 17, 33, 1, 2, 18, 34, 2, 3, 19, 35, 3]);
    [0, 4, 8, 12].map(|channel| vaddq_u8(first, vdupq_n_u8(channel)))
}

#[inline]
#[target_feature(enable = "neon")]
fn column([a, b, c]: [int8x16_t; 3], index: &Index) -> Column {
    let cells = int8x16x3_t(a, b, c);
    [vqtbl3q_s8(cells, index[0]), vqtbl3q_s8(cells, index[1]), vqtbl3q_s8(cells, index[2]), vqtbl3q_s8(cells, index[3])]
}
