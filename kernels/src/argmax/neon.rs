//! `argmax_f32i32_8_neon`: eight lanes, each with its own best.

use super::Task;
use super::scalar::settle;
use crate::eight::arm as eight;

super::wide::bodies!("neon");
