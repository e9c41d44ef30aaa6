//! What looks at still pictures for the commands: a network and a picture's way into it.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clawdbot_flow::clock::{Clock as _, SystemClock};
use clawdbot_flow::detection::Detection;
use clawdbot_nn::workers::Workers;
use clawdbot_vision::heads::Keypoint;
use clawdbot_vision::heads::classifier::Ranked;
use clawdbot_vision::preprocess::{self, Crop, Placement, Preprocessor};

use super::{Failure, isa};
use crate::pipeline::network::{ClassifierNetwork, Memory, Network, open_bundle};
use crate::sources::picture::{self, Picture};

/// The largest picture file that is read: more than the largest picture takes without compression.
const FILE_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// A picture's way into a network.
struct Entrance {
    preprocessor: Preprocessor,
    input: Vec<i8>,
    /// The pictures of one command line are taken for those of one camera.
    memory: Memory,
    clock: SystemClock,
}

impl Entrance {
    fn new(preprocessor: Preprocessor, memory: Memory) -> Self {
        let input = vec![0; preprocessor.input_bytes()];
        Self { preprocessor, input, memory, clock: SystemClock::new() }
    }

    /// Brings `crop` of `picture` (all of it without) to the network's size.
    fn fill(&mut self, picture: &Picture, crop: Option<Crop>) -> Result<Placement, Failure> {
        // Sides are at most PICTURE_SIDE_MAX.
        let (width, height) = (picture.width as usize, picture.height as usize);
        let pixels =
            preprocess::Picture::rgb(width, height, &picture.rgb).map_err(|error| Failure::from_error(&error))?;
        let crop = crop.unwrap_or(Crop::whole(width, height));
        self.preprocessor.run_crop(&pixels, crop, &mut self.input).map_err(|error| Failure::from_error(&error))
    }
}

/// A detector and a picture's way into it.
pub(super) struct Looker {
    network: Network,
    entrance: Entrance,
    detections: Vec<Detection>,
}

impl Looker {
    /// The detector in the bundle `model` (the bundled one without), on the threads of `workers` and the instruction set
    /// that the environment asks for, or the best.
    pub(super) fn new(model: Option<&Path>, workers: Arc<Workers>) -> Result<Self, Failure> {
        let bundle = open_bundle(model).map_err(|error| Failure::from_error(&error))?;
        let network = Network::new(&bundle, isa()?, workers).map_err(|error| Failure::from_error(&error))?;
        let preprocessor = network.preprocessor().map_err(|error| Failure::from_error(&error))?;
        let entrance = Entrance::new(preprocessor, network.memory());
        Ok(Self { network, entrance, detections: Vec::new() })
    }

    /// The model's name.
    pub(super) fn name(&self) -> &str {
        &self.network.origin().name
    }

    /// The model's labels by index.
    pub(super) fn labels(&self) -> &[String] {
        self.network.labels()
    }

    /// What is in `picture` and scores at least `threshold`, best first, and the time that preprocessing, network and
    /// head took.
    pub(super) fn look(&mut self, picture: &Picture, threshold: f32) -> Result<(&[Detection], Duration), Failure> {
        self.look_at(picture, None, threshold)
    }

    /// As [`Looker::look`], at nothing but `crop`; boxes are in fractions of the whole picture all the same.
    pub(super) fn look_at(
        &mut self,
        picture: &Picture,
        crop: Option<Crop>,
        threshold: f32,
    ) -> Result<(&[Detection], Duration), Failure> {
        let start = self.entrance.clock.monotonic();
        let placement = self.entrance.fill(picture, crop)?;
        let Entrance { input, memory, .. } = &mut self.entrance;
        self.network.run(input, memory, threshold, placement, &mut self.detections);
        Ok((&self.detections, self.entrance.clock.monotonic().since(start)))
    }

    /// Names of each detection's keypoints; none for detectors without.
    pub(super) fn keypoint_names(&self) -> &[String] {
        self.network.keypoint_names()
    }

    /// The keypoints of what was seen last, as many a detection as there are names.
    pub(super) fn keypoints(&self) -> &[Keypoint] {
        self.network.keypoints()
    }
}

/// A classifier and a picture's way into it.
pub(super) struct Namer {
    network: ClassifierNetwork,
    entrance: Entrance,
    ranking: Vec<Ranked>,
}

impl Namer {
    /// The classifier in the bundle `model`; otherwise as [`Looker::new`].
    pub(super) fn new(model: &Path, workers: Arc<Workers>) -> Result<Self, Failure> {
        let bundle = open_bundle(Some(model)).map_err(|error| Failure::from_error(&error))?;
        let network = ClassifierNetwork::new(&bundle, isa()?, workers).map_err(|error| Failure::from_error(&error))?;
        let preprocessor = network.preprocessor().map_err(|error| Failure::from_error(&error))?;
        let entrance = Entrance::new(preprocessor, network.memory());
        Ok(Self { network, entrance, ranking: Vec::new() })
    }

    /// The model's name.
    pub(super) fn name(&self) -> &str {
        &self.network.origin().name
    }

    /// The model's labels by index.
    pub(super) fn labels(&self) -> &[String] {
        self.network.labels()
    }

    /// The `top` best labels of `picture`, best first, and the time that preprocessing, network and head took.
    pub(super) fn name_picture(&mut self, picture: &Picture, top: usize) -> Result<(&[Ranked], Duration), Failure> {
        let start = self.entrance.clock.monotonic();
        self.entrance.fill(picture, None)?;
        let Entrance { input, memory, .. } = &mut self.entrance;
        self.network.run(input, memory, top, &mut self.ranking);
        Ok((&self.ranking, self.entrance.clock.monotonic().since(start)))
    }
}

/// The picture in the file at `path`.
pub(super) fn read_picture(path: &Path) -> Result<Picture, Failure> {
    let name = path.display();
    let unreadable = |error: std::io::Error| {
        Failure::Failed(format!("picture `{name}` cannot be read ({error}); give the path of a JPEG, PNG or BMP file"))
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        let limit = FILE_BYTES_MAX / (1024 * 1024);
        return Err(Failure::Failed(format!(
            "picture `{name}` is larger than {limit} MiB, the most that is read; scale it down"
        )));
    }
    picture::decode(&bytes, &name.to_string()).map_err(|error| Failure::from_error(&error))
}

/// Parses a score: 0 to 1.
pub(super) fn parse_score(word: &str) -> Result<f32, String> {
    match word.parse() {
        Ok(score) if (0.0..=1.0).contains(&score) => Ok(score),
        _ => Err("a score is a number from 0 to 1".to_owned()),
    }
}

/// Parses a number of threads.
pub(super) fn parse_threads(word: &str) -> Result<usize, String> {
    let most = clawdbot_nn::workers::THREADS_MAX;
    match word.parse() {
        Ok(threads) if (1..=most).contains(&threads) => Ok(threads),
        _ => Err(format!("it must be a whole number from 1 to {most}")),
    }
}
