//! INT8 nodes without weights.
//!
//! Where steps are handed on as they are (pooling, resizing, concatenating ...), operands and result must lie in one grid.
//! A plan sees to that for the networks that it chose grids for; a file that came with its own may not have, and then a
//! table between the two changes one grid into the other.

use clawdbot_nn::graph::{Activation, Node, Op, ValueId};
use clawdbot_nn::program;
use clawdbot_nn::reference::activated;
use clawdbot_nn::tensor::DataType;

use super::epilogue::{bounds, grid_of};
use super::layers::window;
use super::{LowerError, Lowering};
use crate::quantize::ValueGrid;

impl Lowering<'_> {
    /// Appends INT8 node `index`.
    pub(super) fn int8(&mut self, index: usize) -> Result<(), LowerError> {
        let node = &self.graph.nodes[index];
        let constant = node.inputs.iter().find_map(|value| self.graph.constant_f32(*value));
        match (&node.op, constant) {
            (Op::Convolution { .. } | Op::DepthwiseConvolution { .. }, _) => self.layer(index),
            (Op::Add { activation }, Some(&[offset])) => {
                self.function(node, &|x| activated(x + f64::from(offset), *activation))
            }
            (Op::Multiply, Some(&[factor])) => self.function(node, &|x| x * f64::from(factor)),
            (Op::Activate(activation), _) => self.function(node, &|x| activated(x, *activation)),
            (Op::Add { activation }, _) => self.pair(node, *activation, |epilogue| program::Op::AddI8 { epilogue }),
            (Op::Multiply, _) => self.pair(node, Activation::None, |epilogue| program::Op::MultiplyI8 { epilogue }),
            (Op::GlobalAveragePool, _) => self.mean(node, program::Op::GlobalAveragePool),
            (Op::AveragePool { window: view, padding_counts }, _) => {
                let op = program::Op::AveragePool { window: window(view), padding_counts: *padding_counts };
                self.mean(node, op)
            }
            (Op::Concatenate { axis }, _) => self.concatenate(node, *axis),
            _ => self.movement(node),
        }
    }

    /// A function of one number.
    fn function(&mut self, node: &Node, function: &dyn Fn(f64) -> f64) -> Result<(), LowerError> {
        let x = self.only_activation(node)?;
        let x = self.int8_value(x)?;
        let output = self.int8_result(node.output)?;
        self.look_up(node.name.clone(), x, output, function)
    }

    /// The input of `node` that is no constant.
    fn only_activation(&self, node: &Node) -> Result<ValueId, LowerError> {
        let x = node.inputs.iter().copied().find(|value| !self.graph.constants.contains_key(value));
        x.ok_or_else(|| self.unsupported(node, "all that it reads is constant"))
    }

    /// A sum or a product of two values.
    fn pair(
        &mut self,
        node: &Node,
        activation: Activation,
        op: impl Fn(program::QuantizedEpilogue) -> program::Op,
    ) -> Result<(), LowerError> {
        let inputs = [self.int8_value(node.inputs[0])?, self.int8_value(node.inputs[1])?];
        let output = self.int8_result(node.output)?;
        for value in inputs.into_iter().chain([output]) {
            self.one_scale(&node.name, value)?;
        }
        let epilogue = bounds(activation, &self.result.program.values[output.0]);
        self.step(node.name.clone(), op(epilogue), inputs.to_vec(), output);
        Ok(())
    }

    fn mean(&mut self, node: &Node, op: program::Op) -> Result<(), LowerError> {
        let x = self.int8_value(node.inputs[0])?;
        let output = self.int8_result(node.output)?;
        for value in [x, output] {
            self.one_scale(&node.name, value)?;
        }
        self.step(node.name.clone(), op, vec![x], output);
        Ok(())
    }

    /// Steps that only change their places.
    fn movement(&mut self, node: &Node) -> Result<(), LowerError> {
        let x = self.int8_value(node.inputs[0])?;
        let input = grid_of(&self.result.program.values[x.0]);
        let channels = self.graph.values[node.inputs[0].0].shape.last().copied().unwrap_or(1);
        let results = self.graph.values[node.output.0].shape.last().copied().unwrap_or(1);
        let (op, source): (_, Box<dyn Fn(usize) -> usize>) = match &node.op {
            Op::MaxPool(view) => (program::Op::MaxPool { window: window(view) }, Box::new(|at| at)),
            Op::Resize(sampling) => (program::Op::Resize { sampling: *sampling }, Box::new(|at| at)),
            Op::Pad(cells) => (program::Op::Pad { cells: *cells }, Box::new(|at| at)),
            Op::Slice { begin, step } => {
                let (first, each) = (begin.last().copied().unwrap_or(0), step.last().copied().unwrap_or(1));
                let op = program::Op::Slice { begin: begin.clone(), step: step.clone() };
                (op, Box::new(move |at| first + at * each))
            }
            Op::ChannelShuffle { groups } => {
                let (groups, each) = (*groups, channels / (*groups).max(1));
                let op = program::Op::ChannelShuffle { groups };
                (op, Box::new(move |at| at % groups * each + at / groups))
            }
            Op::Transpose { order } => {
                self.one_scale(&node.name, x)?;
                (program::Op::Transpose { order: order.clone() }, Box::new(|_| 0))
            }
            Op::Reshape => {
                if channels != results {
                    self.one_scale(&node.name, x)?;
                }
                (program::Op::Reshape, Box::new(|at| at))
            }
            _ => return Err(self.unsupported(node, "it has no form in integers")),
        };
        let carried = part(&input, results, source);
        let wanted = self.plan.grids.get(&node.output).cloned().unwrap_or_else(|| carried.clone());
        if same(&carried, &wanted, results) {
            let output = self.new_value(node.output, "", DataType::I8, carried.scales, carried.zero_point);
            self.step(node.name.clone(), op, vec![x], output);
            return Ok(());
        }
        let moved = self.spare_value(node.output, " (moved)", Some(&carried));
        self.step(node.name.clone(), op, vec![x], moved);
        let output = self.int8_result(node.output)?;
        self.look_up(format!("{} steps", node.name), moved, output, &|x| x)
    }

    /// Values side by side. An input in another grid than its share of the result is changed into that first.
    fn concatenate(&mut self, node: &Node, axis: usize) -> Result<(), LowerError> {
        let along_channels = axis + 1 == self.graph.values[node.output.0].shape.len();
        let whole = self.grid(node.output)?.clone();
        let mut inputs = Vec::new();
        let mut start = 0;
        for (position, &input) in node.inputs.iter().enumerate() {
            let from = self.int8_value(input)?;
            let channels = self.graph.values[input.0].shape.last().copied().unwrap_or(1);
            let first = if along_channels { start } else { 0 };
            start += channels;
            let wanted = part(&whole, channels, |at| first + at);
            if same(&grid_of(&self.result.program.values[from.0]), &wanted, channels) {
                inputs.push(from);
                continue;
            }
            let changed = self.spare_value(input, &format!(" (for {})", node.name), Some(&wanted));
            self.look_up(format!("{} input {position}", node.name), from, changed, &|x| x)?;
            inputs.push(changed);
        }
        let output = self.int8_result(node.output)?;
        self.step(node.name.clone(), program::Op::Concatenate { axis }, inputs, output);
        Ok(())
    }
}

/// The grid of `channels` of which each is channel `source(at)` of `grid`.
fn part(grid: &ValueGrid, channels: usize, source: impl Fn(usize) -> usize) -> ValueGrid {
    if grid.scales.len() == 1 {
        return grid.clone();
    }
    let scales: Vec<f32> = (0..channels).map(|at| grid.scale(source(at))).collect();
    let one = scales.windows(2).all(|pair| pair[0].to_bits() == pair[1].to_bits());
    let scales = if one { scales.into_iter().take(1).collect() } else { scales };
    ValueGrid { scales, zero_point: grid.zero_point }
}

fn same(a: &ValueGrid, b: &ValueGrid, channels: usize) -> bool {
    a.zero_point == b.zero_point && (0..channels).all(|at| a.scale(at).to_bits() == b.scale(at).to_bits())
}
