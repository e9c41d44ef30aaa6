//! A list of anchors as maps: nothing is said twice, and nothing is lost but noise.

use clawdbot_nn::metadata::{AnchorCentres, AnchorMap};

#[cfg(test)]
mod tests;

/// Shares of the picture's sides that are this close are the same. An exporter that goes from centres to corners and back
/// leaves some 1e-7 of rounding, another one in each cell.
const TOLERANCE: f32 = 1e-5;

/// The maps that these anchors (centre y, centre x, height, width) are, but for [`TOLERANCE`]; `None` when they are no maps of
/// cells with anchors of the same sizes in each.
pub(super) fn maps(anchors: &[[f32; 4]]) -> Option<Vec<AnchorMap>> {
    if !anchors.as_flattened().iter().all(|number| number.is_finite()) {
        return None;
    }
    let mut maps = Vec::new();
    let mut rest = anchors;
    while !rest.is_empty() {
        let (map, taken) = first_map(rest)?;
        maps.push(map);
        rest = &rest[taken..];
    }
    Some(maps).filter(|maps| !maps.is_empty())
}

/// The map at the beginning, and how many anchors it takes.
fn first_map(anchors: &[[f32; 4]]) -> Option<(AnchorMap, usize)> {
    let &[first_y, first_x, ..] = anchors.first()?;
    let count = anchors.iter().take_while(|[y, x, ..]| is_near(*y, first_y) && is_near(*x, first_x)).count();
    let sizes: Vec<[f32; 2]> = anchors[..count].iter().map(|&[_, _, height, width]| [height, width]).collect();
    // A row ends where y changes, or where x turns back in a map of one row.
    let mut columns = vec![first_x];
    for cell in anchors[count..].chunks(count) {
        let [y, x, ..] = cell[0];
        if !is_near(y, first_y) || x <= columns[columns.len() - 1] + TOLERANCE {
            break;
        }
        columns.push(x);
    }
    let mut rows = Vec::new();
    for row in anchors.chunks_exact(count * columns.len()) {
        let y = row[0][0];
        if rows.last().is_some_and(|&above| y <= above + TOLERANCE) || !is_row(row, y, &columns, &sizes) {
            break;
        }
        rows.push(y);
    }
    let taken = rows.len() * columns.len() * count;
    let even = is_even(&rows) && is_even(&columns);
    let (row_count, column_count) = (rows.len(), columns.len());
    let centres = (!even).then_some(AnchorCentres { rows, columns });
    (taken > 0).then_some((AnchorMap { rows: row_count, columns: column_count, sizes, centres }, taken))
}

fn is_row(row: &[[f32; 4]], y: f32, columns: &[f32], sizes: &[[f32; 2]]) -> bool {
    let expected = columns.iter().flat_map(|&x| sizes.iter().map(move |&[height, width]| [y, x, height, width]));
    row.as_flattened().iter().zip(expected.flatten()).all(|(number, expected)| is_near(*number, expected))
}

fn is_near(a: f32, b: f32) -> bool {
    (a - b).abs() < TOLERANCE
}

/// Whether the centres are the middles of equal cells.
fn is_even(centres: &[f32]) -> bool {
    let middle = |index: usize| (index as f32 + 0.5) / centres.len() as f32;
    centres.iter().enumerate().all(|(index, centre)| is_near(*centre, middle(index)))
}
