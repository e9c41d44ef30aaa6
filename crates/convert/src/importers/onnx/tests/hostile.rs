//! Files that are wrong on purpose: an error that says what and why, never a panic.

use clawdbot_nn::graph::Graph;
use clawdbot_nn::reference;
use clawdbot_nn::tensor::{Elements, Tensor};

use super::writer::Attribute::{Int, Ints, Text};
use super::writer::{Message, Model, floats, tensor};
use super::{cases, read};
use crate::fixtures::data;
use crate::importers::{Format, Source, import};

/// A picture into a 1x1 convolution.
fn sound() -> Model {
    Model::new(13).input("x", &[1, 3, 4, 5]).output("y").weights("w", &[2, 3, 1, 1])
}

#[track_caller]
fn check_refusal(model: &Model, wanted: &str) {
    let message = read(model).expect_err("a bad file was read").to_string();
    assert!(message.contains(wanted), "the message {message:?} does not say {wanted:?}");
}

fn conv(model: Model) -> Model {
    model.node("Conv", &["x", "w"], &["y"], &[])
}

fn relu(input: &str, output: &str) -> Model {
    Model::new(13).input("x", &[1, 3, 4, 5]).output("y").node("Relu", &[input], &[output], &[])
}

#[test]
fn impossible_inputs_are_refused() {
    let shape = |shape: &[i64]| Model::new(13).input("x", shape).output("y").node("Relu", &["x"], &["y"], &[]);
    check_refusal(&shape(&[1, 3, -1, 5]), "`x` has the shape [1, 3, ?side, 5]; all but the batch must be fixed");
    check_refusal(&shape(&[1, 3, -1, 5]), "make_dynamic_shape_fixed --input_name x");
    check_refusal(&shape(&[1, 1 << 20, 1 << 20, 5]), "has the shape [1, 1048576, 1048576, 5]");
    check_refusal(&shape(&[1, 0, 4]), "has the shape [1, 0, 4]");
    check_refusal(&shape(&[1; 9]), "9 axes");
    check_refusal(&shape(&[]), "0 axes");
    check_refusal(&shape(&[2, 3, 4, 5]), "a batch of 2: export the model with a batch of 1");
    assert_eq!(read(&shape(&[-1, 3, 4, 5])).unwrap().values[0].shape, [1, 4, 5, 3]);

    let bytes = Message::default().integer(1, 2);
    let info = Message::default().text(1, "x").message(2, &Message::default().message(1, &bytes));
    let mut model = Model::new(13);
    model.graph = model.graph.message(11, &info);
    check_refusal(&model.output("y"), "the input `x` is UINT8, where floats are expected");
}

#[test]
fn impossible_graphs_are_refused() {
    check_refusal(&relu("z", "y"), "its operand `z` is neither an input, a constant, nor made by an earlier node");
    check_refusal(&relu("x", "z"), "the output `y` is made by no operator");
    // A cycle.
    let cycle = relu("a", "b").node("Relu", &["b"], &["a"], &[]).node("Relu", &["a"], &["y"], &[]);
    check_refusal(&cycle, "its operand `a` is neither");
    check_refusal(&relu("x", "y").node("Relu", &["x"], &["z"], &[]).node("Add", &["z", "y"], &["y"], &[]), "`y` ");
    check_refusal(&conv(sound()).weights("w", &[2, 3, 1, 1]), "the name `w` stands for two things");
    check_refusal(&Model::new(13).input("x", &[1, 3]).output("x").input("x", &[1, 3]), "`x` stands for two things");
    check_refusal(&Model::new(13).input("x", &[1, 3]), "it names no output");
    check_refusal(
        &Model::new(13).input("x", &[1, 3]).weights("y", &[2]).node("Identity", &["y"], &["z"], &[]).output("z"),
        "the output `z` is a constant",
    );
    check_refusal(&relu("x", "y").node("Relu", &[], &["z"], &[]).output("z"), "it lacks operand 0");
    let mut twice = relu("x", "y");
    twice.rest = Message::default().message(7, &twice.graph);
    check_refusal(&twice, "two graphs");
    let crowd = (0..300).fold(Model::new(13), |model, at| model.input(&format!("x{at}"), &[1, 3]));
    check_refusal(&crowd, "more than 256 inputs or outputs");
    let mut many = relu("x", "y");
    for _ in 0..1 << 14 {
        many.graph = many.graph.message(1, &Message::default());
    }
    check_refusal(&many, "more than 16384 nodes");
}

