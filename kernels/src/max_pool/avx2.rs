//! `max_pool_i8f32_32_avx2`: thirty-two channels at a time, the largest of a window in a register.
//!
//! A window is cut to the cells of the input that it sees, so that nothing asks for a border inside. The last channels
//! are a block that overlaps the one before it. Fewer than sixteen channels are the reference's, and so are floats, of
//! which the compiler makes vectors.

use std::arch::x86_64::{__m128i, __m256i, _mm_max_epi8, _mm_set1_epi8, _mm256_max_epi8, _mm256_set1_epi8};
use std::ops::Range;

use super::{Pool, Task, scalar};
use crate::geometry::Geometry;
use crate::x86::{load_16, load_32, store_16, store_32};

#[target_feature(enable = "avx2")]
pub(super) fn run(task: Task<'_>) {
    match task {
        Task::I8(pool) if pool.channels >= 16 => bytes(pool),
        task => scalar::run(task),
    }
}

/// At least 16 channels.
#[inline]
#[target_feature(enable = "avx2")]
fn bytes(pool: Pool<'_, i8>) {
    let Pool { geometry, rows, channels, input, output, output_stride } = pool;
    let columns = |x: usize| seen(x, geometry, 1, geometry.input_width);
    let mut pixel = 0;
    for y in rows {
        let lines = seen(y, geometry, 0, geometry.input_height);
        for x in 0..geometry.output_width {
            let window = Window { geometry, input, lines: lines.clone(), columns: columns(x) };
            let output = &mut output[pixel * output_stride..][..channels];
            let whole = channels / 32 * 32;
            for (index, target) in output.as_chunks_mut::<32>().0.iter_mut().enumerate() {
                store_32(target, window.largest_32(32 * index));
            }
            for channel in (whole..channels).step_by(16) {
                let channel = channel.min(channels - 16);
                store_16(output[channel..].first_chunk_mut().expect("16 channels"), window.largest_16(channel));
            }
            pixel += 1;
        }
    }
}

/// The rows (`side` 0) or columns (1), of `length`, that the windows of output row or column `at` see.
fn seen(at: usize, geometry: &Geometry, side: usize, length: usize) -> Range<usize> {
    let padding = [geometry.padding_top, geometry.padding_left][side];
    let start = at * geometry.stride[side];
    start.saturating_sub(padding)..(start + geometry.kernel[side]).saturating_sub(padding).min(length)
}

/// The cells that one window sees.
struct Window<'a> {
    geometry: &'a Geometry,
    input: &'a [i8],
    lines: Range<usize>,
    columns: Range<usize>,
}

impl Window<'_> {
    #[inline]
    #[target_feature(enable = "avx2")]
    fn largest_32(&self, channel: usize) -> __m256i {
        let mut largest = _mm256_set1_epi8(i8::MIN);
        self.each(channel, |cell| largest = _mm256_max_epi8(largest, load_32(cell)));
        largest
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn largest_16(&self, channel: usize) -> __m128i {
        let mut largest = _mm_set1_epi8(i8::MIN);
        self.each(channel, |cell| largest = _mm_max_epi8(largest, load_16(cell)));
        largest
    }

    /// Calls `cell` with W elements from `channel` on of each cell.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn each<const W: usize>(&self, channel: usize, mut cell: impl FnMut(&[i8; W])) {
        let Geometry { input_width, channels, .. } = *self.geometry;
        for line in self.lines.clone() {
            let mut at = (line * input_width + self.columns.start) * channels + channel;
            for _ in self.columns.clone() {
                cell(self.input[at..].first_chunk().expect("a cell lies inside of the input"));
                at += channels;
            }
        }
    }
}
