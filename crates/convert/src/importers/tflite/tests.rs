//! Hostile files made field by field, damaged real files, and the real networks' shapes.

mod files;
mod flatbuffer_writer;
mod network_writer;
mod networks;
mod operators;

use clawdbot_nn::graph::{Activation, Graph, Op};

use self::flatbuffer_writer::{Field, Fields, write};
use super::import;
use crate::fixtures::data;

/// A model of one CONV_2D: x [1,4,4,2] -> 3x3, SAME, stride 2 -> y [1,2,2,1].
#[derive(Clone)]
struct Draft {
    kind: Fields,
    shape: Vec<i32>,
    weights_buffer: Vec<u8>,
    weights_buffer_index: u32,
    weights_type: i8,
    quantization: Option<Fields>,
    inputs: Vec<i32>,
    options: Fields,
    output_shape: Vec<i32>,
    buffer_offset: u64,
}

impl Draft {
    fn new() -> Self {
        Self {
            kind: vec![(0, Field::I8(3)), (3, Field::I32(3))],
            shape: vec![1, 4, 4, 2],
            weights_buffer: (0..18_u8).flat_map(|x| f32::from(x).to_le_bytes()).collect(),
            weights_buffer_index: 1,
            weights_type: 0,
            quantization: None,
            inputs: vec![0, 1, -1],
            options: vec![(0, Field::I8(0)), (1, Field::I32(2)), (2, Field::I32(2)), (3, Field::I8(3))],
            output_shape: vec![1, 2, 2, 1],
            buffer_offset: 0,
        }
    }

    fn bytes(self) -> Vec<u8> {
        let tensor = |name, shape, kind, buffer| {
            vec![(0, Field::I32s(shape)), (1, Field::I8(kind)), (2, Field::U32(buffer)), (3, Field::Text(name))]
        };
        let mut weights = tensor("weights", vec![1, 3, 3, 2], self.weights_type, self.weights_buffer_index);
        weights.extend(self.quantization.map(|fields| (4, Field::Table(fields))));
        let tensors = vec![tensor("x", self.shape, 0, 0), weights, tensor("y", self.output_shape, 0, 0)];
        let operator = vec![
            (0, Field::U32(0)),
            (1, Field::I32s(self.inputs)),
            (2, Field::I32s(vec![2])),
            (4, Field::Table(self.options)),
        ];
        let subgraph = vec![
            (0, Field::Tables(tensors)),
            (1, Field::I32s(vec![0])),
            (2, Field::I32s(vec![2])),
            (3, Field::Tables(vec![operator])),
        ];
        let buffer = vec![(0, Field::Bytes(self.weights_buffer)), (1, Field::U64(self.buffer_offset))];
        write(&vec![
            (0, Field::U32(3)),
            (1, Field::Tables(vec![self.kind])),
            (2, Field::Tables(vec![subgraph])),
            (4, Field::Tables(vec![vec![], buffer])),
        ])
    }
}

/// The message that a change to the sound model earns.
fn refusal(change: impl FnOnce(&mut Draft)) -> String {
    let mut draft = Draft::new();
    change(&mut draft);
    import(&draft.bytes()).expect_err("a bad file was read").to_string()
}

#[track_caller]
fn check_refusal(change: impl FnOnce(&mut Draft), wanted: &str) {
    let message = refusal(change);
    assert!(message.contains(wanted), "the message {message:?} does not say {wanted:?}");
}

fn kinds(graph: &Graph) -> Vec<&'static str> {
    let name = |op: &Op| match op {
        Op::Convolution { .. } => "convolution",
        Op::DepthwiseConvolution { .. } => "depthwise",
        Op::Add { .. } => "add",
        Op::Reshape => "reshape",
        Op::Concatenate { .. } => "concatenate",
        Op::Pad(_) => "pad",
        Op::GlobalAveragePool => "pool",
        _ => "other",
    };
    graph.nodes.iter().map(|node| name(&node.op)).collect()
}

