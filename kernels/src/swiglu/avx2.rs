//! `swiglu_f32f32_8_avx2`: eight values at a time.

use super::scalar::{BEND, SLOPE};
use super::{Function, Task};
use crate::eight::x86 as eight;

super::wide::bodies!("avx2,fma");
