//! Networks that are ready to look: a bundle, its executor and its head, as one.

mod body;
#[cfg(test)]
#[cfg(feature = "convert")]
mod tests;

use std::path::Path;
use std::sync::Arc;

use clawdbot_flow::detection::Detection;
use clawdbot_kernels::isa::Isa;
use clawdbot_nn::bundle::{Bundle, BundleError};
use clawdbot_nn::executor::ExecutorError;
use clawdbot_nn::metadata::{Origin, Vision};
use clawdbot_nn::workers::Workers;
use clawdbot_vision::heads::classifier::{Classifier, Ranked};
use clawdbot_vision::heads::{Head, HeadError, Keypoint};
use clawdbot_vision::preprocess::{Placement, PreprocessError, Preprocessor};

use crate::bundled;
use body::Body;
pub(crate) use body::Memory;

/// Why there is no network.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NetworkError {
    /// The file is no good.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// It cannot run here.
    #[error(transparent)]
    Executor(#[from] ExecutorError),
    /// It is another kind of network.
    #[error("{name}: {source}")]
    Head {
        /// The model's name.
        name: String,
        /// Why not.
        source: HeadError,
    },
    /// It takes no pictures.
    #[error("{name} takes no picture; convert one that does with `clawdbot convert`")]
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

/// A network that finds objects.
pub(crate) struct Network {
    body: Body,
    head: Head,
}

impl Network {
    /// The detector in `bundle`, on `isa` and the threads of `workers`.
    ///
    /// # Errors
    /// When the bundle is no detector, or `isa` is not to be had here.
    pub(crate) fn new(bundle: &Bundle, isa: Isa, workers: Arc<Workers>) -> Result<Self, NetworkError> {
        let head =
            Head::from_metadata(vision(bundle)?, bundle.program()).map_err(|source| head_error(bundle, source))?;
        Ok(Self { body: Body::new(bundle, isa, workers)?, head })
    }

    /// Whence it comes and under which terms.
    pub(crate) const fn origin(&self) -> &Origin {
        &self.body.origin
    }

    /// Its labels by index.
    pub(crate) fn labels(&self) -> &[String] {
        &self.body.labels
    }

    /// What brings pictures to the network's input, on the network's instruction set.
    ///
    /// # Errors
    /// When that input is not a picture that we can make.
    pub(crate) fn preprocessor(&self) -> Result<Preprocessor, PreprocessError> {
        self.body.preprocessor()
    }

    /// Room for what it remembers of one camera.
    pub(crate) fn memory(&self) -> Memory {
        self.body.memory()
    }

    /// Fills `detections` with what is in the preprocessed picture `input` and scores at least `threshold`, best first; it is the next
    /// picture of the camera that `memory` belongs to. Allocates nothing in the steady state.
    ///
    /// # Panics
    /// When `input` has not the length that [`clawdbot_vision::preprocess::Preprocessor`] makes here, or `memory` is another
    /// network's.
    pub(crate) fn run(
        &mut self,
        input: &[i8],
        memory: &mut Memory,
        threshold: f32,
        placement: Placement,
        detections: &mut Vec<Detection>,
    ) {
        self.body.run(input, memory);
        let body = &self.body;
        self.head.detect(|index| body.output(index), threshold, placement, detections);
    }

    /// Names of each detection's keypoints; none for networks without.
    pub(crate) fn keypoint_names(&self) -> &[String] {
        self.head.keypoint_names()
    }

    /// The keypoints of the last run's detections, as many each as there are names.
    pub(crate) fn keypoints(&self) -> &[Keypoint] {
        self.head.keypoints()
    }
}

/// A network that names whole pictures.
pub(crate) struct ClassifierNetwork {
    body: Body,
    head: Classifier,
}

impl ClassifierNetwork {
    /// The classifier in `bundle`, on `isa` and the threads of `workers`.
    ///
    /// # Errors
    /// When the bundle is no classifier, or `isa` is not to be had here.
    pub(crate) fn new(bundle: &Bundle, isa: Isa, workers: Arc<Workers>) -> Result<Self, NetworkError> {
        let head = Classifier::from_metadata(vision(bundle)?, bundle.program())
            .map_err(|source| head_error(bundle, source))?;
        Ok(Self { body: Body::new(bundle, isa, workers)?, head })
    }

    /// Whence it comes and under which terms.
    pub(crate) const fn origin(&self) -> &Origin {
        &self.body.origin
    }

    /// Its labels by index.
    pub(crate) fn labels(&self) -> &[String] {
        &self.body.labels
    }

    /// As [`Network::preprocessor`].
    ///
    /// # Errors
    /// When that input is not a picture that we can make.
    pub(crate) fn preprocessor(&self) -> Result<Preprocessor, PreprocessError> {
        self.body.preprocessor()
    }

    /// As [`Network::memory`].
    pub(crate) fn memory(&self) -> Memory {
        self.body.memory()
    }

    /// Fills `ranking` with the `top` best labels of the preprocessed picture `input`, best first.
    ///
    /// # Panics
    /// As [`Network::run`].
    pub(crate) fn run(&mut self, input: &[i8], memory: &mut Memory, top: usize, ranking: &mut Vec<Ranked>) {
        self.body.run(input, memory);
        let body = &self.body;
        self.head.rank(|index| body.output(index), top, ranking);
    }
}

fn vision(bundle: &Bundle) -> Result<&Vision, NetworkError> {
    bundle.vision().ok_or_else(|| NetworkError::NoPicture { name: bundle.origin().name.clone() })
}

fn head_error(bundle: &Bundle, source: HeadError) -> NetworkError {
    NetworkError::Head { name: bundle.origin().name.clone(), source }
}
