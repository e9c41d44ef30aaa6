use clawdbot_flow::detection::BoundingBox;
use clawdbot_nn::metadata::{ColorOrder, PictureInput, Resize};
use proptest::prelude::*;

use super::levels::Levels;
use super::rectangle::Rectangle;
use super::{Options, RUNS_MAX, Regions};
use crate::motion::{Patch, Scene};
use crate::preprocess::Crop;

const LETTERBOX: Resize = Resize::Letterbox { fill: 114 };
const WHOLE: Crop = Crop { left: 0, top: 0, width: 1920, height: 1080 };

fn input(width: usize, height: usize, resize: Resize) -> PictureInput {
    PictureInput { width, height, color: ColorOrder::Bgr, resize }
}

fn regions(options: Options) -> Regions {
    Regions::new(1920, 1080, &input(416, 416, LETTERBOX), options)
}

const fn patch(left: usize, top: usize, width: usize, height: usize) -> Patch {
    Patch { place: Crop { left, top, width, height }, cells: 9 }
}

const fn moving(patches: &[Patch]) -> Scene<'_> {
    Scene { everything: false, patches }
}

fn plan(regions: &mut Regions, patches: &[Patch], runs: usize) -> Vec<Crop> {
    regions.plan(&moving(patches), [], runs).to_vec()
}

fn holds(look: &Crop, place: &Crop) -> bool {
    Rectangle::of_crop(look).contains(&Rectangle::of_crop(place))
}

#[test]
fn levels_go_from_the_camera_s_pixels_to_the_whole_picture() {
    let check = |picture, (width, height, resize), sizes: &[[usize; 2]]| {
        let levels = Levels::new(picture, &input(width, height, resize));
        let found: Vec<_> =
            (0..levels.count()).map(|level| levels.around(&Rectangle::of_crop(&levels.whole()), level)).collect();
        let found: Vec<_> = found.iter().map(|crop| [crop.width, crop.height]).collect();
        assert_eq!(found, sizes, "{picture:?}");
    };
    check([1920, 1080], (416, 416, LETTERBOX), &[[416, 416], [832, 832], [1920, 1080]]);
    check([3840, 2160], (416, 416, LETTERBOX), &[[416, 416], [832, 832], [1664, 1664], [3840, 2160]]);
    check([640, 480], (416, 416, LETTERBOX), &[[416, 416], [640, 480]]);
    check([640, 360], (416, 416, LETTERBOX), &[[416, 360], [640, 360]]);
    check([640, 270], (300, 300, Resize::Stretch), &[[270, 270], [640, 270]]);
    // No gain, no look; and what is smaller than the input is shown whole.
    check([480, 270], (416, 416, LETTERBOX), &[[480, 270]]);
    check([160, 120], (416, 416, LETTERBOX), &[[160, 120]]);
}

#[test]
fn the_first_look_is_at_everything_and_the_whole_comes_back() {
    let mut regions = regions(Options { whole_every: 3, scan: false });
    let runs: Vec<_> = (0..7).map(|_| plan(&mut regions, &[], 2)).collect();
    let whole = vec![WHOLE];
    assert_eq!(runs, [whole.clone(), vec![], vec![], whole.clone(), vec![], vec![], whole]);
}

#[test]
fn looks_at_what_moves_at_the_camera_s_resolution() {
    let mut regions = regions(Options { whole_every: 100, scan: false });
    plan(&mut regions, &[], 1);
    let small = patch(1000, 500, 40, 60);
    assert_eq!(plan(&mut regions, &[small], 1), [Crop { left: 812, top: 322, width: 416, height: 416 }]);
    let corner = patch(1900, 1060, 20, 20);
    assert_eq!(plan(&mut regions, &[corner], 1), [Crop { left: 1504, top: 664, width: 416, height: 416 }]);
}

#[test]
fn one_look_serves_neighbours_and_strangers_get_their_own() {
    let mut regions = regions(Options { whole_every: 100, scan: false });
    plan(&mut regions, &[], 1);
    let (a, b, c) = (patch(300, 300, 30, 30), patch(560, 420, 30, 30), patch(1700, 900, 30, 30));
    let looks = plan(&mut regions, &[a, c, b], 4);
    assert_eq!(looks.len(), 2, "{looks:?}");
    assert!(holds(&looks[0], &a.place) && holds(&looks[0], &b.place) && holds(&looks[1], &c.place));
}

