//! `argmax_f32i32_8_avx2`: eight lanes, each with its own best.

use super::Task;
use super::scalar::settle;
use crate::eight::x86 as eight;

super::wide::bodies!("avx2,fma");
