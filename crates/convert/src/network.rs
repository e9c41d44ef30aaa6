//! A lowered program, ready to be run over inputs and looked into.

use std::sync::Arc;

use clawdbot_kernels::isa::Isa;
use clawdbot_nn::executor::{Executor, ExecutorError, ValueView};
use clawdbot_nn::model::Model;
use clawdbot_nn::program::ValueId;
use clawdbot_nn::program::verify::InvalidProgram;
use clawdbot_nn::workers::Workers;

use crate::lower::Lowered;

/// What a network computes with.
#[derive(Clone, Debug)]
pub struct Compute {
    /// The instruction set.
    pub isa: Isa,
    /// The threads that the caller lends.
    pub workers: Arc<Workers>,
}

/// One input of a network.
#[derive(Clone, Debug, PartialEq)]
pub enum Sample {
    /// I8, grey level minus 128, `[height][width]` pixels of 4 bytes.
    Picture(Vec<i8>),
    /// F32, dense.
    Floats(Vec<f32>),
}

/// Why a program cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// What lowering made is not sound: the message names the layer, and the layer's numbers are to blame.
    #[error("the lowered network cannot be run: {0}; choose --precision f16 or mixed, or report this if you did")]
    Invalid(#[from] InvalidProgram),
    /// The executor refuses.
    #[error(transparent)]
    Executor(#[from] ExecutorError),
    /// An input of another size or kind.
    #[error("an input of {given} elements was given where the network takes {wanted}")]
    Sample {
        /// How many were given.
        given: usize,
        /// How many it takes; 0 where it takes another type.
        wanted: usize,
    },
}

/// See the module.
#[derive(Debug)]
pub struct Network {
    executor: Executor,
}

impl Network {
    /// Verifies and prepares.
    ///
    /// # Errors
    /// When the program is not sound or the processor lacks the instruction set.
    pub fn new(lowered: &Lowered, compute: &Compute) -> Result<Self, RunError> {
        let model = Arc::new(Model::new(lowered.program.clone(), &lowered.tensors)?);
        Ok(Self { executor: Executor::new(model, compute.isa, Arc::clone(&compute.workers))? })
    }

    /// The network's outputs, dense, in order.
    ///
    /// # Errors
    /// When the sample does not fit.
    pub fn run(&mut self, sample: &Sample) -> Result<Vec<Vec<f32>>, RunError> {
        self.fill(sample)?;
        self.executor.run();
        Ok((0..).map_while(|index| self.executor.output(index)).map(|view| view.reals().collect()).collect())
    }

    /// Fills an input beyond the first, which is 0 until then.
    ///
    /// # Errors
    /// When the network has none of this number that takes so many floats.
    pub fn set_further_input(&mut self, input: usize, elements: &[f32]) -> Result<(), RunError> {
        let wanted = self.executor.input_f32_mut(input).unwrap_or_default();
        if wanted.len() != elements.len() {
            return Err(RunError::Sample { given: elements.len(), wanted: wanted.len() });
        }
        wanted.copy_from_slice(elements);
        Ok(())
    }

    /// Runs and shows every value's reals, dense, the input first.
    ///
    /// # Errors
    /// When the sample does not fit.
    pub fn observe(&mut self, sample: &Sample, seen: &mut dyn FnMut(ValueId, &[f32])) -> Result<(), RunError> {
        self.fill(sample)?;
        let program = self.executor.model().program();
        let results: Vec<ValueId> = program.steps.iter().map(|step| step.output).collect();
        for input in program.inputs.clone() {
            if let Some(view) = self.executor.value(input) {
                show(view, &mut |reals| seen(input, reals));
            }
        }
        self.executor.run_observed(&mut |step, view| show(view, &mut |reals| seen(results[step], reals)));
        Ok(())
    }

    fn fill(&mut self, sample: &Sample) -> Result<(), RunError> {
        let (given, wanted) = match sample {
            Sample::Picture(pixels) => {
                let input = self.executor.input_i8_mut(0).unwrap_or_default();
                if input.len() == pixels.len() {
                    input.copy_from_slice(pixels);
                    return Ok(());
                }
                (pixels.len(), input.len())
            }
            Sample::Floats(elements) => {
                let input = self.executor.input_f32_mut(0).unwrap_or_default();
                if input.len() == elements.len() {
                    input.copy_from_slice(elements);
                    return Ok(());
                }
                (elements.len(), input.len())
            }
        };
        Err(RunError::Sample { given, wanted })
    }
}

fn show(view: ValueView<'_>, seen: &mut dyn FnMut(&[f32])) {
    match view.as_f32() {
        Some(reals) => seen(reals),
        None => seen(&view.reals().collect::<Vec<f32>>()),
    }
}
