//! Grids hold 0 exactly, weights keep their range, odd channels do no harm.

use super::*;

fn plain(weights: &[f32], channels: usize, arrangement: Arrangement) -> ChannelWeights {
    quantize_weights(weights, channels, arrangement, Some(&|_, _| 1.0))
}

#[test]
fn zero_is_always_a_step() {
    for (low, high) in [(-1.0, 1.0), (0.0, 6.0), (-0.278, 11.0), (2.0, 3.0), (-5.0, -1.0), (-1e-3, 1e4)] {
        let grid = Grid::over(low, high);
        assert_eq!(i32::from(grid.step(0.0)), grid.zero_point, "{low} to {high}");
        let (first, last) = grid.range();
        let half = grid.scale * 0.51;
        assert!(first - half <= low.min(0.0) && last + half >= high.max(0.0), "{low} to {high}: {first} to {last}");
    }
    assert_eq!(Grid::over(0.0, 6.0), Grid { scale: 6.0 / 255.0, zero_point: -128 });
}

#[test]
fn beyond_the_grid_is_its_end() {
    let grid = Grid::over(0.0, 6.0);
    assert_eq!([grid.step(-1.0), grid.step(6.0), grid.step(1e9)], [-128, 127, 127]);
}

#[test]
fn weights_never_reach_minus_128() {
    let weights: Vec<f32> = (-128..=127_i16).map(f32::from).collect();
    let quantized = plain(&weights, 1, Arrangement::ChannelFirst);
    assert_eq!(*quantized.steps.iter().min().unwrap(), -127);
    assert!((quantized.scale[0] - 128.0 / 127.0).abs() < 0.03);
}

#[test]
fn each_channel_has_its_own_scale() {
    let (first, last) = ([1.0, -2.0, 100.0, -200.0], [1.0, 100.0, -2.0, -200.0]);
    for (weights, arrangement) in [(first, Arrangement::ChannelFirst), (last, Arrangement::ChannelLast)] {
        let quantized = plain(&weights, 2, arrangement);
        let ratio = quantized.scale[1] / quantized.scale[0];
        assert!((ratio - 100.0).abs() < 0.1, "{arrangement:?}: {:?}", quantized.scale);
        let reals: Vec<f32> = (0..4)
            .map(|place| {
                let n = (0..2).find(|&n| arrangement.places(n, 2, 4).any(|other| other == place)).unwrap();
                f32::from(quantized.steps[place]) * quantized.scale[n]
            })
            .collect();
        for (real, weight) in reals.iter().zip(&weights) {
            assert!((real - weight).abs() <= weight.abs() * 0.01, "{real} for {weight}");
        }
    }
}

#[test]
fn a_channel_of_zeros_gets_a_harmless_scale() {
    let quantized = plain(&[0.0, 0.0, 1e-42, 0.0], 2, Arrangement::ChannelFirst);
    assert_eq!(quantized.steps, [0; 4]);
    assert!(quantized.scale.iter().all(|scale| scale.is_normal()));
    // Its bias is counted in steps of its scale, so it must be as fine as the others'.
    let quantized = plain(&[0.0, 0.0, 0.127, 0.0, 12.7, 0.0], 3, Arrangement::ChannelFirst);
    assert_eq!(quantized.scale[0], quantized.scale[1]);
}

/// A weight that is multiplied with nothing may be clipped for the sake of the others.
#[test]
fn the_scale_follows_what_weights_are_multiplied_with() {
    let mut weights = vec![0.011; 64];
    weights[0] = 1.0;
    let even = plain(&weights, 1, Arrangement::ChannelFirst);
    let idle = quantize_weights(&weights, 1, Arrangement::ChannelFirst, Some(&|_, k| if k == 0 { 1e-9 } else { 1.0 }));
    assert!(idle.scale[0] < even.scale[0]);
}
