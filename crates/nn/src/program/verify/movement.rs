//! Operators that look at windows without weights, or only move elements.

use super::step::Operands;
use super::{InvalidProgram, Reason};
use crate::program::{Value, Window};
use crate::tensor::DataType::{self, F32, I8};

/// Pixels whose INT8 sum fits 32 bits whatever they hold.
const POOLED_PIXELS_MAX: usize = 1 << 23;

impl<'a> Operands<'a> {
    fn one(&self) -> Result<&'a Value, InvalidProgram> {
        self.count(1..=1, "one")?;
        let x = self.inputs[0];
        self.kind(x, &[I8, F32])?;
        Ok(x)
    }

    /// Two operands of type `data_type`; the second may be a single pixel.
    pub(super) fn product(&self, data_type: DataType) -> Result<(), InvalidProgram> {
        self.count(2..=2, "two")?;
        for value in [self.inputs[0], self.inputs[1], self.output] {
            self.kind(value, &[data_type])?;
        }
        let (a, b) = (self.inputs[0], self.inputs[1]);
        let wanted = || format!("a product has the shape {:?} of its first input", a.shape);
        self.shape(self.output, self.output.shape == a.shape, wanted)?;
        let pixel = b.shape.len() == 4 && b.pixels() == 1 && b.channels() == a.channels() && a.shape.len() == 4;
        self.shape(b, b.shape == a.shape || pixel, || format!("it must be {:?}, or one pixel of it", a.shape))
    }

    pub(super) fn mean(&self) -> Result<(), InvalidProgram> {
        let x = self.one()?;
        self.kind(self.output, &[x.data_type])?;
        self.one_scale_each()?;
        let fits = x.shape.len() == 4 && x.pixels() <= POOLED_PIXELS_MAX;
        self.shape(x, fits, || format!("pooling takes [1][H][W][C] of at most {POOLED_PIXELS_MAX} pixels"))?;
        let pooled = self.output.pixels() == 1 && self.output.channels() == x.channels();
        self.shape(self.output, pooled, || format!("pooling makes one pixel of {} channels", x.channels()))
    }

    pub(super) fn max_pool(&self, window: Window) -> Result<(), InvalidProgram> {
        let x = self.one()?;
        self.windowed(x, window)?;
        self.as_many_channels(x)?;
        self.same_grid(x, |channel| channel)
    }

    pub(super) fn average_pool(&self, window: Window) -> Result<(), InvalidProgram> {
        let x = self.one()?;
        self.kind(self.output, &[x.data_type])?;
        self.windowed(x, window)?;
        self.as_many_channels(x)?;
        self.one_scale_each()
    }

    pub(super) fn resize(&self) -> Result<(), InvalidProgram> {
        let x = self.one()?;
        self.picture(x)?;
        self.picture(self.output)?;
        self.as_many_channels(x)?;
        self.same_grid(x, |channel| channel)
    }

    fn as_many_channels(&self, x: &Value) -> Result<(), InvalidProgram> {
        self.shape(self.output, self.output.channels() == x.channels(), || {
            format!("it has as many channels as its input, {}", x.channels())
        })
    }

    pub(super) fn slice(&self, begin: &[usize], step: &[usize]) -> Result<(), InvalidProgram> {
        let x = self.one()?;
        let rank = x.shape.len();
        let ranks = begin.len() == rank && step.len() == rank && self.output.shape.len() == rank;
        let inside = |axis: usize| {
            let last = (self.output.shape[axis] - 1).checked_mul(step[axis])?.checked_add(begin[axis])?;
            (last < x.shape[axis] && step[axis] > 0).then_some(())
        };
        let fits = ranks && (0..rank).all(|axis| inside(axis).is_some());
        self.shape(self.output, fits, || format!("from {begin:?} by {step:?} it leaves its input {:?}", x.shape))?;
        self.same_grid(x, |channel| begin[rank - 1] + channel * step[rank - 1])
    }

    pub(super) fn transpose(&self, order: &[usize]) -> Result<(), InvalidProgram> {
        let x = self.one()?;
        let mut axes = order.to_vec();
        axes.sort_unstable();
        let permutation = axes.iter().copied().eq(0..x.shape.len()) && self.output.shape.len() == order.len();
        let fits = permutation && order.iter().zip(&self.output.shape).all(|(&axis, &side)| x.shape[axis] == side);
        self.shape(self.output, fits, || format!("{order:?} does not make it of {:?}", x.shape))?;
        self.one_scale_each()?;
        self.same_grid(x, |_| 0)
    }

    pub(super) fn shuffle(&self, groups: usize) -> Result<(), InvalidProgram> {
        let x = self.one()?;
        self.shape(self.output, self.output.shape == x.shape, || format!("a shuffle keeps the shape {:?}", x.shape))?;
        let channels = x.channels();
        self.shape(x, groups > 0 && channels.is_multiple_of(groups), || {
            format!("its channels are no {groups} groups")
        })?;
        self.same_grid(x, |channel| channel % groups * (channels / groups) + channel / groups)
    }

    pub(super) fn pad(&self, cells: [usize; 4]) -> Result<(), InvalidProgram> {
        let x = self.one()?;
        self.picture(x)?;
        self.picture(self.output)?;
        self.as_many_channels(x)?;
        let side = |axis: usize| x.shape[axis + 1].checked_add(cells[axis])?.checked_add(cells[axis + 2]);
        let fits = (0..2).all(|axis| side(axis) == Some(self.output.shape[axis + 1]));
        self.shape(self.output, fits, || format!("{cells:?} cells around {:?} do not make it", x.shape))?;
        self.same_grid(x, |channel| channel)
    }

    pub(super) fn reshape(&self) -> Result<(), InvalidProgram> {
        let x = self.one()?;
        self.kind(self.output, &[x.data_type])?;
        let elements = |value: &Value| value.pixels() * value.channels();
        let fits = elements(x) == elements(self.output);
        self.shape(self.output, fits, || format!("it must hold the {} elements of its input", elements(x)))?;
        if x.channels() != self.output.channels() {
            self.one_scale_each()?;
        }
        self.same_grid(x, |channel| channel)
    }

    pub(super) fn concatenate(&self, axis: usize) -> Result<(), InvalidProgram> {
        self.count(1..=usize::MAX, "at least one")?;
        self.kind(self.output, &[I8, F32])?;
        let Some(&length) = self.output.shape.get(axis) else { return Err(self.fault(Reason::Axis(axis))) };
        let mut sum = 0_usize;
        for value in &self.inputs {
            self.kind(value, &[self.output.data_type])?;
            let others = |value: &Value| -> Vec<usize> {
                value.shape.iter().enumerate().filter(|&(at, _)| at != axis).map(|(_, &side)| side).collect()
            };
            let fits = value.shape.len() == self.output.shape.len() && others(value) == others(self.output);
            self.shape(value, fits, || format!("it may differ from {:?} only along axis {axis}", self.output.shape))?;
            sum = sum.saturating_add(value.shape[axis]);
        }
        self.shape(self.output, sum == length, || format!("its inputs add up to {sum} along axis {axis}"))?;
        let along_channels = axis + 1 == self.output.shape.len();
        let mut start = 0;
        for value in &self.inputs {
            let first = if along_channels { start } else { 0 };
            self.part_of_grid(value, first)?;
            start += value.channels();
        }
        Ok(())
    }

    /// Refuses unless the channels of `value` have the grid of the result's from `first` on.
    fn part_of_grid(&self, value: &Value, first: usize) -> Result<(), InvalidProgram> {
        let scale = |value: &Value, channel: usize| value.scale.get(channel).or(value.scale.first()).copied();
        let same = value.zero_point == self.output.zero_point
            && (0..value.channels()).all(|at| scale(value, at) == scale(self.output, first + at));
        if same { Ok(()) } else { Err(self.fault(Reason::Grid(value.name.clone()))) }
    }
}
