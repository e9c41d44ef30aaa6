//! Heads: how detections are read out of a network's results.
//!
//! [`Head::from_metadata`] checks once what a bundle says against what its network yields; [`Head::detect`] then cannot
//! fail, whatever numbers come out of the network.

use clawdbot_flow::detection::Detection;
use clawdbot_nn::metadata;
use clawdbot_nn::program::Program;
use clawdbot_nn::tensor::DataType;

use crate::preprocess::Placement;

pub mod ssd;

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
        "the network's output \"{name}\" has the shape {given:?}, but the head needs {wanted:?}; convert the model again"
    )]
    OutputShape {
        /// The output's name.
        name: String,
        /// Its shape.
        given: Vec<usize>,
        /// The shape that the metadata asks for.
        wanted: Vec<usize>,
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
}

impl Head {
    /// The head that `vision` describes, on the outputs of `program`.
    ///
    /// # Errors
    /// When it is no detector's, or does not fit the outputs or the labels.
    pub fn from_metadata(vision: &metadata::Vision, program: &Program) -> Result<Self, HeadError> {
        match &vision.head {
            metadata::Head::Ssd(head) => Ok(Self::Ssd(ssd::SsdHead::new(head, vision.labels.len(), program)?)),
            metadata::Head::Classifier { .. } => Err(HeadError::NotADetector { kind: "classifier" }),
            metadata::Head::Raw => Err(HeadError::NotADetector { kind: "raw" }),
        }
    }

    /// Fills `detections` with what the network found, best score first, at most
    /// [`clawdbot_flow::limits::DETECTIONS_MAX`]. `output` gives the elements of the program's output with an index
    /// (its order in [`Program::outputs`]); `threshold` is the lowest score wanted, 0..=1. Boxes are in fractions of the
    /// picture, inside it and not empty. Numbers that are not finite are no detections. Allocates nothing once `detections` and the head's own
    /// lists have grown to what the busiest frame needs.
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
        }
    }
}

/// The index among the program's outputs of the F32 one called `name`, if its shape is `wanted`.
fn output_of_shape(program: &Program, name: &str, wanted: &[usize]) -> Result<usize, HeadError> {
    let outputs = || program.outputs.iter().filter_map(|id| program.values.get(id.0));
    let Some((index, value)) = outputs().enumerate().find(|(_, value)| value.name == name) else {
        let present = outputs().map(|value| value.name.clone()).collect();
        return Err(HeadError::MissingOutput { wanted: name.to_owned(), present });
    };
    if value.data_type != DataType::F32 {
        return Err(HeadError::OutputType { name: name.to_owned(), given: value.data_type });
    }
    if value.shape != wanted {
        let (name, given, wanted) = (name.to_owned(), value.shape.clone(), wanted.to_vec());
        return Err(HeadError::OutputShape { name, given, wanted });
    }
    Ok(index)
}
