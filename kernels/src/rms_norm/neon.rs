//! `rms_norm_f32f32f32_8_neon`: a token's values eight at a time.

use super::Task;
use crate::eight::arm as eight;

super::wide::bodies!("neon");
