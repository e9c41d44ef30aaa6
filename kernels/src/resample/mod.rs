//! A row of 16-bit samples, as [`crate::blend`] makes it, to a row of the network's input: the horizontal half of a bilinear
//! resize, colours, and quantisation in one pass.
//!
//! | argument | shape | layout | range |
//! |---|---|---|---|
//! | row | `[source pixels + 1][4]` | three samples (levels x 128) and a 0; the last pixel is a copy of the one before | 0..=32640 |
//! | columns | one a pixel of the result | [`Columns`] | |
//! | output | `[pixels][4]` | R, G, B or B, G, R, and a 0 | level - 128 |
//!
//! With neighbours a and b: `s = a + ((b - a) * weight + 2^14 >> 15)` in 1/128 level. For RGB the level is
//! `clamp(s + 2^6 >> 7, 0, 255)`. Y, U, V become R, G, B first, in 1/64 level with the factors of [`Conversion`], where `x o c` is
//! `x * c + 2^14 >> 15` and sums saturate at 32767; their level is `clamp(sum + 2^5 >> 6, 0, 255)`:
//!
//! ```text
//! y = (Y - y_zero) o y_factor     u = U - 16384     v = V - 16384
//! R = y + v o red_v     G = y - u o green_u - v o green_v     B = y + (u if blue_u_whole) + u o blue_u
//! ```

use crate::isa::{Isa, Operator, Variant, choose, on_arm, on_x86};

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;

/// How Y, U, V become R, G, B. Factors are of 1/32768 and half the real ones (the result has half the resolution).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conversion {
    /// Y of black, x 128.
    pub y_zero: i16,
    /// Of Y.
    pub y_factor: i16,
    /// Of V in red.
    pub red_v: i16,
    /// Of U in green, subtracted.
    pub green_u: i16,
    /// Of V in green, subtracted.
    pub green_v: i16,
    /// Of U in blue, beyond the whole.
    pub blue_u: i16,
    /// Whether blue has one whole U more: its factor does not fit 16 bits.
    pub blue_u_whole: bool,
}

impl Conversion {
    /// BT.601 with Y 16..=235 and U, V 16..=240, as cameras deliver it. Source of the factors: ITU-R BT.601-7, 2.5.1 to 2.5.3,
    /// solved for R, G, B and scaled by 255/219 and 255/224.
    pub const CAMERA: Self = Self {
        y_zero: 16 * 128,
        y_factor: 19_077,
        red_v: 26_149,
        green_u: 6_419,
        green_v: 13_320,
        blue_u: 282,
        blue_u_whole: true,
    };
    /// BT.601 with 0..=255 for all, as JPEG files have it. Source of the factors: ITU-T T.871, section 7.
    pub const JPEG: Self = Self {
        y_zero: 0,
        y_factor: 16_384,
        red_v: 22_970,
        green_u: 5_638,
        green_v: 11_700,
        blue_u: 29_032,
        blue_u_whole: false,
    };
}

/// Four samples of 16 bits.
const PIXEL_BYTES: u32 = 8;

/// Where each pixel of a result comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    /// Where the left neighbour lies, in bytes: an address without a multiplication.
    first: Vec<u32>,
    /// Weight of the right neighbour in 1/32768, four times: a register for two pixels is one load.
    weight: Vec<[i16; 4]>,
    /// Pixels that the row must have.
    pixels: usize,
}

impl Columns {
    /// From (left neighbour, weight of the right neighbour in 1/32768) a pixel. Allocates: for those who plan, not per picture.
    ///
    /// # Panics
    /// When a weight is negative, or a neighbour lies beyond 4 GiB.
    #[must_use]
    pub fn new(taps: impl Iterator<Item = (u32, i16)>) -> Self {
        let mut columns = Self::default();
        for (first, weight) in taps {
            assert!(weight >= 0, "weight {weight}");
            columns.first.push(first.checked_mul(PIXEL_BYTES).expect("a row of less than 4 GiB"));
            columns.weight.push([weight; 4]);
            columns.pixels = columns.pixels.max(first as usize + 2);
        }
        columns
    }

    /// Pixels of the result.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.first.len()
    }

    /// Whether the result has none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.first.is_empty()
    }
}

/// The pixels of a row that one result after the other looks at, without looking twice whether they are there.
#[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
struct Neighbours<'a> {
    row: *const [i16; 4],
    first: &'a [u32],
    weight: &'a [[i16; 4]],
}

/// Left and right neighbour of a pixel.
type Pair = [[i16; 4]; 2];

#[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
impl<'a> Neighbours<'a> {
    /// Panics when the row is shorter than the columns need.
    fn new(row: &'a [[i16; 4]], columns: &'a Columns) -> Self {
        assert!(row.len() >= columns.pixels, "a row of {} pixels", row.len());
        Self { row: row.as_ptr(), first: &columns.first, weight: &columns.weight }
    }

    /// Of the result's pixels `first..first + N`: the neighbours, and the weights of the right ones.
    #[inline(always)]
    fn of<const N: usize>(&self, first: usize) -> ([&'a Pair; N], &'a [[i16; 4]; N]) {
        let places: &[u32; N] = &self.first[first..].as_chunks().0[0];
        let pairs = std::array::from_fn(|index| {
            // SAFETY: `Columns::new` made `pixels` at least two more than each place's, nothing changes either after it, and
            // `Neighbours::new` has seen that the row, which outlives `self`, holds as many; arrays have their element's
            // alignment, and places are multiples of a pixel's size.
            unsafe { &*self.row.byte_add(places[index] as usize).cast::<Pair>() }
        });
        (pairs, &self.weight[first..].as_chunks().0[0])
    }
}

/// Where steps of `step` pixels begin that cover `pixels`, which are no fewer: the last looks back over what is done.
#[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
fn steps(pixels: usize, step: usize) -> impl Iterator<Item = usize> {
    let whole = pixels - pixels % step;
    (0..whole).step_by(step).chain((whole < pixels).then(|| pixels - step))
}

/// One call.
#[derive(Debug)]
pub struct Task<'a> {
    /// What to resize.
    pub row: &'a [[i16; 4]],
    /// Where from.
    pub columns: &'a Columns,
    /// For rows of Y, U, V.
    pub conversion: Option<Conversion>,
    /// Whether blue goes first.
    pub swapped: bool,
    /// The network's input.
    pub output: &'a mut [[i8; 4]],
}

/// The operator.
#[derive(Debug)]
pub enum Resample {}

impl Operator for Resample {
    type Task<'a> = Task<'a>;
}

/// From the plainest to the best.
pub const VARIANTS: &[Variant<Resample>] = &[
    Variant { name: "resample_i16i8_scalar", isa: Isa::Scalar, tile: &[], body: Some(scalar::run) },
    Variant { name: "resample_i16i8_8_neon", isa: Isa::Neon, tile: &[8], body: on_arm!(neon::run) },
    Variant { name: "resample_i16i8_16_avx2", isa: Isa::Avx2, tile: &[16], body: on_x86!(avx2::run) },
];

/// Runs `task`; see the module.
///
/// # Panics
/// When the row is shorter than the columns need, the output is not as long as they are, or `isa` is not available here.
pub fn resample(isa: Isa, task: Task<'_>) {
    let (given, wanted) = (task.row.len(), task.columns.pixels);
    assert!(given >= wanted, "a row of {given} pixels, the columns look at {wanted}");
    assert!(task.output.len() == task.columns.len(), "{} pixels for {} columns", task.output.len(), task.columns.len());
    choose(VARIANTS, isa).run(task);
}
