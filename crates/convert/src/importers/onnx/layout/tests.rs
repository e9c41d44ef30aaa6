use clawdbot_nn::graph::ValueId;

use super::{Movement, PICTURE, View};

fn picture() -> View {
    View::picture(ValueId(0), vec![1, 6, 4, 5])
}

#[test]
fn a_transposition_changes_the_view_only() {
    let turned = picture().transpose(&[0, 2, 3, 1]);
    assert_eq!((turned.shape.as_slice(), turned.order.as_slice()), (&[1, 4, 5, 6][..], &[0, 1, 2, 3][..]));
    assert_eq!(turned.physical(), picture().physical());
    assert_eq!(turned.transpose(&[0, 3, 1, 2]), picture());
    assert_eq!(turned.movement(&[0, 1, 2, 3]), None);
}

#[test]
fn axes_that_lie_side_by_side_merge_and_split() {
    let rows = picture().reshape(&[1, 6, 20]).unwrap();
    assert_eq!((rows.order.as_slice(), rows.physical()), (&[0, 2, 1][..], vec![1, 20, 6]));
    assert_eq!(rows.reshape(&[1, 6, 4, 5]).unwrap(), picture());
    let groups = picture().reshape(&[1, 2, 3, 4, 5]).unwrap();
    assert_eq!(groups.physical(), [1, 4, 5, 2, 3]);
    assert_eq!(groups.reshape(&[2, 3, 20]).unwrap().physical(), [20, 2, 3]);
    assert_eq!(picture().reshape(&[6, 1, 4, 5, 1]).unwrap().physical(), [4, 5, 1, 6, 1]);
}

#[test]
fn axes_that_do_not_lie_side_by_side_ask_for_an_order() {
    assert_eq!(picture().reshape(&[1, 120]), Err(vec![0, 1, 2, 3]));
    assert_eq!(picture().reshape(&[24, 5]), Err(vec![0, 1, 2, 3]));
    let shuffled = picture().reshape(&[1, 2, 3, 4, 5]).unwrap().transpose(&[0, 2, 1, 3, 4]);
    assert_eq!(shuffled.reshape(&[1, 6, 4, 5]), Err(vec![0, 3, 4, 1, 2]));
    assert_eq!(shuffled.movement(&[0, 3, 4, 1, 2]), Some(Movement { shape: vec![20, 2, 3], order: vec![0, 2, 1] }));
}

#[test]
fn a_movement_forgets_sides_of_one_and_merges_what_stays_together() {
    assert_eq!(picture().movement(&[0, 1, 2, 3]), Some(Movement { shape: vec![20, 6], order: vec![1, 0] }));
    assert_eq!(picture().movement(&[0, 2, 1, 3]), Some(Movement { shape: vec![4, 5, 6], order: vec![0, 2, 1] }));
    let pixel = View::picture(ValueId(0), vec![1, 6, 1, 1]);
    assert_eq!(pixel.movement(&[0, 1, 2, 3]), None);
    assert_eq!(View::plain(ValueId(0), vec![1, 6]).movement(&[1, 0]), None);
    assert_eq!(
        View::plain(ValueId(0), vec![1, 6, 4, 5]).movement(&PICTURE),
        Some(Movement { shape: vec![6, 20], order: vec![1, 0] })
    );
}
