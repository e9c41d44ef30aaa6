//! Writes whole networks of floats as TensorFlow Lite files, operator by operator.

use super::flatbuffer_writer::{Field, Fields, write};

/// No activation, as operators spell it.
pub(super) const NONE: i8 = 0;
pub(super) const RELU: i8 = 1;
pub(super) const RELU6: i8 = 3;

/// Of weights whose sums of `count` products spread as their inputs do.
fn reach(count: i32, activation: i8) -> f32 {
    let gain = if activation == NONE { 3.0 } else { 6.0 };
    (gain / count as f32).sqrt()
}

/// A tensor of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Id(i32);

/// A file under construction.
pub(super) struct Net {
    tensors: Vec<Fields>,
    shapes: Vec<Vec<i32>>,
    buffers: Vec<Fields>,
    codes: Vec<Fields>,
    operators: Vec<Fields>,
    inputs: Vec<i32>,
    state: u64,
}

impl Net {
    /// A network over one picture.
    pub(super) fn new(picture: [i32; 2]) -> (Self, Id) {
        let mut net = Self {
            tensors: Vec::new(),
            shapes: Vec::new(),
            buffers: vec![vec![]],
            codes: Vec::new(),
            operators: Vec::new(),
            inputs: Vec::new(),
            state: 0x9E37_79B9_7F4A_7C15,
        };
        let input = net.tensor("picture".to_owned(), &[1, picture[0], picture[1], 3], 0, 0);
        net.inputs.push(input.0);
        (net, input)
    }

    fn tensor(&mut self, name: String, shape: &[i32], kind: i8, buffer: u32) -> Id {
        let fields = vec![
            (0, Field::I32s(shape.to_vec())),
            (1, Field::I8(kind)),
            (2, Field::U32(buffer)),
            (3, Field::Name(name)),
        ];
        self.tensors.push(fields);
        self.shapes.push(shape.to_vec());
        Id(i32::try_from(self.tensors.len() - 1).unwrap())
    }

    pub(super) fn shape(&self, id: Id) -> &[i32] {
        &self.shapes[usize::try_from(id.0).unwrap()]
    }

    fn channels(&self, id: Id) -> i32 {
        *self.shape(id).last().unwrap()
    }

    fn constant(&mut self, shape: &[i32], kind: i8, bytes: Vec<u8>) -> Id {
        self.buffers.push(vec![(0, Field::Bytes(bytes))]);
        let buffer = u32::try_from(self.buffers.len() - 1).unwrap();
        self.tensor(format!("constant {buffer}"), shape, kind, buffer)
    }

    pub(super) fn floats(&mut self, shape: &[i32], numbers: &[f32]) -> Id {
        self.constant(shape, 0, numbers.iter().flat_map(|number| number.to_le_bytes()).collect())
    }

    pub(super) fn integers(&mut self, numbers: &[i32]) -> Id {
        let bytes = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        self.constant(&[i32::try_from(numbers.len()).unwrap()], 2, bytes)
    }

    /// Even between plus and minus `reach`; the same ones in every run.
    pub(super) fn random(&mut self, shape: &[i32], reach: f32) -> Id {
        let mut next = || {
            self.state ^= self.state << 13;
            self.state ^= self.state >> 7;
            self.state ^= self.state << 17;
            reach * ((self.state >> 40) as f32 / (1_u64 << 23) as f32 - 1.0)
        };
        let count = usize::try_from(shape.iter().product::<i32>()).unwrap();
        let numbers: Vec<f32> = (0..count).map(|_| next()).collect();
        self.floats(shape, &numbers)
    }

    /// Any operator: its number, kind of options and options.
    pub(super) fn add(&mut self, (code, kind): (i32, i8), inputs: &[Id], options: Fields, shape: &[i32]) -> Id {
        let name = format!("{code} at {}", self.operators.len());
        let output = self.tensor(name, shape, 0, 0);
        let place = self.code(vec![(0, Field::I8(i8::try_from(code.min(127)).unwrap())), (3, Field::I32(code))]);
        let inputs = inputs.iter().map(|input| input.0).collect();
        self.operators.push(vec![
            (0, Field::U32(place)),
            (1, Field::I32s(inputs)),
            (2, Field::I32s(vec![output.0])),
            (3, Field::I8(kind)),
            (4, Field::Table(options)),
        ]);
        output
    }

    fn code(&mut self, fields: Fields) -> u32 {
        self.codes.push(fields);
        u32::try_from(self.codes.len() - 1).unwrap()
    }

    /// A convolution with the padding SAME.
    pub(super) fn convolution(&mut self, x: Id, n: i32, kernel: i32, stride: i32, activation: i8) -> Id {
        let c = self.channels(x);
        let weights = self.random(&[n, kernel, kernel, c], reach(kernel * kernel * c, activation));
        let bias = self.random(&[n], 0.3);
        self.convolve(x, [weights, bias], stride, activation)
    }

    /// The same with given weights and biases.
    pub(super) fn convolve(&mut self, x: Id, [weights, bias]: [Id; 2], stride: i32, activation: i8) -> Id {
        let options = vec![
            (0, Field::I8(0)),
            (1, Field::I32(stride)),
            (2, Field::I32(stride)),
            (3, Field::I8(activation)),
            (4, Field::I32(1)),
            (5, Field::I32(1)),
        ];
        let shape = self.strided(x, stride, self.shape(weights)[0]);
        self.add((3, 1), &[x, weights, bias], options, &shape)
    }

