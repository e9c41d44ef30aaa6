//! Random small programs over every operator, sound by construction.

mod moving;

use half::f16;

use crate::model::{Model, PackedTensor, PackedTensors};
use crate::program::{
    Op, Program, QuantizedActivation, QuantizedEpilogue, QuantizedWeights, Step, Value, ValueId, Window, channel_stride,
};
use crate::tensor::DataType;

/// SplitMix64.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound).unwrap()).unwrap()
    }

    pub(super) fn byte(&mut self) -> i8 {
        self.next() as i8
    }

    pub(super) fn real(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * ((self.next() >> 40) as f32 / (1_u64 << 24) as f32)
    }
}

pub(super) struct Builder {
    pub(super) dice: Dice,
    program: Program,
    tensors: PackedTensors,
    integers: bool,
}

/// A program of integers alone, large enough that its rows go to several threads.
pub(super) fn integers(seed: u64) -> Model {
    build(seed, 8, [40, 36, 32], true)
}

/// A program of about `steps` steps.
pub(super) fn model(seed: u64, steps: usize) -> Model {
    let mut dice = Dice(seed);
    build(dice.next(), steps, [1 + dice.below(7), 1 + dice.below(7), 1 + dice.below(20)], false)
}

fn build(seed: u64, steps: usize, [height, width, channels]: [usize; 3], integers: bool) -> Model {
    let (program, tensors) = (Program::default(), PackedTensors::new());
    let mut builder = Builder { dice: Dice(seed), program, tensors, integers };
    let input = builder.value(vec![1, height, width, channels], DataType::I8);
    builder.program.inputs.push(input);
    for _ in 0..steps {
        builder.step();
    }
    let read: Vec<ValueId> = builder.program.steps.iter().flat_map(|step| step.inputs.clone()).collect();
    let made = builder.program.steps.iter().map(|step| step.output);
    builder.program.outputs = made.filter(|output| !read.contains(output)).collect();
    Model::new(builder.program, &builder.tensors).unwrap()
}

impl Builder {
    fn value(&mut self, shape: Vec<usize>, data_type: DataType) -> ValueId {
        let id = ValueId(self.program.values.len());
        let quantized = data_type == DataType::I8;
        let scale = if quantized { vec![self.dice.real(0.01, 0.1)] } else { Vec::new() };
        let zero_point = if quantized { i32::from(self.dice.byte()) } else { 0 };
        self.program.values.push(Value { name: format!("v{}", id.0), shape, data_type, scale, zero_point });
        id
    }

    fn get(&self, id: ValueId) -> Value {
        self.program.values[id.0].clone()
    }

    fn push(&mut self, op: Op, inputs: Vec<ValueId>, shape: Vec<usize>, data_type: DataType) {
        let output = self.value(shape, data_type);
        self.push_to(op, inputs, output);
    }

    fn push_to(&mut self, op: Op, inputs: Vec<ValueId>, output: ValueId) {
        let name = format!("s{}", self.program.steps.len());
        self.program.steps.push(Step { name, op, inputs, output });
    }

    /// A value to read, rather a late one.
    fn pick(&mut self) -> ValueId {
        let count = self.program.values.len();
        let back = self.dice.below(count).min(self.dice.below(count));
        ValueId(count - 1 - back)
    }

    fn step(&mut self) {
        let id = self.pick();
        let x = self.get(id);
        let picture = x.shape.len() == 4;
        if self.integers && x.data_type == DataType::F32 {
            return;
        }
        if picture && self.dice.below(3) == 0 {
            return self.over_picture(id);
        }
        match x.data_type {
            DataType::I8 => self.integer_step(id, &x, picture),
            _ => self.float_step(id, &x, picture),
        }
    }

