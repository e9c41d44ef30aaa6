//! Operators that look at a picture: convolutions, padding, pooling.

use super::elementwise::narrow;
use crate::graph::Window;
use crate::tensor::Tensor;

/// Operands of a convolution, dense or depthwise.
pub(super) struct Layer<'a> {
    pub(super) x: &'a Tensor,
    /// `[N][Kh][Kw][C]`, depthwise `[Kh][Kw][C]`.
    pub(super) weights: &'a Tensor,
    pub(super) bias: &'a Tensor,
    pub(super) window: &'a Window,
    /// What a cell outside of x holds.
    pub(super) pad: f32,
}

impl Layer<'_> {
    /// The sides of x, and rows, columns and channels of the result; `None` when they are no pictures.
    fn sides(&self, shape: &[usize]) -> Option<([usize; 3], [usize; 3])> {
        let (&[1, height, width, channels], &[1, rows, columns, outputs]) = (self.x.shape(), shape) else {
            return None;
        };
        Some(([height, width, channels], [rows, columns, outputs]))
    }

    /// The cell of x that `tap` sees from the result's (row, column), channel `channel`.
    fn cell(
        &self,
        x: &[f32],
        [height, width, channels]: [usize; 3],
        at: [usize; 2],
        tap: [usize; 2],
        channel: usize,
    ) -> f64 {
        let place = |axis: usize, side: usize| {
            let place = at[axis] * self.window.stride[axis] + tap[axis];
            place.checked_sub(self.window.padding[axis]).filter(|&place| place < side)
        };
        match (place(0, height), place(1, width)) {
            (Some(row), Some(column)) => f64::from(x[(row * width + column) * channels + channel]),
            _ => f64::from(self.pad),
        }
    }
}

pub(super) fn convolution(layer: Layer<'_>, residual: Option<&Tensor>, shape: &[usize]) -> Option<Vec<f32>> {
    let (input, [rows, columns, outputs]) = layer.sides(shape)?;
    let [high, wide] = layer.window.kernel;
    let (x, weights, bias) = (layer.x.as_f32()?, layer.weights.as_f32()?, layer.bias.as_f32()?);
    let residual = match residual {
        Some(residual) => Some(residual.as_f32().filter(|all| all.len() == rows * columns * outputs)?),
        None => None,
    };
    if *layer.weights.shape() != [outputs, high, wide, input[2]] || bias.len() != outputs {
        return None;
    }
    let mut result = Vec::with_capacity(rows * columns * outputs);
    for at in (0..rows * columns).map(|at| [at / columns, at % columns]) {
        for output in 0..outputs {
            let mut sum = f64::from(bias[output]) + residual.map_or(0.0, |all| f64::from(all[result.len()]));
            for tap in (0..high * wide).map(|tap| [tap / wide, tap % wide]) {
                let weights = &weights[((output * high + tap[0]) * wide + tap[1]) * input[2]..][..input[2]];
                for (channel, &weight) in weights.iter().enumerate() {
                    sum += f64::from(weight) * layer.cell(x, input, at, tap, channel);
                }
            }
            result.push(narrow(sum));
        }
    }
    Some(result)
}

pub(super) fn depthwise(layer: Layer<'_>, shape: &[usize]) -> Option<Vec<f32>> {
    let (input, [rows, columns, channels]) = layer.sides(shape)?;
    let [high, wide] = layer.window.kernel;
    let (x, weights, bias) = (layer.x.as_f32()?, layer.weights.as_f32()?, layer.bias.as_f32()?);
    if *layer.weights.shape() != [high, wide, channels] || bias.len() != channels || input[2] != channels {
        return None;
    }
    let mut result = Vec::with_capacity(rows * columns * channels);
    for at in (0..rows * columns).map(|at| [at / columns, at % columns]) {
        for channel in 0..channels {
            let mut sum = f64::from(bias[channel]);
            for tap in (0..high * wide).map(|tap| [tap / wide, tap % wide]) {
                let weight = weights[(tap[0] * wide + tap[1]) * channels + channel];
                sum += f64::from(weight) * layer.cell(x, input, at, tap, channel);
            }
            result.push(narrow(sum));
        }
    }
    Some(result)
}

/// Zeros around rows and columns: top, left, bottom, right.
pub(super) fn pad(x: &Tensor, [top, left, bottom, right]: [usize; 4], shape: &[usize]) -> Option<Vec<f32>> {
    let &[1, height, width, channels] = x.shape() else { return None };
    let row_length = (left + width + right) * channels;
    if *shape != [1, top + height + bottom, left + width + right, channels] {
        return None;
    }
    let mut result = vec![0.0; (top + height + bottom) * row_length];
    for (row, cells) in x.as_f32()?.chunks_exact(width * channels).enumerate() {
        let start = (top + row) * row_length + left * channels;
        result[start..start + cells.len()].copy_from_slice(cells);
    }
    Some(result)
}

#[expect(clippy::cast_precision_loss, reason = "a picture has fewer than 2^52 pixels")]
pub(super) fn global_average(x: &Tensor) -> Option<Vec<f32>> {
    let &[1, height, width, channels] = x.shape() else { return None };
    let all = x.as_f32()?;
    let mean = |channel: usize| {
        let sum: f64 = all.iter().skip(channel).step_by(channels).map(|&x| f64::from(x)).sum();
        narrow(sum / (height * width) as f64)
    };
    (height * width > 0).then(|| (0..channels).map(mean).collect())
}