    pub(super) fn depthwise(&mut self, x: Id, kernel: i32, stride: i32, activation: i8) -> Id {
        let c = self.channels(x);
        let weights = self.random(&[1, kernel, kernel, c], reach(kernel * kernel, activation));
        let bias = self.random(&[c], 0.3);
        let options = vec![
            (0, Field::I8(0)),
            (1, Field::I32(stride)),
            (2, Field::I32(stride)),
            (3, Field::I32(1)),
            (4, Field::I8(activation)),
            (5, Field::I32(1)),
            (6, Field::I32(1)),
        ];
        let shape = self.strided(x, stride, c);
        self.add((4, 2), &[x, weights, bias], options, &shape)
    }

    /// The shape under SAME.
    fn strided(&self, x: Id, stride: i32, channels: i32) -> Vec<i32> {
        let &[_, rows, columns, _] = self.shape(x) else { panic!("no picture") };
        vec![1, (rows + stride - 1) / stride, (columns + stride - 1) / stride, channels]
    }

    pub(super) fn max_pool(&mut self, x: Id, side: i32, stride: i32) -> Id {
        let numbers = [(1, stride), (2, stride), (3, side), (4, side)];
        let options = [(0, Field::I8(0))].into_iter().chain(numbers.map(|(at, number)| (at, Field::I32(number))));
        let shape = self.strided(x, stride, self.channels(x));
        self.add((17, 5), &[x], options.collect(), &shape)
    }

    /// The mean of a picture as a pixel.
    pub(super) fn mean(&mut self, x: Id) -> Id {
        let axes = self.integers(&[1, 2]);
        let shape = [1, 1, 1, self.channels(x)];
        self.add((40, 27), &[x, axes], vec![(0, Field::I8(1))], &shape)
    }

    /// An operator of one input that keeps its shape, without options that matter.
    pub(super) fn unary(&mut self, kind: (i32, i8), x: Id) -> Id {
        let shape = self.shape(x).to_vec();
        self.add(kind, &[x], vec![], &shape)
    }

    pub(super) fn sum(&mut self, a: Id, b: Id, activation: i8) -> Id {
        let shape = self.shape(a).to_vec();
        self.add((0, 11), &[a, b], vec![(0, Field::I8(activation))], &shape)
    }

    pub(super) fn product(&mut self, a: Id, b: Id) -> Id {
        let shape = self.shape(a).to_vec();
        self.add((18, 21), &[a, b], vec![(0, Field::I8(NONE))], &shape)
    }

    pub(super) fn reshape(&mut self, x: Id, shape: &[i32]) -> Id {
        let wanted = self.integers(shape);
        self.add((22, 17), &[x, wanted], vec![], shape)
    }

    pub(super) fn concatenate(&mut self, parts: &[Id], axis: usize) -> Id {
        let mut shape = self.shape(parts[0]).to_vec();
        shape[axis] = parts.iter().map(|&part| self.shape(part)[axis]).sum();
        let options = vec![(0, Field::I32(i32::try_from(axis).unwrap())), (1, Field::I8(NONE))];
        self.add((2, 10), parts, options, &shape)
    }

    /// To another size, each pixel the nearest of the old ones.
    pub(super) fn resize(&mut self, x: Id, [rows, columns]: [i32; 2]) -> Id {
        let size = self.integers(&[rows, columns]);
        let shape = [1, rows, columns, self.channels(x)];
        self.add((97, 74), &[x, size], vec![(0, Field::I8(0)), (1, Field::I8(0))], &shape)
    }

    /// `TFLite_Detection_PostProcess` over boxes, scores and anchors, with its attributes as a flexbuffer.
    pub(super) fn post_process(&mut self, inputs: [Id; 3], attributes: Vec<u8>) -> Vec<Id> {
        let outputs: Vec<Id> = [&[1, 25, 4][..], &[1, 25], &[1, 25], &[1]]
            .into_iter()
            .enumerate()
            .map(|(at, shape)| self.tensor(format!("TFLite_Detection_PostProcess:{at}"), shape, 0, 0))
            .collect();
        let name = Field::Text("TFLite_Detection_PostProcess");
        let place = self.code(vec![(0, Field::I8(32)), (1, name), (3, Field::I32(32))]);
        self.operators.push(vec![
            (0, Field::U32(place)),
            (1, Field::I32s(inputs.iter().map(|input| input.0).collect())),
            (2, Field::I32s(outputs.iter().map(|output| output.0).collect())),
            (5, Field::Bytes(attributes)),
        ]);
        outputs
    }

    /// The file; nothing is left to be added.
    pub(super) fn bytes(&mut self, outputs: &[Id]) -> Vec<u8> {
        let subgraph = vec![
            (0, Field::Tables(std::mem::take(&mut self.tensors))),
            (1, Field::I32s(self.inputs.clone())),
            (2, Field::I32s(outputs.iter().map(|output| output.0).collect())),
            (3, Field::Tables(std::mem::take(&mut self.operators))),
        ];
        write(&vec![
            (0, Field::U32(3)),
            (1, Field::Tables(std::mem::take(&mut self.codes))),
            (2, Field::Tables(vec![subgraph])),
            (4, Field::Tables(std::mem::take(&mut self.buffers))),
        ])
    }
}
