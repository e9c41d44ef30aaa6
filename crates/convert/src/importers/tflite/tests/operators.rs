//! One operator a file, its result by hand: each is read and evaluated by the reference.

use clawdbot_nn::reference;
use clawdbot_nn::tensor::{Elements, Tensor};

use super::flatbuffer_writer::{Field, Fields, write};
use crate::importers::tflite::import;

/// An operator by its number over x of `shape`, constants behind it.
struct Case {
    code: i32,
    shape: Vec<i32>,
    /// Where x stands among the inputs.
    position: usize,
    /// Floats or integers of each constant, with their shape.
    constants: Vec<(Vec<i32>, Constant)>,
    options: Fields,
    outputs: Vec<Vec<i32>>,
}

enum Constant {
    Floats(Vec<f32>),
    Integers(Vec<i32>),
}

impl Case {
    fn new(code: i32, shape: &[i32], output: &[i32]) -> Self {
        let (shape, outputs) = (shape.to_vec(), vec![output.to_vec()]);
        Self { code, shape, position: 0, constants: Vec::new(), options: Vec::new(), outputs }
    }

    fn integers(mut self, shape: &[i32], numbers: &[i32]) -> Self {
        self.constants.push((shape.to_vec(), Constant::Integers(numbers.to_vec())));
        self
    }

    fn floats(mut self, shape: &[i32], numbers: &[f32]) -> Self {
        self.constants.push((shape.to_vec(), Constant::Floats(numbers.to_vec())));
        self
    }

    fn options(mut self, fields: Fields) -> Self {
        self.options = fields;
        self
    }

    fn bytes(&self) -> Vec<u8> {
        const OUTPUTS: [&str; 4] = ["y0", "y1", "y2", "y3"];
        let tensor = |name, shape: &[i32], kind, buffer| {
            let shape = Field::I32s(shape.to_vec());
            vec![(0, shape), (1, Field::I8(kind)), (2, Field::U32(buffer)), (3, Field::Text(name))]
        };
        let mut tensors = vec![tensor("x", &self.shape, 0, 0)];
        let mut buffers = vec![vec![]];
        for (shape, constant) in &self.constants {
            let (kind, bytes): (_, Vec<u8>) = match constant {
                Constant::Floats(numbers) => (0, numbers.iter().flat_map(|number| number.to_le_bytes()).collect()),
                Constant::Integers(numbers) => (2, numbers.iter().flat_map(|number| number.to_le_bytes()).collect()),
            };
            tensors.push(tensor("constant", shape, kind, u32::try_from(buffers.len()).unwrap()));
            buffers.push(vec![(0, Field::Bytes(bytes))]);
        }
        let mut inputs: Vec<i32> = (1..i32::try_from(tensors.len()).unwrap()).collect();
        inputs.insert(self.position, 0);
        let first = i32::try_from(tensors.len()).unwrap();
        let outputs: Vec<i32> = (first..).take(self.outputs.len()).collect();
        for (name, shape) in OUTPUTS.iter().zip(&self.outputs) {
            tensors.push(tensor(name, shape, 0, 0));
        }
        let operator = vec![
            (0, Field::U32(0)),
            (1, Field::I32s(inputs)),
            (2, Field::I32s(outputs.clone())),
            (4, Field::Table(self.options.clone())),
        ];
        let subgraph = vec![
            (0, Field::Tables(tensors)),
            (1, Field::I32s(vec![0])),
            (2, Field::I32s(outputs)),
            (3, Field::Tables(vec![operator])),
        ];
        let code = vec![(0, Field::I8(i8::try_from(self.code.min(127)).unwrap())), (3, Field::I32(self.code))];
        write(&vec![
            (0, Field::U32(3)),
            (1, Field::Tables(vec![code])),
            (2, Field::Tables(vec![subgraph])),
            (4, Field::Tables(buffers)),
        ])
    }

    /// The results over `x`.
    fn run(&self, x: &[f32]) -> Vec<Vec<f32>> {
        let graph = import(&self.bytes()).unwrap();
        let shape = self.shape.iter().map(|&side| usize::try_from(side).unwrap()).collect();
        let input = Tensor::new(shape, Elements::F32(x.to_vec())).unwrap();
        let results = reference::run(&graph, &[input]).unwrap();
        results.iter().map(|result| result.as_f32().unwrap().to_vec()).collect()
    }

