//! The row of a picture that lies between two of its rows, in any format that cameras deliver: the vertical half of a
//! bilinear resize.
//!
//! | argument | shape | layout | range |
//! |---|---|---|---|
//! | rows | one [`Row`] above, one below, both of one format and at least `output.len()` pixels | bytes | 0..=255 |
//! | weight | | of the lower row, in 1/32768 | 0..=32767 |
//! | output | `[pixels][4]` | three samples and a 0 | 0..=32640: levels x 128 |
//!
//! With samples a above and b below: `v = a * 128 + ((b * 128 - a * 128) * weight + 2^14 >> 15)`, the rounding of Arm's `sqrdmulh`
//! and x86's `pmulhrsw`. Samples are R, G, B, or Y, U, V where the format has those; a pixel pair's chroma serves both.

use crate::isa::{Isa, Operator, Variant, choose, on_arm, on_x86};

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;

/// One row of a picture.
#[derive(Clone, Copy, Debug)]
pub enum Row<'a> {
    /// Three samples a pixel.
    Packed(
        /// `[pixels][3]`.
        &'a [u8],
    ),
    /// Y0 U Y1 V for two pixels.
    Yuyv(
        /// `[pairs][4]`.
        &'a [u8],
    ),
    /// Luma, and U and V in turn.
    Nv12 {
        /// `[pixels]`.
        luma: &'a [u8],
        /// `[pairs][2]`.
        chroma: &'a [u8],
    },
    /// A plane each.
    I420 {
        /// `[pixels]`.
        luma: &'a [u8],
        /// `[pairs]`.
        u: &'a [u8],
        /// `[pairs]`.
        v: &'a [u8],
    },
}

impl Row<'_> {
    /// Pixels that it holds for certain.
    const fn pixels(&self) -> usize {
        match self {
            Self::Packed(samples) => samples.len() / 3,
            Self::Yuyv(samples) => samples.len() / 4 * 2,
            Self::Nv12 { luma, chroma } => smaller(luma.len(), chroma.len() / 2 * 2),
            Self::I420 { luma, u, v } => smaller(luma.len(), smaller(u.len(), v.len()) * 2),
        }
    }
}

const fn smaller(a: usize, b: usize) -> usize {
    if a < b { a } else { b }
}

/// One call.
#[derive(Debug)]
pub struct Task<'a> {
    /// Above and below.
    pub rows: [Row<'a>; 2],
    /// Of the lower row.
    pub weight: i16,
    /// The row between them.
    pub output: &'a mut [[i16; 4]],
}

/// The operator.
#[derive(Debug)]
pub enum Blend {}

impl Operator for Blend {
    type Task<'a> = Task<'a>;
}

/// From the plainest to the best.
pub const VARIANTS: &[Variant<Blend>] = &[
    Variant { name: "blend_u8i16_scalar", isa: Isa::Scalar, tile: &[], body: Some(scalar::run) },
    Variant { name: "blend_u8i16_16_neon", isa: Isa::Neon, tile: &[16], body: on_arm!(neon::run) },
    Variant { name: "blend_u8i16_8_avx2", isa: Isa::Avx2, tile: &[8], body: on_x86!(avx2::run) },
];

/// Runs `task`; see the module.
///
/// # Panics
/// When the rows are shorter than the output or of two formats, the weight is negative, or `isa` is not available here.
pub fn blend(isa: Isa, task: Task<'_>) {
    let formats = task.rows.map(|row| std::mem::discriminant(&row));
    assert!(formats[0] == formats[1], "two rows of different formats");
    let pixels = task.output.len();
    for row in &task.rows {
        assert!(row.pixels() >= pixels, "a row of {} pixels for {pixels}", row.pixels());
    }
    assert!(task.weight >= 0, "weight {}", task.weight);
    choose(VARIANTS, isa).run(task);
}
