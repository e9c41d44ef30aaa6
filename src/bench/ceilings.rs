//! What this machine can do at most, measured: the ceilings of a roofline.
//!
//! Arithmetic is the 1x1 kernel on operands that stay in the first cache; memory is a read of more than any cache holds;
//! the clock is counted by a chain of operations that take one cycle each, because a processor's cycle counter is often
//! not permitted, and in virtual machines often not there.

use std::hint::black_box;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use clawdbot_flow::clock::Clock;
use clawdbot_kernels::conv_f16::{self, ConvF16, conv_f16};
use clawdbot_kernels::epilogue::{Activation, Output, Requantize};
use clawdbot_kernels::gemm::{Gemm, gemm};
use clawdbot_kernels::geometry::Geometry;
use clawdbot_kernels::isa::Isa;
use clawdbot_nn::workers::Workers;

/// Rows, products a result and results a row of the hot matrix product: 12 KiB of input and 8 of weights, and so many
/// products a result that requantising it costs next to nothing.
const ROWS: usize = 24;
const PRODUCTS: usize = 512;
const COLUMNS: usize = 16;
/// Products a result of the F16 twin, whose operands are wider.
const PRODUCTS_F16: usize = 128;
/// Bytes read for the memory's ceiling: no board's caches hold as much.
const MEMORY_BYTES: usize = 64 << 20;
/// One measurement lasts at least this long: less than a scheduler's slice, so that some are undisturbed.
const LEAST_MEASUREMENT: Duration = Duration::from_millis(2);
/// The best of so many measurements counts.
const ATTEMPTS: usize = 60;
/// Operations of the chain that takes one cycle each.
const CHAIN_OPERATIONS: u32 = 1 << 16;

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ceilings {
    /// INT8 multiply-accumulates a second, all threads together.
    pub(crate) int8_rate: f64,
    /// The same of layers with F16 weights, which compute in 32-bit floats.
    pub(crate) f16_rate: f64,
    /// Bytes read from memory a second, all threads together.
    pub(crate) memory_rate: f64,
    /// Cycles a second of one core, under this load.
    pub(crate) clock_rate: f64,
}

/// Measures all four with as many threads as `workers` has.
pub(crate) fn measure(isa: Isa, workers: &Workers, clock: &dyn Clock) -> Ceilings {
    Ceilings {
        int8_rate: int8_rate(isa, workers, clock),
        f16_rate: f16_rate(isa, workers, clock),
        memory_rate: memory_rate(workers, clock),
        clock_rate: clock_rate(clock),
    }
}

/// How often a second `work` happens at best, when `repeat(n)` does it n times.
fn best_rate(clock: &dyn Clock, mut repeat: impl FnMut(u32)) -> f64 {
    let mut time = |times| {
        let start = clock.monotonic();
        repeat(times);
        clock.monotonic().since(start)
    };
    let mut times = 1;
    // A clock that stands still must not keep us here.
    while time(times) < LEAST_MEASUREMENT && times < 1 << 24 {
        times *= 2;
    }
    let least = (0..ATTEMPTS).map(|_| time(times)).min().unwrap_or_default();
    f64::from(times) / least.as_secs_f64().max(f64::MIN_POSITIVE)
}

fn int8_rate(isa: Isa, workers: &Workers, clock: &dyn Clock) -> f64 {
    let (input, weights) = (vec![1_i8; ROWS * PRODUCTS], vec![1_i8; PRODUCTS * COLUMNS]);
    let (bias, column_sums, scale) = ([0; COLUMNS], [512; COLUMNS], [1e-3; COLUMNS]);
    let numbers = Gemm { k: PRODUCTS, n: COLUMNS, weights: &weights, bias: &bias, column_sums: &column_sums };
    let requantize = Requantize {
        scale: &scale,
        zero_point: 0,
        low: -128,
        high: 127,
        activation: Activation::Clamp,
        residual: None,
    };
    let threads = workers.threads();
    let outputs: Vec<Mutex<Vec<i8>>> = (0..threads).map(|_| Mutex::new(vec![0; ROWS * COLUMNS])).collect();
    let calls = best_rate(clock, |times| {
        workers.run(threads, &|part| {
            let mut output = outputs[part].lock().unwrap_or_else(PoisonError::into_inner);
            for _ in 0..times {
                let output = Output::I8 { data: &mut output, stride: COLUMNS, requantize };
                gemm(isa, ROWS, black_box(&input), PRODUCTS, &numbers, output);
            }
        });
    });
    calls * (threads * ROWS * PRODUCTS * COLUMNS) as f64
}

