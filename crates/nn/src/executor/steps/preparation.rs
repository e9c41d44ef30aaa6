//! Looking up what a step needs: where its values and tensors lie, and its sizes.

use std::ops::Range;

use clawdbot_kernels::geometry::Geometry;

use super::Operand;
use crate::executor::bands::Rows;
use crate::model::Model;
use crate::plan::Plan;
use crate::program::{Step, Value, ValueId, Window};

/// Elements of a cheap operator cost as much as this share of a multiplication in [`Rows::work`].
pub(super) const CHEAP: usize = 8;

/// A step in its surroundings.
pub(super) struct Preparation<'a> {
    pub(super) model: &'a Model,
    pub(super) plan: &'a Plan,
    pub(super) step: &'a Step,
}

impl<'a> Preparation<'a> {
    fn value(&self, id: ValueId) -> &'a Value {
        &self.model.program().values[id.0]
    }

    /// What the step makes.
    pub(super) fn output(&self) -> &'a Value {
        self.value(self.step.output)
    }

    /// Elements from pixel to pixel of the result.
    pub(super) fn output_stride(&self) -> usize {
        self.plan.places[self.step.output.0].stride
    }

    /// The input number `index`.
    pub(super) fn input(&self, index: usize) -> Option<&'a Value> {
        self.step.inputs.get(index).map(|&id| self.value(id))
    }

    /// Where the input number `index` lies.
    pub(super) fn operand(&self, index: usize) -> Option<Operand> {
        let place = &self.plan.places[self.step.inputs.get(index)?.0];
        Some(Operand { range: place.range.clone(), stride: place.stride })
    }

    /// Whether the input number `index` lies within the result already, `first` bytes from its start.
    pub(super) fn is_in_place(&self, index: usize, first: usize) -> bool {
        let place = |id: ValueId| &self.plan.places[id.0];
        let (input, output) = (place(self.step.inputs[index]), place(self.step.output));
        input.range.start == output.range.start + first && input.stride == output.stride
    }

    /// Where a tensor lies.
    pub(super) fn tensor(&self, name: &str) -> Option<Range<usize>> {
        self.model.entry(name).map(|entry| entry.range.clone())
    }

    /// The sizes of a window over the first input.
    pub(super) fn geometry(&self, window: Window) -> Option<Geometry> {
        let (&[_, input_height, input_width, _], &[_, output_height, output_width, _]) =
            (&self.input(0)?.shape[..], &self.output().shape[..])
        else {
            return None;
        };
        let [padding_top, padding_left, _, _] = window.padding;
        let (kernel, stride, channels) = (window.kernel, window.stride, self.operand(0)?.stride);
        Some(Geometry {
            input_height,
            input_width,
            channels,
            kernel,
            stride,
            padding_top,
            padding_left,
            output_height,
            output_width,
        })
    }

    /// The result as rows of pixels, each element of which costs `multiplications`.
    pub(super) fn picture_rows(&self, multiplications: usize) -> Rows {
        let output = self.output();
        let (count, width) = (output.shape[1], output.shape[2]);
        let work = (width * output.stride()).saturating_mul(multiplications);
        Rows { count, elements: width * self.output_stride(), work }
    }

    /// The result as pixels, each element of which costs `multiplications`.
    pub(super) fn pixels(&self, multiplications: usize) -> Rows {
        let output = self.output();
        let work = output.stride().saturating_mul(multiplications);
        Rows { count: output.pixels(), elements: self.output_stride(), work }
    }
}
