//! `linear_i4_i8i4f32_8x8x32_neon_dotprod`: `sdot` by lane, four products into each 32-bit lane; see [`crate::linear::dot`].
//!
//! Eight tokens share the unpacking of four rows, and of the other four after them; what is left goes by four, two and one. A
//! single token goes by twice eight rows, which keeps two dot product pipes busy.

use super::{BLOCK, Task};
use crate::linear::dot;
use crate::linear::loops::by_tiles;

by_tiles!("neon,dotprod", dot::i4_both, 8 => dot::i4_8, 4 => dot::i4_4, 2 => dot::i4_2, 1 => dot::i4_1);
