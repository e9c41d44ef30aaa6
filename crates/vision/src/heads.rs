//! Heads: how detections are read out of a network's results.
//!
//! [`Head::from_metadata`] checks once what a bundle says against what its network yields; [`Head::detect`] then cannot
//! fail, whatever numbers come out of the network.
//!
//! All heads work alike: scores are compared as logits, so that only the few cells above the threshold pay for an exp
//! ([`candidates`]); only their boxes are decoded; of boxes on one object the best stays ([`crate::nms`]); what stays is
//! carried from the network's input back to the picture. exp comes from `libm`: the same bits on every processor.

use clawdbot_flow::detection::Detection;
use clawdbot_flow::limits;
use clawdbot_nn::metadata;
use clawdbot_nn::program::Program;
use clawdbot_nn::tensor::DataType;

use crate::nms;
use crate::preprocess::Placement;

mod anchors;
pub mod blazeface;
pub mod candidates;
pub mod classifier;
#[cfg(test)]
mod fixture;
pub mod keypoints;
mod logistic;
pub mod nanodet;
pub mod pose;
pub mod ssd;
pub mod yolox;

pub use keypoints::Keypoint;

/// Why a bundle's head does not fit its network.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum HeadError {
    /// The bundle is no detector.
    #[error(
        "the model's head is \"{kind}\", which finds no objects; take a detector, or convert the model with the head \
         that fits it"
    )]
    NotADetector {
        /// What it is.
        kind: &'static str,
    },
    /// The bundle is no classifier.
    #[error(
        "the model's head is \"{kind}\", which does not name a whole picture; take a classifier, or convert the model \
         with --labels of as many lines as it has scores"
    )]
    NotAClassifier {
        /// What it is.
        kind: &'static str,
    },
    /// The network has no such output.
    #[error("the model's head reads \"{wanted}\", but the network yields only {present:?}; convert the model again")]
    MissingOutput {
        /// The name in the metadata.
        wanted: String,
        /// What the network has.
        present: Vec<String>,
    },
    /// The head reads floats.
    #[error("the network's output \"{name}\" is {given:?}, but heads read F32; convert the model again")]
    OutputType {
        /// The output's name.
        name: String,
        /// Its type.
        given: DataType,
    },
    /// The output does not hold what the head expects.
    #[error(
        "the network's output \"{name}\" has the shape {given:?}, but the head needs {wanted}; convert the model again"
    )]
    OutputShape {
        /// The output's name.
        name: String,
        /// Its shape.
        given: Vec<usize>,
        /// What the metadata asks for.
        wanted: metadata::OutputShape,
    },
    /// The metadata contradicts itself.
    #[error("the model's head is wrong: {what}; convert the model again")]
    Metadata {
        /// What is wrong.
        what: String,
    },
}

/// The head of one detector.
#[derive(Debug)]
pub enum Head {
    /// Single Shot Detector.
    Ssd(ssd::SsdHead),
    /// YOLOX.
    Yolox(yolox::YoloxHead),
    /// `NanoDet`, `NanoDet`-Plus.
    NanoDet(nanodet::NanoDetHead),
    /// `BlazeFace`.
    BlazeFace(blazeface::BlazeFaceHead),
    /// One person's keypoints.
    Pose(pose::PoseHead),
}

impl Head {
    /// The head that `vision` describes, on the outputs of `program`.
    ///
    /// # Errors
    /// When it is no detector's, or does not fit the outputs or the labels.
    pub fn from_metadata(vision: &metadata::Vision, program: &Program) -> Result<Self, HeadError> {
        let kind = vision.head.name();
        let outputs = outputs(vision, program)?;
        match (&vision.head, vision.input.as_ref()) {
            (metadata::Head::Ssd(head), _) => Ok(Self::Ssd(ssd::SsdHead::new(head, vision.labels.len(), &outputs))),
            (metadata::Head::Yolox(head), Some(input)) => {
                Ok(Self::Yolox(yolox::YoloxHead::new(head, input, vision.labels.len(), &outputs)))
            }
            (metadata::Head::NanoDet(head), Some(input)) => {
                Ok(Self::NanoDet(nanodet::NanoDetHead::new(head, input, vision.labels.len(), &outputs)))
            }
            (metadata::Head::BlazeFace(head), _) => {
                Ok(Self::BlazeFace(blazeface::BlazeFaceHead::new(head, vision.labels.len(), &outputs)))
            }
            (metadata::Head::Pose(head), _) => Ok(Self::Pose(pose::PoseHead::new(head, &outputs))),
            // Without a picture the two grids above have failed already.
            _ => Err(HeadError::NotADetector { kind }),
        }
    }

