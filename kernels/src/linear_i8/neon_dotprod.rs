//! `linear_i8_i8i8f32_4x8x32_neon_dotprod`: `sdot` by lane, four products into each 32-bit lane; see [`crate::linear::dot`].
//!
//! Eight rows by four tokens; what is left goes by two and one. A single token goes by twice eight rows.

use super::{BLOCK, Task};
use crate::linear::dot;
use crate::linear::loops::by_tiles;

by_tiles!("neon,dotprod", dot::i8_both, 4 => dot::i8_4, 2 => dot::i8_2, 1 => dot::i8_1);
