//! The tensors of one step, element by element.

use half::f16;

use super::{InvalidProgram, Lookup, Reason};
use crate::model::TensorView;
use crate::program::{QuantizedWeights, Step, Window, channel_stride};
use crate::tensor::DataType;

/// Largest magnitude of an activation.
const ACTIVATION_MAX: i64 = 128;

fn find<'a>(
    step: &Step,
    lookup: Lookup<'a>,
    name: &str,
    wanted_type: DataType,
    wanted: &[usize],
) -> Result<TensorView<'a>, InvalidProgram> {
    let tensor = lookup(name).ok_or_else(|| InvalidProgram::tensor(step, name, Reason::NoSuchTensor))?;
    if tensor.data_type == wanted_type && tensor.shape == wanted {
        return Ok(tensor);
    }
    let (data_type, shape) = (tensor.data_type, tensor.shape.to_vec());
    let reason = Reason::TensorShape { data_type, shape, wanted_type, wanted: wanted.to_vec() };
    Err(InvalidProgram::tensor(step, name, reason))
}

/// I8 `[256]`.
pub(super) fn table(step: &Step, lookup: Lookup<'_>, name: &str) -> Result<(), InvalidProgram> {
    find(step, lookup, name, DataType::I8, &[256]).map(drop)
}

/// U8 `[64]`.
pub(super) fn bump(step: &Step, lookup: Lookup<'_>, name: &str) -> Result<(), InvalidProgram> {
    find(step, lookup, name, DataType::U8, &[64]).map(drop)
}

/// I16 `[padded]`; the first `outputs` are above 0, the others at least 0.
pub(super) fn gain(
    step: &Step,
    lookup: Lookup<'_>,
    name: &str,
    (padded, outputs): (usize, usize),
) -> Result<(), InvalidProgram> {
    let gains = find(step, lookup, name, DataType::I16, &[padded])?.as_i16().unwrap_or_default();
    let bad = gains.iter().enumerate().find(|&(channel, &gain)| gain < i16::from(channel < outputs));
    let fault = |(channel, &gain): (usize, &i16)| InvalidProgram::tensor(step, name, Reason::Gain { channel, gain });
    bad.map_or(Ok(()), |bad| Err(fault(bad)))
}

/// Weights `[N/8][K/4][8][4]` of an INT8 convolution from `inputs` to `outputs` channels, and what belongs to them.
pub(super) fn convolution(
    step: &Step,
    lookup: Lookup<'_>,
    tensors: &QuantizedWeights,
    window: Window,
    inputs: usize,
    outputs: usize,
) -> Result<(), InvalidProgram> {
    let stride = channel_stride(inputs);
    let depth = (window.kernel[0] * window.kernel[1]).checked_mul(stride).map(|taps| taps.next_multiple_of(8));
    let depth = depth.ok_or_else(|| InvalidProgram::step(step, Reason::Window(format!("{window:?}"))))?;
    let padded = outputs.next_multiple_of(8);
    let found = find(step, lookup, &tensors.weights, DataType::I8, &[padded / 8, depth / 4, 8, 4])?;
    let weights = found.as_i8().unwrap_or_default();
    let fault = |reason| InvalidProgram::tensor(step, &tensors.weights, reason);
    let used = window.kernel[0] * window.kernel[1] * stride;
    let mut sums = vec![Sum::default(); padded];
    for (group, weights) in weights.chunks_exact(32).enumerate() {
        // The stride is a multiple of 4, so the four products of a group belong to one pixel.
        let (block, position) = (group / (depth / 4) * 8, group % (depth / 4) * 4);
        let counted = if position < used { inputs.saturating_sub(position % stride) } else { 0 };
        for (at, &weight) in weights.iter().enumerate() {
            if at % 4 >= counted && weight != 0 {
                return Err(fault(Reason::PaddingWeight(group * 32 + at)));
            }
            sums[block + at / 4].add(weight, group * 32 + at).map_err(fault)?;
        }
    }
    belongings(step, lookup, tensors, &sums, outputs)
}

