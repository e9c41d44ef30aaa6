//! `linear_i8_i8i8f32_2x8x32_neon`: for Armv8.0, which multiplies bytes only into 16 bits; see [`crate::linear::pairs`].
//!
//! Two products fill 16 bits, so there is little for more than two tokens to share. A single token goes by twice eight rows.

use super::{BLOCK, Task};
use crate::linear::loops::by_tiles;
use crate::linear::pairs;

by_tiles!("neon", pairs::i8_both, 2 => pairs::i8_2, 1 => pairs::i8_1);
