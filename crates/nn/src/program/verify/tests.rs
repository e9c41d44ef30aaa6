use half::f16;
use proptest::prelude::*;

use crate::fixture;
use crate::model::{Model, PackedTensor, PackedTensors};
use crate::program::{
    Activation, Op, Program, QuantizedActivation, QuantizedEpilogue, QuantizedWeights, ValueId, Window,
};
use crate::tensor::DataType;

/// Changes the fixture; the answer must be an error that is `expected`.
#[track_caller]
fn check(expected: &str, change: impl FnOnce(&mut Program, &mut PackedTensors)) {
    let (mut program, mut tensors) = fixture::small();
    change(&mut program, &mut tensors);
    match Model::new(program, &tensors) {
        Ok(_) => panic!("accepted, but should say `{expected}`"),
        Err(error) => {
            let message = error.to_string();
            assert!(message.contains(expected), "`{message}` does not say `{expected}`");
        }
    }
}

/// As [`check`], for a change to the elements of one I8 tensor.
#[track_caller]
fn check_i8(expected: &str, tensor: &str, change: impl FnOnce(&mut Vec<i8>)) {
    check(expected, |_, tensors| {
        let shape = tensors[tensor].shape().to_vec();
        let mut elements: Vec<i8> = bytemuck::cast_slice(tensors[tensor].bytes()).to_vec();
        change(&mut elements);
        tensors.insert(tensor.to_owned(), PackedTensor::from_i8(shape, &elements).unwrap());
    });
}

fn window(program: &mut Program, step: usize) -> &mut Window {
    match &mut program.steps[step].op {
        Op::ConvolutionI8 { window, .. }
        | Op::DepthwiseI8 { window, .. }
        | Op::ConvolutionF16 { window, .. }
        | Op::DepthwiseF16 { window, .. } => window,
        op => panic!("{op:?} has no window"),
    }
}

fn epilogue(program: &mut Program, step: usize) -> &mut QuantizedEpilogue {
    match &mut program.steps[step].op {
        Op::ConvolutionI8 { epilogue, .. } | Op::DepthwiseI8 { epilogue, .. } | Op::AddI8 { epilogue } => epilogue,
        op => panic!("{op:?} has no epilogue"),
    }
}

fn names(program: &mut Program, step: usize) -> &mut QuantizedWeights {
    match &mut program.steps[step].op {
        Op::ConvolutionI8 { tensors, .. } | Op::DepthwiseI8 { tensors, .. } => tensors,
        op => panic!("{op:?} has no INT8 weights"),
    }
}

#[test]
fn the_fixture_is_sound() {
    let (program, tensors) = fixture::small();
    Model::new(program, &tensors).unwrap();
}

#[test]
fn shapes_of_values() {
    let shape = |value: usize, shape: Vec<usize>| {
        move |program: &mut Program, _: &mut PackedTensors| program.values[value].shape = shape
    };
    check("value `picture`: the shape []", shape(0, vec![]));
    check("value `picture`: the shape [1, 0, 5, 3]", shape(0, vec![1, 0, 5, 3]));
    check("value `picture`: the shape [2, 4, 5, 3]", shape(0, vec![2, 4, 5, 3]));
    check("value `picture`: the shape [1, 1, 1, 1, 1, 1, 1]", shape(0, vec![1; 7]));
    check("value `picture`: the shape", shape(0, vec![1, usize::MAX, usize::MAX, 3]));
    check("value `picture`: the shape", shape(0, vec![1, 1, 1, usize::MAX]));
    check("value `picture`: the shape", shape(0, vec![1, 1 << 14, 1 << 14, 3]));
    check("bytes of activations", |program, _| {
        for at in 0..6 {
            let mut value = program.values[5].clone();
            (value.name, value.shape) = (format!("large{at}"), vec![1, 1 << 13, 1 << 13, 1]);
            program.values.push(value);
        }
    });
    check("more than 65536 values", |program, _| program.values.resize((1 << 16) + 1, program.values[5].clone()));
    check("more than 65536 steps", |program, _| program.steps.resize((1 << 16) + 1, program.steps[0].clone()));
}

