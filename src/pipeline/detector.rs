//! The one detector that all cameras share: a network on the compute pool behind a lock, and what each camera needs of its
//! own to get a frame into it.

use std::sync::{Mutex, PoisonError};

use clawdbot_flow::clock::Clock;
use clawdbot_flow::detection::Detection;
use clawdbot_flow::frame::{Frame, PixelFormat};
use clawdbot_vision::objects;
use clawdbot_vision::preprocess::{Picture, PictureError, PreprocessError, Preprocessor};

use super::meter::Meter;
use super::network::{Memory, Network};
use super::way::Way;
use crate::sources::picture::{self, JpegDecoder};

/// A label that the model does not know.
#[derive(Debug, thiserror::Error)]
#[error("detector.labels names \"{label}\", which the model {model} does not know; it knows: {}", known.join(", "))]
pub(crate) struct UnknownLabel {
    label: String,
    model: String,
    known: Vec<String>,
}

/// The network, with what the pipeline measures of it.
pub(crate) struct Detector {
    network: Mutex<Network>,
    labels: Vec<String>,
    /// By label index: whether anybody wants to hear of it.
    wanted: Vec<bool>,
    objects: objects::Options,
    /// Time of each inference.
    pub(crate) inference: Meter,
    /// Keeps the language model from a frame's way.
    pub(crate) way: Way,
}

/// Why a frame was not analysed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FrameError {
    /// It is no JPEG.
    #[error(transparent)]
    Jpeg(#[from] picture::PictureError),
    /// Its bytes do not make its size.
    #[error(transparent)]
    Pixels(#[from] PictureError),
    /// It cannot be brought to the network's size.
    #[error(transparent)]
    Preprocess(#[from] PreprocessError),
}

/// One camera's way into the network: its decoder and its buffers, taken once.
pub(crate) struct Eye {
    decoder: JpegDecoder,
    pixels: Vec<u8>,
    preprocessor: Preprocessor,
    input: Vec<i8>,
    /// Two cameras of one network must not see what the other one saw.
    memory: Memory,
}

impl Detector {
    /// A detector on `network`; scores below `score_min` are noise, and only `labels` are reported (all if there are none).
    ///
    /// # Errors
    /// When the model does not know one of `labels`.
    pub(crate) fn new(network: Network, score_min: f32, labels: &[String]) -> Result<Self, UnknownLabel> {
        let known = network.labels().to_vec();
        let index = |label: &String| known.iter().position(|name| name.eq_ignore_ascii_case(label));
        if let Some(label) = labels.iter().find(|label| index(label).is_none()) {
            return Err(UnknownLabel { label: label.clone(), model: network.origin().name.clone(), known });
        }
        let mut wanted = vec![labels.is_empty(); known.len()];
        labels.iter().filter_map(index).for_each(|index| wanted[index] = true);
        let objects = objects::Options {
            score_min,
            // What is seen well enough once may be seen a little less well later: the default's own ratio.
            score_kept_min: (score_min * 0.75).max(*objects::Options::SCORE.start()),
            ..objects::Options::default()
        };
        Ok(Self {
            labels: known,
            wanted,
            network: Mutex::new(network),
            objects,
            inference: Meter::new(),
            way: Way::new(),
        })
    }

    /// When an object is believed in.
    pub(crate) const fn objects(&self) -> objects::Options {
        self.objects
    }

    /// The name of label `index`.
    pub(crate) fn label(&self, index: u16) -> &str {
        self.labels.get(usize::from(index)).map_or("unknown", String::as_str)
    }

    /// The way in for the camera called `camera`.
    ///
    /// # Errors
    /// When the network's input is not a picture that we can make.
    pub(crate) fn eye(&self, camera: &str) -> Result<Eye, PreprocessError> {
        let network = self.network.lock().unwrap_or_else(PoisonError::into_inner);
        let (preprocessor, memory) = (network.preprocessor()?, network.memory());
        drop(network);
        let input = vec![0; preprocessor.input_bytes()];
        Ok(Eye { decoder: JpegDecoder::for_frames(camera), pixels: Vec::new(), preprocessor, input, memory })
    }

    /// Fills `detections` with what the network sees in `frame`, best first. Decoding and preprocessing run on the
    /// caller's thread; the network takes one frame at a time. Allocates nothing once every buffer has grown to the
    /// camera's size.
    ///
    /// # Errors
    /// When the frame is no picture; `detections` is then empty.
    pub(crate) fn detect(
        &self,
        eye: &mut Eye,
        frame: &Frame,
        clock: &dyn Clock,
        detections: &mut Vec<Detection>,
    ) -> Result<(), FrameError> {
        detections.clear();
        let claim = self.way.claim();
        let picture = if frame.format == PixelFormat::Jpeg {
            eye.decoder.decode_frame(&frame.data, &mut eye.pixels)?
        } else {
            Picture::from_frame(frame)?
        };
        let placement = eye.preprocessor.run(&picture, &mut eye.input)?;
        claim.is_ready(clock);
        let mut network = self.network.lock().unwrap_or_else(PoisonError::into_inner);
        let start = clock.monotonic();
        network.run(&eye.input, &mut eye.memory, self.objects.score_kept_min, placement, detections);
        self.inference.add(clock.monotonic().since(start));
        drop(network);
        detections.retain(|detection| self.wanted.get(usize::from(detection.label)).is_some_and(|&wanted| wanted));
        Ok(())
    }
}