    fn integer_step(&mut self, id: ValueId, x: &Value, picture: bool) {
        let shape = x.shape.clone();
        let one_scale = x.scale.len() == 1;
        match self.dice.below(if self.integers { 7 } else { 9 }) {
            0..=2 if picture => self.convolution(id),
            3 if picture && x.channels() > 4 => self.depthwise(id),
            4 if one_scale => {
                let other = self.alike(id);
                let epilogue = self.plain_epilogue();
                self.push(Op::AddI8 { epilogue }, vec![id, other], shape, DataType::I8);
            }
            5 if one_scale => {
                let epilogue = self.plain_epilogue();
                let other = if picture && self.dice.below(2) == 0 { self.mean(id) } else { self.alike(id) };
                self.push(Op::MultiplyI8 { epilogue }, vec![id, other], shape, DataType::I8);
            }
            6 if one_scale => {
                let table = self.table();
                self.push(Op::ActivateI8 { table }, vec![id], shape, DataType::I8);
            }
            _ if picture && one_scale && self.dice.below(2) == 0 => {
                let [_, height, width, channels] = shape[..] else { return };
                let other = self.value(vec![1, height * channels, width, 1], DataType::I8);
                let value = &mut self.program.values[other.0];
                (value.scale, value.zero_point) = (x.scale.clone(), x.zero_point);
                self.push_to(Op::Reshape, vec![id], other);
            }
            _ if self.integers => {}
            _ => self.push(Op::Dequantize, vec![id], shape, DataType::F32),
        }
    }

    /// One pixel: the mean of all.
    fn mean(&mut self, id: ValueId) -> ValueId {
        let x = self.get(id);
        self.push(Op::GlobalAveragePool, vec![id], vec![1, 1, 1, x.channels()], x.data_type);
        ValueId(self.program.values.len() - 1)
    }

    fn float_step(&mut self, id: ValueId, x: &Value, picture: bool) {
        let shape = x.shape.clone();
        match self.dice.below(10) {
            0 | 1 if picture => self.float_convolution(id),
            0 => self.push(Op::Softmax, vec![id], shape, DataType::F32),
            1 | 2 => {
                let op = Op::ActivateF32 { activation: self.activation() };
                self.push(op, vec![id], shape, DataType::F32);
            }
            3 if picture => self.push(Op::GlobalAveragePool, vec![id], vec![1, x.channels()], DataType::F32),
            4 => {
                let (op, other) = (Op::AddF32 { activation: self.activation() }, self.alike(id));
                self.push(op, vec![id, other], shape, DataType::F32);
            }
            5 => {
                let other = if picture && self.dice.below(2) == 0 { self.mean(id) } else { self.alike(id) };
                self.push(Op::MultiplyF32, vec![id, other], shape, DataType::F32);
            }
            6 => {
                let mut constants = || {
                    let numbers: Vec<f32> = (0..x.channels()).map(|_| self.dice.real(-1.0, 1.0)).collect();
                    self.tensor(PackedTensor::from_f32(vec![numbers.len()], &numbers).unwrap())
                };
                let (factors, offsets) = (constants(), constants());
                let op = Op::AffineF32 { factors, offsets, activation: self.activation() };
                self.push(op, vec![id], shape, DataType::F32);
            }
            7 => self.branches(id),
            8 => self.push(Op::Reshape, vec![id], vec![1, x.pixels(), x.channels()], DataType::F32),
            _ => self.push(Op::Quantize, vec![id], shape, DataType::I8),
        }
    }

    /// A value of the shape and type of `id`; itself when there is no other.
    fn alike(&mut self, id: ValueId) -> ValueId {
        let x = self.get(id);
        let alike = |&at: &usize| {
            let value = &self.program.values[at];
            value.shape == x.shape && value.data_type == x.data_type && at != id.0 && value.scale.len() < 2
        };
        (0..self.program.values.len()).find(alike).map_or(id, ValueId)
    }

    fn table(&mut self) -> String {
        let table: Vec<i8> = (0..256).map(|_| self.dice.byte()).collect();
        self.tensor(PackedTensor::from_i8(vec![256], &table).unwrap())
    }

    /// Bounds, and a table at times.
    fn plain_epilogue(&mut self) -> QuantizedEpilogue {
        let (a, b) = (self.dice.byte(), self.dice.byte());
        let (low, high) = if self.dice.below(2) == 0 { (i8::MIN, i8::MAX) } else { (a.min(b), a.max(b)) };
        let table = (self.dice.below(3) == 0).then(|| self.table());
        let activation = table.map_or(QuantizedActivation::Clamp, |table| QuantizedActivation::Table { table });
        QuantizedEpilogue { low, high, activation }
    }

