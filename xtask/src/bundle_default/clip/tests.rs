//! The committed clip is what the code makes, and it begins and ends with an empty room.

use super::*;
use crate::process::repository_root;

#[test]
fn the_committed_clip_is_what_the_pictures_make() {
    let root = repository_root();
    let made = make(&root.join("assets/pictures")).expect("the committed pictures make a clip");
    let committed = std::fs::read(root.join("assets/clip.mjpeg")).expect("assets/clip.mjpeg is committed");
    assert!(made == committed, "assets/clip.mjpeg is stale: run `cargo xtask bundle-default`");
}

#[test]
fn nobody_is_in_view_at_both_ends() {
    for actor in ACTORS {
        let (left, right) = (i64::from(actor.size.0 + 2 * RIM) / 2, i64::from(WIDTH));
        for &(_, x, y) in [actor.way.first(), actor.way.last()].into_iter().flatten() {
            let outside = x + left + SHADOW < 0 || x - left >= right || y - i64::from(actor.size.1 / 2 + RIM) > 360;
            assert!(outside, "{} stands in view at {x}, {y}", actor.picture);
        }
        assert!(position(actor.way, 0).is_none() && position(actor.way, FRAMES - 1).is_none(), "{}", actor.picture);
    }
}

#[test]
fn a_way_passes_through_its_points() {
    let way = &[(2, 0, 10), (6, 40, -10), (8, 40, 0)];
    assert_eq!(position(way, 1), None);
    assert_eq!(position(way, 2), Some((0, 10)));
    assert_eq!(position(way, 4), Some((20, 0)));
    assert_eq!(position(way, 6), Some((40, -10)));
    assert_eq!(position(way, 9), None);
}

#[test]
fn a_missing_picture_is_named() {
    let error = make(Path::new("/nowhere")).expect_err("there are no pictures there");
    assert!(error.contains("/nowhere/astronaut.png"), "{error}");
}
