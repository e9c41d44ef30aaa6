use super::{Contestant, Difference, SplitMix, difference};
use crate::average_precision::Scored;
use crate::coco::Annotations;

const PICTURES: usize = 40;

/// A picture an object, all alike.
fn annotations() -> Annotations {
    let images: Vec<String> = (0..PICTURES)
        .map(|id| format!(r#"{{"id": {id}, "file_name": "{id}.jpg", "width": 100, "height": 100}}"#))
        .collect();
    let objects: Vec<String> = (0..PICTURES)
        .map(|id| {
            let (number, area) = (id + 1, 400);
            format!(
                r#"{{"id": {number}, "image_id": {id}, "category_id": 1, "bbox": [10, 10, 20, 20], "area": {area}, "iscrowd": 0}}"#
            )
        })
        .collect();
    let text = format!(
        r#"{{"images": [{}], "annotations": [{}], "categories": [{{"id": 1, "name": "cup"}}]}}"#,
        images.join(","),
        objects.join(",")
    );
    Annotations::parse(&text).unwrap()
}

/// Finds the object in the pictures that `sees` it in.
fn found(sees: impl Fn(usize) -> bool) -> Vec<Scored> {
    let scored = |image| Scored { image, category: 0, bounding_box: [10.0, 10.0, 20.0, 20.0], score: 0.9 };
    (0..PICTURES).filter(|&image| sees(image)).map(scored).collect()
}

fn compare(first: &[Scored], second: &[Scored]) -> Difference {
    let contestant = |detections| Contestant { detections, categories: &[0] };
    difference(&annotations(), [contestant(first), contestant(second)], 7).unwrap()
}

#[test]
fn who_sees_the_same_does_not_differ() {
    let half = found(|image| image % 2 == 0);
    assert_eq!(compare(&half, &half), Difference { measured: 0.0, low: 0.0, high: 0.0, better: 0.0 });
}

#[test]
fn a_clear_difference_is_no_chance_and_a_small_one_may_be() {
    let (all, half) = (found(|_| true), found(|image| image % 2 == 0));
    let clear = compare(&all, &half);
    assert!((clear.measured - 0.5).abs() < 0.01 && clear.low > 0.3 && clear.high < 0.7, "{clear:?}");
    assert!((clear.better - 1.0).abs() < 1e-9);
    // The standard deviation of a share of a half of forty pictures is 0.079; nine of ten lie within 1.645 of it.
    assert!(((clear.high - clear.low) / 2.0 - 0.13).abs() < 0.03, "{clear:?}");
    // One picks three pictures that the other lacks, and lacks two that it has.
    let (one, other) = (found(|image| image >= 2), found(|image| image < 37));
    let small = compare(&one, &other);
    assert!(small.low < 0.0 && small.high > 0.0, "{small:?}");
}

#[test]
fn no_objects_are_no_difference() {
    let nobody = Contestant { detections: &[], categories: &[] };
    assert_eq!(difference(&annotations(), [nobody, nobody], 1), None);
}

#[test]
fn draws_are_even() {
    let mut random = SplitMix(3);
    let mut counts = [0; 8];
    for _ in 0..8000 {
        counts[random.below(8)] += 1;
    }
    assert!(counts.iter().all(|count| (900..1100).contains(count)), "{counts:?}");
}