    /// Any form, for a layer whose tensors have `padded` lines.
    fn epilogue(&mut self, padded: usize) -> QuantizedEpilogue {
        let plain = self.plain_epilogue();
        let activation = match self.dice.below(4) {
            0 => QuantizedActivation::Leaky { slope: self.dice.real(0.01, 0.99) },
            1 => {
                let table: Vec<u8> = (0..64).map(|_| self.dice.byte().cast_unsigned()).collect();
                let gain: Vec<i16> = (0..padded).map(|_| 1 + i16::from(self.dice.byte().max(0)) * 250).collect();
                QuantizedActivation::Bump {
                    index_shift: 1 + self.dice.below(8) as u32,
                    fraction: self.dice.below(9) as u32,
                    table: self.tensor(PackedTensor::from_u8(vec![64], &table).unwrap()),
                    gain: self.tensor(PackedTensor::from_i16(vec![padded], &gain).unwrap()),
                }
            }
            _ => return plain,
        };
        QuantizedEpilogue { activation, ..plain }
    }

    fn tensor(&mut self, tensor: PackedTensor) -> String {
        let name = format!("t{}", self.tensors.len());
        self.tensors.insert(name.clone(), tensor);
        name
    }

    fn window(&mut self, x: &Value) -> (Window, [usize; 2]) {
        loop {
            let kernel = [1 + self.dice.below(3), 1 + self.dice.below(3)];
            let stride = [1 + self.dice.below(2), 1 + self.dice.below(2)];
            let padding = std::array::from_fn(|side| self.dice.below(kernel[side % 2]));
            let same = self.dice.below(3) == 0;
            let window = if same {
                Window { kernel: [1, 1], stride: [1, 1], padding: [0; 4] }
            } else {
                Window { kernel, stride, padding }
            };
            if let Some(size) = window.output_size([x.shape[1], x.shape[2]]) {
                return (window, size);
            }
        }
    }

    /// Tensors of an INT8 layer whose weights, `[N padded][depth]` in the order of `place`, are given.
    fn quantized(
        &mut self,
        shape: Vec<usize>,
        weights: &[i8],
        channel: impl Fn(usize) -> usize,
        n: usize,
        padded: usize,
    ) -> QuantizedWeights {
        let mut sums = vec![0_i32; padded];
        weights.iter().enumerate().for_each(|(at, &weight)| sums[channel(at)] += i32::from(weight));
        let bias: Vec<i32> = (0..padded).map(|_| i32::from(self.dice.byte()) * 16).collect();
        let scale: Vec<f32> = (0..padded).map(|at| if at < n { self.dice.real(0.000_1, 0.01) } else { 0.0 }).collect();
        QuantizedWeights {
            weights: self.tensor(PackedTensor::from_i8(shape, weights).unwrap()),
            bias: self.tensor(PackedTensor::from_i32(vec![padded], &bias).unwrap()),
            scale: self.tensor(PackedTensor::from_f32(vec![padded], &scale).unwrap()),
            column_sums: self.tensor(PackedTensor::from_i32(vec![padded], &sums).unwrap()),
        }
    }

    fn weight(&mut self) -> i8 {
        self.dice.byte().max(-127)
    }

    fn convolution(&mut self, id: ValueId) {
        let x = self.get(id);
        let (window, size) = self.window(&x);
        let n = if self.dice.below(2) == 0 { x.channels() } else { 1 + self.dice.below(20) };
        self.dense(id, window, size, n);
    }

    /// A 1x1 convolution to I8.
    fn pointwise(&mut self, id: ValueId, n: usize) -> ValueId {
        let x = self.get(id);
        let window = Window { kernel: [1, 1], stride: [1, 1], padding: [0; 4] };
        let tensors = self.dense_tensors(&x, window, n);
        let (pad_value, epilogue) = (self.dice.byte(), self.epilogue(n.next_multiple_of(8)));
        let op = Op::ConvolutionI8 { window, pad_value, tensors, epilogue };
        self.push(op, vec![id], vec![1, x.shape[1], x.shape[2], n], DataType::I8);
        ValueId(self.program.values.len() - 1)
    }