#[test]
fn what_is_large_is_looked_at_from_further_away() {
    let mut regions = regions(Options { whole_every: 100, scan: false });
    plan(&mut regions, &[], 1);
    let look = |regions: &mut Regions, patch| plan(regions, &[patch], 1)[0];
    let middle = patch(900, 300, 200, 420);
    assert_eq!([look(&mut regions, middle).width, look(&mut regions, middle).height], [832, 832]);
    assert_eq!(look(&mut regions, patch(300, 100, 500, 900)), WHOLE);
}

#[test]
fn everything_is_the_whole_picture_at_least_every_other_time() {
    let mut regions = regions(Options { whole_every: 10, scan: true });
    let storm = Scene { everything: true, patches: &[] };
    for number in 0..10 {
        let looks = regions.plan(&storm, [], 1);
        assert_eq!(looks.len(), 1);
        assert_eq!(looks[0] == WHOLE, number % 2 == 0, "picture {number}");
    }
}

#[test]
fn what_is_known_is_looked_at_where_it_will_be() {
    let mut regions = regions(Options { whole_every: 100, scan: false });
    plan(&mut regions, &[], 1);
    let expected = BoundingBox { left: 0.5, top: 0.5, right: 0.52, bottom: 0.55 };
    let looks = regions.plan(&moving(&[]), [expected], 1).to_vec();
    assert_eq!(looks, [Crop { left: 772, top: 360, width: 416, height: 416 }]);
    assert!(regions.saw(&expected));
    assert!(!regions.saw(&BoundingBox { right: 0.9, ..expected }), "it reaches beyond the look");
    assert!(!regions.saw(&BoundingBox { left: 0.1, top: 0.1, right: 0.12, bottom: 0.14 }));
    for gone in
        [BoundingBox { left: 1.2, right: 1.4, ..expected }, BoundingBox { left: f32::NAN, right: f32::NAN, ..expected }]
    {
        assert_eq!(regions.plan(&moving(&[]), [gone], 1), [], "{gone:?}");
    }
}

#[test]
fn the_whole_picture_shows_what_is_large_only() {
    let mut regions = regions(Options::default());
    assert_eq!(plan(&mut regions, &[], 1), [WHOLE]);
    assert!(regions.saw(&BoundingBox { left: 0.2, top: 0.2, right: 0.4, bottom: 0.8 }));
    assert!(!regions.saw(&BoundingBox { left: 0.2, top: 0.2, right: 0.22, bottom: 0.24 }));
}

#[test]
fn the_scan_sees_every_pixel_and_takes_what_was_longest_unseen() {
    let mut regions = regions(Options { whole_every: 1000, scan: true });
    plan(&mut regions, &[], 1);
    let round: Vec<_> = (0..15).map(|_| plan(&mut regions, &[], 1)[0]).collect();
    for y in (0..1080).step_by(9) {
        for x in (0..1920).step_by(9) {
            let pixel = Crop { left: x, top: y, width: 1, height: 1 };
            assert!(round.iter().any(|look| holds(look, &pixel)), "({x}, {y}) was not seen in {round:?}");
        }
    }
    let second: Vec<_> = (0..15).map(|_| plan(&mut regions, &[], 1)[0]).collect();
    assert_eq!(second, round);
}

#[test]
fn what_is_known_does_not_keep_the_scan_away_nor_the_scan_it() {
    let mut regions = regions(Options { whole_every: 1000, scan: true });
    let expected = [0.1_f32, 0.4, 0.8].map(|left| BoundingBox { left, top: 0.5, right: left + 0.01, bottom: 0.52 });
    plan(&mut regions, &[], 1);
    let (mut known, mut elsewhere) = (0, 0);
    for _ in 0..300 {
        regions.plan(&moving(&[]), expected, 1);
        let sees = expected.iter().any(|place| regions.saw(place));
        (known, elsewhere) = (known + u32::from(sees), elsewhere + u32::from(!sees));
    }
    assert!(known > 75 && elsewhere > 75, "{known} looks at what is known, {elsewhere} elsewhere");
}

#[test]
fn a_budget_of_nothing_is_no_look() {
    let mut regions = regions(Options::default());
    assert_eq!(plan(&mut regions, &[patch(5, 5, 9, 9)], 0), []);
    assert_eq!(plan(&mut regions, &[], 1), [WHOLE], "the whole picture is still due");
    assert!(plan(&mut regions, &[], 100).len() <= RUNS_MAX);
}

