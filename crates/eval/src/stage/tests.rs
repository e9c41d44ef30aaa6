use super::{Placed, Stage, Still};

/// A still of one colour with one object, which is of another.
fn still(tone: u8, edges: [usize; 4]) -> Still {
    let [left, top, right, bottom] = edges;
    let inside = |x: usize, y: usize| (left..right).contains(&x) && (top..bottom).contains(&y);
    let rgb = (0..640 * 480).flat_map(|at| [if inside(at % 640, at / 640) { 255 - tone } else { tone }; 3]).collect();
    let edges = edges.map(|edge| f32::from(u16::try_from(edge).unwrap()));
    Still { width: 640, height: 480, rgb, objects: vec![Placed { category: usize::from(tone), edges, ignored: false }] }
}

#[test]
fn the_ground_stands_still_and_boxes_lie_where_their_pixels_are() {
    let stills = [still(10, [600, 100, 640, 140]), still(20, [0, 400, 50, 480])];
    let stage = Stage::yard(&stills, [1000, 460], 0, 1);
    let (mut rgb, mut truth, mut later) = (Vec::new(), Vec::new(), Vec::new());
    stage.draw(0, &mut rgb, &mut truth);
    assert_eq!(rgb.len(), 3 * 1000 * 460);
    assert_eq!(truth[0], Placed { category: 10, edges: [600.0, 100.0, 640.0, 140.0], ignored: false });
    // 60 of 80 rows are in the picture: enough to be asked for.
    assert_eq!(truth[1], Placed { category: 20, edges: [640.0, 400.0, 690.0, 460.0], ignored: false });
    assert_eq!((rgb[3 * (110 * 1000 + 610)], rgb[3 * (420 * 1000 + 641)]), (245, 235));
    let before = rgb.clone();
    stage.draw(9, &mut rgb, &mut later);
    assert!(before == rgb && truth == later);
}

#[test]
fn movers_move_inside_the_picture_and_hide_what_is_below() {
    let stills = [still(0, [100, 100, 180, 180]), still(60, [300, 200, 360, 280])];
    let stage = Stage::yard(&stills, [320, 240], 1, 7);
    let (mut rgb, mut truth) = (Vec::new(), Vec::new());
    let (mut places, mut hidden) = (Vec::new(), 0);
    for number in 0..400 {
        stage.draw(number, &mut rgb, &mut truth);
        let mover = truth.iter().find(|object| object.category == 60).expect("always in the picture");
        let [left, top, right, bottom] = mover.edges;
        assert!(!mover.ignored && left >= 0.0 && top >= 0.0 && right <= 320.0 && bottom <= 240.0);
        assert_eq!((right - left, bottom - top), (60.0, 80.0));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "inside the picture")]
        let middle = (f32::midpoint(top, bottom) as usize) * 320 + f32::midpoint(left, right) as usize;
        assert_eq!(rgb[3 * middle], 195);
        hidden += usize::from(truth[0].ignored);
        places.push(mover.edges);
    }
    places.dedup();
    assert_eq!(places.len(), 400, "it never rests");
    assert!((1..200).contains(&hidden), "{hidden} of 400");
}

#[test]
fn a_pan_shows_what_comes_into_view_and_the_seed_decides() {
    let stills = [still(10, [0, 0, 100, 100]), still(20, [0, 0, 100, 100])];
    let stage = Stage::pan(&stills, [320, 240], [10, 0]);
    let (mut rgb, mut truth) = (Vec::new(), Vec::new());
    let mut seen = |number| {
        stage.draw(number, &mut rgb, &mut truth);
        truth.iter().map(|object| (object.category, object.edges[0], object.ignored)).collect::<Vec<_>>()
    };
    assert_eq!(seen(0), [(10, 0.0, false)]);
    assert_eq!(seen(5), [(10, 0.0, true)], "half of it is hidden by the edge");
    assert_eq!(seen(20), []);
    assert_eq!(seen(50), [(20, 140.0, false)]);
    let same = |seed| {
        let (mut rgb, mut truth) = (Vec::new(), Vec::new());
        Stage::yard(&stills, [320, 240], 3, seed).draw(30, &mut rgb, &mut truth);
        rgb
    };
    assert!(same(3) == same(3) && same(3) != same(4));
}
