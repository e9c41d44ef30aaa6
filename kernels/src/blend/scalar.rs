//! `blend_u8i16_scalar`: the law.

use super::{Row, Task};

pub(super) fn run(task: Task<'_>) {
    let [above, below] = task.rows;
    for (x, pixel) in task.output.iter_mut().enumerate() {
        *pixel = between(above.samples(x), below.samples(x), task.weight);
    }
}

/// One pixel by the law.
fn between(above: [u8; 3], below: [u8; 3], weight: i16) -> [i16; 4] {
    let mut pixel = [0; 4];
    for (sample, (above, below)) in pixel.iter_mut().zip(above.into_iter().zip(below)) {
        let [above, below] = [above, below].map(|sample| i32::from(sample) * 128);
        *sample = (above + (((below - above) * i32::from(weight) + (1 << 14)) >> 15)) as i16;
    }
    pixel
}

impl Row<'_> {
    /// The three samples of the pixel at `x`.
    fn samples(&self, x: usize) -> [u8; 3] {
        let pair = x / 2;
        match self {
            Self::Packed(samples) => [samples[3 * x], samples[3 * x + 1], samples[3 * x + 2]],
            Self::Yuyv(samples) => [samples[2 * x], samples[4 * pair + 1], samples[4 * pair + 3]],
            Self::Nv12 { luma, chroma } => [luma[x], chroma[2 * pair], chroma[2 * pair + 1]],
            Self::I420 { luma, u, v } => [luma[x], u[pair], v[pair]],
        }
    }
}

/// The pixels of `task` from `first` on: what does not fill a register.
#[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
pub(super) fn tail(task: &mut Task<'_>, first: usize) {
    let [above, below] = task.rows;
    for (x, pixel) in task.output.iter_mut().enumerate().skip(first) {
        *pixel = between(above.samples(x), below.samples(x), task.weight);
    }
}
