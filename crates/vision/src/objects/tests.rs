use std::collections::HashMap;
use std::time::Duration;

use clawdbot_flow::clock::Monotonic;
use clawdbot_flow::detection::{BoundingBox, Detection};
use clawdbot_flow::event::Change;
use proptest::prelude::*;

use super::{OBJECTS_MAX, ObjectChange, Objects, Options};

const PERSON: u16 = 3;

fn at(milliseconds: u64) -> Monotonic {
    Monotonic::from_origin(Duration::from_millis(milliseconds))
}

fn seen(label: u16, score: f32, left: f32) -> Detection {
    Detection { label, score, bounding_box: BoundingBox { left, top: 0.2, right: left + 0.2, bottom: 0.6 } }
}

fn options() -> Options {
    Options { seen_min: 2, window: 3, gone_after: Duration::from_secs(2), ..Options::default() }
}

/// Runs frames 100 ms apart; gives (frame, change, object) of all that happened.
fn check(options: Options, frames: &[&[Detection]], expected: &[(usize, Change, u64)]) {
    let mut objects = Objects::new(options);
    let mut happened = Vec::new();
    for (index, frame) in frames.iter().enumerate() {
        let mut changes = Vec::new();
        objects.update(frame, at(100 * u64::try_from(index).unwrap()), &mut changes);
        happened.extend(changes.iter().map(|change| (index, change.change, change.object)));
    }
    assert_eq!(happened, expected);
}

#[test]
fn is_believed_when_seen_often_enough() {
    let person: &[_] = &[seen(PERSON, 0.6, 0.1)];
    check(options(), &[person, person, person], &[(1, Change::New, 1)]);
    check(options(), &[person, &[], person], &[(2, Change::New, 1)]);
    check(options(), &[person, &[], &[], person, &[], &[]], &[]);
    check(Options { seen_min: 1, window: 1, ..options() }, &[person], &[(0, Change::New, 1)]);
}

#[test]
fn ends_when_not_seen_for_long_enough() {
    let person: &[_] = &[seen(PERSON, 0.6, 0.1)];
    let mut frames = vec![person, person];
    frames.extend([&[] as &[Detection]; 21]);
    // Last seen at 0.1 s, so gone at 2.1 s.
    check(options(), &frames, &[(1, Change::New, 1), (21, Change::End, 1)]);
}

#[test]
fn a_weak_detection_continues_but_does_not_begin() {
    let weak: &[_] = &[seen(PERSON, 0.35, 0.1)];
    let strong: &[_] = &[seen(PERSON, 0.45, 0.1)];
    check(options(), &[weak, weak, weak], &[]);
    check(options(), &[strong, weak], &[(1, Change::New, 1)]);
    check(options(), &[&[seen(PERSON, f32::NAN, 0.1)], &[seen(PERSON, f32::NAN, 0.1)]], &[]);
}

#[test]
fn follows_what_moves_and_keeps_labels_and_places_apart() {
    let frame = |step: u8| {
        let shift = f32::from(step) * 0.05;
        [seen(PERSON, 0.8, 0.1 + shift), seen(PERSON, 0.7, 0.7 - shift), seen(7, 0.6, 0.1 + shift)]
    };
    let frames: Vec<_> = (0..5).map(frame).collect();
    let frames: Vec<&[Detection]> = frames.iter().map(|frame| &frame[..]).collect();
    check(options(), &frames, &[(1, Change::New, 1), (1, Change::New, 2), (1, Change::New, 3)]);
}

#[test]
fn tells_the_best_score_and_the_last_box() {
    let mut objects = Objects::new(options());
    let mut changes = Vec::new();
    for (time, score, left) in [(0, 0.5, 0.10), (100, 0.9, 0.12), (200, 0.6, 0.14)] {
        objects.update(&[seen(PERSON, score, left)], at(time), &mut changes);
    }
    objects.gap(&mut changes);
    let [new, gap]: [ObjectChange; 2] = changes.try_into().unwrap();
    assert_eq!((new.change, new.score, new.bounding_box.left), (Change::New, 0.9, 0.12));
    assert_eq!((gap.change, gap.score, gap.bounding_box.left), (Change::Gap, 0.9, 0.14));
    assert_eq!((gap.object, gap.label, gap.first_seen, gap.last_seen), (new.object, PERSON, at(0), at(200)));
}

