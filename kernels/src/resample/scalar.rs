//! `resample_i16i8_scalar`: the law.

use super::{Conversion, Task};

use super::PIXEL_BYTES;

pub(super) fn run(task: Task<'_>) {
    let columns = task.columns.first.iter().zip(&task.columns.weight);
    for (pixel, (&place, &[weight, ..])) in task.output.iter_mut().zip(columns) {
        let at = (place / PIXEL_BYTES) as usize;
        let (left, right) = (task.row[at], task.row[at + 1]);
        let samples = [0, 1, 2].map(|sample| {
            let [left, right] = [left, right].map(|pixel| i32::from(pixel[sample]));
            left + times(right - left, weight)
        });
        let levels = match &task.conversion {
            Some(conversion) => to_rgb(samples, conversion).map(|sum| (sum.min(32_767) + (1 << 5)) >> 6),
            None => samples.map(|sample| (sample + (1 << 6)) >> 7),
        };
        let [red, green, blue] = levels.map(|level| (level.clamp(0, 255) - 128) as i8);
        *pixel = if task.swapped { [blue, green, red, 0] } else { [red, green, blue, 0] };
    }
}

/// `x o c` of the law.
const fn times(x: i32, factor: i16) -> i32 {
    (x * factor as i32 + (1 << 14)) >> 15
}

/// R, G, B in 1/64 level.
fn to_rgb([y, u, v]: [i32; 3], by: &Conversion) -> [i32; 3] {
    let (y, u, v) = (times(y - i32::from(by.y_zero), by.y_factor), u - 16_384, v - 16_384);
    let whole = if by.blue_u_whole { u } else { 0 };
    [
        y + times(v, by.red_v),
        y - times(u, by.green_u) - times(v, by.green_v),
        (y + whole).min(32_767) + times(u, by.blue_u),
    ]
}
