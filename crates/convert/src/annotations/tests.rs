//! Steps out of a file are kept; those that do not fit are rounded with care.

use super::channel_steps;

#[test]
fn steps_that_fit_are_kept() {
    let own = 0.012_345_678_f64;
    let wanted: Vec<i8> = (-127..=127).collect();
    let channel: Vec<f64> = wanted.iter().map(|&step| f64::from((f64::from(step) * own) as f32)).collect();
    assert_eq!(channel_steps(&channel, own), (own, wanted));
}

#[test]
fn steps_beyond_are_rounded_and_their_errors_cancel() {
    let own = 0.02;
    let channel: Vec<f64> = [200.0].into_iter().chain([101.0; 100]).map(|steps| steps * own).collect();
    let (size, steps) = channel_steps(&channel, own);
    assert!((size / own - 200.0 / 127.0).abs() < 1e-9, "{size}");
    let errors: Vec<f64> = channel.iter().zip(&steps).map(|(weight, &step)| weight / size - f64::from(step)).collect();
    assert!(errors.iter().all(|error| error.abs() <= 1.0), "{errors:?}");
    assert!(errors.iter().sum::<f64>().abs() <= 0.5, "{}", errors.iter().sum::<f64>());
    // To the nearest, each of the hundred would be 0.135 too small.
    assert_eq!((steps[0], steps.iter().filter(|&&step| step == 65).count()), (127, 14));
}
