//! Pools.

use super::elementwise::narrow;
use crate::graph::Window;
use crate::tensor::Tensor;

/// The largest element under the window; padding is not looked at.
pub(super) fn maximum(x: &Tensor, window: &Window, shape: &[usize]) -> Option<Vec<f32>> {
    under(x, window, shape, |cells| cells.iter().copied().fold(f32::NEG_INFINITY, f32::max))
}

/// The mean under the window, over its cells inside of x or over all.
#[expect(clippy::cast_precision_loss, reason = "a window has fewer than 2^52 cells")]
pub(super) fn average(x: &Tensor, window: &Window, padding_counts: bool, shape: &[usize]) -> Option<Vec<f32>> {
    let all = window.kernel[0] * window.kernel[1];
    under(x, window, shape, |cells| {
        let count = if padding_counts { all } else { cells.len() };
        narrow(cells.iter().map(|&cell| f64::from(cell)).sum::<f64>() / count as f64)
    })
}

/// `make` of the cells of x under each place of the window. `None` where there are none, or x and the result do not fit.
fn under(x: &Tensor, window: &Window, shape: &[usize], make: impl Fn(&[f32]) -> f32) -> Option<Vec<f32>> {
    let (&[1, height, width, channels], &[1, rows, columns, outputs]) = (x.shape(), shape) else { return None };
    if channels != outputs {
        return None;
    }
    let all = x.as_f32()?;
    let seen = |axis: usize, at: usize, side: usize| {
        let places = (0..window.kernel[axis]).map(move |tap| at * window.stride[axis] + tap);
        places.filter_map(move |place| place.checked_sub(window.padding[axis]).filter(|&place| place < side))
    };
    let mut result = Vec::with_capacity(rows * columns * channels);
    for at in (0..rows * columns).map(|at| [at / columns, at % columns]) {
        for channel in 0..channels {
            let cells: Vec<f32> = seen(0, at[0], height)
                .flat_map(|row| seen(1, at[1], width).map(move |column| row * width + column))
                .map(|pixel| all[pixel * channels + channel])
                .collect();
            result.push((!cells.is_empty()).then(|| make(&cells))?);
        }
    }
    Some(result)
}
