//! Which convention a network was trained with, by what it finds in pictures under each.

use clawdbot_vision::heads::Head;
use clawdbot_vision::preprocess::Placement;

use super::{RecipeError, YoloxConvention};
use crate::draft::{ConvertError, Draft};
use crate::network::{Compute, Network, Sample};

#[cfg(test)]
mod tests;

/// Pictures that are looked at, at most: each costs two runs of the float network.
pub const PICTURES_MAX: usize = 16;
/// Detections with at least this score count.
const SCORE_MIN: f32 = 0.5;
/// The better convention has at least so many of them ...
const CONFIDENT_MIN: usize = 3;
/// ... and so many times the sum of the other's scores.
const ADVANTAGE_MIN: f64 = 1.5;

/// What the network found under one convention.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Evidence {
    /// Detections with a score of at least 0.5.
    pub confident: usize,
    /// The sum of their scores.
    pub scores: f64,
}

/// Runs the float network of `draft`, a detector, over pictures, given by number until there are no more.
///
/// # Errors
/// When the network has no program, or none that a head can read.
pub fn evidence(
    draft: &Draft,
    compute: &Compute,
    pictures: &mut dyn FnMut(usize) -> Option<Sample>,
) -> Result<Evidence, ConvertError> {
    let lowered = draft.lower_float()?;
    let Some(vision) = draft.vision() else { return Ok(Evidence::default()) };
    let mut head = Head::from_metadata(vision, &lowered.program)?;
    let mut network = Network::new(&lowered, compute)?;
    let (mut found, mut detections) = (Evidence::default(), Vec::new());
    for picture in (0..PICTURES_MAX).map_while(pictures) {
        let outputs = network.run(&picture)?;
        // How many there are and how sure they are does not depend on where the picture lies in the input.
        head.detect(|index| &outputs[index], SCORE_MIN, Placement::WHOLE, &mut detections);
        found.confident += detections.len();
        found.scores += detections.iter().map(|detection| f64::from(detection.score)).sum::<f64>();
    }
    Ok(found)
}

/// The convention under which clearly more was found, and a sentence that says so.
///
/// # Errors
/// When the pictures do not tell.
pub fn choose(found: [(YoloxConvention, Evidence); 2]) -> Result<(YoloxConvention, String), RecipeError> {
    let [first, second] = found;
    let (better, worse) = if first.1.scores >= second.1.scores { (first, second) } else { (second, first) };
    let say = |(convention, evidence): (YoloxConvention, Evidence)| {
        format!("{} finds {} objects with a score of at least {SCORE_MIN}", convention.name(), evidence.confident)
    };
    let clear = better.1.confident >= CONFIDENT_MIN && better.1.scores >= ADVANTAGE_MIN * worse.1.scores;
    if !clear {
        return Err(RecipeError::Undecided { found: format!("{}, {}", say(better), say(worse)) });
    }
    Ok((
        better.0,
        format!("input convention: {}, tried on the pictures: {}, {}", better.0.name(), say(better), say(worse)),
    ))
}
