use std::thread;
use std::time::Duration;

use clawdbot_flow::clock::{ManualClock, Wall};

use super::*;

#[test]
fn without_a_claim_nobody_waits() {
    let (way, clock) = (Way::new(), ManualClock::new(Wall::default()));
    assert!(!way.give_way(&clock));
    drop(way.claim());
    assert!(!way.give_way(&clock));
    assert_eq!(way.waits.take().count(), 0, "a frame that met no language model waited for none");
}

/// Until a frame waits for the end of the item.
fn until_ready(way: &Way) {
    while !way.is_frame_waiting() {
        thread::yield_now();
    }
}

#[test]
fn frame_and_item_wait_for_each_other_and_the_frame_s_wait_is_measured() {
    let (way, clock) = (Way::new(), ManualClock::new(Wall::default()));
    let working = way.begin(&clock);
    let claim = way.claim();
    clock.advance(Duration::from_micros(4000));
    let order = Mutex::new(Vec::new());
    thread::scope(|scope| {
        let frame = scope.spawn(|| {
            claim.is_ready(&clock);
            order.lock().unwrap().push("frame");
            drop(claim);
        });
        until_ready(&way);
        clock.advance(Duration::from_micros(1700));
        assert!(!frame.is_finished());
        order.lock().unwrap().push("item's end");
        assert!(way.give_way(&clock));
        order.lock().unwrap().push("next item");
    });
    drop(working);
    assert_eq!(*order.lock().unwrap(), ["item's end", "frame", "next item"]);
    let waits = way.waits.take();
    assert_eq!((waits.count(), waits.longest()), (1, Some(Duration::from_micros(1700))), "decoding is no waiting");
}

/// Tokens are chosen on the model's own thread, and the model has its share of the time beside frames without a pause.
#[test]
fn a_frame_goes_on_when_the_model_rests_and_when_it_has_time_of_its_own() {
    let (way, clock) = (Way::new(), ManualClock::new(Wall::default()));
    for earned in [Duration::ZERO, Duration::from_millis(10)] {
        way.lock().earned = earned;
        let working = way.begin(&clock);
        thread::scope(|scope| {
            let claim = way.claim();
            scope.spawn(|| {
                claim.is_ready(&clock);
                drop(claim);
            });
            until_ready(&way);
            if earned.is_zero() { working.rest() } else { assert!(!way.give_way(&clock)) }
        });
        working.rest();
        let claim = way.claim();
        claim.is_ready(&clock);
        drop((claim, working));
        assert_eq!(way.waits.take().count(), 1, "the second came while nothing was computed");
    }
}

#[test]
fn a_frame_that_is_decoded_when_the_model_stops_has_not_waited() {
    let (way, clock) = (Way::new(), ManualClock::new(Wall::default()));
    let _working = way.begin(&clock);
    let claim = way.claim();
    clock.advance(Duration::from_micros(900));
    thread::scope(|scope| {
        scope.spawn(|| way.give_way(&clock));
        while !way.lock().waiting {
            thread::yield_now();
        }
        clock.advance(Duration::from_millis(3));
        claim.is_ready(&clock);
        drop(claim);
    });
    let waits = way.waits.take();
    assert_eq!((waits.count(), waits.longest()), (1, Some(Duration::ZERO)));
}

/// A pass that begins while a frame is looked at waits for that frame, and the frame has waited for nobody.
#[test]
fn a_pass_begins_after_the_frame_that_is_being_looked_at() {
    let (way, clock) = (Way::new(), ManualClock::new(Wall::default()));
    let claim = way.claim();
    clock.advance(Duration::from_millis(20));
    thread::scope(|scope| {
        let model = scope.spawn(|| drop(way.begin(&clock)));
        while !way.lock().waiting {
            thread::yield_now();
        }
        assert!(!model.is_finished());
        clock.advance(Duration::from_millis(8));
        drop(claim);
    });
    assert_eq!(way.lock().earned, Duration::from_millis(2), "a quarter of what it waited");
    assert!(!way.give_way(&clock));
    assert_eq!(way.waits.take().count(), 0);
}

/// A camera that never pauses: the model has a fifth of the time, whatever the frames take.
#[test]
fn cameras_without_a_pause_leave_the_model_its_share() {
    for frame_ms in [30, 150] {
        let (way, clock) = (Way::new(), ManualClock::new(Wall::default()));
        let (mut worked, mut looked) = (Duration::ZERO, Duration::ZERO);
        let item = Duration::from_millis(2);
        for _ in 0..50 {
            // The model works as long as it need not wait; then the frame is looked at, and the next one is due.
            let _working = way.begin(&clock);
            let claim = way.claim();
            clock.advance(item);
            worked += item;
            // The item that uses up the rest is followed by a wait, which is the other thread's.
            while way.lock().earned > item {
                assert!(!way.give_way(&clock));
                clock.advance(item);
                worked += item;
            }
            thread::scope(|scope| {
                let model = scope.spawn(|| way.give_way(&clock));
                while !way.lock().waiting {
                    thread::yield_now();
                }
                clock.advance(Duration::from_millis(frame_ms));
                looked += Duration::from_millis(frame_ms);
                drop(claim);
                assert!(model.join().unwrap());
            });
        }
        let share = worked.as_secs_f64() / (worked + looked).as_secs_f64();
        assert!((0.15..0.30).contains(&share), "{share} beside frames of {frame_ms} ms");
    }
}

/// Work in the gaps uses up what was earned, so the next frame finds the model waiting again.
#[test]
fn gaps_use_up_what_was_earned() {
    let (way, clock) = (Way::new(), ManualClock::new(Wall::default()));
    way.lock().earned = Duration::from_millis(10);
    let _working = way.begin(&clock);
    for _ in 0..6 {
        clock.advance(Duration::from_millis(2));
        assert!(!way.give_way(&clock));
    }
    assert!(way.lock().earned.is_zero());
}
