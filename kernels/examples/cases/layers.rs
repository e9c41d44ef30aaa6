//! One layer on made-up numbers.

use clawdbot_kernels::add::{self, Add, add};
use clawdbot_kernels::conv::{conv, pack};
use clawdbot_kernels::depthwise::{self, Depthwise, depthwise};
use clawdbot_kernels::epilogue::{Activation, Output, Requantize, Residual};
use clawdbot_kernels::gemm::{Gemm, gemm};
use clawdbot_kernels::geometry::Geometry;
use clawdbot_kernels::isa::Isa;

/// What happens to the sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Bounds of its own.
    Clamp,
    /// No bounds but those of i8.
    Plain,
    Relu,
    Residual,
    Leaky,
    Bump,
    Table,
    Floats,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Gemm,
    Conv,
    Depthwise,
    Add,
}

/// A layer as networks have it: real channels, padding on all sides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layer {
    kind: Kind,
    size: [usize; 2],
    channels: usize,
    n: usize,
    kernel: usize,
    stride: usize,
    form: Form,
}

impl Layer {
    pub(crate) const fn gemm(size: [usize; 2], channels: usize, n: usize, form: Form) -> Self {
        Self { kind: Kind::Gemm, size, channels, n, kernel: 1, stride: 1, form }
    }

    pub(crate) const fn conv(size: [usize; 2], channels: usize, n: usize, window: [usize; 2], form: Form) -> Self {
        Self { kind: Kind::Conv, size, channels, n, kernel: window[0], stride: window[1], form }
    }

    pub(crate) const fn depthwise(size: [usize; 2], channels: usize, window: [usize; 2], form: Form) -> Self {
        Self { kind: Kind::Depthwise, size, channels, n: channels, kernel: window[0], stride: window[1], form }
    }

    pub(crate) const fn add(size: [usize; 2], channels: usize) -> Self {
        Self { kind: Kind::Add, size, channels, n: channels, kernel: 0, stride: 1, form: Form::Clamp }
    }

    /// Elements from pixel to pixel, as the executor lays them out.
    const fn channel_stride(channels: usize) -> usize {
        if channels <= 4 { 4 } else { channels.next_multiple_of(16) }
    }

    fn geometry(&self) -> Geometry {
        let padding = if self.kernel == 6 { 2 } else { self.kernel / 2 };
        Geometry {
            input_height: self.size[0],
            input_width: self.size[1],
            channels: Self::channel_stride(self.channels),
            kernel: [self.kernel; 2],
            stride: [self.stride; 2],
            padding_top: padding,
            padding_left: padding,
            output_height: self.size[0].div_ceil(self.stride),
            output_width: self.size[1].div_ceil(self.stride),
        }
    }

    fn pixels(&self) -> usize {
        self.size[0].div_ceil(self.stride) * self.size[1].div_ceil(self.stride)
    }

    /// Multiplications of one call, without what pads channels.
    pub(crate) fn products(&self) -> usize {
        let each = match self.kind {
            Kind::Gemm | Kind::Conv => self.kernel * self.kernel * self.channels,
            Kind::Depthwise => self.kernel * self.kernel,
            Kind::Add => 0,
        };
        self.pixels() * self.n * each
    }

