//! A detection network that is ready to look: its bundle, its executor and its head, as one.

use std::path::Path;
use std::sync::Arc;

use clawdbot_flow::detection::Detection;
use clawdbot_kernels::isa::Isa;
use clawdbot_nn::bundle::{Bundle, BundleError};
use clawdbot_nn::executor::{Executor, ExecutorError};
use clawdbot_nn::metadata::{Origin, PictureInput};
use clawdbot_nn::workers::Workers;
use clawdbot_vision::heads::{Head, HeadError};
use clawdbot_vision::preprocess::{Placement, PreprocessError, Preprocessor};

use crate::bundled;

/// Why there is no network.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NetworkError {
    /// The file is no good.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// It cannot run here.
    #[error(transparent)]
    Executor(#[from] ExecutorError),
    /// It is no detector.
    #[error("{name}: {source}")]
    Head {
        /// The model's name.
        name: String,
        /// Why not.
        source: HeadError,
    },
    /// It takes no pictures.
    #[error("{name} takes no picture; convert a detector with `clawdbot convert`")]
    NoPicture {
        /// The model's name.
        name: String,
    },
}

/// The bundle at `path`, or the bundled one.
///
/// # Errors
/// When the file is no good.
pub(crate) fn open_bundle(path: Option<&Path>) -> Result<Bundle, BundleError> {
    path.map_or_else(bundled::detector, Bundle::open)
}

/// See the module.
pub(crate) struct Network {
    origin: Origin,
    labels: Vec<String>,
    input: PictureInput,
    isa: Isa,
    executor: Executor,
    head: Head,
}

impl Network {
    /// The detector in `bundle`, on `isa` and the threads of `workers`.
    ///
    /// # Errors
    /// When the bundle is no detector, or `isa` is not to be had here.
    pub(crate) fn new(bundle: &Bundle, isa: Isa, workers: Arc<Workers>) -> Result<Self, NetworkError> {
        let origin = bundle.origin().clone();
        let no_picture = || NetworkError::NoPicture { name: origin.name.clone() };
        let vision = bundle.vision().ok_or_else(no_picture)?;
        let input = vision.input.clone().ok_or_else(no_picture)?;
        let head = Head::from_metadata(vision, bundle.program())
            .map_err(|source| NetworkError::Head { name: origin.name.clone(), source })?;
        let mut executor = Executor::new(Arc::clone(bundle.model()), isa, workers)?;
        let input_bytes = input.width * input.height * clawdbot_vision::preprocess::INPUT_CHANNEL_STRIDE;
        if executor.input_i8_mut(0).is_none_or(|room| room.len() != input_bytes) {
            return Err(no_picture());
        }
        Ok(Self { labels: vision.labels.clone(), input, isa, executor, head, origin })
    }

    /// Whence it comes and under which terms.
    pub(crate) const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Its labels by index.
    pub(crate) fn labels(&self) -> &[String] {
        &self.labels
    }

    /// What brings pictures to the network's input, on the network's instruction set.
    ///
    /// # Errors
    /// When that input is not a picture that we can make.
    pub(crate) fn preprocessor(&self) -> Result<Preprocessor, PreprocessError> {
        Preprocessor::new(&self.input, self.isa)
    }

    /// Fills `detections` with what is in the preprocessed picture `input` and scores at least `threshold`, best first.
    /// Allocates nothing in the steady state.
    ///
    /// # Panics
    /// When `input` has not the length that [`clawdbot_vision::preprocess::Preprocessor`] makes here.
    pub(crate) fn run(&mut self, input: &[i8], threshold: f32, placement: Placement, detections: &mut Vec<Detection>) {
        self.executor.input_i8_mut(0).expect("checked when the network was made").copy_from_slice(input);
        self.executor.run();
        let executor = &self.executor;
        let output =
            |index| executor.output(index).and_then(|view| view.as_f32()).expect("the head checked its outputs");
        self.head.detect(output, threshold, placement, detections);
    }
}
