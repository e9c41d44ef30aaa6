//! Global average pool: the mean of each channel over all pixels.
//!
//! INT8: `acc[c] = sum over pixels of (input[p][c] - input_zero_point)` in i32 (at most 2^23 pixels), then the law of
//! [`crate::epilogue`] with one scale: input scale / (output scale x pixels). F32: `mean[c] = sum * (1 / pixels)`, the
//! pixels added in order, so bit-equal everywhere.
//!
//! | argument | shape | layout |
//! |---|---|---|
//! | input | `[pixels][channels]` | dense; I8: channels = the channel stride |
//! | output | `[channels]` | dense |

use crate::epilogue::Grid;
use crate::isa::{Isa, Operator, Variant, choose, on_arm};

#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;

/// The numbers of an INT8 mean.
#[derive(Clone, Copy, Debug)]
pub struct Pool {
    /// Input scale / (output scale x pixels).
    pub scale: f32,
    /// The input's q of real 0.
    pub input_zero_point: i32,
    /// The result's q of real 0.
    pub zero_point: i32,
    /// Smallest result.
    pub low: i8,
    /// Largest result.
    pub high: i8,
}

/// What to average, and where to.
#[derive(Debug)]
pub enum Task<'a> {
    /// INT8.
    I8 {
        /// `[pixels][channels]`; channels = `output.len()`.
        input: &'a [i8],
        /// The numbers.
        pool: Pool,
        /// `[channels]`.
        output: &'a mut [i8],
    },
    /// Float.
    F32 {
        /// `[pixels][channels]`; channels = `output.len()`.
        input: &'a [f32],
        /// `[channels]`.
        output: &'a mut [f32],
    },
}

impl Pool {
    pub(crate) const fn grid(&self) -> Grid<'static> {
        Grid { zero_point: self.zero_point, low: self.low, high: self.high, table: None }
    }
}

/// The operator.
#[derive(Debug)]
pub enum GlobalAverage {}

impl Operator for GlobalAverage {
    type Task<'a> = Task<'a>;
}

/// From the plainest to the best.
pub const VARIANTS: &[Variant<GlobalAverage>] = &[
    Variant { name: "pool_i8f32_scalar", isa: Isa::Scalar, tile: &[], body: Some(scalar::run) },
    Variant { name: "pool_i8f32_16_neon", isa: Isa::Neon, tile: &[16], body: on_arm!(neon::run) },
];

/// Runs `task`; see the module.
///
/// # Panics
/// When the input is no whole number of pixels, at least one.
pub fn pool(isa: Isa, task: Task<'_>) {
    let (input, channels) = match &task {
        Task::I8 { input, pool, output } => {
            pool.grid().check();
            (input.len(), output.len())
        }
        Task::F32 { input, output } => (input.len(), output.len()),
    };
    assert!(channels > 0 && input >= channels && input.is_multiple_of(channels), "{input} elements of {channels}");
    choose(VARIANTS, isa).run(task);
}