#[test]
fn a_sound_model_is_read() {
    let graph = import(&Draft::new().bytes()).unwrap();
    assert_eq!(kinds(&graph), ["convolution"]);
    let Op::Convolution { window, activation, .. } = &graph.nodes[0].op else { panic!("no convolution") };
    assert_eq!(*activation, Activation::Relu6);
    // TensorFlow's SAME: 4 cells in steps of 2 make 2, which needs one cell more than there is: at the end.
    assert_eq!(window.padding, [0, 0, 1, 1]);
    assert_eq!(graph.nodes[0].name, "y");
    assert_eq!(graph.constants[&graph.nodes[0].inputs[1]].as_f32().unwrap()[17], 17.0);
    assert_eq!(graph.constants[&graph.nodes[0].inputs[2]].as_f32().unwrap(), [0.0]);
}

#[test]
fn impossible_shapes_are_refused() {
    check_refusal(|draft| draft.shape = vec![1, 1 << 20, 1 << 20, 2], "`x` has the shape [1, 1048576, 1048576, 2]");
    check_refusal(|draft| draft.shape = vec![1, -1, 4, 2], "`x` has the shape [1, -1, 4, 2]");
    check_refusal(|draft| draft.shape = vec![1, 0, 4, 2], "each side must be at least 1");
    check_refusal(|draft| draft.shape = vec![i32::MAX; 8], "has the shape");
    check_refusal(|draft| draft.shape = vec![2, 4, 4, 2], "batch of 2");
    check_refusal(|draft| draft.shape = vec![1, 4, 4], "where four axes are expected");
    check_refusal(|draft| draft.shape = vec![1, 4, 4, 3], "its weights take 2 channels, its input has 3");
    check_refusal(|draft| draft.shape = vec![1, 4, 4, 4], "CONV_2D with 2 groups");
    check_refusal(|draft| draft.output_shape = vec![1, 2, 3, 1], "declared as [1, 2, 3, 1]");
}

#[test]
fn impossible_constants_are_refused() {
    check_refusal(|draft| draft.weights_buffer_index = 7, "`weights` refers to a buffer that the file does not have");
    check_refusal(|draft| draft.weights_buffer_index = u32::MAX, "does not have");
    check_refusal(|draft| draft.weights_buffer_index = 0, "`weights` is not a constant");
    check_refusal(|draft| draft.weights_buffer.truncate(71), "wants 72 bytes, its buffer has 71");
    check_refusal(|draft| draft.weights_type = 7, "`weights` is INT16");
    check_refusal(|draft| draft.weights_type = 111, "`weights` is element type 111");
    check_refusal(|draft| draft.weights_buffer[..4].copy_from_slice(&f32::NAN.to_le_bytes()), "not finite");
    check_refusal(|draft| draft.buffer_offset = 1 << 31, "outside the flatbuffer");
}

#[test]
fn bad_quantisation_parameters_are_refused() {
    let with = |scale: Vec<f32>, zero_point: Vec<i64>, axis: i32| {
        move |draft: &mut Draft| {
            draft.weights_type = 9;
            draft.weights_buffer = vec![1; 18];
            let fields = vec![(2, Field::F32s(scale)), (3, Field::I64s(zero_point)), (6, Field::I32(axis))];
            draft.quantization = Some(fields);
        }
    };
    check_refusal(with(vec![0.0], vec![0], 0), "its scale is 0");
    check_refusal(with(vec![f32::NAN], vec![0], 0), "its scale is NaN");
    check_refusal(with(vec![f32::INFINITY], vec![0], 0), "its scale is inf");
    check_refusal(with(vec![-1.0], vec![0], 0), "its scale is -1");
    check_refusal(with(vec![1e-40], vec![0], 0), "only positive normal numbers");
    check_refusal(with(vec![1.0, 1.0], vec![0, 0], 9), "2 scales along axis 9");
    check_refusal(with(vec![1.0, 1.0, 1.0], vec![0, 0, 0], 3), "3 scales along axis 3");
    check_refusal(with(vec![1.0, 1.0], vec![0, 0, 0], 3), "2 scales but 3 zero points");
    check_refusal(with(vec![1.0], vec![0], -1), "quantized_dimension is -1");
    check_refusal(with(vec![], vec![], 0), "INT8 without a scale");

    let mut draft = Draft::new();
    with(vec![0.5, 2.0], vec![0, 1], 3)(&mut draft);
    let graph = import(&draft.bytes()).unwrap();
    assert_eq!(graph.constants[&graph.nodes[0].inputs[1]].as_f32().unwrap()[..3], [0.5, 0.0, 0.5]);
}

