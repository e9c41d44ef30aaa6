//! `linear_i4_i8i4f32_4x8x32_neon`: for Armv8.0, which multiplies bytes only into 16 bits; see [`crate::linear::pairs`].
//!
//! Four tokens share the unpacking of eight rows; what is left goes by two and one. A single token goes by twice eight rows,
//! which share its broadcasts.

use super::{BLOCK, Task};
use crate::linear::loops::by_tiles;
use crate::linear::pairs;

by_tiles!("neon", pairs::i4_both, 4 => pairs::i4_4, 2 => pairs::i4_2, 1 => pairs::i4_1);
