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

#[test]
fn an_item_waits_for_the_frame_and_its_delay_is_measured() {
    let (way, clock) = (Way::new(), ManualClock::new(Wall::default()));
    way.begin(&clock);
    let claim = way.claim();
    clock.advance(Duration::from_micros(4000));
    claim.is_ready(&clock);
    clock.advance(Duration::from_micros(1700));
    let order = Mutex::new(Vec::new());
    thread::scope(|scope| {
        let model = scope.spawn(|| {
            assert!(way.give_way(&clock));
            order.lock().unwrap().push("item");
        });
        while !way.lock().waiting {
            thread::yield_now();
        }
        assert!(!model.is_finished());
        order.lock().unwrap().push("frame");
        drop(claim);
    });
    assert_eq!(*order.lock().unwrap(), ["frame", "item"]);
    let waits = way.waits.take();
    assert_eq!(waits.longest(), Some(Duration::from_micros(1700)), "decoding is no waiting");
}

#[test]
fn a_frame_that_is_decoded_when_the_model_stops_has_not_waited() {
    let (way, clock) = (Way::new(), ManualClock::new(Wall::default()));
    way.begin(&clock);
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
        let model = scope.spawn(|| way.begin(&clock));
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
            way.begin(&clock);
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
    way.begin(&clock);
    for _ in 0..6 {
        clock.advance(Duration::from_millis(2));
        assert!(!way.give_way(&clock));
    }
    assert!(way.lock().earned.is_zero());
}
