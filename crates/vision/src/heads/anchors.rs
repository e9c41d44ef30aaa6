//! Anchors: the boxes that a network's offsets are relative to, out of the maps of the metadata.

use clawdbot_nn::metadata::AnchorMap;

/// In fractions of the network's input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Anchor {
    pub(super) y: f32,
    pub(super) x: f32,
    pub(super) height: f32,
    pub(super) width: f32,
}

/// All anchors in the order of the network's results: map, y, x, size. The maps have been checked.
pub(super) fn anchors(maps: &[AnchorMap]) -> Vec<Anchor> {
    let mut anchors = Vec::new();
    for map in maps {
        for row in 0..map.rows {
            for column in 0..map.columns {
                let (y, x) = match &map.centres {
                    Some(centres) => (centres.rows[row], centres.columns[column]),
                    None => (centre(row, map.rows), centre(column, map.columns)),
                };
                anchors.extend(map.sizes.iter().map(|&[height, width]| Anchor { y, x, height, width }));
            }
        }
    }
    anchors
}

#[expect(clippy::cast_precision_loss, reason = "a map has at most 2^18 cells")]
fn centre(index: usize, count: usize) -> f32 {
    (index as f32 + 0.5) / count as f32
}
