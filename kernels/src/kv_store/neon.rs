//! `kv_store_f32i8_8_neon`: eight values at a time.

use super::Task;
use super::rows::{LARGEST, store};
use crate::eight::arm as eight;

super::wide::bodies!("neon");
