//! `rms_norm_f32f32f32_8_avx2`: a token's values eight at a time.

use super::Task;
use crate::eight::x86 as eight;

super::wide::bodies!("avx2,fma");
