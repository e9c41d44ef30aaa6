//! What a whole picture shows: the best of a classifier's scores.
//!
//! | output | shape | range |
//! |---|---|---|
//! | scores | F32, one element a label | 0..=1, or logits where the metadata asks for a softmax |

use clawdbot_nn::metadata;
use clawdbot_nn::program::Program;

use super::{HeadError, outputs};

#[cfg(test)]
mod tests;

/// A label and how much speaks for it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ranked {
    /// Index into the model's list of labels.
    pub label: u16,
    /// The network's own score; a share of 1 after a softmax.
    pub score: f32,
}

/// The head of one classifier.
#[derive(Debug)]
pub struct Classifier {
    scores: usize,
    softmax: bool,
}

impl Classifier {
    /// The head that `vision` describes, on the outputs of `program`.
    ///
    /// # Errors
    /// When it is no classifier's, or does not fit the outputs or the labels.
    pub fn from_metadata(vision: &metadata::Vision, program: &Program) -> Result<Self, HeadError> {
        let metadata::Head::Classifier { softmax, .. } = vision.head else {
            return Err(HeadError::NotAClassifier { kind: vision.head.name() });
        };
        Ok(Self { scores: outputs(vision, program)?[0], softmax })
    }

    /// Fills `ranking` with the `top` best labels, best first; of equal ones the first label. Labels whose score is no finite
    /// number are left out. Allocates nothing once `ranking` has grown to the number of labels.
    pub fn rank<'a>(&self, output: impl Fn(usize) -> &'a [f32], top: usize, ranking: &mut Vec<Ranked>) {
        let scores = output(self.scores);
        ranking.clear();
        let finite = (0_u16..).zip(scores).filter(|(_, score)| score.is_finite());
        ranking.extend(finite.map(|(label, &score)| Ranked { label, score }));
        if self.softmax {
            let most = ranking.iter().map(|ranked| ranked.score).fold(f32::NEG_INFINITY, f32::max);
            ranking.iter_mut().for_each(|ranked| ranked.score = libm::expf(ranked.score - most));
            let sum: f32 = ranking.iter().map(|ranked| ranked.score).sum();
            ranking.iter_mut().for_each(|ranked| ranked.score /= sum);
        }
        ranking.sort_unstable_by(|a, b| b.score.total_cmp(&a.score).then(a.label.cmp(&b.label)));
        ranking.truncate(top);
    }
}