/// Weights `[taps][C padded to 16]` of an INT8 depthwise convolution, and what belongs to them.
pub(super) fn depthwise(
    step: &Step,
    lookup: Lookup<'_>,
    tensors: &QuantizedWeights,
    window: Window,
    channels: usize,
) -> Result<(), InvalidProgram> {
    let padded = channels.next_multiple_of(16);
    let found = find(step, lookup, &tensors.weights, DataType::I8, &[window.kernel[0] * window.kernel[1], padded])?;
    let weights = found.as_i8().unwrap_or_default();
    let fault = |reason| InvalidProgram::tensor(step, &tensors.weights, reason);
    let mut sums = vec![Sum::default(); padded];
    for (at, &weight) in weights.iter().enumerate() {
        if weight != 0 && at % padded >= channels {
            return Err(fault(Reason::PaddingWeight(at)));
        }
        sums[at % padded].add(weight, at).map_err(fault)?;
    }
    belongings(step, lookup, tensors, &sums, channels)
}

/// The weights of one output channel.
#[derive(Clone, Copy, Default)]
struct Sum {
    plain: i64,
    magnitude: i64,
}

impl Sum {
    fn add(&mut self, weight: i8, at: usize) -> Result<(), Reason> {
        if weight == i8::MIN {
            return Err(Reason::WeightRange(at));
        }
        self.plain += i64::from(weight);
        self.magnitude += i64::from(weight).abs();
        Ok(())
    }
}

/// Column sums, bias and scale against the weights' sums. Only the first `outputs` channels need a scale.
fn belongings(
    step: &Step,
    lookup: Lookup<'_>,
    tensors: &QuantizedWeights,
    sums: &[Sum],
    outputs: usize,
) -> Result<(), InvalidProgram> {
    let shape = [sums.len()];
    let stored = find(step, lookup, &tensors.column_sums, DataType::I32, &shape)?.as_i32().unwrap_or_default();
    for (channel, (&stored, sum)) in stored.iter().zip(sums).enumerate() {
        if i64::from(stored) != sum.plain {
            let reason = Reason::ColumnSum { channel, sum: sum.plain, stored };
            return Err(InvalidProgram::tensor(step, &tensors.column_sums, reason));
        }
    }
    let bias = find(step, lookup, &tensors.bias, DataType::I32, &shape)?.as_i32().unwrap_or_default();
    for (channel, (&bias, sum)) in bias.iter().zip(sums).enumerate() {
        if i64::from(bias).abs() + sum.magnitude * ACTIVATION_MAX > i64::from(i32::MAX) {
            return Err(InvalidProgram::tensor(step, &tensors.bias, Reason::Accumulator(channel)));
        }
    }
    let scale = find(step, lookup, &tensors.scale, DataType::F32, &shape)?.as_f32().unwrap_or_default();
    for (channel, &scale) in scale.iter().enumerate() {
        let idle = channel >= outputs && scale == 0.0;
        if !(idle || scale.is_normal() && scale > 0.0) {
            return Err(InvalidProgram::tensor(step, &tensors.scale, Reason::ChannelScale { channel, scale }));
        }
    }
    Ok(())
}

/// F16 weights of `shape`, all finite.
pub(super) fn halves(step: &Step, lookup: Lookup<'_>, name: &str, shape: &[usize]) -> Result<(), InvalidProgram> {
    let found = find(step, lookup, name, DataType::F16, shape)?.as_f16().unwrap_or_default();
    let infinite = found.iter().position(|&weight| !f16::is_finite(weight));
    infinite.map_or(Ok(()), |at| Err(InvalidProgram::tensor(step, name, Reason::NotFinite(at))))
}

/// F32 `[count]`, all finite.
pub(super) fn floats(step: &Step, lookup: Lookup<'_>, name: &str, count: usize) -> Result<(), InvalidProgram> {
    let found = find(step, lookup, name, DataType::F32, &[count])?.as_f32().unwrap_or_default();
    let infinite = found.iter().position(|number| !number.is_finite());
    infinite.map_or(Ok(()), |at| Err(InvalidProgram::tensor(step, name, Reason::NotFinite(at))))
}