#[test]
fn other_opsets_and_other_files_are_refused() {
    let with = |opset| {
        let mut model = relu("x", "y");
        model.opset = opset;
        model
    };
    check_refusal(&with(6), "its opset is 6, supported are 7 to 21");
    check_refusal(&with(22), "its opset is 22, supported are 7 to 21");
    check_refusal(&with(-1), "its opset is -1");
    let error = import(Source::alone(&Message::default().integer(1, 8).text(2, "nothing").0)).unwrap_err();
    assert!(error.to_string().contains("it holds no graph"), "{error}");
    let unnamed = Message::default().integer(1, 8).message(7, &relu("x", "y").graph);
    let error = import(Source::alone(&unnamed.0)).unwrap_err();
    assert!(error.to_string().contains("which opset"), "{error}");
    assert!(!Format::Onnx.recognises(b"") && !Format::Onnx.recognises(b"GGUF") && !Format::Onnx.recognises(&[8, 99]));
    assert!(Format::Onnx.recognises(&relu("x", "y").bytes()));
}

#[test]
fn impossible_constants_are_refused() {
    let with = |constant: Message| conv(Model::new(13).input("x", &[1, 3, 4, 5]).output("y").constant(&constant));
    check_refusal(&with(floats("w", &[2, 3, 1, 1], &[0.0; 5])), "wants 24 bytes, it has 20");
    check_refusal(&with(tensor("w", &[2, 3, 1, 1], 1).float(4, 1.0)), "wants 6 elements, it has 1");
    check_refusal(&with(tensor("w", &[2, 3, -1, 1], 1)), "the shape [2, 3, -1, 1]");
    check_refusal(&with(tensor("w", &[i64::MAX, i64::MAX, 2, 2], 1)), "`w` has the shape");
    check_refusal(&with(tensor("w", &[1 << 20, 1 << 7, 1, 1], 1)), "far more elements than the file has bytes");
    check_refusal(&with(tensor("w", &[2, 3, 1, 1], 8)), "`w` is STRING");
    check_refusal(&with(tensor("w", &[2, 3, 1, 1], 0)), "`w` is without a type");
    check_refusal(&with(tensor("w", &[2, 3, 1, 1], 77)), "`w` is element type 77");
    check_refusal(&with(floats("w", &[2, 3, 1, 1], &[f32::NAN; 6])), "not finite");
    check_refusal(&with(floats("w", &[2, 3, 1, 1], &[f32::INFINITY; 6])), "not finite");
    let sparse = {
        let mut model = conv(sound());
        model.graph = model.graph.message(15, &Message::default());
        model
    };
    check_refusal(&sparse, "sparse constants");
    let external = tensor("w", &[2, 3, 1, 1], 1).integer(14, 1);
    check_refusal(&with(external), "the model was read without its folder");
}