#[test]
fn scales_and_zero_points() {
    let scale = |scale: Vec<f32>| move |program: &mut Program, _: &mut PackedTensors| program.values[2].scale = scale;
    for bad in [0.0, -1.0, f32::NAN, f32::INFINITY, f32::MIN_POSITIVE / 2.0] {
        check("value `depth_out`: the scale", scale(vec![bad]));
        check("value `depth_out`: the scale", scale([&[1.0; 7][..], &[bad]].concat()));
    }
    check("value `depth_out`: 0 scales are neither one nor one for each of 8 channels", scale(vec![]));
    check("value `depth_out`: 3 scales", scale(vec![1.0; 3]));
    for bad in [-129, 128, i32::MIN, i32::MAX] {
        check("value `depth_out`: the zero point", |program, _| program.values[2].zero_point = bad);
    }
    check("value `real_out`: an F32 value has no scale", |program, _| program.values[5].scale = vec![1.0]);
    check("value `real_out`: an F32 value has no scale", |program, _| program.values[5].zero_point = 1);
    check("value `real_out`: an activation cannot be F16", |program, _| program.values[5].data_type = DataType::F16);
}

#[test]
fn order_of_steps() {
    check("the program: it has no inputs", |program, _| program.inputs.clear());
    check("the program: it has no outputs", |program, _| program.outputs.clear());
    check("the program: there is no value number 11", |program, _| program.outputs.push(ValueId(11)));
    check("value `scores`: it appears twice", |program, _| program.outputs.push(ValueId(10)));
    check("step `conv`: there is no value number 77", |program, _| program.steps[0].output = ValueId(77));
    check("step `depth`: it appears twice", |program, _| program.steps[2].name = String::from("depth"));
    check("step `depth`: it reads `conv_out`, which no earlier step writes", |program, _| program.steps.swap(0, 1));
    check("step `depth`: it reads `depth_out`", |program, _| program.steps[1].inputs = vec![ValueId(2)]);
    check("step `depth`: it writes `conv_out`, which is an input or", |program, _| {
        program.steps[1].output = ValueId(1)
    });
    check("step `conv`: it writes `picture`", |program, _| program.steps[0].output = ValueId(0));
    check("value `scores`: it is an output, but no step writes it", |program, _| {
        program.steps.pop();
    });
}

#[test]
fn operands() {
    let inputs = |step: usize, inputs: &'static [usize]| {
        move |program: &mut Program, _: &mut PackedTensors| {
            program.steps[step].inputs = inputs.iter().map(|&id| ValueId(id)).collect();
        }
    };
    for step in 0..10 {
        check("inputs; its operator takes", inputs(step, &[]));
        check("inputs; its operator takes", inputs(step, &[0, 0, 0]));
    }
    check("step `depth`: it has 2 inputs; its operator takes one", inputs(1, &[1, 1]));
    check("step `project`: `picture` has the shape [1, 4, 5, 3]; a residual has", inputs(2, &[2, 0]));
    check("step `add`: `picture` has the shape [1, 4, 5, 3]", inputs(3, &[3, 0]));
    check("step `head`: `add_out` is I8", inputs(5, &[4]));
    check("step `flat`: `flat_out` is F32", inputs(8, &[4]));
    check("step `flat`: `flat_out` has the shape [1, 5]; it must hold the 160 elements", inputs(8, &[5]));
    check("step `mean`: `mean_out` is F32", inputs(7, &[4]));
    check("step `mean`: `mean_out` has the shape [1, 1, 1, 5]; pooling makes one pixel of 8", inputs(7, &[5]));
    check("step `project`: `depth_out` has a scale for each channel", |program, _| {
        program.steps[2].inputs = vec![ValueId(1), ValueId(2)];
        program.values[2].scale = vec![1.0; 8];
    });
    check("step `conv`: `conv_out` has the shape [1, 4, 4, 8]; its window makes [4, 5]", |program, _| {
        program.values[1].shape = vec![1, 4, 4, 8];
    });
    check("step `conv`: `conv_out` has the shape [4, 5, 8]", |program, _| program.values[1].shape = vec![4, 5, 8]);
    check(
        "step `depth`: `depth_out` has the shape [1, 4, 5, 16]; a depthwise result has its input's 8",
        |program, _| {
            program.values[2].shape = vec![1, 4, 5, 16];
        },
    );
    check("step `depth`: an INT8 depthwise convolution needs more than 4 channels, not 3", |program, _| {
        program.steps[1].inputs = vec![ValueId(0)];
        program.values[2].shape = vec![1, 4, 5, 3];
    });
}