    fn dense_tensors(&mut self, x: &Value, window: Window, n: usize) -> QuantizedWeights {
        let (stride, taps) = (channel_stride(x.channels()), window.kernel[0] * window.kernel[1]);
        let (depth, padded) = ((taps * stride).next_multiple_of(8), n.next_multiple_of(8));
        let mut weights = vec![0_i8; padded * depth];
        for (at, weight) in weights.iter_mut().enumerate() {
            let k = at / 32 % (depth / 4) * 4 + at % 4;
            let row = at / (depth * 8) * 8 + at / 4 % 8;
            if row < n && k < taps * stride && k % stride < x.channels() {
                *weight = self.weight();
            }
        }
        let channel = |at: usize| at / (depth * 8) * 8 + at / 4 % 8;
        self.quantized(vec![padded / 8, depth / 4, 8, 4], &weights, channel, n, padded)
    }

    fn dense(&mut self, id: ValueId, window: Window, size: [usize; 2], n: usize) {
        let tensors = self.dense_tensors(&self.get(id), window, n);
        let shape = vec![1, size[0], size[1], n];
        let pad_value = self.dice.byte();
        let float = !self.integers && self.dice.below(4) == 0;
        let residual = (0..self.program.values.len()).find(|&at| {
            let value = &self.program.values[at];
            value.shape == shape && value.data_type == DataType::I8 && value.scale.len() == 1
        });
        let residual = residual.filter(|_| !float && self.dice.below(2) == 0).map(ValueId);
        let epilogue = match (float, residual) {
            (true, _) => QuantizedEpilogue::whole(),
            (false, Some(_)) => self.plain_epilogue(),
            (false, None) => self.epilogue(n.next_multiple_of(8)),
        };
        let op = Op::ConvolutionI8 { window, pad_value, tensors, epilogue };
        let inputs = std::iter::once(id).chain(residual).collect();
        self.push(op, inputs, shape, if float { DataType::F32 } else { DataType::I8 });
    }

    fn depthwise(&mut self, id: ValueId) {
        let x = self.get(id);
        let (window, size) = self.window(&x);
        let (taps, padded) = (window.kernel[0] * window.kernel[1], x.channels().next_multiple_of(16));
        let mut weights = vec![0_i8; taps * padded];
        for (at, weight) in weights.iter_mut().enumerate() {
            if at % padded < x.channels() {
                *weight = self.weight();
            }
        }
        let tensors = self.quantized(vec![taps, padded], &weights, |at| at % padded, x.channels(), padded);
        let (pad_value, epilogue) = (self.dice.byte(), self.epilogue(padded));
        let op = Op::DepthwiseI8 { window, pad_value, tensors, epilogue };
        self.push(op, vec![id], vec![1, size[0], size[1], x.channels()], DataType::I8);
    }

    fn float_convolution(&mut self, id: ValueId) {
        let x = self.get(id);
        let (window, size) = self.window(&x);
        let (taps, channels) = (window.kernel[0] * window.kernel[1], x.channels());
        let depthwise = self.dice.below(2) == 0;
        let n = if depthwise { channels } else { 1 + self.dice.below(12) };
        let padded = n.next_multiple_of(8);
        let (shape, biases) =
            if depthwise { (vec![taps, n], n) } else { (vec![padded / 8, taps * channels, 8], padded) };
        let count = shape.iter().product();
        let weights: Vec<f16> = (0..count).map(|_| f16::from_f32(self.dice.real(-1.0, 1.0))).collect();
        let bias: Vec<f32> = (0..biases).map(|_| self.dice.real(-1.0, 1.0)).collect();
        let weights = self.tensor(PackedTensor::from_f16(shape, &weights).unwrap());
        let bias = self.tensor(PackedTensor::from_f32(vec![biases], &bias).unwrap());
        let (pad_value, activation) = (self.dice.real(-1.0, 1.0), self.activation());
        let shape = vec![1, size[0], size[1], n];
        let op = if depthwise {
            Op::DepthwiseF16 { window, pad_value, weights, bias, activation }
        } else {
            Op::ConvolutionF16 { window, pad_value, weights, bias, activation }
        };
        let residual = (0..self.program.values.len()).find(|&at| {
            let value = &self.program.values[at];
            value.shape == shape && value.data_type == DataType::F32 && !depthwise
        });
        let inputs = residual.map_or_else(|| vec![id], |residual| vec![id, ValueId(residual)]);
        self.push(op, inputs, shape, DataType::F32);
    }
}
