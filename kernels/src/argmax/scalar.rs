//! `argmax_f32i32_scalar`: the law.

use super::Task;

pub(super) fn run(task: Task<'_>) {
    find(task);
}

/// Compiled once for each ISA: eight lanes, each with its own best chunk, then the lanes against each other.
#[inline(always)]
pub(super) fn find(task: Task<'_>) {
    let Task { count, logits, places } = task;
    let tokens = places.len();
    let (chunks, _) = logits.as_chunks::<8>();
    for (token, place) in places.iter_mut().enumerate() {
        let (mut best, mut chunk_of) = ([f32::NEG_INFINITY; 8], [0_u32; 8]);
        let whole = chunks[token..].iter().step_by(tokens).take(count / 8);
        for (index, chunk) in (0_u32..).zip(whole) {
            for lane in 0..8 {
                let above = chunk[lane] > best[lane];
                best[lane] = if above { chunk[lane] } else { best[lane] };
                chunk_of[lane] = if above { index } else { chunk_of[lane] };
            }
        }
        let mut first = (f32::NEG_INFINITY, 0);
        for lane in 0..8_u32 {
            let (value, at) = (best[lane as usize], chunk_of[lane as usize] * 8 + lane);
            if value > first.0 || (value == first.0 && value > f32::NEG_INFINITY && at < first.1) {
                first = (value, at);
            }
        }
        let tail = count - count % 8;
        for at in tail..count {
            let value = chunks[tail / 8 * tokens + token][at - tail];
            if value > first.0 {
                first = (value, at as u32);
            }
        }
        *place = first.1;
    }
}