#[test]
fn numbers_go_on_after_a_gap() {
    let mut objects = Objects::new(Options { seen_min: 1, ..options() });
    let mut changes = Vec::new();
    objects.update(&[seen(PERSON, 0.9, 0.1)], at(0), &mut changes);
    objects.gap(&mut changes);
    objects.gap(&mut changes);
    objects.update(&[seen(PERSON, 0.9, 0.1)], at(100), &mut changes);
    let numbers: Vec<_> = changes.iter().map(|change| (change.change, change.object)).collect();
    assert_eq!(numbers, [(Change::New, 1), (Change::Gap, 1), (Change::New, 2)]);
    assert_eq!(objects.open(), 1);
}

#[test]
fn ends_without_frames_too() {
    let mut objects = Objects::new(Options { seen_min: 1, ..options() });
    let mut changes = Vec::new();
    objects.update(&[seen(PERSON, 0.9, 0.1)], at(0), &mut changes);
    objects.expire(at(1999), &mut changes);
    assert_eq!(objects.open(), 1);
    objects.expire(at(2000), &mut changes);
    assert_eq!((objects.open(), changes[1].change), (0, Change::End));
}

#[test]
fn a_crowd_is_bounded() {
    let mut objects = Objects::new(Options { seen_min: 1, ..options() });
    let crowd: Vec<_> = (0..1000_u16).map(|label| seen(label, 0.9, 0.1)).collect();
    let mut changes = Vec::new();
    objects.update(&crowd, at(0), &mut changes);
    assert_eq!((objects.open(), changes.len()), (OBJECTS_MAX, OBJECTS_MAX));
}

#[test]
fn options_name_what_is_wrong() {
    assert_eq!(Options::default().problem(), None);
    let wrong = |options: Options, name: &str| {
        let problem = options.problem().unwrap();
        assert!(problem.starts_with(name), "{problem}");
    };
    wrong(Options { score_min: 0.0, ..options() }, "score_min");
    wrong(Options { score_min: f32::NAN, ..options() }, "score_min");
    wrong(Options { score_kept_min: 0.9, ..options() }, "score_kept_min");
    wrong(Options { window: 33, ..options() }, "window");
    wrong(Options { seen_min: 4, ..options() }, "seen_min");
    wrong(Options { gone_after: Duration::ZERO, ..options() }, "gone_after");
    wrong(Options { overlap_min: 1.0, ..options() }, "overlap_min");
}

#[derive(Clone, Debug)]
enum Input {
    Frame(Vec<(u16, f32, f32)>),
    Gap,
    Pause(u64),
}

fn input() -> impl Strategy<Value = Input> {
    prop_oneof![
        8 => prop::collection::vec((0_u16..3, 0.1_f32..1.0, 0.0_f32..0.8), 0..6).prop_map(Input::Frame),
        1 => Just(Input::Gap),
        1 => (0_u64..3000).prop_map(Input::Pause),
    ]
}

proptest! {
    #[test]
    fn every_new_has_exactly_one_end_or_gap(
        inputs in prop::collection::vec(input(), 1..120),
        window in 1_u32..6,
        seen_min in 1_u32..6,
        gone_after_ms in 100_u64..3000,
    ) {
        let options = Options {
            seen_min: seen_min.min(window),
            window,
            gone_after: Duration::from_millis(gone_after_ms),
            ..Options::default()
        };
        prop_assert_eq!(options.problem(), None);
        let mut objects = Objects::new(options);
        let (mut now, mut changes) = (0, Vec::new());
        for input in inputs {
            now += 100;
            match input {
                Input::Frame(boxes) => {
                    let mut frame: Vec<_> = boxes.iter().map(|&(label, score, left)| seen(label, score, left)).collect();
                    frame.sort_by(|a, b| b.score.total_cmp(&a.score));
                    objects.update(&frame, at(now), &mut changes);
                }
                Input::Gap => objects.gap(&mut changes),
                Input::Pause(duration) => now += duration,
            }
        }
        objects.expire(at(now + gone_after_ms), &mut changes);
        prop_assert_eq!(objects.open(), 0);

        let mut open = HashMap::new();
        let mut last_number = 0;
        for change in changes {
            match change.change {
                Change::New => {
                    prop_assert_eq!(change.object, last_number + 1, "numbers count up");
                    last_number = change.object;
                    open.insert(change.object, change.label);
                }
                Change::End | Change::Gap => prop_assert_eq!(open.remove(&change.object), Some(change.label)),
            }
        }
        prop_assert!(open.is_empty(), "left open: {:?}", open);
    }
}

