//! Runs a program over the kernels, in one arena, on threads that the caller lends.
//!
//! [`Executor::new`] looks everything up once: where each tensor and value lies, which kernel does what. [`Executor::run`]
//! then only calls kernels; it allocates nothing and cannot fail, because the model was verified. INT8 results do not
//! depend on the number of threads nor on the instruction set.

mod bands;
mod memory;
mod steps;
#[cfg(test)]
mod tests;
mod view;

use std::sync::Arc;

use clawdbot_kernels::isa::Isa;

pub use view::{Elements, ValueView};

use crate::arena::AlignedBytes;
use crate::model::Model;
use crate::plan::{Place, Plan, plan};
use crate::program::ValueId;
use crate::tensor::DataType;
use crate::workers::Workers;
use steps::{Context, Run};

/// An executor that cannot be made.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ExecutorError {
    /// The processor lacks it.
    #[error("this processor has no {0}; choose another instruction set, or none to take the best")]
    Isa(Isa),
    /// A step over a tensor or value that is not as verification promises; a bug of this crate.
    #[error("step `{0}` does not fit its operands although the model was verified; please report this")]
    Step(String),
}

/// A model, ready to run. Has its own activations; the weights belong to the model and are shared.
#[derive(Debug)]
pub struct Executor {
    model: Arc<Model>,
    isa: Isa,
    workers: Arc<Workers>,
    plan: Plan,
    keeps_all: bool,
    /// One for each step of the program; `None` where the plan alone makes its result.
    work: Vec<Option<Box<dyn Run>>>,
    arena: AlignedBytes,
}

impl Executor {
    /// Prepares `model` for `isa` and the threads of `workers`, and touches the arena, so that the first run is as fast
    /// as any.
    ///
    /// # Errors
    /// When the processor lacks `isa`.
    pub fn new(model: Arc<Model>, isa: Isa, workers: Arc<Workers>) -> Result<Self, ExecutorError> {
        Self::prepare(model, isa, workers, false)
    }

    /// As [`Executor::new`], but no two values share memory, so that all can be looked at after a run: for calibration
    /// and sensitivity. Takes several times the memory.
    ///
    /// # Errors
    /// As [`Executor::new`].
    pub fn keeping_all(model: Arc<Model>, isa: Isa, workers: Arc<Workers>) -> Result<Self, ExecutorError> {
        Self::prepare(model, isa, workers, true)
    }

    fn prepare(model: Arc<Model>, isa: Isa, workers: Arc<Workers>, keeps_all: bool) -> Result<Self, ExecutorError> {
        if !isa.available() {
            return Err(ExecutorError::Isa(isa));
        }
        let plan = plan(model.program(), keeps_all);
        let work = steps::prepare(&model, &plan)?;
        let mut arena = AlignedBytes::zeroed(plan.arena_bytes);
        arena.as_mut().fill(0);
        Ok(Self { model, isa, workers, plan, keeps_all, work, arena })
    }

    /// The model.
    #[must_use]
    pub const fn model(&self) -> &Arc<Model> {
        &self.model
    }

    /// The instruction set.
    #[must_use]
    pub const fn isa(&self) -> Isa {
        self.isa
    }

    /// Memory of all activations.
    #[must_use]
    pub const fn arena_bytes(&self) -> usize {
        self.plan.arena_bytes
    }

    /// The I8 input number `index`, `[pixels][channel stride]`, to be filled before a run; it keeps what it holds over
    /// runs. `None` when there is no such input, or it is F32.
    pub fn input_i8_mut(&mut self, index: usize) -> Option<&mut [i8]> {
        self.input_mut(index, DataType::I8).map(bytemuck::cast_slice_mut)
    }

    /// The F32 input number `index`, dense; otherwise as [`Executor::input_i8_mut`].
    pub fn input_f32_mut(&mut self, index: usize) -> Option<&mut [f32]> {
        self.input_mut(index, DataType::F32).map(bytemuck::cast_slice_mut)
    }

    fn input_mut(&mut self, index: usize, data_type: DataType) -> Option<&mut [u8]> {
        let program = self.model.program();
        let id = *program.inputs.get(index)?;
        if program.values[id.0].data_type != data_type {
            return None;
        }
        Some(&mut self.arena.as_mut()[self.plan.places[id.0].range.clone()])
    }

    /// Computes the outputs from the inputs.
    pub fn run(&mut self) {
        self.run_observed(&mut |_, _| ());
    }

    /// As [`Executor::run`]; shows each step's result to `observe` as soon as it is there, with the step's index.
    pub fn run_observed(&mut self, observe: &mut dyn FnMut(usize, ValueView<'_>)) {
        let context = Context { isa: self.isa, workers: &self.workers, tensors: self.model.bytes() };
        let program = self.model.program();
        for (at, (work, step)) in self.work.iter().zip(&program.steps).enumerate() {
            let place = &self.plan.places[step.output.0];
            if let Some(work) = work {
                let (memory, output) = memory::split(self.arena.as_mut(), place.range.clone());
                work.run(&context, &memory, output);
            }
            observe(at, view(&program.values[step.output.0], self.arena.as_ref(), place));
        }
    }

    /// The output number `index` of the last run; `None` when there is none of that number.
    #[must_use]
    pub fn output(&self, index: usize) -> Option<ValueView<'_>> {
        self.model.program().outputs.get(index).map(|&id| self.view(id))
    }

    /// The number of the output called `name`.
    #[must_use]
    pub fn output_index(&self, name: &str) -> Option<usize> {
        let program = self.model.program();
        program.outputs.iter().position(|id| program.values[id.0].name == name)
    }

    /// A value of the last run: an input or output, or any where the executor keeps all; otherwise `None`.
    #[must_use]
    pub fn value(&self, id: ValueId) -> Option<ValueView<'_>> {
        let program = self.model.program();
        let kept = self.keeps_all || program.inputs.contains(&id) || program.outputs.contains(&id);
        (kept && id.0 < program.values.len()).then(|| self.view(id))
    }

    fn view(&self, id: ValueId) -> ValueView<'_> {
        view(&self.model.program().values[id.0], self.arena.as_ref(), &self.plan.places[id.0])
    }
}

fn view<'a>(value: &'a crate::program::Value, arena: &'a [u8], place: &Place) -> ValueView<'a> {
    let bytes = &arena[place.range.clone()];
    let elements = match value.data_type {
        DataType::I8 => Elements::I8(bytemuck::cast_slice(bytes)),
        _ => Elements::F32(bytemuck::cast_slice(bytes)),
    };
    ValueView { value, elements, stride: place.stride }
}
