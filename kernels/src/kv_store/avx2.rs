//! `kv_store_f32i8_8_avx2`: eight values at a time.

use super::Task;
use super::rows::{LARGEST, store};
use crate::eight::x86 as eight;

super::wide::bodies!("avx2,fma,f16c");
