//! What steps are called, read and cost: for reports.

use super::{Op, Program, Step};
use crate::plan::plan;
use crate::tensor::DataType;

/// What a step computes with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Precision {
    /// Bytes, accumulated in 32-bit integers.
    Int8,
    /// Weights stored as binary16, computed as binary32.
    F16,
    /// Binary32, without weights.
    F32,
}

impl Precision {
    /// As reports call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Int8 => "int8",
            Self::F16 => "f16",
            Self::F32 => "f32",
        }
    }
}

impl Op {
    /// The operator's name, as in the bundle.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::ConvolutionI8 { .. } => "convolution_i8",
            Self::DepthwiseI8 { .. } => "depthwise_i8",
            Self::ConvolutionF16 { .. } => "convolution_f16",
            Self::DepthwiseF16 { .. } => "depthwise_f16",
            Self::AddI8 { .. } => "add_i8",
            Self::AddF32 { .. } => "add_f32",
            Self::Quantize => "quantize",
            Self::Dequantize => "dequantize",
            Self::MultiplyI8 { .. } => "multiply_i8",
            Self::MultiplyF32 => "multiply_f32",
            Self::AffineF32 { .. } => "affine_f32",
            Self::ActivateI8 { .. } => "activate_i8",
            Self::ActivateF32 { .. } => "activate_f32",
            Self::GlobalAveragePool => "global_average_pool",
            Self::MaxPool { .. } => "max_pool",
            Self::AveragePool { .. } => "average_pool",
            Self::Resize { .. } => "resize",
            Self::Slice { .. } => "slice",
            Self::Transpose { .. } => "transpose",
            Self::ChannelShuffle { .. } => "channel_shuffle",
            Self::Pad { .. } => "pad",
            Self::Reshape => "reshape",
            Self::Concatenate { .. } => "concatenate",
            Self::Softmax => "softmax",
        }
    }

    /// Names of the tensors that it reads.
    #[must_use]
    pub fn tensors(&self) -> Vec<&str> {
        match self {
            Self::ConvolutionI8 { tensors, epilogue, .. } | Self::DepthwiseI8 { tensors, epilogue, .. } => {
                let mut names: Vec<&str> = vec![&tensors.weights, &tensors.bias, &tensors.scale, &tensors.column_sums];
                names.extend(epilogue.activation.tensors());
                names
            }
            Self::ConvolutionF16 { weights, bias, .. } | Self::DepthwiseF16 { weights, bias, .. } => {
                vec![weights, bias]
            }
            Self::AddI8 { epilogue } | Self::MultiplyI8 { epilogue } => epilogue.activation.tensors(),
            Self::AffineF32 { factors, offsets, .. } => vec![factors, offsets],
            Self::ActivateI8 { table } => vec![table],
            _ => Vec::new(),
        }
    }
}

impl Program {
    /// What `step` computes with.
    #[must_use]
    pub fn precision(&self, step: &Step) -> Precision {
        match step.op {
            Op::ConvolutionI8 { .. } => Precision::Int8,
            Op::ConvolutionF16 { .. } | Op::DepthwiseF16 { .. } => Precision::F16,
            Op::Quantize => Precision::F32,
            _ if self.values[step.output.0].data_type == DataType::I8 => Precision::Int8,
            _ => Precision::F32,
        }
    }

    /// Multiplications of `step`'s convolution, without those that only pad; 0 for other operators.
    #[must_use]
    pub fn multiplications(&self, step: &Step) -> u64 {
        let (window, depthwise) = match &step.op {
            Op::ConvolutionI8 { window, .. } | Op::ConvolutionF16 { window, .. } => (window, false),
            Op::DepthwiseI8 { window, .. } | Op::DepthwiseF16 { window, .. } => (window, true),
            _ => return 0,
        };
        let output = &self.values[step.output.0];
        let depth = if depthwise { 1 } else { step.inputs.first().map_or(0, |x| self.values[x.0].channels()) };
        let factors = [window.kernel[0], window.kernel[1], depth, output.pixels(), output.channels()];
        factors.iter().fold(1, |product: u64, &factor| product.saturating_mul(factor as u64))
    }

    /// Memory that an executor takes for this verified program's activations.
    #[must_use]
    pub fn arena_bytes(&self) -> usize {
        plan(self, false).arena_bytes
    }
}

#[cfg(test)]
mod tests {
    use crate::fixture;

    #[test]
    fn names_are_those_of_the_bundle() {
        let (program, _) = fixture::small();
        for step in &program.steps {
            let json = serde_json::to_value(&step.op).unwrap();
            assert_eq!(json["op"], step.op.name());
        }
    }

    #[test]
    fn every_tensor_is_read_by_some_step() {
        let (program, tensors) = fixture::small();
        let mut read: Vec<&str> = program.steps.iter().flat_map(|step| step.op.tensors()).collect();
        read.sort_unstable();
        assert!(read.iter().copied().eq(tensors.keys().map(String::as_str)), "{read:?}");
    }

    #[test]
    fn costs() {
        let (program, _) = fixture::small();
        let costs: Vec<(&str, u64)> =
            program.steps.iter().map(|step| (program.precision(step).name(), program.multiplications(step))).collect();
        let expected = [
            ("int8", 20 * 9 * 3 * 8),
            ("int8", 20 * 9 * 8),
            ("int8", 20 * 8 * 8),
            ("int8", 0),
            ("f32", 0),
            ("f16", 20 * 8 * 5),
            ("f16", 20 * 9 * 5),
        ];
        assert_eq!(costs[..7], expected);
        assert!(costs[7..].iter().all(|cost| *cost == ("f32", 0)));
        assert!(program.arena_bytes() >= 4 * 5 * 8 * 4);
    }
}