    /// Everything made up; what is answered makes one call.
    pub(crate) fn prepare(self) -> Box<dyn FnMut()> {
        let isa = Isa::detect();
        let geometry = self.geometry();
        let (stride, pixels) = (Self::channel_stride(self.n), self.pixels());
        let input: Vec<i8> = numbers(self.size[0] * self.size[1] * geometry.channels, 37);
        let mut data = vec![0; pixels * stride];
        if self.kind == Kind::Add {
            let numbers = Add {
                scales: [0.5, 0.7],
                zero_points: [3, -4],
                zero_point: 5,
                low: i8::MIN,
                high: i8::MAX,
                table: None,
            };
            let width = data.len();
            return Box::new(move || {
                let task = add::Task {
                    rows: 1,
                    width,
                    a: &input,
                    a_stride: width,
                    b: &input,
                    b_stride: width,
                    add: &numbers,
                    output: &mut data,
                    output_stride: width,
                };
                add(isa, task);
            });
        }
        let taps = geometry.taps();
        let around = Around::new(self.form, self.n.next_multiple_of(16), pixels * stride);
        if self.kind == Kind::Depthwise {
            let weights = depthwise::pack::pack(&numbers(taps * self.n, 71), taps, self.n);
            return Box::new(move || {
                let layer = Depthwise { weights: &weights, bias: &around.bias, pad_value: -9 };
                let task = depthwise::Task {
                    geometry: &geometry,
                    rows: 0..geometry.output_height,
                    input: &input,
                    depthwise: &layer,
                    requantize: around.requantize(stride),
                    output: &mut data,
                    output_stride: stride,
                };
                depthwise(isa, task);
            });
        }
        let weights = numbers(self.n * taps * self.channels, 71);
        let weights = pack::pack(&weights, self.n, taps, self.channels, geometry.channels);
        let (k, n) = (pack::packed_k(taps, geometry.channels), self.n);
        let mut floats = vec![0.0; if self.form == Form::Floats { pixels * n } else { 0 }];
        Box::new(move || {
            let matrix = Gemm { k, n, weights: &weights, bias: &around.bias, column_sums: &around.bias };
            let output = if around.form == Form::Floats {
                let (low, high) = (f32::NEG_INFINITY, f32::INFINITY);
                Output::F32 { data: &mut floats, stride: n, scale: &around.scale, low, high }
            } else {
                Output::I8 { data: &mut data, stride, requantize: around.requantize(stride) }
            };
            if self.kind == Kind::Gemm {
                gemm(isa, pixels, &input, geometry.channels, &matrix, output);
            } else {
                conv(isa, &geometry, 0..geometry.output_height, &input, -9, &matrix, output);
            }
        })
    }
}

/// What the epilogue reads.
struct Around {
    form: Form,
    bias: Vec<i32>,
    scale: Vec<f32>,
    gain: Vec<i16>,
    residual: Vec<i8>,
    bump: [u8; 64],
    table: [i8; 256],
}

impl Around {
    fn new(form: Form, channels: usize, results: usize) -> Self {
        Self {
            form,
            bias: numbers(channels, 11).into_iter().map(|value| i32::from(value) * 50).collect(),
            scale: vec![if form == Form::Bump { 0.05 } else { 0.002 }; channels],
            gain: vec![26214; channels],
            residual: numbers(if form == Form::Residual { results } else { 0 }, 29),
            bump: [100; 64],
            table: std::array::from_fn(|index| if index < 100 { -100 } else { 90 }),
        }
    }

    fn requantize(&self, stride: usize) -> Requantize<'_> {
        let activation = match self.form {
            Form::Leaky => Activation::Leaky { slope: 0.1 },
            Form::Bump => Activation::Bump { index_shift: 6, table: &self.bump, fraction: 5, gain: &self.gain },
            Form::Table => Activation::Table(&self.table),
            _ => Activation::Clamp,
        };
        let residual = Residual { data: &self.residual, stride, scale: 0.3, zero_point: 3 };
        Requantize {
            scale: &self.scale,
            zero_point: if self.form == Form::Relu { -128 } else { -7 },
            low: if self.form == Form::Clamp { -120 } else { -128 },
            high: if self.form == Form::Clamp { 110 } else { 127 },
            activation,
            residual: (self.form == Form::Residual).then_some(residual),
        }
    }
}

/// -127..=127 without a short period.
fn numbers(count: usize, step: usize) -> Vec<i8> {
    let number = |index: usize| i8::try_from((index * step + index / 251) % 255).map_or(-127, |value| value - 64);
    (0..count).map(number).collect()
}