#[test]
fn bad_operators_are_refused() {
    let kind = |number: i32| move |draft: &mut Draft| draft.kind = vec![(0, Field::I8(127)), (3, Field::I32(number))];
    check_refusal(kind(128), "not supported: node 0 `y`: CUMSUM; export the model without them");
    check_refusal(kind(9999), "node 0 `y`: number 9999;");
    check_refusal(|draft| draft.kind = vec![(0, Field::I8(16))], "node 0 `y`: LSTM;");
    let custom = vec![(0, Field::I8(32)), (1, Field::Text("Foo")), (3, Field::I32(32))];
    check_refusal(|draft| draft.kind = custom, "node 0 `y`: CUSTOM `Foo`;");
    check_refusal(|draft| draft.inputs = vec![0], "node 0 `y` (CONV_2D): it lacks input 1");
    check_refusal(|draft| draft.inputs = vec![0, 99], "`inputs` refers to tensor 99, but the file has 3");
    check_refusal(|draft| draft.inputs = vec![2, 1], "neither a constant nor made by an earlier node");
    check_refusal(|draft| draft.inputs = vec![1, 1], "where an activation is expected");
    check_refusal(|draft| draft.options[0] = (0, Field::I8(9)), "padding has the unknown number 9");
    check_refusal(|draft| draft.options[1] = (1, Field::I32(0)), "its strides are 2 and 0");
    check_refusal(|draft| draft.options[3] = (3, Field::I8(4)), "CONV_2D with a fused TANH;");
    check_refusal(|draft| draft.options.push((5, Field::I32(0))), "its dilation is 0x1");
}