/// Patches of all sizes, in pictures of `width` x `height`.
fn patches(width: usize, height: usize, shares: &[(f64, f64, f64, f64)]) -> Vec<Patch> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "0..=1 of a side"
    )]
    let part = |share: f64, side: usize| ((share * side as f64) as usize).min(side - 1);
    let size = |share: f64, first: usize, side: usize| (part(share * share, side) / 2 + 1).min(side - first);
    let place = |&(x, y, w, h): &(f64, f64, f64, f64)| {
        let (left, top) = (part(x, width), part(y, height));
        patch(left, top, size(w, left, width), size(h, top, height))
    };
    shares.iter().map(place).collect()
}

fn shares() -> impl Strategy<Value = Vec<(f64, f64, f64, f64)>> {
    prop::collection::vec((0.0..1.0, 0.0..1.0, 0.0..1.0, 0.0..1.0), 0..20)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_look_lies_in_the_picture_has_a_known_shape_and_keeps_the_budget(
        width in 1_usize..2500,
        height in 1_usize..1500,
        sides in (16_usize..500, 16_usize..500),
        stretch in any::<bool>(),
        scan in any::<bool>(),
        runs in 0_usize..5,
        frames in prop::collection::vec(shares(), 1..8),
    ) {
        let input = input(sides.0, sides.1, if stretch { Resize::Stretch } else { LETTERBOX });
        let mut regions = Regions::new(width, height, &input, Options { whole_every: 3, scan });
        for frame in frames {
            let patches = patches(width, height, &frame);
            let looks = plan(&mut regions, &patches, runs);
            prop_assert!(looks.len() <= runs);
            for look in looks {
                prop_assert!(look.width > 0 && look.height > 0);
                prop_assert!(look.left + look.width <= width && look.top + look.height <= height, "{look:?}");
                let whole = look == Crop::whole(width, height);
                let step = [1, 2, 4].into_iter().find(|step| {
                    let wanted = [sides.0 * step, sides.1 * step];
                    // The input's shape to within a pixel, or what a letterbox is filled up from.
                    let shaped = (look.width * wanted[1]).abs_diff(look.height * wanted[0]) < wanted[0].max(wanted[1]);
                    let boxed = [look.width, look.height] == [wanted[0].min(width), wanted[1].min(height)];
                    let never_enlarged = look.width == wanted[0] || look.height == wanted[1] || look.width == width || look.height == height;
                    never_enlarged && if stretch { shaped } else { boxed }
                });
                prop_assert!(whole || step.is_some(), "{look:?} for {sides:?} in {width} x {height}");
            }
        }
    }

    #[test]
    fn what_moves_is_served_within_as_many_pictures_as_there_are_patches(
        frame in shares(),
        whole_every in 2_u32..9,
        scan in any::<bool>(),
    ) {
        let patches = patches(1920, 1080, &frame);
        let mut regions = regions(Options { whole_every, scan });
        let mut waiting = vec![0_u32; patches.len()];
        // Every whole_every-th run is taken by the whole picture.
        // And the scan takes one for each of its 15 parts.
        let turns = u32::try_from(patches.len()).unwrap() + 1 + if scan { 15 } else { 0 };
        let bound = turns + turns.div_ceil(whole_every - 1) + 1;
        for number in 0..6 * bound {
            regions.plan(&moving(&patches), [], 1);
            for (patch, waiting) in patches.iter().zip(&mut waiting) {
                let Crop { left, top, width, height } = patch.place;
                #[expect(clippy::cast_possible_truncation, reason = "fractions of a picture")]
                let share = |pixel: usize, side: f64| (f64::from(u32::try_from(pixel).unwrap()) / side) as f32;
                let place = BoundingBox {
                    left: share(left, 1920.0), top: share(top, 1080.0),
                    right: share(left + width, 1920.0), bottom: share(top + height, 1080.0),
                };
                *waiting = if regions.saw(&place) { 0 } else { *waiting + 1 };
                prop_assert!(*waiting <= bound, "picture {number}: {patch:?} waits for {waiting} of {bound}");
            }
        }
    }

    #[test]
    fn the_same_calls_give_the_same_looks(frames in prop::collection::vec(shares(), 1..6)) {
        let (mut one, mut other) = (regions(Options::default()), regions(Options::default()));
        for frame in frames {
            let patches = patches(1920, 1080, &frame);
            prop_assert_eq!(plan(&mut one, &patches, 2), plan(&mut other, &patches, 2));
        }
    }
}
