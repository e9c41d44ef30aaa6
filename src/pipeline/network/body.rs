//! What detectors and classifiers have in common: a picture goes in, numbers come out, and what the network remembers of a camera
//! is handed on from one of its pictures to the next.

use std::sync::Arc;

use clawdbot_kernels::isa::Isa;
use clawdbot_nn::bundle::Bundle;
use clawdbot_nn::executor::Executor;
use clawdbot_nn::metadata::{Origin, PictureInput};
use clawdbot_nn::workers::Workers;
use clawdbot_vision::preprocess::{INPUT_CHANNEL_STRIDE, PreprocessError, Preprocessor};

use super::NetworkError;

/// A network without its head.
pub(super) struct Body {
    pub(super) origin: Origin,
    pub(super) labels: Vec<String>,
    pub(super) input: PictureInput,
    isa: Isa,
    executor: Executor,
    states: Vec<State>,
}

/// Something that the network remembers.
struct State {
    input: usize,
    output: usize,
    length: usize,
}

/// What a network remembers of the pictures of one camera; 0 at first, and nothing for most networks.
#[derive(Debug)]
pub(crate) struct Memory(Vec<Vec<f32>>);

#[cfg(test)]
impl Memory {
    /// As if a picture had left `number` everywhere.
    pub(super) fn filled(mut self, number: f32) -> Self {
        self.0.iter_mut().flatten().for_each(|element| *element = number);
        self
    }
}

impl Body {
    pub(super) fn new(bundle: &Bundle, isa: Isa, workers: Arc<Workers>) -> Result<Self, NetworkError> {
        let origin = bundle.origin().clone();
        let no_picture = || NetworkError::NoPicture { name: origin.name.clone() };
        let vision = bundle.vision().ok_or_else(no_picture)?;
        let input = vision.input.clone().ok_or_else(no_picture)?;
        let mut executor = Executor::new(Arc::clone(bundle.model()), isa, workers)?;
        let input_bytes = input.width * input.height * INPUT_CHANNEL_STRIDE;
        if executor.input_i8_mut(0).is_none_or(|room| room.len() != input_bytes) {
            return Err(no_picture());
        }
        let program = bundle.program();
        let mut states = Vec::new();
        for state in &vision.states {
            let place = program.inputs.iter().position(|id| program.values[id.0].name == state.input);
            let output = executor.output_index(&state.output);
            let Some((place, output)) = place.zip(output) else { return Err(no_picture()) };
            let length = executor.input_f32_mut(place).map(|room| room.len()).ok_or_else(no_picture)?;
            states.push(State { input: place, output, length });
        }
        Ok(Self { labels: vision.labels.clone(), input, isa, executor, states, origin })
    }

    pub(super) fn preprocessor(&self) -> Result<Preprocessor, PreprocessError> {
        Preprocessor::new(&self.input, self.isa)
    }

    pub(super) fn memory(&self) -> Memory {
        Memory(self.states.iter().map(|state| vec![0.0; state.length]).collect())
    }

    pub(super) fn run(&mut self, input: &[i8], memory: &mut Memory) {
        let Self { executor, states, .. } = self;
        executor.input_i8_mut(0).expect("checked when the network was made").copy_from_slice(input);
        // The executor may use an input's memory for something else once it has been read.
        for (state, elements) in states.iter().zip(&memory.0) {
            let room = executor.input_f32_mut(state.input).expect("checked when the network was made");
            room.copy_from_slice(elements);
        }
        executor.run();
        for (state, elements) in states.iter().zip(&mut memory.0) {
            let next = executor.output(state.output).and_then(|view| view.as_f32()).expect("checked by the bundle");
            elements.copy_from_slice(next);
        }
    }

    /// The elements of an output that the head has checked.
    pub(super) fn output(&self, index: usize) -> &[f32] {
        self.executor.output(index).and_then(|view| view.as_f32()).expect("the head checked its outputs")
    }
}
