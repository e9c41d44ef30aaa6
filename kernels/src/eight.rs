//! Eight floats in registers, by one set of names for each processor family: a body that uses them is written once, as a
//! macro beside its operator's `mod.rs`, and made into a variant by each ISA's file. So its variants cannot drift apart, and
//! differ from the reference, plain Rust, in nothing but the names.
//!
//! | name | value of a lane |
//! |---|---|
//! | `fma(a, b, c)` | a * b + c, rounded once |
//! | `larger(a, b)` | b where b > a, else a |
//! | `smaller(a, b)` | b where b < a, else a |
//! | `select(above, a, b)` | a where the lane of `above` is set, else b; bits as they are |
//! | `scale(a, b)` | a with the low bits of b added to its exponent |
//! | `is_in(first, range)` | lanes whose place, counted from `first`, is in the range |
//! | `keep(lanes, a)` | a where the lane is set, else 0 |

#[cfg(target_arch = "aarch64")]
pub(crate) mod arm;
mod shared;
#[cfg(target_arch = "x86_64")]
pub(crate) mod x86;
