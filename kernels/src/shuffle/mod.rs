//! Channel shuffle: with C = groups x S channels, channel `s * groups + g` of the result is channel `g * S + s` of the input.
//! Bytes or floats; elements are copied as they are. Source: Zhang et al., "ShuffleNet", 2018, section 3.1.
//!
//! | argument | shape | layout |
//! |---|---|---|
//! | input | `[rows][channels]` | `input_stride` elements from row to row |
//! | output | `[rows][channels]` | `output_stride` from row to row; only the channels are written |

use crate::epilogue::check_rows;
use crate::isa::{Isa, Operator, Variant, choose};

mod scalar;

/// A shuffle of elements of one type.
#[derive(Debug)]
pub struct Shuffle<'a, T> {
    /// Pixels.
    pub rows: usize,
    /// Of a pixel, a multiple of `groups`.
    pub channels: usize,
    /// At least 1.
    pub groups: usize,
    /// See the module.
    pub input: &'a [T],
    /// See the module.
    pub input_stride: usize,
    /// See the module.
    pub output: &'a mut [T],
    /// See the module.
    pub output_stride: usize,
}

/// One call.
#[derive(Debug)]
pub enum Task<'a> {
    /// Bytes.
    I8(Shuffle<'a, i8>),
    /// Floats.
    F32(Shuffle<'a, f32>),
}

/// The operator.
#[derive(Debug)]
pub enum ChannelShuffle {}

impl Operator for ChannelShuffle {
    type Task<'a> = Task<'a>;
}

/// From the plainest to the best. The compiler makes `st2` or unpacking of the reference's loop over two groups.
pub const VARIANTS: &[Variant<ChannelShuffle>] =
    &[Variant { name: "shuffle_i8f32_scalar", isa: Isa::Scalar, tile: &[], body: Some(scalar::run) }];

/// Runs `task`; see the module.
///
/// # Panics
/// When a slice is shorter than its shape says, or the groups do not divide the channels.
pub fn shuffle(isa: Isa, task: Task<'_>) {
    match &task {
        Task::I8(shuffle) => shuffle.check(),
        Task::F32(shuffle) => shuffle.check(),
    }
    choose(VARIANTS, isa).run(task);
}

impl<T> Shuffle<'_, T> {
    fn check(&self) {
        let divides = self.groups > 0 && self.channels.is_multiple_of(self.groups);
        assert!(divides, "{} groups of {} channels", self.groups, self.channels);
        check_rows("input", self.input.len(), self.input_stride, self.rows, self.channels);
        check_rows("output", self.output.len(), self.output_stride, self.rows, self.channels);
    }
}
