use serde_json::json;

use super::model::{Bound, CORTEX_A72, Layer};
use super::*;

fn layer(kind: &str, shape: [u64; 4], instructions: u64, near_bytes: u64, far_bytes: u64) -> Layer {
    Layer { kind: kind.to_owned(), shape: shape.to_vec(), instructions, near_bytes, far_bytes }
}

#[test]
fn marks_find_their_layers() {
    let answer = json!({ "layers": [
        { "kind": "1x1", "output": [1, 4, 4, 8] },
        { "kind": "depthwise", "output": [1, 2, 2, 8] },
    ] });
    // Two earlier marks, one before the first layer, two a layer, the end.
    let marks = "mark 1 0 0 0 0\nmark 2 0 0 0 0\nmark 10 1 0 1 0\nmark 110 3 1 2 0\nmark 120 3 1 2 0\nmark 320 4 1 2 1\n\
                 mark 330 4 1 2 1\nmark 400 9 9 9 9\n";
    let layers = join(&answer, marks).unwrap();
    assert_eq!(layers[0], layer("1x1", [1, 4, 4, 8], 100, 3 * 64, 64));
    assert_eq!(layers[1], layer("depthwise", [1, 2, 2, 8], 200, 64, 64));
}

#[test]
fn marks_that_do_not_fit_are_refused() {
    let answer = json!({ "layers": [{ "kind": "1x1", "output": [1, 4, 4, 8] }] });
    assert!(join(&answer, "mark 1 0 0 0 0\nmark 2 0 0 0 0\n").is_none());
    assert!(join(&answer, "mark 1 0 0 0 0\nmark two 0 0 0 0\nmark 3 0 0 0 0\nmark 4 0 0 0 0\n").is_none());
}

#[test]
fn each_limit_binds_where_it_should() {
    let bound = |layer: &Layer, threads| CORTEX_A72.cost(layer, threads).bound;
    let busy = layer("1x1", [1, 100, 100, 64], 100_000_000, 1_000_000, 100_000);
    assert_eq!(bound(&busy, 1), Bound::Compute);
    // Four cores quarter the instructions, but share the second cache.
    let moving = layer("1x1", [1, 100, 100, 64], 1_000_000, 2_000_000, 100_000);
    assert_eq!((bound(&moving, 1), bound(&moving, 4)), (Bound::Compute, Bound::SecondCache));
    let streaming = layer("other", [1, 100, 100, 64], 1_000_000, 4_000_000, 4_000_000);
    assert_eq!(bound(&streaming, 1), Bound::Memory);
}

#[test]
fn rows_that_do_not_divide_cost_the_thread_that_has_most() {
    let seconds = |rows, threads| CORTEX_A72.cost(&layer("dense", [1, rows, 13, 64], 1 << 30, 0, 0), threads).seconds;
    // 13 rows on four threads: one has 4.
    assert!((seconds(13, 4) / seconds(13, 1) - 4.0 / 13.0).abs() < 1e-3);
    assert!((seconds(16, 4) / seconds(16, 1) - 0.25).abs() < 1e-3);
}
