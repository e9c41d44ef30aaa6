//! What `f16` and `mixed` networks compute, on the shapes of MobileNetV2 and YOLOX-Nano: values in f32, weights in binary16.

use clawdbot_kernels::activate::{Function, activate};
use clawdbot_kernels::conv_f16::{self, ConvF16, conv_f16};
use clawdbot_kernels::depthwise_f16::{self, DepthwiseF16, depthwise_f16};
use clawdbot_kernels::geometry::Geometry;
use clawdbot_kernels::isa::Isa;

/// One call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Call {
    /// Height and width, channels, output channels, window and step.
    Dense([usize; 2], [usize; 2], [usize; 2]),
    /// Height and width, channels, window and step.
    Depthwise([usize; 2], usize, [usize; 2]),
    /// Values.
    Silu(usize),
}

/// All of them.
pub(crate) const CALLS: &[(&str, Call)] = &[
    ("conv f16 picture 224 3x3/2 to 32", Call::Dense([224, 224], [3, 32], [3, 2])),
    ("conv f16 56x56x24 1x1 to 144", Call::Dense([56, 56], [24, 144], [1, 1])),
    ("conv f16 14x14x384 1x1 to 64", Call::Dense([14, 14], [384, 64], [1, 1])),
    ("conv f16 20x20x64 3x3 to 64", Call::Dense([20, 20], [64, 64], [3, 1])),
    ("depthwise f16 56x56x144 3x3", Call::Depthwise([56, 56], 144, [3, 1])),
    ("depthwise f16 112x112x96 3x3/2", Call::Depthwise([112, 112], 96, [3, 2])),
    ("depthwise f16 40x40x96 5x5", Call::Depthwise([40, 40], 96, [5, 1])),
    ("activate silu 52x52x64", Call::Silu(52 * 52 * 64)),
];

impl Call {
    /// Multiplications of one call; elsewhere results.
    pub(crate) fn products(&self) -> usize {
        match *self {
            Self::Dense(size, [channels, n], window) => pixels(size, window) * window[0] * window[0] * channels * n,
            Self::Depthwise(size, channels, window) => pixels(size, window) * window[0] * window[0] * channels,
            Self::Silu(values) => values,
        }
    }

    /// Everything made up; what is answered makes one call.
    pub(crate) fn prepare(self) -> Box<dyn FnMut()> {
        let isa = Isa::detect();
        match self {
            Self::Dense(size, [channels, n], window) => {
                let geometry = geometry(size, channels, window);
                let input = floats(size[0] * size[1] * channels);
                let weights =
                    conv_f16::pack::pack(&halves(n * geometry.taps() * channels), n, geometry.taps() * channels);
                let bias = floats(n.next_multiple_of(8));
                let mut output = vec![0.0; pixels(size, window) * n];
                Box::new(move || {
                    let conv = ConvF16 { n, weights: &weights, bias: &bias, pad_value: 0.0, low: 0.0, high: 6.0 };
                    let rows = 0..geometry.output_height;
                    let (geometry, input, output) = (&geometry, input.as_slice(), output.as_mut_slice());
                    conv_f16(isa, conv_f16::Task { geometry, rows, input, conv: &conv, residual: None, output });
                })
            }
            Self::Depthwise(size, channels, window) => {
                let geometry = geometry(size, channels, window);
                let (input, bias) = (floats(size[0] * size[1] * channels), floats(channels));
                let weights = halves(geometry.taps() * channels);
                let mut output = vec![0.0; pixels(size, window) * channels];
                Box::new(move || {
                    let layer = DepthwiseF16 { weights: &weights, bias: &bias, pad_value: 0.0, low: 0.0, high: 6.0 };
                    let rows = 0..geometry.output_height;
                    let (geometry, input, output) = (&geometry, input.as_slice(), output.as_mut_slice());
                    depthwise_f16(isa, depthwise_f16::Task { geometry, rows, input, depthwise: &layer, output });
                })
            }
            Self::Silu(values) => {
                let mut values = floats(values);
                Box::new(move || activate(isa, Function::Silu, &mut values))
            }
        }
    }
}

fn geometry(size: [usize; 2], channels: usize, [kernel, stride]: [usize; 2]) -> Geometry {
    Geometry {
        input_height: size[0],
        input_width: size[1],
        channels,
        kernel: [kernel; 2],
        stride: [stride; 2],
        padding_top: kernel / 2,
        padding_left: kernel / 2,
        output_height: size[0].div_ceil(stride),
        output_width: size[1].div_ceil(stride),
    }
}

fn pixels(size: [usize; 2], [_, stride]: [usize; 2]) -> usize {
    size[0].div_ceil(stride) * size[1].div_ceil(stride)
}

/// -1.0..1.0 without a short period.
fn floats(count: usize) -> Vec<f32> {
    (0..count).map(|index| ((index * 37 + index / 251) % 255) as f32 / 128.0 - 1.0).collect()
}

/// Bits of binary16 numbers between 1 and 2.
fn halves(count: usize) -> Vec<u16> {
    (0..count).map(|index| 0x3c00 + u16::try_from(index * 71 % 1024).unwrap_or(0)).collect()
}
