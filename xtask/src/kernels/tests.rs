//! The count in the tests' output.

use super::{Count, count};

#[test]
fn the_count_is_found_among_other_lines() {
    let text = "ok gemm_i8i8i32_scalar\nhere: scalar, avx2\n17 ran / 10 not runnable here\n";
    assert_eq!(count(text), Some(Count { ran: 17, not_runnable: 10 }));
}

#[test]
fn a_run_that_counted_nothing_is_none() {
    assert_eq!(count("test result: ok. 14 passed"), None);
    assert_eq!(count("0 ran / 27 not runnable here"), None);
}