    #[track_caller]
    fn check(&self, x: &[f32], wanted: &[f32]) {
        let found = self.run(x);
        assert_eq!(found[0].len(), wanted.len());
        for (found, wanted) in found[0].iter().zip(wanted) {
            assert!((found - wanted).abs() < 1e-5, "{found} for {wanted}");
        }
    }

    #[track_caller]
    fn refuse(&self, wanted: &str) {
        let message = import(&self.bytes()).unwrap_err().to_string();
        assert!(message.contains(wanted), "{message:?} does not say {wanted:?}");
    }
}

/// 0, 1, 2, ...
fn count(n: usize) -> Vec<f32> {
    (0..n).map(|at| at as f32).collect()
}

const SUB: i32 = 41;
const DIV: i32 = 42;

#[test]
fn arithmetic_with_constants() {
    let pair = [1, 1, 1, 2];
    let case = |code| Case::new(code, &pair, &pair).floats(&[2], &[1.0, 4.0]);
    case(0).check(&[3.0, 5.0], &[4.0, 9.0]);
    case(SUB).check(&[3.0, 5.0], &[2.0, 1.0]);
    case(18).check(&[3.0, 5.0], &[3.0, 20.0]);
    case(DIV).check(&[3.0, 5.0], &[3.0, 1.25]);
    Case { position: 1, ..case(SUB) }.check(&[3.0, 5.0], &[-2.0, -1.0]);
    Case::new(59, &pair, &pair).check(&[3.0, -5.0], &[-3.0, 5.0]);
    // The same of rank 2; and a fused ReLU.
    Case::new(SUB, &[1, 2], &[1, 2]).floats(&[], &[4.0]).check(&[3.0, 5.0], &[-1.0, 1.0]);
    case(SUB).options(vec![(0, Field::I8(1))]).check(&[0.0, 5.0], &[0.0, 1.0]);
    case(18).options(vec![(0, Field::I8(3))]).check(&[-1.0, 5.0], &[0.0, 6.0]);
    // MAXIMUM, MINIMUM.
    Case::new(55, &pair, &pair).floats(&[], &[1.0]).check(&[3.0, -5.0], &[3.0, 1.0]);
    Case::new(57, &pair, &pair).floats(&[1], &[1.0]).check(&[3.0, -5.0], &[1.0, -5.0]);
    Case::new(55, &pair, &pair).floats(&[2], &[1.0, 2.0]).refuse("MAXIMUM with a bound of the shape [2]");
    Case::new(DIV, &pair, &pair).floats(&[2], &[1.0, 0.0]).refuse("it divides by zero");
}

#[test]
fn activations() {
    let four = [1, 4];
    let x = [-4.0, -1.0, 0.5, 8.0];
    let plain = |code| Case::new(code, &four, &four);
    plain(21).check(&x, &[0.0, 0.0, 0.5, 6.0]);
    plain(20).check(&x, &[-1.0, -1.0, 0.5, 1.0]);
    plain(28).check(&[0.0, 1.0, -1.0, 20.0], &[0.0, 0.761_594_2, -0.761_594_2, 1.0]);
    plain(117).check(&x, &[0.0, -1.0 / 3.0, 0.5 * 3.5 / 6.0, 8.0]);
    plain(98).options(vec![(0, Field::F32(0.25))]).check(&x, &[-1.0, -0.25, 0.5, 8.0]);
    plain(98).options(vec![(0, Field::F32(1.5))]).refuse("LEAKY_RELU with the slope 1.5");
    plain(54).floats(&[1, 1, 4], &[0.5; 4]).check(&x, &[-2.0, -0.5, 0.5, 8.0]);
    plain(54).floats(&[4], &[0.5, 0.5, 0.5, 0.25]).refuse("PRELU with 4 unlike slopes");
    plain(150).check(&[0.0, 1.0, -1.0, 20.0], &[0.0, 0.841_344_7, -0.158_655_3, 20.0]);
    plain(150).options(vec![(0, Field::I8(1))]).refuse("GELU in its approximate form");
}

/// Padding, strides and the filter of a pool.
fn pool(same: bool, stride: i32, filter: i32) -> Fields {
    let fields = [(1, stride), (2, stride), (3, filter), (4, filter)];
    let fields = fields.into_iter().map(|(field, number)| (field, Field::I32(number)));
    [(0, Field::I8(i8::from(!same)))].into_iter().chain(fields).collect()
}

