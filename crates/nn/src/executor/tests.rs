#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "the twin computes with small numbers of several types"
)]

mod allocations;
mod generate;
mod twin;

use std::collections::BTreeSet;
use std::sync::Arc;

use clawdbot_kernels::isa::Isa;
use proptest::prelude::*;

use super::{Elements, Executor, ExecutorError, ValueView};
use crate::model::Model;
use crate::program::ValueId;
use crate::workers::Workers;
use generate::{Dice, integers, model};
use twin::Data;

fn dense(view: &ValueView<'_>) -> Data {
    match view.elements {
        Elements::F32(elements) => Data::F32(elements.to_vec()),
        Elements::I8(elements) => {
            let (channels, stride) = (view.value.channels(), view.stride);
            Data::I8(elements.chunks(stride).flat_map(|pixel| pixel[..channels].to_vec()).collect())
        }
    }
}

fn fill(executor: &mut Executor, seed: u64) {
    let mut dice = Dice(seed);
    executor.input_i8_mut(0).unwrap().fill_with(|| dice.byte());
}

/// Everything that came out, with the seed's input.
fn outputs(model: &Arc<Model>, isa: Isa, workers: &Arc<Workers>, seed: u64) -> Vec<Data> {
    let mut executor = Executor::new(Arc::clone(model), isa, Arc::clone(workers)).unwrap();
    fill(&mut executor, seed);
    executor.run();
    let first: Vec<Data> = (0..).map_while(|index| executor.output(index)).map(|view| dense(&view)).collect();
    executor.run();
    let second: Vec<Data> = (0..).map_while(|index| executor.output(index)).map(|view| dense(&view)).collect();
    assert_eq!(first, second, "a second run over the same input answers the same");
    first
}

/// Whether `ours` is `law`, floats within what an f32 sum of a few hundred products may be off.
fn agree(ours: &Data, law: &Data) -> bool {
    match (ours, law) {
        (Data::F32(ours), Data::F32(law)) => {
            let size = law.iter().fold(1.0_f32, |size, x| size.max(x.abs()));
            ours.len() == law.len() && ours.iter().zip(law).all(|(a, b)| (a - b).abs() <= 1e-4 * size)
        }
        _ => ours == law,
    }
}

fn check(seed: u64) -> BTreeSet<String> {
    let model = Arc::new(model(seed, 12));
    let alone = Arc::new(Workers::new());
    let mut executor = Executor::keeping_all(Arc::clone(&model), Isa::Scalar, Arc::clone(&alone)).unwrap();
    fill(&mut executor, seed);
    executor.run();
    let kept = |id: ValueId| dense(&executor.value(id).unwrap());
    let mut operators = BTreeSet::new();
    for step in &model.program().steps {
        let inputs: Vec<Data> = step.inputs.iter().map(|&id| kept(id)).collect();
        let (ours, law) = (kept(step.output), twin::result(&model, step, &inputs));
        assert!(agree(&ours, &law), "seed {seed}, {step:?}: {ours:?} is not {law:?}");
        let json = serde_json::to_value(&step.op).unwrap();
        operators.insert(json["op"].as_str().unwrap().to_owned());
    }
    let expected: Vec<Data> = model.program().outputs.iter().map(|&id| kept(id)).collect();
    assert_eq!(outputs(&model, Isa::Scalar, &alone, seed), expected, "seed {seed}: sharing memory changes nothing");
    operators
}

proptest! {
    #[test]
    fn every_step_agrees_with_the_twin_and_the_plan_changes_nothing(seed: u64) {
        check(seed);
    }
}

#[test]
fn random_programs_use_every_operator() {
    let seen: BTreeSet<String> = (0..200).flat_map(check).collect();
    let all = [
        "activate_f32",
        "activate_i8",
        "add_f32",
        "add_i8",
        "affine_f32",
        "average_pool",
        "channel_shuffle",
        "concatenate",
        "convolution_f16",
        "convolution_i8",
        "depthwise_f16",
        "depthwise_i8",
        "dequantize",
        "global_average_pool",
        "max_pool",
        "multiply_f32",
        "multiply_i8",
        "pad",
        "quantize",
        "reshape",
        "resize",
        "slice",
        "softmax",
        "transpose",
    ];
    assert_eq!(seen, all.map(str::to_owned).into());
}

