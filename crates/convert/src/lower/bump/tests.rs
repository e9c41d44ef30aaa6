//! The law with the chosen numbers against the function.

use clawdbot_nn::graph::Activation;
use clawdbot_nn::reference::activated;

use super::{Bump, choose};
use crate::quantize::ValueGrid;

/// q of pre-activation x in output channel n, by the kernels' law.
fn law(bump: &Bump, grid: &ValueGrid, n: usize, x: f64) -> i32 {
    let p = (x / bump.step).round_ties_even().clamp(-32_768.0, 32_767.0) as i32;
    let index = (p.unsigned_abs() + (1 << bump.index_shift >> 1)) >> bump.index_shift;
    let y = p.max(0) - bump.table.get(index as usize).map_or(0, |&b| i32::from(b));
    let y = (y * i32::from(bump.gain[n.min(bump.gain.len() - 1)]) + (1 << 14)) >> 15;
    let y =
        (y + (grid.zero_point << bump.fraction) + (1 << bump.fraction >> 1)).clamp(-32_768, 32_767) >> bump.fraction;
    y.clamp(-128, 127)
}

#[test]
fn results_are_right_to_a_step() {
    for activation in [Activation::Silu, Activation::HardSwish, Activation::Gelu] {
        // Per channel, from fine to coarse; the error of the table is 0.02 or less, a step of the coarsest 0.05.
        let grid = ValueGrid { scales: vec![0.02, 0.03, 0.05], zero_point: -110 };
        let bump = choose(activation, &grid).unwrap();
        for (n, &scale) in grid.scales.iter().enumerate() {
            let mut square = 0.0;
            let range = -3000..3000;
            for at in range.clone() {
                let x = f64::from(at) / 250.0;
                let real = activated(x, activation);
                let wanted = (real / f64::from(scale) + f64::from(grid.zero_point)).clamp(-128.0, 127.0);
                let error = f64::from(law(&bump, &grid, n, x)) - wanted;
                let allowed = 0.55 + 0.026 / f64::from(scale);
                assert!(error.abs() <= allowed, "{activation:?}({x}) x 1/{scale}: {error} steps off");
                square += error * error;
            }
            let mean = (square / f64::from(range.end - range.start)).sqrt();
            assert!(mean < 0.4, "{activation:?} x 1/{scale}: {mean} steps on average");
        }
    }
}

#[test]
fn scales_that_bytes_cannot_serve_have_none() {
    let grid = |scale| ValueGrid { scales: vec![0.1, scale], zero_point: -128 };
    assert_eq!(choose(Activation::Silu, &grid(0.000_9)), None);
    assert!(choose(Activation::Silu, &grid(0.002)).is_some());
    assert_eq!(choose(Activation::Relu, &grid(0.002)), None);
}

#[test]
fn wide_results_fit_sixteen_bits() {
    let grid = ValueGrid { scales: vec![1.5], zero_point: -128 };
    let bump = choose(Activation::Silu, &grid).unwrap();
    assert_eq!(law(&bump, &grid, 0, 382.0), 127);
    assert_eq!(law(&bump, &grid, 0, 150.0), -28);
    assert_eq!(law(&bump, &grid, 0, -500.0), -128);
}
