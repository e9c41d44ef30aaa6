use clawdbot_nn::metadata::{AnchorCentres, AnchorMap};

use super::maps;

fn anchors(rows: &[f32], columns: &[f32], sizes: &[[f32; 2]]) -> Vec<[f32; 4]> {
    let mut anchors = Vec::new();
    for &y in rows {
        for &x in columns {
            anchors.extend(sizes.iter().map(|&[height, width]| [y, x, height, width]));
        }
    }
    anchors
}

#[test]
fn maps_are_found_whatever_their_sides() {
    let two = [[0.1, 0.2], [0.2, 0.1]];
    let mut list = anchors(&[0.25, 0.75], &[1.0 / 6.0, 0.5, 5.0 / 6.0], &two);
    list.extend(anchors(&[0.5], &[0.25, 0.75], &[[0.5, 0.5]]));
    list.extend(anchors(&[0.5], &[0.5], &two));
    let map = |rows, columns, sizes: &[[f32; 2]]| AnchorMap { rows, columns, sizes: sizes.to_vec(), centres: None };
    assert_eq!(maps(&list).unwrap(), [map(2, 3, &two), map(1, 2, &[[0.5, 0.5]]), map(1, 1, &two)]);
}

#[test]
fn rounded_centres_are_kept_as_they_are() {
    let (rows, columns) = (vec![0.251, 0.752], vec![0.249, 0.75]);
    let found = maps(&anchors(&rows, &columns, &[[0.1, 0.1]; 3])).unwrap();
    assert_eq!(found[0].centres, Some(AnchorCentres { rows, columns }));
    assert_eq!((found.len(), found[0].sizes.len()), (1, 3));
}

/// `EfficientDet`'s exporter goes to corners and back, which leaves another last bit in every anchor.
#[test]
fn the_last_bits_of_an_anchor_do_not_matter() {
    let exact = anchors(&[0.25, 0.75], &[0.2, 0.6, 1.0], &[[0.1, 0.2], [0.2, 0.1]]);
    let noise = |at: usize, number: f32| number * (1.0 + ((at * 7 % 5) as f32 - 2.0) * f32::EPSILON);
    let noisy = exact.iter().enumerate().map(|(at, anchor)| anchor.map(|number| noise(at, number))).collect::<Vec<_>>();
    assert_ne!(noisy, exact);
    let [map] = &maps(&noisy).unwrap()[..] else { panic!("not one map") };
    assert_eq!((map.rows, map.columns, map.sizes.len()), (2, 3, 2));
}

#[test]
fn what_is_no_grid_is_none() {
    assert_eq!(maps(&[]), None);
    assert_eq!(maps(&[[f32::NAN, 0.5, 0.1, 0.1]]), None);
    let mut cut = anchors(&[0.25, 0.75], &[0.25, 0.75], &[[0.1, 0.1]; 2]);
    cut.pop();
    assert_eq!(maps(&cut), None, "the last row is not whole");
}
