//! `rope_f32f32_8_neon`: eight pairs at a time.

use super::Task;
use crate::eight::arm as eight;

super::wide::bodies!("neon");
