//! The packed layout of binary16 weights: `[N/8][K][8]`, N padded to 8 by zeros.

use crate::float16::{narrow, widen};
use crate::linear::{ROWS, check_place, float_index};

/// Packs `values` of shape `[N][K]`, rounded to binary16 (to the nearest, ties to even; beyond its range the largest number).
///
/// # Panics
/// When `values` is no rows of K.
#[must_use]
pub fn pack(values: &[f32], k: usize) -> Vec<u16> {
    assert!(values.is_empty() || (k > 0 && values.len().is_multiple_of(k)), "{} values, no rows of {k}", values.len());
    let n = values.len().checked_div(k).unwrap_or(0);
    let mut packed = vec![0; n.next_multiple_of(ROWS) * k];
    for (index, &value) in values.iter().enumerate() {
        let (row, at) = (index / k, index % k);
        packed[(row / ROWS * k + at) * ROWS + row % ROWS] = narrow(value);
    }
    packed
}

/// Unpacks row `row` of a matrix: weight k goes where [`float_index`] puts value k of token `token` of `tokens`.
///
/// # Panics
/// When the matrix has no such row, or `output` is not K floats for each token; K is a multiple of 8.
pub fn gather_row(weights: &[u16], k: usize, row: usize, output: &mut [f32], [token, tokens]: [usize; 2]) {
    check_place(output.len(), k, [token, tokens]);
    let panel = weights.get(row / ROWS * ROWS * k..).and_then(|rest| rest.get(..ROWS * k));
    let Some(panel) = panel else { panic!("row {row} of {k} is not among {} weights", weights.len()) };
    for at in 0..k {
        output[float_index(tokens, at, token)] = widen(panel[at * ROWS + row % ROWS]);
    }
}
