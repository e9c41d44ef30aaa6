//! The law's corners in plain numbers; the variants answer to the reference in `tests/variants`.

use super::{Requantize, Residual};

const PLAIN: Requantize<'static> =
    Requantize { scale: &[0.5], zero_point: 0, low: -128, high: 127, table: None, residual: None };

#[test]
fn ties_go_to_the_even_neighbour() {
    let values = [-5, -3, -1, 0, 1, 3, 5].map(|accumulator| PLAIN.value(accumulator, 0, 0));
    assert_eq!(values, [-2, -2, 0, 0, 0, 2, 2]);
}

#[test]
fn the_zero_point_is_added_after_rounding() {
    let shifted = Requantize { zero_point: 3, ..PLAIN };
    assert_eq!([1, 3].map(|accumulator| shifted.value(accumulator, 0, 0)), [3, 5]);
}

#[test]
fn far_values_are_clamped_around_the_zero_point() {
    let relu6 = Requantize { zero_point: -128, low: -128, high: 100, ..PLAIN };
    assert_eq!(relu6.value(i32::MAX, 0, 0), 100);
    assert_eq!(relu6.value(i32::MIN, 0, 0), -128);
    assert_eq!(Requantize { scale: &[1e30], ..PLAIN }.value(1, 0, 0), 127);
    assert_eq!(Requantize { scale: &[1e-30], ..PLAIN }.value(i32::MAX, 0, 0), 0);
}

#[test]
fn the_table_is_read_at_q_plus_128() {
    let table: [i8; 256] = std::array::from_fn(|index| i8::try_from(127 - i64::try_from(index).unwrap()).unwrap());
    let mirrored = Requantize { table: Some(&table), ..PLAIN };
    assert_eq!([-1000, 0, 4, 1000].map(|accumulator| mirrored.value(accumulator, 0, 0)), [127, -1, -3, -128]);
}

#[test]
fn a_residual_is_added_before_the_clamp() {
    let residual = Some(Residual { data: &[0, 0, 10], stride: 2, scale: 0.25, zero_point: 2 });
    assert_eq!(Requantize { residual, ..PLAIN }.value(1, 1, 0), 2, "0.5 + 8 x 0.25 = 2.5, to even");
}