#[test]
fn pools() {
    let x = count(9);
    let over = |code, same, side: i32| Case::new(code, &[1, 3, 3, 1], &[1, side, side, 1]).options(pool(same, 2, 2));
    over(17, true, 2).check(&x, &[4.0, 5.0, 7.0, 8.0]);
    // Padding does not count.
    over(1, true, 2).check(&x, &[2.0, 3.5, 6.5, 8.0]);
    over(1, false, 1).check(&x, &[2.0]);
    Case::new(1, &[1, 3, 3, 1], &[1, 1, 1, 1]).options(pool(false, 1, 3)).check(&x, &[4.0]);
    Case::new(40, &[1, 3, 3, 1], &[1, 1]).integers(&[2], &[1, -2]).check(&x, &[4.0]);
}

#[test]
fn padding() {
    let x = [1.0, 2.0];
    let cells = [0, 0, 1, 0, 0, 1, 0, 1];
    let padded = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 2.0, 0.0, 0.0, 0.0];
    Case::new(34, &[1, 1, 2, 1], &[1, 2, 3, 2]).integers(&[4, 2], &cells).check(&x, &padded);
    let valued = |value: f32| {
        Case::new(60, &[1, 1, 2, 1], &[1, 1, 3, 1]).integers(&[4, 2], &[0, 0, 0, 0, 0, 1, 0, 0]).floats(&[1], &[value])
    };
    valued(0.0).check(&x, &[1.0, 2.0, 0.0]);
    valued(3.0).refuse("PADV2 with [3.0]");
}