#[test]
fn impossible_operators_are_refused() {
    let unknown = relu("x", "a").node("Foo", &["a"], &["b"], &[]).node("Loop", &["b"], &["c"], &[]);
    let unknown = unknown.node("Foo", &["c"], &["d"], &[]).node("Foo", &["d"], &["e"], &[]);
    let unknown = unknown.node("Foo", &["e"], &["f"], &[]).node("Relu", &["f"], &["y"], &[]);
    check_refusal(
        &unknown,
        "not supported: Foo (`Foo_1`, `Foo_3`, `Foo_4` and 1 more); Loop (`Loop_2`). Cut the network",
    );
    let with = |name, value| sound().node("Conv", &["x", "w"], &["y"], &[(name, value)]);
    check_refusal(&with("strides", Ints(vec![0, 1])), "its strides is [0, 1]");
    check_refusal(&with("strides", Ints(vec![1, 1, 1])), "in 3 dimensions is not supported");
    check_refusal(&with("pads", Ints(vec![-1, 0, 0, 0])), "with the pads [-1, 0, 0, 0] is not supported");
    check_refusal(&with("group", Int(2)), "in 2 groups do not fit its operand's 3 channels");
    check_refusal(&with("group", Int(i64::MIN)), "in 0 groups");
    check_refusal(&with("kernel_shape", Ints(vec![3, 3])), "its kernel_shape is not that of its weights");
    check_refusal(&with("auto_pad", Text("ROUND")), "its auto_pad is \"ROUND\"");
    check_refusal(&with("strides", Int(3)), "its strides is []");
    let large = Model::new(13).input("x", &[1, 2048, 2, 2]).output("y").weights("w", &[1024, 1024, 1, 1]);
    let large = large.node("Conv", &["x", "w"], &["y"], &[("group", Int(2))]);
    check_refusal(&large, "with 2 groups of so many channels is not supported");
    let wide = Model::new(13).input("x", &[1, 3, 4, 5]).output("y").weights("w", &[2, 3, 9, 9]);
    check_refusal(&conv(wide), "larger than its operand of [4, 5] with padding");
    let reshape = |shape: &[i64]| relu("x", "a").integers("s", shape).node("Reshape", &["a", "s"], &["y"], &[]);
    for bad in [&[-1_i64, -1][..], &[7, -1], &[0, 0, 0, 0, 0], &[i64::MAX, i64::MAX], &[59], &[-2, 30], &[1; 9]] {
        let message = read(&reshape(bad)).expect_err("a bad shape was read").to_string();
        assert!(message.contains("does not hold") || message.contains("would have the shape"), "{message}");
    }
    let slope =
        |alpha| relu("x", "a").node("LeakyRelu", &["a"], &["y"], &[("alpha", super::writer::Attribute::Float(alpha))]);
    check_refusal(&slope(2.0), "with the slope 2");
    check_refusal(&slope(f32::NAN), "with the slope NaN");
    check_refusal(
        &relu("x", "a").node("Transpose", &["a"], &["y"], &[("perm", Ints(vec![0, 0, 1, 2]))]),
        "no order of 4 axes",
    );
    check_refusal(&relu("x", "a").node("Softmax", &["a"], &["y"], &[("axis", Int(4))]), "axis 4 is not one of 4");
    check_refusal(&relu("x", "a").node("MaxPool", &["a"], &["y"], &[]), "it lacks its kernel_shape");
    check_refusal(&relu("x", "a").node("Cast", &["a"], &["y"], &[("to", Int(7))]), "of a value to INT64");
    check_refusal(&relu("x", "a").node("ConvTranspose", &["a"], &["y"], &[]), "ConvTranspose");
}

