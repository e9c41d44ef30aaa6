//! `add_f32_f32f32_8_neon`: eight values at a time.

use super::{Addend, Task};
use crate::eight::arm as eight;

super::wide::bodies!("neon");
