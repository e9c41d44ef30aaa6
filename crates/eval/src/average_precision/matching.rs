//! Which detection found which object, in one picture and one category.

use super::{AREA_MAX, OVERLAPS, Scored};
use crate::coco::Object;

/// What a detection turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It found an object.
    Right,
    /// It found nothing, or what a better one had found.
    Wrong,
    /// It found a crowd: neither.
    Ignored,
}

/// A detection's verdict at each overlap.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outcome {
    pub(super) score: f64,
    pub(super) at: [Verdict; OVERLAPS],
}

/// Objects that are to be found.
pub(super) fn countable(objects: &[&Object]) -> usize {
    objects.iter().filter(|object| !is_ignored(object)).count()
}

/// Matches `found` (best score first) with `objects` at each of `overlaps`: each takes the object that it overlaps most
/// and that is still free, an ignored one only if there is no other.
pub(super) fn match_picture(objects: &[&Object], found: &[&Scored], overlaps: &[f64; OVERLAPS]) -> Vec<Outcome> {
    let mut objects = objects.to_vec();
    objects.sort_by_key(|object| is_ignored(object));
    let table: Vec<Vec<f64>> =
        found.iter().map(|found| objects.iter().map(|object| overlap(found, object)).collect()).collect();
    let mut outcomes: Vec<_> =
        found.iter().map(|found| Outcome { score: found.score, at: [Verdict::Wrong; OVERLAPS] }).collect();
    for (level, &overlap_min) in overlaps.iter().enumerate() {
        let mut taken = vec![false; objects.len()];
        for (outcome, overlaps) in outcomes.iter_mut().zip(&table) {
            if let Some(index) = best_free(&objects, overlaps, &taken, overlap_min) {
                taken[index] = true;
                outcome.at[level] = if is_ignored(objects[index]) { Verdict::Ignored } else { Verdict::Right };
            }
        }
    }
    outcomes
}

/// The object that a detection takes; the later one where two overlap equally, as in pycocotools.
fn best_free(objects: &[&Object], overlaps: &[f64], taken: &[bool], overlap_min: f64) -> Option<usize> {
    let mut best = None;
    let mut least = overlap_min.min(1.0 - 1e-10);
    for (index, object) in objects.iter().enumerate() {
        // A crowd can be found any number of times.
        if taken[index] && !object.crowd {
            continue;
        }
        // Ignored objects stand last: once a real one is found, they are not looked at.
        if best.is_some_and(|best: usize| !is_ignored(objects[best])) && is_ignored(object) {
            break;
        }
        if overlaps[index] >= least {
            least = overlaps[index];
            best = Some(index);
        }
    }
    best
}

fn is_ignored(object: &Object) -> bool {
    object.crowd || object.area > AREA_MAX
}

/// Intersection over union; over the detection's own area where the object is a crowd.
fn overlap(found: &Scored, object: &Object) -> f64 {
    let ([left, top, width, height], [x, y, w, h]) = (found.bounding_box, object.bounding_box);
    let shared_width = (left + width).min(x + w) - left.max(x);
    let shared_height = (top + height).min(y + h) - top.max(y);
    if shared_width <= 0.0 || shared_height <= 0.0 {
        return 0.0;
    }
    let shared = shared_width * shared_height;
    let (area, other) = (width * height, w * h);
    shared / if object.crowd { area } else { area + other - shared }
}
