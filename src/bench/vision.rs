//! How long a network takes, as a whole and layer by layer: the layers alone, without picture, preprocessing and head.

use std::time::Duration;

use clawdbot_flow::clock::Clock;
use clawdbot_nn::bundle::Bundle;
use clawdbot_nn::executor::Executor;
use clawdbot_nn::program::{Op, Step, Value, channel_stride};
use clawdbot_nn::tensor::DataType;

use super::Times;

#[cfg(test)]
mod tests;

/// What a layer is, in a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A dense convolution with a window of one cell: a matrix product.
    Pointwise,
    /// A dense convolution with a larger window.
    Dense,
    /// A depthwise convolution.
    Depthwise,
    /// Everything else: it multiplies no weights.
    Other,
}

impl Kind {
    /// All of them, in the order of a legend.
    pub(crate) const ALL: [Self; 4] = [Self::Pointwise, Self::Dense, Self::Depthwise, Self::Other];

    /// As reports call it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Pointwise => "1x1",
            Self::Dense => "dense",
            Self::Depthwise => "depthwise",
            Self::Other => "other",
        }
    }

    const fn of(op: &Op) -> Self {
        match op {
            Op::ConvolutionI8 { window, .. } | Op::ConvolutionF16 { window, .. } => match window.kernel {
                [1, 1] => Self::Pointwise,
                _ => Self::Dense,
            },
            Op::DepthwiseI8 { .. } | Op::DepthwiseF16 { .. } => Self::Depthwise,
            _ => Self::Other,
        }
    }
}

/// One step of the program, measured.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    /// Its name in the source file.
    pub(crate) name: String,
    /// The operator, as in the bundle.
    pub(crate) op: &'static str,
    /// What it is.
    pub(crate) kind: Kind,
    /// Shape of its result.
    pub(crate) shape: Vec<usize>,
    /// Its shortest time.
    pub(crate) least: Duration,
    /// Multiply-accumulates that the result is defined by.
    pub(crate) multiplications: u64,
    /// Bytes of its operands, its result and its tensors, each counted once.
    pub(crate) bytes: u64,
}

impl Layer {
    /// Multiply-accumulates a second; 0 for a layer without.
    pub(crate) fn rate(&self) -> f64 {
        self.multiplications as f64 / self.least.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    /// Multiply-accumulates a byte.
    pub(crate) fn intensity(&self) -> f64 {
        self.multiplications as f64 / (self.bytes as f64).max(1.0)
    }
}

/// Fills the inputs with noise: INT8 layers take the same time on any picture.
pub(crate) fn fill_inputs(executor: &mut Executor) {
    let mut noise = Noise(1);
    for index in 0.. {
        if let Some(bytes) = executor.input_i8_mut(index) {
            bytes.fill_with(|| noise.byte());
        } else if let Some(floats) = executor.input_f32_mut(index) {
            floats.fill_with(|| f32::from(noise.byte()) / 128.0);
        } else {
            break;
        }
    }
}

/// Runs `executor` `runs` times and returns each run's time, in their order.
pub(crate) fn run(executor: &mut Executor, runs: usize, clock: &dyn Clock) -> Vec<Duration> {
    let once = |_| {
        let start = clock.monotonic();
        executor.run();
        clock.monotonic().since(start)
    };
    (0..runs).map(once).collect()
}

/// As [`run`], after one run to warm up.
pub(crate) fn measure(executor: &mut Executor, runs: usize, clock: &dyn Clock) -> Times {
    executor.run();
    Times::new(run(executor, runs, clock))
}

/// Each step's shortest time in `runs` runs of `executor`, which runs `bundle`.
pub(crate) fn measure_layers(bundle: &Bundle, executor: &mut Executor, runs: usize, clock: &dyn Clock) -> Vec<Layer> {
    let program = bundle.program();
    let mut least = vec![Duration::MAX; program.steps.len()];
    for _ in 0..runs.max(1) {
        let mut before = clock.monotonic();
        executor.run_observed(&mut |at, _| {
            let now = clock.monotonic();
            least[at] = least[at].min(now.since(before));
            // Read again: the lines above are not the next step's.
            before = clock.monotonic();
        });
    }
    let layer = |(step, least): (&Step, Duration)| Layer {
        name: step.name.clone(),
        op: step.op.name(),
        kind: Kind::of(&step.op),
        shape: program.values[step.output.0].shape.clone(),
        least,
        multiplications: program.multiplications(step),
        bytes: bytes(bundle, step),
    };
    program.steps.iter().zip(least).map(layer).collect()
}

fn bytes(bundle: &Bundle, step: &Step) -> u64 {
    let program = bundle.program();
    let values = step.inputs.iter().chain([&step.output]).map(|id| value_bytes(&program.values[id.0]));
    let tensors = step.op.tensors().into_iter().filter_map(|name| bundle.tensor(name)).map(|tensor| tensor.bytes.len());
    values.chain(tensors).map(|bytes| bytes as u64).sum()
}

/// Memory of an activation, padding channels included.
fn value_bytes(value: &Value) -> usize {
    match value.data_type {
        DataType::I8 => value.pixels() * channel_stride(value.channels()),
        _ => value.pixels() * value.channels() * size_of::<f32>(),
    }
}

/// A fixed sequence: Knuth's linear congruential generator (MMIX), upper bits.
struct Noise(u64);

impl Noise {
    const fn byte(&mut self) -> i8 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0.to_le_bytes()[7].cast_signed()
    }
}