fn activation(step: usize, new: Activation) -> impl FnOnce(&mut Program, &mut PackedTensors) {
    move |program, _| match &mut program.steps[step].op {
        Op::ConvolutionF16 { activation, .. } | Op::DepthwiseF16 { activation, .. } => *activation = new,
        op => panic!("{op:?} has no float activation"),
    }
}

#[test]
fn windows_and_bounds() {
    check("step `conv`: the window", |program, _| window(program, 0).stride = [0, 1]);
    check("step `conv`: the window", |program, _| window(program, 0).kernel = [3, 0]);
    check("step `conv`: the window", |program, _| window(program, 0).kernel = [65, 1]);
    check("step `conv`: the window", |program, _| window(program, 0).kernel = [usize::MAX, 1]);
    check("step `conv`: the window", |program, _| window(program, 0).padding = [3, 0, 0, 0]);
    check("step `conv`: the window", |program, _| window(program, 0).padding = [0, 0, 0, usize::MAX]);
    check("step `add`: the lower bound 5 is above the upper bound 4", |program, _| {
        (epilogue(program, 3).low, epilogue(program, 3).high) = (5, 4);
    });
    for (low, high) in [(1.0, 0.0), (f32::NAN, 1.0), (0.0, f32::NAN)] {
        check("step `head`: the lower bound", activation(5, Activation::Clip { low, high }));
    }
    check("step `head`: the slope 1.5", activation(5, Activation::Leaky(1.5)));
    check("step `tail`: the slope NaN", activation(6, Activation::Leaky(f32::NAN)));
    check("step `tail`: the slope inf", activation(6, Activation::HardSigmoid { slope: f32::INFINITY, offset: 0.0 }));
    check("step `tail`: the pad value inf", |program, _| {
        let Op::DepthwiseF16 { pad_value, .. } = &mut program.steps[6].op else { panic!() };
        *pad_value = f32::INFINITY;
    });
}

#[test]
fn concatenation() {
    let concatenate = |axis: usize, inputs: &'static [usize]| {
        move |program: &mut Program, _: &mut PackedTensors| {
            program.steps[8].op = Op::Concatenate { axis };
            program.steps[8].inputs = inputs.iter().map(|&id| ValueId(id)).collect();
            program.values[9].shape = vec![1, 1, 2, 5];
        }
    };
    check("step `flat`: there is no axis 4", concatenate(4, &[8, 8]));
    check(
        "step `flat`: `flat_out` has the shape [1, 1, 2, 5]; its inputs add up to 3 along axis 2",
        concatenate(2, &[8, 8, 8]),
    );
    check("step `flat`: `mean_out` has the shape [1, 1, 1, 5]; it may differ", concatenate(3, &[8, 8]));
    check("step `flat`: `add_out` is I8", concatenate(2, &[4]));
}

#[test]
fn tensors_of_integers() {
    check("step `depth`, tensor `nobody`: it is missing", |program, _| {
        names(program, 1).weights = String::from("nobody");
    });
    check("step `conv`, tensor `conv.bias`: it is I32 [8], but must be I8 [1, 10, 8, 4]", |program, _| {
        names(program, 0).weights = String::from("conv.bias");
    });
    check("step `add`, tensor `conv.bias`: it is I32 [8], but must be I8 [256]", |program, _| {
        epilogue(program, 3).activation = QuantizedActivation::Table { table: String::from("conv.bias") };
    });
    for (tensor, step) in [("conv.weights", "conv"), ("depth.weights", "depth"), ("project.weights", "project")] {
        check_i8(&format!("step `{step}`, tensor `{tensor}`: the weight at 2 is -128"), tensor, |weights| {
            weights[2] = -128
        });
        let sums = format!("step `{step}`, tensor `{step}.column_sums`: channel ");
        check_i8(&sums, tensor, |weights| weights[2] ^= 1);
    }
    // Lane 3 is the fourth byte of a pixel of 3 channels; K = 36 is padded to 40; 8 channels of a stride of 16.
    check_i8("tensor `conv.weights`: the weight at 3 meets a padding channel", "conv.weights", |weights| {
        weights[3] = 1
    });
    check_i8("tensor `conv.weights`: the weight at 288 meets", "conv.weights", |weights| weights[9 * 32] = 1);
    check_i8("tensor `project.weights`: the weight at 64 meets", "project.weights", |weights| weights[64] = 1);
    check_i8("tensor `depth.weights`: the weight at 8 meets", "depth.weights", |weights| weights[8] = 1);
}