fn f16_rate(isa: Isa, workers: &Workers, clock: &dyn Clock) -> f64 {
    const ONE: u16 = 0x3C00;
    let (input, weights) = (vec![1.0_f32; ROWS * PRODUCTS_F16], vec![ONE; PRODUCTS_F16 * COLUMNS]);
    let bias = [0.0; COLUMNS];
    let numbers = ConvF16 {
        n: COLUMNS,
        weights: &weights,
        bias: &bias,
        pad_value: 0.0,
        low: f32::NEG_INFINITY,
        high: f32::INFINITY,
    };
    let geometry = Geometry {
        input_height: 1,
        input_width: ROWS,
        channels: PRODUCTS_F16,
        kernel: [1, 1],
        stride: [1, 1],
        padding_top: 0,
        padding_left: 0,
        output_height: 1,
        output_width: ROWS,
    };
    let threads = workers.threads();
    let outputs: Vec<Mutex<Vec<f32>>> = (0..threads).map(|_| Mutex::new(vec![0.0; ROWS * COLUMNS])).collect();
    let calls = best_rate(clock, |times| {
        workers.run(threads, &|part| {
            let mut output = outputs[part].lock().unwrap_or_else(PoisonError::into_inner);
            for _ in 0..times {
                let (input, output) = (black_box(&input[..]), &mut output[..]);
                let (geometry, conv) = (&geometry, &numbers);
                conv_f16(isa, conv_f16::Task { geometry, rows: 0..1, input, conv, residual: None, output });
            }
        });
    });
    calls * (threads * ROWS * PRODUCTS_F16 * COLUMNS) as f64
}

fn memory_rate(workers: &Workers, clock: &dyn Clock) -> f64 {
    let words = vec![1_u64; MEMORY_BYTES / size_of::<u64>()];
    let threads = workers.threads();
    let share = words.len().div_ceil(threads);
    let reads = best_rate(clock, |times| {
        for _ in 0..times {
            workers.run(threads, &|part| {
                let share = words.chunks(share).nth(part).unwrap_or_default();
                black_box(share.iter().fold(0_u64, |sum, &word| sum.wrapping_add(word)));
            });
        }
    });
    reads * MEMORY_BYTES as f64
}

/// An addition and an exclusive or take a cycle each on every core that we know, and each here needs the one before.
fn clock_rate(clock: &dyn Clock) -> f64 {
    let (added, flipped) = (black_box(0x9E37_79B9_u64), black_box(0x1234_5678_u64));
    let rate = best_rate(clock, |times| {
        let mut word = black_box(0_u64);
        for _ in 0..times {
            for _ in 0..CHAIN_OPERATIONS / 2 {
                word = word.wrapping_add(added) ^ flipped;
            }
        }
        black_box(word);
    });
    rate * f64::from(CHAIN_OPERATIONS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clawdbot_flow::clock::{ManualClock, SystemClock, Wall};

    #[test]
    fn a_rate_is_work_over_time() {
        let clock = ManualClock::new(Wall::default());
        let rate = best_rate(&clock, |times| clock.advance(Duration::from_micros(10) * times));
        assert!((rate - 100_000.0).abs() < 1e-6, "{rate}");
    }

    #[test]
    fn a_clock_that_stands_still_ends_the_search() {
        let rate = best_rate(&ManualClock::new(Wall::default()), |_| ());
        assert!(rate > 1e20);
    }

    #[test]
    fn the_clock_is_that_of_a_processor() {
        let rate = clock_rate(&SystemClock::new());
        // A test machine may be shared by several processes, so the lower bound is far below any clock.
        assert!((5e6..2e10).contains(&rate), "{rate} cycles a second");
    }
}