    /// Fills `detections` with what the network found, best score first, at most
    /// [`clawdbot_flow::limits::DETECTIONS_MAX`]. `output` gives the elements of the program's output with an index
    /// (its order in [`Program::outputs`]); `threshold` is the lowest score wanted, 0..=1. Boxes are in fractions of the
    /// picture, inside it and not empty. Numbers that are not finite are no detections. Allocates nothing once `detections`
    /// and the head's own lists have grown to what the busiest frame needs.
    ///
    /// # Panics
    /// When `output` gives a slice of another length than the program says.
    pub fn detect<'a>(
        &mut self,
        output: impl Fn(usize) -> &'a [f32],
        threshold: f32,
        placement: Placement,
        detections: &mut Vec<Detection>,
    ) {
        match self {
            Self::Ssd(head) => head.detect(output, threshold, placement, detections),
            Self::Yolox(head) => head.detect(output, threshold, placement, detections),
            Self::NanoDet(head) => head.detect(output, threshold, placement, detections),
            Self::BlazeFace(head) => head.detect(output, threshold, placement, detections),
            Self::Pose(head) => head.detect(output, threshold, placement, detections),
        }
    }

    /// Names of the keypoints of each detection; empty for heads without.
    #[must_use]
    pub fn keypoint_names(&self) -> &[String] {
        match self {
            Self::Ssd(_) | Self::Yolox(_) | Self::NanoDet(_) => &[],
            Self::BlazeFace(head) => head.keypoint_names(),
            Self::Pose(head) => head.keypoint_names(),
        }
    }

    /// The keypoints of what [`Head::detect`] found last: as many a detection as there are names, in the order of
    /// detections. In fractions of the picture; they may lie outside it.
    #[must_use]
    pub fn keypoints(&self) -> &[Keypoint] {
        match self {
            Self::Ssd(_) | Self::Yolox(_) | Self::NanoDet(_) => &[],
            Self::BlazeFace(head) => head.keypoints(),
            Self::Pose(head) => head.keypoints(),
        }
    }
}

/// The indices among the program's outputs of those that the head of `vision` reads, in its order, each checked.
fn outputs(vision: &metadata::Vision, program: &Program) -> Result<Vec<usize>, HeadError> {
    let wanted = vision.head.outputs(vision.input.as_ref(), vision.labels.len());
    let wanted = wanted.map_err(|what| HeadError::Metadata { what })?;
    wanted.into_iter().map(|wanted| output(wanted, program)).collect()
}

fn output(wanted: metadata::OutputWanted, program: &Program) -> Result<usize, HeadError> {
    let Some((index, value)) = wanted.find(program) else {
        let outputs = program.outputs.iter().filter_map(|id| program.values.get(id.0));
        let present = outputs.map(|value| value.name.clone()).collect();
        return Err(HeadError::MissingOutput { wanted: wanted.name, present });
    };
    if value.data_type != DataType::F32 {
        return Err(HeadError::OutputType { name: wanted.name, given: value.data_type });
    }
    if !wanted.fits(value) {
        let given = value.shape.clone();
        return Err(HeadError::OutputShape { name: wanted.name, given, wanted: wanted.shape });
    }
    Ok(index)
}

/// What a head needs to say to get from decoded boxes to detections: suppression, and the way back to the picture.
fn conclude(detections: &mut Vec<Detection>, overlap_max: f32, placement: Placement) {
    nms::suppress(detections, overlap_max, limits::DETECTIONS_MAX);
    detections.retain_mut(|detection| to_picture(detection, placement));
}

/// Carries a detection from the network's input to the picture; false when nothing of it lies inside.
fn to_picture(detection: &mut Detection, placement: Placement) -> bool {
    detection.bounding_box = placement.to_picture(&detection.bounding_box).clamped();
    detection.bounding_box.area() > 0.0
}

/// Whether all four sides are numbers.
fn is_finite(bounding_box: &clawdbot_flow::detection::BoundingBox) -> bool {
    let sides = [bounding_box.left, bounding_box.top, bounding_box.right, bounding_box.bottom];
    sides.iter().all(|side| side.is_finite())
}
