use clawdbot_flow::clock::{ManualClock, SystemClock, Wall};

use super::*;
use crate::sources::picture::JpegDecoder;

#[test]
fn frames_come_at_their_rate_and_late_ones_at_once() {
    let at = |ms| Monotonic::from_origin(Duration::from_millis(ms));
    let interval = Duration::from_millis(100);
    assert_eq!(next(at(300), interval, at(340)), at(400), "this one was looked at in time");
    assert_eq!(next(at(300), interval, at(430)), at(430), "the next one waits already");
    assert_eq!(next(at(300), interval, at(950)), at(950), "of six that came meanwhile the latest is looked at");
}

/// A stop ends the frames, also in the middle of one, and each has held the way.
#[test]
fn frames_claim_the_way_until_the_stop() {
    let (way, stop, clock) = (Way::new(), Stop::new(), SystemClock::new());
    let (frames, still) = (Frames::new(&way, Duration::from_millis(1), &stop), ManualClock::new(Wall::default()));
    std::thread::scope(|scope| {
        let coming = scope.spawn(|| frames.come(Cost::Time(Duration::from_secs(600)), &clock));
        // The model meets the frame sooner or later, and waits for it until the stop.
        let model = scope.spawn(|| while !way.give_way(&still) {});
        while !way.is_waited_for() {
            std::thread::yield_now();
        }
        assert!(!coming.is_finished());
        stop.request();
        coming.join().unwrap();
        model.join().unwrap();
    });
    assert_eq!(frames.took.take().count(), 1);
    assert!(frames.failure.into_inner().unwrap().is_none());
}

#[test]
fn the_bundled_picture_is_one_whole_frame_of_the_clip() {
    let (picture, mut pixels) = (bundled::picture(), Vec::new());
    assert!(picture.len() < bundled::CLIP.len() / 50, "{} bytes", picture.len());
    let mut decoder = JpegDecoder::for_frames("clip");
    assert_eq!(decoder.size(picture).unwrap(), (640, 360));
    assert!(decoder.decode_frame(picture, &mut pixels).is_ok());
}
