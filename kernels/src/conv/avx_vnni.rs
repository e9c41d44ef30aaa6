//! `conv_i8i8i32_6x16x4_avx_vnni`: the matrix product's inner loop over windows.

pub(super) use crate::gemm::avx_vnni::windows as run;
