use std::sync::Arc;

use clawdbot_flow::clock::SystemClock;
use clawdbot_kernels::isa::Isa;
use clawdbot_nn::workers::Workers;

use super::*;
use crate::bundled;

fn bundled_executor() -> (Bundle, Executor) {
    let bundle = bundled::detector().unwrap();
    let workers = Arc::new(Workers::new());
    let executor = Executor::new(Arc::clone(bundle.model()), Isa::detect(), workers).unwrap();
    (bundle, executor)
}

#[test]
fn every_step_is_a_layer_with_its_time_and_cost() {
    let (bundle, mut executor) = bundled_executor();
    fill_inputs(&mut executor);
    let layers = measure_layers(&bundle, &mut executor, 1, &SystemClock::new());
    let program = bundle.program();
    assert_eq!(layers.len(), program.steps.len());
    let whole: u64 = program.steps.iter().map(|step| program.multiplications(step)).sum();
    assert_eq!(layers.iter().map(|layer| layer.multiplications).sum::<u64>(), whole);
    assert!(layers.iter().all(|layer| layer.bytes > 0 && layer.least < Duration::MAX));
    let dense = |layer: &&Layer| matches!(layer.kind, Kind::Pointwise | Kind::Dense | Kind::Depthwise);
    assert!(layers.iter().filter(dense).all(|layer| layer.intensity() > 0.0 && layer.rate() > 0.0));
}

#[test]
fn as_many_runs_as_asked_have_a_time() {
    let (_, mut executor) = bundled_executor();
    assert_eq!(run(&mut executor, 3, &SystemClock::new()).len(), 3);
    let times = measure(&mut executor, 3, &SystemClock::new());
    assert!(times.least() <= times.median() && times.median() <= times.longest());
}

#[test]
fn noise_fills_every_input() {
    let (bundle, mut executor) = bundled_executor();
    fill_inputs(&mut executor);
    assert_eq!(bundle.program().inputs.len(), 1);
    let input = executor.input_i8_mut(0).unwrap();
    let first = input[0];
    assert!(input.iter().any(|&byte| byte != first));
}
