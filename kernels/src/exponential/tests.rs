//! The bound that the module names, over the whole range.

use super::{HIGHEST, LOWEST, exponential};

#[test]
fn lies_within_two_units_in_the_last_place() {
    let steps = 4_000_000;
    let mut worst = 0.0_f64;
    for step in 0..=steps {
        let x = LOWEST + (HIGHEST - LOWEST) * (step as f32 / steps as f32);
        let exact = f64::from(x).exp();
        let unit = f64::from(f32::from_bits((exact as f32).to_bits() + 1)) - f64::from(exact as f32);
        worst = worst.max((f64::from(exponential(x)) - exact).abs() / unit);
    }
    for exponent in 1..120 {
        for x in [2_f32.powi(-exponent), -(2_f32.powi(-exponent))] {
            let exact = f64::from(x).exp();
            worst = worst.max((f64::from(exponential(x)) - exact).abs() / f64::from(f32::EPSILON));
        }
    }
    assert!(worst <= 2.0, "{worst} units in the last place");
    assert!(worst > 0.4, "{worst}: an error that small is not believed");
}

#[test]
fn is_bounded_at_both_ends() {
    assert_eq!(exponential(0.0), 1.0);
    assert_eq!(exponential(-0.0), 1.0);
    assert_eq!(exponential(f32::NEG_INFINITY), exponential(LOWEST));
    assert_eq!(exponential(f32::INFINITY), exponential(HIGHEST));
    assert!(exponential(f32::NEG_INFINITY) >= f32::MIN_POSITIVE);
    assert!(exponential(f32::INFINITY).is_finite());
    let _any = exponential(f32::NAN);
}