#[test]
fn movements() {
    let x = count(12);
    let one = |field, number| vec![(field, Field::I32(number))];
    // SPLIT, whose axis comes first; SPLIT_V.
    let split = Case { position: 1, outputs: vec![vec![1, 2, 3]; 2], ..Case::new(49, &[1, 2, 6], &[]) };
    let found = split.integers(&[], &[-1]).run(&x);
    assert_eq!(found, [vec![0.0, 1.0, 2.0, 6.0, 7.0, 8.0], vec![3.0, 4.0, 5.0, 9.0, 10.0, 11.0]]);
    let split = Case { outputs: vec![vec![1, 2, 1], vec![1, 2, 5]], ..Case::new(102, &[1, 2, 6], &[]) };
    let found = split.integers(&[2], &[1, -1]).integers(&[], &[2]).run(&x);
    assert_eq!(found[0], [0.0, 6.0]);
    assert_eq!(found[1].len(), 10);
    // UNPACK, PACK.
    let unpack = Case { outputs: vec![vec![1, 6]; 2], ..Case::new(88, &[1, 2, 6], &[]) };
    assert_eq!(unpack.options(one(1, 1)).run(&x), [count(6), x[6..].to_vec()]);
    Case::new(83, &[1, 2], &[1, 1, 2]).options(one(1, 1)).check(&[7.0, 8.0], &[7.0, 8.0]);
    // SLICE, STRIDED_SLICE (from the end; an axis that vanishes).
    let slice = Case::new(65, &[3, 4], &[2, 2]).integers(&[2], &[1, 1]).integers(&[2], &[-1, 2]);
    slice.check(&x, &[5.0, 6.0, 9.0, 10.0]);
    let strided = |output: &[i32], begin: [i32; 2], end: [i32; 2], step: [i32; 2]| {
        Case::new(45, &[3, 4], output).integers(&[2], &begin).integers(&[2], &end).integers(&[2], &step)
    };
    strided(&[2, 2], [0, -3], [3, 4], [2, 2]).check(&x, &[1.0, 3.0, 9.0, 11.0]);
    strided(&[3, 1], [9, 0], [0, 1], [1, 1])
        .options(vec![(0, Field::I32(1)), (1, Field::I32(1))])
        .check(&x, &[0.0, 4.0, 8.0]);
    strided(&[4], [1, 0], [2, 4], [1, 1]).options(one(4, 1)).check(&x, &[4.0, 5.0, 6.0, 7.0]);
    strided(&[3, 4], [0, 0], [3, 4], [1, -1]).refuse("STRIDED_SLICE with the step -1");
    strided(&[3, 4], [2, 0], [1, 4], [1, 1]).refuse("it takes nothing of the 3 of axis 0");
    // TRANSPOSE.
    Case::new(39, &[2, 3], &[3, 2]).integers(&[2], &[1, 0]).check(&count(6), &[0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
    Case::new(39, &[2, 3], &[3, 2]).integers(&[2], &[1, 1]).refuse("no permutation");
    // SPACE_TO_DEPTH and back.
    let deep = [0.0, 1.0, 4.0, 5.0, 2.0, 3.0, 6.0, 7.0];
    Case::new(26, &[1, 2, 4, 1], &[1, 1, 2, 4]).options(one(0, 2)).check(&count(8), &deep);
    Case::new(5, &[1, 1, 2, 4], &[1, 2, 4, 1]).options(one(0, 2)).check(&deep, &count(8));
    // EXPAND_DIMS.
    Case::new(70, &[1, 2], &[1, 1, 2]).integers(&[], &[1]).check(&[7.0, 8.0], &[7.0, 8.0]);
}

#[test]
fn pictures_of_another_size() {
    let flags = |first: usize, align: i8, half: i8| vec![(first, Field::I8(align)), (first + 1, Field::I8(half))];
    let row = |code, from: i32, to: i32| Case::new(code, &[1, 1, from, 1], &[1, 1, to, 1]).integers(&[2], &[1, to]);
    const BILINEAR: i32 = 23;
    const NEAREST: i32 = 97;
    row(BILINEAR, 2, 4).options(flags(2, 0, 0)).check(&[0.0, 4.0], &[0.0, 2.0, 4.0, 4.0]);
    row(BILINEAR, 2, 4).options(flags(2, 0, 1)).check(&[0.0, 4.0], &[0.0, 1.0, 3.0, 4.0]);
    row(BILINEAR, 2, 4).options(flags(2, 1, 0)).check(&[0.0, 3.0], &[0.0, 1.0, 2.0, 3.0]);
    row(BILINEAR, 2, 4).options(flags(2, 1, 1)).refuse("corners cannot be aligned");
    row(NEAREST, 2, 4).options(flags(0, 0, 0)).check(&[1.0, 2.0], &[1.0, 1.0, 2.0, 2.0]);
    row(NEAREST, 2, 4).options(flags(0, 0, 1)).check(&[1.0, 2.0], &[1.0, 1.0, 2.0, 2.0]);
    row(NEAREST, 3, 5).options(flags(0, 1, 0)).check(&[1.0, 2.0, 3.0], &[1.0, 2.0, 2.0, 3.0, 3.0]);
    // Of four, TensorFlow takes the second and the fourth: its halves go up, the graph's go down.
    row(NEAREST, 4, 2).options(flags(0, 0, 1)).refuse("RESIZE_NEAREST_NEIGHBOR from [1, 4] to [1, 2] pixels");
}

#[test]
fn depthwise_multipliers_and_dilations() {
    // Two channels, each to two: by hand, one tap.
    let options = |wide: i32| vec![(0, Field::I8(1)), (1, Field::I32(1)), (2, Field::I32(1)), (5, Field::I32(wide))];
    let weights = [1.0, 2.0, 3.0, 4.0];
    let case = Case::new(4, &[1, 1, 1, 2], &[1, 1, 1, 4]).floats(&[1, 1, 1, 4], &weights).options(options(1));
    case.check(&[1.0, 10.0], &[1.0, 2.0, 30.0, 40.0]);
    // Six channels are beyond what becomes a dense layer.
    let weights: Vec<f32> = (1..=12).map(|at| at as f32).collect();
    let case = Case::new(4, &[1, 1, 1, 6], &[1, 1, 1, 12]).floats(&[1, 1, 1, 12], &weights).options(options(1));
    let x = count(6);
    let wanted: Vec<f32> = weights.iter().enumerate().map(|(at, weight)| weight * x[at / 2]).collect();
    case.check(&x, &wanted);
    // Taps two apart.
    let case = Case::new(4, &[1, 1, 4, 1], &[1, 1, 2, 1]).floats(&[1, 1, 2, 1], &[1.0, 10.0]).options(options(2));
    case.check(&count(4), &[20.0, 31.0]);
}

#[test]
fn results_of_a_wrong_shape_are_refused() {
    for (code, constants) in [(34, vec![0, 0, 1, 0, 0, 1, 0, 1]), (22, vec![3])] {
        let case = Case::new(code, &[1, 1, 2, 1], &[1, 1, 7, 1])
            .integers(&[i32::try_from(constants.len()).unwrap()], &constants);
        assert!(import(&case.bytes()).is_err(), "{code}");
    }
}
