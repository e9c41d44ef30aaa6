//! `argmax_f32i32_scalar`: the law.

use super::Task;

pub(super) fn run(task: Task<'_>) {
    let Task { count, logits, places } = task;
    let tokens = places.len();
    let (chunks, _) = logits.as_chunks::<8>();
    for (token, place) in places.iter_mut().enumerate() {
        let mut best = (f32::NEG_INFINITY, 0);
        for at in 0..count {
            let value = chunks[at / 8 * tokens + token][at % 8];
            best = if value > best.0 { (value, at as u32) } else { best };
        }
        *place = best.1;
    }
}

/// The place of the first largest among the best of eight lanes, each of which has one in the chunk of that number, and
/// what lies behind the last whole chunk.
#[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
pub(super) fn settle(best: [f32; 8], chunk_of: [u32; 8], logit: impl Fn(usize) -> f32, count: usize) -> u32 {
    let mut first = (f32::NEG_INFINITY, 0);
    for (lane, (value, chunk)) in (0_u32..).zip(best.into_iter().zip(chunk_of)) {
        let at = chunk * 8 + lane;
        if value > first.0 || (value == first.0 && value > f32::NEG_INFINITY && at < first.1) {
            first = (value, at);
        }
    }
    for at in count - count % 8..count {
        if logit(at) > first.0 {
            first = (logit(at), at as u32);
        }
    }
    first.1
}