#[test]
fn a_dilated_kernel_is_written_out_with_its_holes() {
    let mut draft = Draft::new();
    draft.options.push((5, Field::I32(2)));
    let graph = import(&draft.bytes()).unwrap();
    let Op::Convolution { window, .. } = &graph.nodes[0].op else { panic!("no convolution") };
    assert_eq!((window.kernel, window.padding), ([5, 3], [1, 0, 2, 1]));
    let weights = graph.constants[&graph.nodes[0].inputs[1]].as_f32().unwrap();
    assert_eq!(weights[..6], [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    assert_eq!(weights[6..12], [0.0; 6]);
    assert_eq!(weights[12..18], [6.0, 7.0, 8.0, 9.0, 10.0, 11.0]);
}

#[test]
fn offsets_that_point_nowhere_are_refused() {
    let sound = Draft::new().bytes();
    let with = |position: usize, word: u32| {
        let mut bytes = sound.clone();
        bytes[position..position + 4].copy_from_slice(&word.to_le_bytes());
        import(&bytes).unwrap_err().to_string()
    };
    assert!(with(0, u32::MAX).contains("truncated or damaged"));
    assert!(with(4, 0).contains("no TensorFlow Lite model"));
    let root = u32::from_le_bytes(sound[..4].try_into().unwrap()) as usize;
    // A vtable before the file, behind it, and the table being its own vtable.
    assert!(with(root, i32::MAX.cast_unsigned()).contains("impossible vtable"));
    assert!(with(root, i32::MIN.cast_unsigned()).contains("truncated or damaged"));
    assert!(with(root, 0).contains("vtable"));
    // The version's slot comes first, so the offset of the operator codes is in the second.
    assert!(with(root + 12, u32::MAX).contains("`operator_codes` needs bytes"));
    assert!(import(&[]).unwrap_err().to_string().contains("no TensorFlow Lite model"));
}

/// A vector that claims more elements than the file can hold must not be allocated first.
#[test]
fn a_vector_longer_than_the_file_is_refused() {
    let mut bytes = Draft::new().bytes();
    let needle = 18_u32 * 4;
    let position = bytes.windows(4).position(|window| window == needle.to_le_bytes()).unwrap();
    bytes[position..position + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    let message = import(&bytes).unwrap_err().to_string();
    assert!(message.contains("`data` needs bytes"), "{message}");
}

#[test]
fn a_file_cut_anywhere_is_an_error() {
    let Some(bytes) = data("tiny/cnn_float16.tflite") else { return };
    for length in 0..bytes.len() {
        // The last bytes are padding that nothing refers to, so the longest cuts may still be whole.
        let result = import(&bytes[..length]);
        assert!(result.is_err() || length + 16 > bytes.len(), "cut at {length} of {} was read", bytes.len());
    }
}

/// Damage of any kind must give an answer: a graph or an error, no panic and no endless loop.
#[test]
fn flipped_bytes_never_panic() {
    let sound = [Some(Draft::new().bytes()), data("tiny/cnn_float16.tflite"), data("tiny/cnn_float32.tflite")];
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut next = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    };
    let mut refused = 0;
    for sound in sound.iter().flatten() {
        for _ in 0..3000 {
            let mut bytes = sound.clone();
            for _ in 0..=next(4) {
                let position = next(bytes.len());
                bytes[position] = u8::try_from(next(256)).unwrap();
            }
            refused += usize::from(import(&bytes).is_err());
        }
    }
    // Full-integer files, whose grids and attributes can be damaged too.
    for path in ["misc/resnet8_cifar_int8.tflite", "misc/movenet_single_pose_lightning_ptq.tflite"] {
        let Some(sound) = data(path) else { return };
        // What is not constants lies mostly in the first and the last bytes.
        for round in 0..60 {
            let mut bytes = sound.clone();
            for _ in 0..=next(4) {
                let position = next(bytes.len().min(32 << 10));
                let position = if round % 2 == 0 { position } else { bytes.len() - 1 - position };
                bytes[position] = u8::try_from(next(256)).unwrap();
            }
            refused += usize::from(import(&bytes).is_err());
        }
    }
    assert!(refused > 100, "only {refused} damaged files were refused: the loop no longer reaches the reader");
}

#[test]
fn a_model_that_litert_refuses_to_run_names_its_custom_operator() {
    let Some(bytes) = data("misc/invalid_invoke_error.tflite") else { return };
    let message = import(&bytes).unwrap_err().to_string();
    assert!(message.contains("not supported: node 0 ``: CUSTOM `fake-op-double`"), "{message}");
}

#[test]
fn the_tiny_network_has_its_layers() {
    for path in ["tiny/cnn_float32.tflite", "tiny/cnn_float16.tflite"] {
        let Some(bytes) = data(path) else { return };
        let graph = import(&bytes).unwrap();
        let wanted = [
            "pad",
            "convolution",
            "pad",
            "depthwise",
            "convolution",
            "depthwise",
            "convolution",
            "pool",
            "reshape",
            "convolution",
            "reshape",
        ];
        assert_eq!(kinds(&graph), wanted, "{path}");
        assert_eq!(graph.values[graph.outputs[0].0].shape, [1, 10]);
    }
}

#[test]
fn the_bundled_default_has_its_layers() {
    let Some(bytes) = data("detect/ssd-mobilenet-v2-oid/ssd_mobilenetv2_oidv4_fp16.tflite") else { return };
    let graph = import(&bytes).unwrap();
    let count = |kind| kinds(&graph).iter().filter(|&&other| other == kind).count();
    let counts = ["convolution", "depthwise", "add", "reshape", "concatenate", "other"].map(count);
    assert_eq!(counts, [55, 17, 10, 13, 2, 0]);
    let outputs = graph.outputs.iter().map(|output| &graph.values[output.0]);
    let outputs: Vec<_> = outputs.map(|value| (value.name.as_str(), value.shape.clone())).collect();
    let wanted =
        [("raw_outputs/box_encodings", vec![1, 1917, 4]), ("raw_outputs/class_predictions", vec![1, 1917, 24])];
    assert_eq!(outputs, wanted);
}
