//! Where the law's bytes go.

use std::arch::x86_64::{__m256i, _mm256_castsi256_si128, _mm256_extracti128_si256};

use super::{Line, WAITING};
use crate::x86::{cells_mut, store_16, store_32};

/// Some rows of an output, B x 8 channels of each or fewer.
pub(super) struct Target<'a, const B: usize> {
    /// Begins at the first channel of the first row.
    pub(super) data: &'a mut [i8],
    pub(super) stride: usize,
    pub(super) rows: usize,
    pub(super) count: usize,
}

impl<const B: usize> Target<'_, B> {
    /// Stores what `law` makes of each two lines, of which it is told the first one's number. A last line without a second
    /// is its own second.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn fill(self, lines: &[Line], law: impl Fn(usize, &Line, &Line) -> __m256i) {
        let Target { data, stride, rows, count } = self;
        let (pairs, last) = lines.as_chunks::<2>();
        if B == 2 && count == 16 {
            let mut index = 0;
            for ([first, second], lines) in cells_mut::<16, 2>(data, stride, pairs.len()).zip(pairs) {
                let bytes = law(index, &lines[0], &lines[1]);
                store_16(first, _mm256_castsi256_si128(bytes));
                store_16(second, _mm256_extracti128_si256::<1>(bytes));
                index += 2;
            }
            if let [line] = last {
                let bytes = _mm256_castsi256_si128(law(index, line, line));
                store_16(data[index * stride..].first_chunk_mut().expect("a row of 16"), bytes);
            }
            return;
        }
        let mut results = [[0; 32]; WAITING / 2];
        for (index, ([first, second], results)) in pairs.iter().zip(&mut results).enumerate() {
            store_32(results, law(2 * index, first, second));
        }
        if let [line] = last {
            store_32(&mut results[pairs.len()], law(2 * pairs.len(), line, line));
        }
        let results = results.as_flattened();
        if B == 1 && count == 8 {
            for ([row], eight) in cells_mut::<8, 1>(data, stride, rows).zip(results.as_chunks::<8>().0) {
                *row = *eight;
            }
            return;
        }
        for (row, results) in results.chunks_exact(8 * B).enumerate().take(rows) {
            for (target, result) in data[row * stride..][..count].iter_mut().zip(results) {
                *target = *result;
            }
        }
    }
}
