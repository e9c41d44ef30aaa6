//! `add_f32_f32f32_8_avx2`: eight values at a time.

use super::{Addend, Task};
use crate::eight::x86 as eight;

super::wide::bodies!("avx2,fma");
