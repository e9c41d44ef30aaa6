//! What is seen is remembered, and the chosen range is the one of least error.

use super::*;

/// Numbers in -1..1, always the same.
fn noise(count: usize) -> impl Iterator<Item = f32> {
    let mut state = 1_u32;
    (0..count).map(move |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f32::from((state >> 16) as u16) / 32768.0 - 1.0
    })
}

/// Mean square error of `values` on a grid.
fn error(values: &[f32], grid: Grid) -> f64 {
    let of = |&value: &f32| {
        let real = f64::from(grid.scale) * f64::from(i32::from(grid.step(value)) - grid.zero_point);
        (f64::from(value) - real).powi(2)
    };
    values.iter().map(of).sum::<f64>() / values.len() as f64
}

#[test]
fn extremes_and_means_are_kept_for_each_channel() {
    let mut seen = Observation::new(2);
    seen.add(&[1.0, -1.0, 3.0, 0.0]);
    seen.add(&[2.0, -2.0]);
    assert_eq!(seen.range(), (-2.0, 3.0));
    assert_eq!((seen.channels[0].low, seen.channels[0].high), (1.0, 3.0));
    assert_eq!((seen.mean(0), seen.mean(1)), (2.0, -1.0));
    assert_eq!(seen.mean_square(1), 5.0 / 3.0);
    assert_eq!(seen.channel_grids(), None);
}

/// No other ends, tried on the values themselves and not on the histogram, make less error.
#[test]
fn the_chosen_grid_has_the_least_error() {
    let bell: Vec<f32> = noise(60_000).collect::<Vec<_>>().chunks(6).map(|x| x.iter().sum::<f32>().powi(3)).collect();
    let rectified: Vec<f32> = bell.iter().map(|x| x.max(0.0)).collect();
    for values in [bell, rectified] {
        let mut seen = Observation::new(1);
        seen.add(&values);
        let (low, high) = seen.range();
        let ends = (1..=20).map(|share| f32::from(share as u8) / 20.0);
        let least = ends.clone().flat_map(|below| ends.clone().map(move |above| (below, above)));
        let least = least.map(|(below, above)| error(&values, Grid::over(low * below, high * above)));
        let least = least.fold(f64::INFINITY, f64::min);
        let (chosen, whole) = (error(&values, seen.grid()), error(&values, Grid::over(low, high)));
        assert!(chosen < least * 1.1 && chosen <= whole, "{chosen:e} with {least:e} possible and {whole:e} unclipped");
    }
}

#[test]
fn a_histogram_grows_with_later_inputs() {
    let mut seen = Observation::new(1);
    seen.add(&noise(10_000).map(|x| x / 1000.0).collect::<Vec<_>>());
    let values: Vec<f32> = noise(100_000).collect();
    seen.add(&values);
    let (low, high) = seen.grid().range();
    assert!((-1.01..-0.9).contains(&low) && (0.9..1.01).contains(&high), "{low} to {high}");
}

#[test]
fn a_value_that_is_never_negative_uses_all_steps() {
    let mut seen = Observation::new(2);
    seen.add(&noise(10_000).map(|x| x.max(0.0) * 6.0).collect::<Vec<_>>());
    assert_eq!(seen.grid().zero_point, -128);
    let (scales, zero_point) = seen.channel_grids().unwrap();
    assert_eq!((scales.len(), zero_point), (2, -128));
}

/// A channel that was silent must be able to speak up, and no channel may go beyond what the whole value reaches.
#[test]
fn channel_ranges_have_a_margin_and_a_floor() {
    let mut seen = Observation::new(3);
    seen.add(&[6.0, 0.0, 2.0]);
    let (scales, _) = seen.channel_grids().unwrap();
    assert_eq!(scales, [6.0 / 255.0, 6.0 / 16.0 / 255.0, 2.5 / 255.0]);
}

#[test]
fn nothing_but_zeros_is_harmless() {
    let mut seen = Observation::new(1);
    seen.add(&[0.0; 8]);
    let grid = seen.grid();
    assert!(grid.scale.is_normal());
    assert_eq!(f32::from(grid.step(0.0)), grid.zero_point as f32);
    assert_eq!(seen.channel_grids(), None);
}
