//! One way to spend runs of the network, and what sees a film with it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clawdbot_flow::clock::Monotonic;
use clawdbot_flow::detection::Detection;
use clawdbot_nn::metadata::PictureInput;
use clawdbot_nn::workers::Workers;
use clawdbot_vision::motion::Motion;
use clawdbot_vision::objects::{self, Objects};
use clawdbot_vision::preprocess::{Crop, Picture, Preprocessor};
use clawdbot_vision::regions::join::Joiner;
use clawdbot_vision::regions::{Options, RUNS_MAX, Regions};
use indicatif::ProgressBar;

use super::scenes::Film;
use super::tally::{Seen, Tally};
use crate::cli::{Failure, isa};
use crate::pipeline::network::{Memory, Network, open_bundle};

/// Frames are so far apart: 15 a second.
const INTERVAL: Duration = Duration::from_micros(66_667);
/// Scores below are noise.
const SCORE_MIN: f32 = 0.1;
/// Boxes of several looks that overlap more are one object.
const OVERLAP_MAX: f32 = 0.5;

/// A way to spend runs.
pub(super) struct Arm {
    pub(super) name: &'static str,
    /// Runs a frame.
    runs: usize,
    /// `None`: the whole picture, every time.
    regions: Option<Options>,
}

/// All ways that are compared.
pub(super) const ARMS: [Arm; 5] = [
    Arm { name: "whole", runs: 1, regions: None },
    Arm { name: "regions", runs: 1, regions: Some(Options { whole_every: 4, scan: true }) },
    Arm { name: "regions, 1 of 2", runs: 1, regions: Some(Options { whole_every: 2, scan: true }) },
    Arm { name: "no scan", runs: 1, regions: Some(Options { whole_every: 4, scan: false }) },
    Arm { name: "whole + 1", runs: 2, regions: Some(Options { whole_every: 1, scan: true }) },
];

/// A network and its way in.
pub(super) struct Watch {
    network: Network,
    preprocessor: Preprocessor,
    picture: PictureInput,
    input: Vec<i8>,
    memory: Memory,
    detections: Vec<Detection>,
}

impl Watch {
    pub(super) fn new(model: Option<&Path>, workers: Arc<Workers>) -> Result<Self, Failure> {
        let bundle = open_bundle(model).map_err(|error| Failure::from_error(&error))?;
        let no_picture = || Failure::Failed(format!("{} takes no picture; give a detector", bundle.origin().name));
        let picture = bundle.vision().and_then(|vision| vision.input.clone()).ok_or_else(no_picture)?;
        let network = Network::new(&bundle, isa()?, workers).map_err(|error| Failure::from_error(&error))?;
        let preprocessor = network.preprocessor().map_err(|error| Failure::from_error(&error))?;
        let input = vec![0; preprocessor.input_bytes()];
        let memory = network.memory();
        Ok(Self { network, preprocessor, picture, input, memory, detections: Vec::new() })
    }

    pub(super) fn name(&self) -> &str {
        &self.network.origin().name
    }

    pub(super) fn labels(&self) -> &[String] {
        self.network.labels()
    }

    pub(super) const fn input(&self) -> &PictureInput {
        &self.picture
    }

    /// What one look shows.
    fn look(&mut self, picture: &Picture<'_>, crop: Crop) -> Result<&[Detection], Failure> {
        let placement =
            self.preprocessor.run_crop(picture, crop, &mut self.input).map_err(|error| Failure::from_error(&error))?;
        self.network.run(&self.input, &mut self.memory, SCORE_MIN, placement, &mut self.detections);
        Ok(&self.detections)
    }

    /// What looks at every part of a picture, closely, and at the whole show together.
    pub(super) fn look_everywhere(&mut self, picture: &Picture<'_>) -> Result<Vec<Detection>, Failure> {
        let (width, height) = (picture.width(), picture.height());
        let scene = clawdbot_vision::motion::Scene { everything: false, patches: &[] };
        let mut regions = Regions::new(width, height, &self.picture, Options { whole_every: 1, scan: true });
        let looks = regions.plan(&scene, [], RUNS_MAX).to_vec();
        let mut joiner = Joiner::new(width, height, OVERLAP_MAX);
        for look in looks {
            joiner.add(&look, self.look(picture, look)?);
        }
        let mut found = Vec::new();
        joiner.finish(&[], &mut found);
        Ok(found)
    }

    /// Sees `film` as `arm` says, and counts in `tally`.
    pub(super) fn watch(
        &mut self,
        arm: &Arm,
        film: &Film,
        tally: &mut Tally<'_>,
        bar: &ProgressBar,
    ) -> Result<(), Failure> {
        let [width, height] = film.size();
        let mut motion = Motion::new(width, height).map_err(|error| Failure::from_error(&error))?;
        let mut regions = Regions::new(width, height, &self.picture, arm.regions.unwrap_or_default());
        let mut joiner = Joiner::new(width, height, OVERLAP_MAX);
        let options = objects::Options {
            score_min: 0.3,
            score_kept_min: 0.2,
            gone_after: Duration::from_secs(1),
            ..objects::Options::default()
        };
        let mut objects = Objects::new(options);
        let (mut known, mut fresh, mut changes) = (Vec::new(), Vec::new(), Vec::new());
        let mut now = Monotonic::default();
        for number in 0..film.frames() {
            now = now.plus(INTERVAL);
            let (picture, truth) = film.frame(number)?;
            let picture = picture.as_picture()?;
            known.clear();
            known.extend(objects.expected(now));
            let looks = if arm.regions.is_some() {
                let scene = motion.look(&picture).map_err(|error| Failure::from_error(&error))?;
                regions.plan(&scene, known.iter().map(|known| known.bounding_box), arm.runs).to_vec()
            } else {
                vec![Crop::whole(width, height)]
            };
            for &look in &looks {
                joiner.add(&look, self.look(&picture, look)?);
            }
            joiner.finish(&known, &mut fresh);
            let saw_all = arm.regions.is_none();
            objects.update_where(&fresh, |place| saw_all || regions.saw(place), now, &mut changes);
            changes.clear();
            known.clear();
            known.extend(objects.expected(now));
            tally.count(&Seen { fresh: &fresh, tracked: &known, runs: looks.len() }, &truth, [width, height]);
            bar.inc(1);
        }
        Ok(())
    }
}