/// Runs `body` with `threads` threads at work, the caller included; workers call `prepare` first.
fn with_threads(threads: usize, prepare: fn(), body: impl FnOnce(&Arc<Workers>)) {
    let workers = Arc::new(Workers::new());
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(|| {
                prepare();
                workers.worker_loop();
            });
        }
        while workers.threads() < threads {
            std::thread::yield_now();
        }
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| body(&workers)));
        workers.stop();
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic);
        }
    });
}

#[test]
fn integers_are_the_same_on_any_number_of_threads_and_every_instruction_set() {
    for seed in 0..6 {
        let model = Arc::new(integers(seed));
        let expected = outputs(&model, Isa::Scalar, &Arc::new(Workers::new()), seed);
        for threads in 1..=4 {
            with_threads(
                threads,
                || (),
                |workers| {
                    for isa in Isa::ALL.into_iter().filter(|isa| isa.available()) {
                        assert_eq!(
                            outputs(&model, isa, workers, seed),
                            expected,
                            "seed {seed}, {threads} threads, {isa}"
                        );
                    }
                },
            );
        }
    }
}

#[test]
fn a_hundred_runs_allocate_nothing() {
    let models: Vec<Arc<Model>> =
        (0..4).map(integers).chain((0..20).map(|seed| model(seed, 12))).map(Arc::new).collect();
    with_threads(
        3,
        || allocations::arm(true),
        |workers| {
            for model in &models {
                let mut executor = Executor::new(Arc::clone(model), Isa::detect(), Arc::clone(workers)).unwrap();
                let before = allocations::counted();
                allocations::arm(true);
                for run in 0..100 {
                    executor.input_i8_mut(0).unwrap().fill(run);
                    executor.run();
                    assert!(executor.output(0).is_some());
                }
                allocations::arm(false);
                assert_eq!(allocations::counted(), before);
            }
            allocations::arm(true);
            drop(std::hint::black_box(Box::new(1)));
            allocations::arm(false);
            assert!(allocations::counted() > 0, "the counter counts");
        },
    );
}

#[test]
fn an_instruction_set_that_is_not_here_is_refused() {
    let model = Arc::new(model(1, 3));
    let foreign = Isa::ALL.into_iter().find(|isa| !isa.available()).unwrap();
    let error = Executor::new(model, foreign, Arc::new(Workers::new())).unwrap_err();
    assert_eq!(error, ExecutorError::Isa(foreign));
    assert!(error.to_string().contains(foreign.name()), "{error}");
}

#[test]
fn inputs_and_outputs_are_found_by_number_name_and_type() {
    let model = Arc::new(model(3, 6));
    let mut executor = Executor::new(Arc::clone(&model), Isa::Scalar, Arc::new(Workers::new())).unwrap();
    assert!(executor.input_i8_mut(1).is_none());
    assert!(executor.input_f32_mut(0).is_none());
    let program = model.program();
    let last = program.outputs.len() - 1;
    let name = &program.values[program.outputs[last].0].name;
    assert_eq!(executor.output_index(name), Some(last));
    assert_eq!(executor.output_index("nobody"), None);
    assert!(executor.output(last + 1).is_none());
    assert!(executor.value(program.inputs[0]).is_some());
    let inner = program.steps.iter().map(|step| step.output).find(|id| !program.outputs.contains(id)).unwrap();
    assert!(executor.value(inner).is_none(), "its memory may hold something else by now");
}

#[test]
fn an_observer_sees_every_step_as_it_was_computed() {
    let model = Arc::new(model(7, 12));
    let workers = Arc::new(Workers::new());
    let mut kept = Executor::keeping_all(Arc::clone(&model), Isa::Scalar, Arc::clone(&workers)).unwrap();
    let mut shared = Executor::new(Arc::clone(&model), Isa::Scalar, workers).unwrap();
    assert!(shared.arena_bytes() <= kept.arena_bytes());
    fill(&mut kept, 9);
    fill(&mut shared, 9);
    kept.run();
    let mut steps = 0;
    shared.run_observed(&mut |at, view| {
        assert_eq!(at, steps);
        let other = kept.value(model.program().steps[at].output).unwrap();
        assert_eq!(dense(&view), dense(&other));
        assert!(view.reals().eq(other.reals()));
        steps += 1;
    });
    assert_eq!(steps, model.program().steps.len());
}