#[test]
fn tensors_around_integers() {
    for bad in [0.0, -0.5, f32::NAN, f32::INFINITY, 1e-40] {
        check("step `conv`, tensor `conv.scale`: channel 7: the scale", |_, tensors| {
            let scales = [&[0.5; 7][..], &[bad]].concat();
            tensors.insert(String::from("conv.scale"), PackedTensor::from_f32(vec![8], &scales).unwrap());
        });
    }
    for bad in [i32::MAX, i32::MIN, i32::MAX - 1000] {
        check("step `conv`, tensor `conv.bias`: channel 0: bias and weights could overflow", |_, tensors| {
            tensors.insert(String::from("conv.bias"), PackedTensor::from_i32(vec![8], &[bad; 8]).unwrap());
        });
    }
}

#[test]
fn tensors_of_floats() {
    for (bad, step) in [(f16::NAN, "head"), (f16::INFINITY, "tail")] {
        let name = format!("{step}.weights");
        check(&format!("step `{step}`, tensor `{name}`: the element at 1 is not finite"), |_, tensors| {
            let shape = tensors[&name].shape().to_vec();
            let mut elements: Vec<f16> = bytemuck::cast_slice(tensors[&name].bytes()).to_vec();
            elements[1] = bad;
            tensors.insert(name.clone(), PackedTensor::from_f16(shape, &elements).unwrap());
        });
    }
    check("step `tail`, tensor `tail.bias`: the element at 4 is not finite", |_, tensors| {
        let bias = [0.0, 0.0, 0.0, 0.0, f32::NAN];
        tensors.insert(String::from("tail.bias"), PackedTensor::from_f32(vec![5], &bias).unwrap());
    });
    check("step `tail`, tensor `tail.bias`: it is F32 [4], but must be F32 [5]", |_, tensors| {
        tensors.insert(String::from("tail.bias"), PackedTensor::from_f32(vec![4], &[0.0; 4]).unwrap());
    });
}

proptest! {
    /// Whatever a few numbers of the program are changed to: an answer, and one that runs if it is yes.
    #[test]
    fn changed_numbers_never_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), number()), 1..4)) {
        let (program, tensors) = fixture::small();
        let mut json = serde_json::to_value(&program).unwrap();
        for (place, number) in changes {
            let mut places = Vec::new();
            numbers(&mut json, &mut places);
            *places.swap_remove(place.index(places.len())) = number.into();
        }
        if let Ok(program) = serde_json::from_value::<Program>(json)
            && let Ok(model) = Model::new(program, &tensors)
        {
            let workers = std::sync::Arc::new(crate::workers::Workers::new());
            let isa = clawdbot_kernels::isa::Isa::Scalar;
            crate::executor::Executor::new(std::sync::Arc::new(model), isa, workers).unwrap().run();
        }
    }
}

fn number() -> impl Strategy<Value = i64> {
    prop_oneof![-3_i64..12, Just(i64::MAX), Just(1 << 40), Just(65_536), Just(-128), Just(128)]
}

fn numbers<'a>(json: &'a mut serde_json::Value, found: &mut Vec<&'a mut serde_json::Value>) {
    match json {
        serde_json::Value::Number(_) => found.push(json),
        serde_json::Value::Array(items) => items.iter_mut().for_each(|item| numbers(item, found)),
        serde_json::Value::Object(fields) => fields.values_mut().for_each(|item| numbers(item, found)),
        _ => {}
    }
}
