//! Rounding that looks at the input makes less error than rounding to the nearest, and no error where none need be.

use super::*;

const POINT: Window = Window { kernel: [1, 1], stride: [1, 1], padding: [0; 4] };

/// Eight channels that share their brightness, as pictures and rectified activations do.
fn pixels(count: usize) -> Vec<f32> {
    let mut state = 7_u32;
    let mut next = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32
    };
    (0..count)
        .flat_map(|_| {
            let brightness = 10.0 * next();
            (0..8).map(|_| brightness + next()).collect::<Vec<_>>()
        })
        .collect()
}

fn error(weights: &[f32], steps: &[i8], scale: f32, inputs: &[f32]) -> f64 {
    let of = |x: &[f32]| {
        let error = weights.iter().zip(steps).zip(x).map(|((w, &q), x)| f64::from((w - f32::from(q) * scale) * x));
        error.sum::<f64>().powi(2)
    };
    inputs.chunks_exact(8).map(of).sum()
}

#[test]
fn correlated_inputs_are_taken_into_account() {
    let inputs = pixels(64);
    let mut moments = Moments::new(&POINT, 8, false).unwrap();
    moments.add(&inputs, &[1, 8, 8, 8], &POINT, 0.0, 0);
    let factor = moments.factor(0);
    let weights = [0.31, -0.27, 0.44, 0.13, -0.38, 0.29, -0.41, 0.36];
    let scale = 0.1;
    let nearest: Vec<i8> = weights.iter().map(|w: &f32| (w / scale).round_ties_even() as i8).collect();
    let compensated = factor.round(&weights, scale);
    let (plain, better) = (error(&weights, &nearest, scale, &inputs), error(&weights, &compensated, scale, &inputs));
    assert!(better < plain / 4.0, "{better} against {plain}");
}

#[test]
fn weights_on_the_grid_stay() {
    let mut moments = Moments::new(&POINT, 8, false).unwrap();
    moments.add(&pixels(64), &[1, 8, 8, 8], &POINT, 0.0, 0);
    let weights = [3.0, -2.0, 127.0, 0.0, -127.0, 1.0, 5.0, -9.0];
    assert_eq!(moments.factor(0).round(&weights, 1.0), [3, -2, 127, 0, -127, 1, 5, -9]);
}

#[test]
fn windows_see_padding() {
    let window = Window { kernel: [3, 3], stride: [1, 1], padding: [1, 1, 1, 1] };
    let mut moments = Moments::new(&window, 2, true).unwrap();
    moments.add(&[1.0; 8], &[1, 2, 2, 2], &window, 5.0, 0);
    // Of the four places over 2x2 pixels the middle tap always sees a pixel, the first tap sees one once.
    assert_eq!([moments.mean(0, 4), moments.mean(1, 0)], [1.0, 4.0]);
}

#[test]
fn a_silent_input_is_no_division_by_zero() {
    let moments = Moments::new(&POINT, 8, false).unwrap();
    assert_eq!(moments.factor(0).round(&[1.0; 8], 0.5), [2; 8]);
}

#[test]
fn sums_that_are_too_long_are_left_out() {
    assert!(Moments::new(&POINT, DEPTH_MAX + 1, false).is_none());
}
