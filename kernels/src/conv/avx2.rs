//! `conv_i8i8i32_4x16x4_avx2`: the matrix product's inner loop over windows.

pub(super) use crate::gemm::avx2::windows as run;