/// A box that moves by `speed` frame widths a second, at `milliseconds`.
fn moved(milliseconds: u16, speed: f32) -> Detection {
    seen(PERSON, 0.6, 0.1 + speed * f32::from(milliseconds) / 1000.0)
}

#[test]
fn expects_objects_where_they_go() {
    let mut objects = Objects::new(options());
    let mut changes = Vec::new();
    for time in (0..=800).step_by(100) {
        objects.update(&[moved(time, 0.5)], at(time.into()), &mut changes);
    }
    let left = |time: u16| objects.expected(at(time.into())).next().unwrap().bounding_box.left;
    assert!((left(800) - 0.5).abs() < 1e-4);
    assert!((left(1000) - 0.6).abs() < 2e-3, "{}", left(1000));
    assert!((left(1800) - 1.0).abs() < 1e-2 && left(1800) == left(5000), "a second ahead and no further");
}

#[test]
fn an_expected_place_continues_what_its_last_place_would_not() {
    let frames = |gap: u16| {
        let mut objects = Objects::new(options());
        let mut changes = Vec::new();
        for time in (0..=500).step_by(100) {
            objects.update(&[moved(time, 1.0)], at(time.into()), &mut changes);
        }
        // 0.4 frame widths further: two widths of the box.
        objects.update_where(&[], |_| false, at(700), &mut changes);
        objects.update(&[moved(500 + gap, 1.0)], at(900), &mut changes);
        objects.update(&[moved(500 + gap, 1.0)], at(901), &mut changes);
        changes.len()
    };
    assert_eq!(frames(400), 1, "one object, which was new once");
    assert_eq!(frames(0), 1, "it stopped: its last place continues it too");
    assert_eq!(frames(800), 2, "that is another one");
}

#[test]
fn nobody_looked_is_not_gone() {
    let mut objects = Objects::new(options());
    let mut changes = Vec::new();
    let person = [seen(PERSON, 0.6, 0.1)];
    (0..3).for_each(|frame| objects.update(&person, at(100 * frame), &mut changes));
    assert_eq!(changes.len(), 1);
    (3..100).for_each(|frame| objects.update_where(&[], |_| false, at(100 * frame), &mut changes));
    assert_eq!((changes.len(), objects.open()), (1, 1));
    // Looked at and not seen from 9.9 s on: gone two seconds after.
    let gone = (100..200).find(|&frame| {
        objects.update_where(&[], |place| place.left < 0.5, at(100 * frame), &mut changes);
        changes.len() == 2
    });
    assert_eq!(gone, Some(119));
}

#[test]
fn frames_in_which_nobody_looked_do_not_count_against_belief() {
    let mut objects = Objects::new(options());
    let mut changes = Vec::new();
    let person = [seen(PERSON, 0.6, 0.1)];
    for frame in 0..=10 {
        let looked = frame % 5 == 0;
        objects.update_where(if looked { &person } else { &[] }, |_| looked, at(100 * frame), &mut changes);
    }
    assert_eq!(
        changes.iter().map(|change| (change.change, change.last_seen)).collect::<Vec<_>>(),
        [(Change::New, at(500))]
    );
}

#[test]
fn a_detection_at_the_edge_of_a_look_continues_its_object() {
    let mut objects = Objects::new(options());
    let mut changes = Vec::new();
    let person = [seen(PERSON, 0.6, 0.1)];
    (0..4).for_each(|frame| objects.update_where(&person, |_| false, at(100 * frame), &mut changes));
    assert_eq!((changes.len(), objects.open()), (1, 1), "seen, whatever the looks said");
}
