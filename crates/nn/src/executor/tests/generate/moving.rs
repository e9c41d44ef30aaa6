//! Steps that move, compare or average elements.

use super::Builder;
use crate::program::{Activation, Coordinates, Op, Sampling, Value, ValueId};
use crate::tensor::DataType;

/// Results are kept below this many elements, so that a random program stays small.
const ELEMENTS_MAX: usize = 1 << 12;

impl Builder {
    /// A value like `like` but for its shape.
    fn in_grid_of(&mut self, like: &Value, shape: Vec<usize>) -> ValueId {
        let id = self.value(shape, like.data_type);
        let value = &mut self.program.values[id.0];
        (value.scale, value.zero_point) = (like.scale.clone(), like.zero_point);
        id
    }

    fn moved(&mut self, op: Op, inputs: Vec<ValueId>, shape: Vec<usize>) {
        let like = self.get(inputs[0]);
        let output = self.in_grid_of(&like, shape);
        self.push_to(op, inputs, output);
    }

    /// Any activation.
    pub(super) fn activation(&mut self) -> Activation {
        match self.dice.below(11) {
            0 => Activation::Relu,
            1 => Activation::Relu6,
            2 => Activation::Clip { low: self.dice.real(-9.0, 0.0), high: f32::INFINITY },
            3 => Activation::Leaky(self.dice.real(0.0, 1.0)),
            4 => Activation::Silu,
            5 => Activation::HardSwish,
            6 => Activation::HardSigmoid { slope: 0.2, offset: 0.5 },
            7 => Activation::Logistic,
            8 => Activation::Tanh,
            9 => Activation::Gelu,
            _ => Activation::None,
        }
    }

    /// A step over a picture of either type.
    pub(super) fn over_picture(&mut self, id: ValueId) {
        let x = self.get(id);
        let [height, width, channels] = [x.shape[1], x.shape[2], x.shape[3]];
        match self.dice.below(9) {
            0 => {
                let (window, [rows, columns]) = self.window(&x);
                self.moved(Op::MaxPool { window }, vec![id], vec![1, rows, columns, channels]);
            }
            1 => {
                let (window, [rows, columns]) = self.window(&x);
                let op = Op::AveragePool { window, padding_counts: self.dice.below(2) == 0 };
                self.push(op, vec![id], vec![1, rows, columns, channels], x.data_type);
            }
            2 | 3 => {
                let [rows, columns] = [height, width].map(|side| (1 + self.dice.below(2 * side)).min(40));
                let coordinates = [Coordinates::HalfPixel, Coordinates::Asymmetric, Coordinates::AlignCorners];
                let coordinates = coordinates[self.dice.below(3)];
                let nearest = Sampling::Nearest { coordinates, floor: self.dice.below(2) == 0 };
                let sampling = if self.dice.below(2) == 0 { nearest } else { Sampling::Bilinear(coordinates) };
                self.moved(Op::Resize { sampling }, vec![id], vec![1, rows, columns, channels]);
            }
            4 => {
                let divisors: Vec<usize> = (1..=channels).filter(|groups| channels.is_multiple_of(*groups)).collect();
                let groups = if channels.is_multiple_of(2) { 2 } else { divisors[self.dice.below(divisors.len())] };
                self.moved(Op::ChannelShuffle { groups }, vec![id], x.shape);
            }
            5 => {
                let cells = std::array::from_fn(|_| self.dice.below(3));
                let shape = vec![1, height + cells[0] + cells[2], width + cells[1] + cells[3], channels];
                self.moved(Op::Pad { cells }, vec![id], shape);
            }
            6 => {
                let order = [[0, 2, 1, 3], [0, 3, 1, 2], [0, 2, 3, 1], [0, 1, 3, 2]][self.dice.below(4)];
                self.moved(Op::Transpose { order: order.into() }, vec![id], order.map(|axis| x.shape[axis]).into());
            }
            7 => self.branches(id),
            _ => {
                let whole = [0, 1, 2, 3].map(|axis| (0, 1, x.shape[axis]));
                let cut = if self.dice.below(2) == 0 { 3 } else { 1 + self.dice.below(2) };
                let mut parts = whole;
                let begin = self.dice.below(x.shape[cut]);
                let step = if self.dice.below(3) == 0 { 2 } else { 1 };
                parts[cut] = (begin, step, 1 + self.dice.below((x.shape[cut] - begin).div_ceil(step)));
                let (begin, step) = (parts.map(|part| part.0).into(), parts.map(|part| part.1).into());
                self.moved(Op::Slice { begin, step }, vec![id], parts.map(|part| part.2).into());
            }
        }
    }

    /// Two or three branches from x, joined along an axis; the joint is shuffled and split at times.
    pub(super) fn branches(&mut self, id: ValueId) {
        let x = self.get(id);
        if x.data_type != DataType::I8 || x.pixels() * x.channels() > ELEMENTS_MAX {
            return self.join(vec![id, id]);
        }
        let count = 2 + self.dice.below(2);
        let grid = self.value(x.shape.clone(), DataType::I8);
        let grid = self.get(grid);
        self.program.values.pop();
        let mut parts = Vec::new();
        for _ in 0..count {
            let n = 1 + self.dice.below(24);
            let wide = 1 + self.dice.below(20);
            let from = if self.dice.below(4) == 0 { self.pointwise(id, wide) } else { id };
            let part = self.pointwise(from, n);
            let value = &mut self.program.values[part.0];
            (value.scale, value.zero_point) = (grid.scale.clone(), grid.zero_point);
            parts.push(part);
        }
        if self.dice.below(4) == 0 {
            let again = parts[0];
            parts.push(again);
        }
        self.join(parts);
        let joined = self.last();
        let shape = self.get(joined).shape;
        if self.dice.below(2) == 0 && shape[3].is_multiple_of(2) {
            self.moved(Op::ChannelShuffle { groups: 2 }, vec![joined], shape.clone());
            let (mixed, half) = (self.last(), shape[3] / 2);
            for begin in [0, half] {
                let op = Op::Slice { begin: vec![0, 0, 0, begin], step: vec![1; 4] };
                self.moved(op, vec![mixed], vec![1, shape[1], shape[2], half]);
            }
        }
    }

    fn last(&self) -> ValueId {
        ValueId(self.program.values.len() - 1)
    }

    /// Values of one grid and of shapes that differ in the last axis only.
    fn join(&mut self, parts: Vec<ValueId>) {
        let first = self.get(parts[0]);
        let same = parts.iter().all(|part| self.get(*part).shape == first.shape);
        let rank = first.shape.len();
        // A batch is no program's business.
        let lowest = usize::from(rank == 4);
        let axis = if same { lowest + self.dice.below(rank - lowest) } else { rank - 1 };
        let mut shape = first.shape.clone();
        shape[axis] = parts.iter().map(|part| self.get(*part).shape[axis]).sum();
        let output = self.in_grid_of(&first, shape);
        if axis + 1 == rank {
            let scales = |part: &ValueId| {
                let value = self.get(*part);
                if value.scale.len() == 1 { vec![value.scale[0]; value.channels()] } else { value.scale }
            };
            let all: Vec<f32> = parts.iter().flat_map(scales).collect();
            if first.scale.len() > 1 {
                self.program.values[output.0].scale = all;
            }
        }
        self.push_to(Op::Concatenate { axis }, parts, output);
    }
}