#[test]
fn a_graph_that_folds_to_much_is_refused() {
    let shape = sound().integers("s", &[1 << 12, 1 << 12]).node("ConstantOfShape", &["s"], &["c"], &[]);
    check_refusal(&shape.node("Add", &["x", "c"], &["y"], &[]), "of a constant of the shape [4096, 4096]");
    // Twelve constants of 2^21 elements each, of a file of some hundred bytes.
    let mut model = sound().integers("s", &[1 << 21]);
    for at in 0..12 {
        model = model.node("ConstantOfShape", &["s"], &[&format!("c{at}")], &[]);
    }
    let names: Vec<String> = (0..12).map(|at| format!("c{at}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    check_refusal(
        &model.node("Concat", &names, &["y"], &[("axis", Int(0))]),
        "far more elements than the file has bytes",
    );
}

#[test]
fn damaged_containers_are_refused() {
    let message = |bytes: &[u8]| super::import(Source::alone(bytes)).unwrap_err().to_string();
    assert!(message(&[0x08, 0xff]).contains("ends within a field"));
    assert!(message(&[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]).contains("more than 64 bits"));
    assert!(message(&[0x3a, 0xff, 0xff, 0xff, 0xff, 0x0f]).contains("ends within a field"));
    assert!(message(&[0x3b]).contains("wire type 3"));
    assert!(message(&[0x38, 1]).contains("field 7 in another form"));
    assert!(message(&[0x02, 0]).contains("field 0"));
    assert!(message(&[]).contains("it holds no graph"));
    // A node within a node within a node ... is bytes that nobody reads.
    let deep = (0..20_000).fold(Message::default(), |inner, _| Message::default().message(6, &inner));
    assert!(message(&Message::default().message(7, &deep).0).contains("opset"));
}

#[test]
fn a_file_cut_anywhere_is_an_error() {
    let Some(bytes) = data("tiny/cnn.onnx") else { return };
    for length in 0..bytes.len() {
        assert!(super::import(Source::alone(&bytes[..length])).is_err(), "cut at {length} of {} was read", bytes.len());
    }
    for (name, model) in cases::all() {
        let bytes = model.bytes();
        for length in 0..bytes.len() {
            assert!(super::import(Source::alone(&bytes[..length])).is_err(), "{name}, cut at {length}, was read");
        }
    }
}

/// Every node of a graph that was read can be computed.
fn check_shapes(name: &str, graph: &Graph) {
    let size = |shape: &[usize]| shape.iter().product::<usize>();
    let cost: usize = graph
        .nodes
        .iter()
        .map(|node| {
            let weights = node.inputs.get(1).map_or(1, |weights| size(&graph.values[weights.0].shape));
            size(&graph.values[node.output.0].shape).saturating_mul(weights)
        })
        .fold(0, usize::saturating_add);
    if cost > 100_000 {
        return;
    }
    let zeros = |value: &clawdbot_nn::graph::ValueId| {
        let shape = graph.values[value.0].shape.clone();
        Tensor::new(shape.clone(), Elements::F32(vec![0.0; size(&shape)])).unwrap()
    };
    let inputs: Vec<Tensor> = graph.inputs.iter().map(zeros).collect();
    if let Err(error) = reference::run(graph, &inputs) {
        panic!("{name}: a graph was read that cannot be computed: {error}\n{graph:?}");
    }
}

/// Damage of any kind must give an answer: an error, or a graph that can be computed.
#[test]
fn flipped_bytes_never_panic() {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut next = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    };
    let (mut refused, mut read) = (0, 0);
    let mut try_one = |name: &str, bytes: &[u8]| match super::import(Source::alone(bytes)) {
        Ok((graph, _)) => {
            read += 1;
            check_shapes(name, &graph);
        }
        Err(_) => refused += 1,
    };
    for (name, model) in cases::all() {
        let sound = model.bytes();
        for position in 0..sound.len() {
            let mut bytes = sound.clone();
            bytes[position] = u8::try_from(next(256)).unwrap();
            try_one(&name, &bytes);
        }
        for _ in 0..100 {
            let mut bytes = sound.clone();
            for _ in 0..=next(4) {
                let position = next(bytes.len());
                bytes[position] ^= 1 << next(8);
            }
            try_one(&name, &bytes);
        }
    }
    if let Some(sound) = data("tiny/cnn.onnx") {
        for _ in 0..2000 {
            let mut bytes = sound.clone();
            let position = next(bytes.len());
            bytes[position] = u8::try_from(next(256)).unwrap();
            try_one("tiny/cnn.onnx", &bytes);
        }
    }
    assert!(refused > 1000 && read > 1000, "{refused} refused, {read} read: the loop no longer reaches the reader");
}

#[test]
fn what_no_output_needs_may_be_anything() {
    let model = relu("x", "y").node("Foo", &["x"], &["z"], &[]).constant(&floats("broken", &[7], &[]));
    assert_eq!(read(&model).unwrap().nodes.len(), 1);
}

#[test]
fn the_licence_is_the_one_that_the_file_names() {
    let licence = |model: Model| import(Source::alone(&model.bytes())).unwrap().licence;
    assert_eq!(licence(relu("x", "y")), None);
    assert_eq!(licence(relu("x", "y").metadata("author", "me").metadata("License", " MIT ")), Some("MIT".to_owned()));
}
