//! The law's corners in plain numbers; the variants answer to the reference in `tests/variants`.

use super::{Activation, Requantize, Residual};

const PLAIN: Requantize<'static> =
    Requantize { scale: &[0.5], zero_point: 0, low: -128, high: 127, activation: Activation::Clamp, residual: None };

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
    let mirrored = Requantize { activation: Activation::Table(&table), ..PLAIN };
    assert_eq!([-1000, 0, 4, 1000].map(|accumulator| mirrored.value(accumulator, 0, 0)), [127, -1, -3, -128]);
}

#[test]
fn a_residual_is_added_before_the_clamp() {
    let residual = Some(Residual { data: &[0, 0, 10], stride: 2, scale: 0.25, zero_point: 2 });
    assert_eq!(Requantize { residual, ..PLAIN }.value(1, 1, 0), 2, "0.5 + 8 x 0.25 = 2.5, to even");
}

#[test]
fn a_slope_below_zero_comes_before_the_rounding() {
    let leaky = Requantize { scale: &[1.0], activation: Activation::Leaky { slope: 0.125 }, ..PLAIN };
    assert_eq!([-4000, -20, -12, 0, 7].map(|accumulator| leaky.value(accumulator, 0, 0)), [-128, -2, -2, 0, 7]);
}

/// SiLU with steps of 1/640 for p, of 0.1 for the table, of 1/16 for results.
fn silu(table: &[u8; 64]) -> Requantize<'_> {
    // 16 / 640 * 2^5 = 0.8
    let activation = Activation::Bump { index_shift: 6, table, fraction: 5, gain: &[26214] };
    Requantize { scale: &[1.0], zero_point: -100, activation, ..PLAIN }
}

fn silu_table() -> [u8; 64] {
    std::array::from_fn(|index| {
        let x = index as f64 / 10.0;
        (x / (1.0 + x.exp()) * 640.0).round() as u8
    })
}

#[test]
fn a_bump_below_the_ramp_makes_silu() {
    let table = silu_table();
    for p in -6000..=6000_i32 {
        let x = f64::from(p) / 640.0;
        let expected = (x / (1.0 + (-x).exp()) * 16.0 - 100.0).min(127.0);
        let error = f64::from(silu(&table).value(p, 0, 0)) - expected;
        assert!(error.abs() <= 0.5 + 0.42 + 0.05, "silu({x}): off by {error} steps");
    }
}

#[test]
fn a_bump_saturates_at_both_ends() {
    let table = silu_table();
    let far = [i32::MIN, -32769, -32768, 32767, 32768, i32::MAX];
    assert_eq!(far.map(|accumulator| silu(&table).value(accumulator, 0, 0)), [-100, -100, -100, 127, 127, 127]);
    let clamped = Requantize { low: -99, high: 50, ..silu(&table) };
    assert_eq!(far.map(|accumulator| clamped.value(accumulator, 0, 0)), [-99, -99, -99, 50, 50, 50]);
}

#[test]
fn a_residual_goes_only_before_a_clamp() {
    let residual = Some(Residual { data: &[0; 8], stride: 8, scale: 1.0, zero_point: 0 });
    let leaky = Requantize { scale: &[1.0; 8], activation: Activation::Leaky { slope: 0.5 }, residual, ..PLAIN };
    let panic = std::panic::catch_unwind(|| leaky.check(1, 8, 8)).expect_err("refused");
    assert!(panic.downcast_ref::<String>().is_some_and(|message| message.contains("Leaky")), "{panic:?}");
}
