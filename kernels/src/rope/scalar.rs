//! `rope_f32f32_scalar`: the law.

use super::Task;

pub(super) fn run(task: Task<'_>) {
    let Task { tokens, head_dim, rotary, cos, sin, values } = task;
    let half = rotary / 16; // chunks of eight
    let ((cos, _), (sin, _)) = (cos.as_chunks::<8>(), sin.as_chunks::<8>());
    for head in values.chunks_exact_mut(head_dim * tokens) {
        let (lower, upper) = head.as_chunks_mut::<8>().0.split_at_mut(half * tokens);
        for chunk in 0..half {
            let lower = &mut lower[chunk * tokens..][..tokens];
            let upper = &mut upper[chunk * tokens..][..tokens];
            let angles = cos[chunk..].iter().step_by(half).zip(sin[chunk..].iter().step_by(half));
            for ((a, b), (cos, sin)) in lower.iter_mut().zip(upper).zip(angles) {
                let before = (*a, *b);
                for lane in 0..8 {
                    a[lane] = (-before.1[lane]).mul_add(sin[lane], before.0[lane] * cos[lane]);
                    b[lane] = before.0[lane].mul_add(sin[lane], before.1[lane] * cos[lane]);
                }
            }
        }
    }
}
