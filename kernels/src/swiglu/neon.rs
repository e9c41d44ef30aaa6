//! `swiglu_f32f32_8_neon`: eight values at a time.

use super::scalar::{BEND, SLOPE};
use super::{Function, Task};
use crate::eight::arm as eight;

super::wide::bodies!("neon");
