use std::sync::atomic::AtomicBool;

use clawdbot_flow::clock::{ManualClock, Wall};

use super::*;

/// A board that multiplies so much in a microsecond, and is held up in every `hitch`th item.
fn settled(macs_a_microsecond: u64, hitch: u64) -> usize {
    let (clock, mut rhythm, mut items) = (ManualClock::new(Wall::default()), Rhythm::new(true), 0);
    for _ in 0..300 {
        let watch = Watch::new(&clock);
        for _ in 0..100 {
            watch.begin();
            items += 1;
            let held_up = if items % hitch == 0 { 20_000 } else { 0 };
            clock.advance(Duration::from_micros(rhythm.macs() as u64 / macs_a_microsecond + held_up));
            watch.ended();
        }
        rhythm.learn(&watch);
    }
    rhythm.macs()
}

#[test]
fn items_settle_below_two_milliseconds_on_any_board() {
    for speed in [500, 6_000, 50_000, 400_000] {
        let took = settled(speed, u64::MAX) as u64 / speed;
        assert!((1_100..=2_000).contains(&took), "{took} us at {speed} MAC/us");
    }
    // A machine that is held up now and then does not shrink its items for that.
    assert!(settled(6_000, 70) >= 4 << 20);
    assert_eq!(settled(1, u64::MAX), MACS_MIN);
}

/// Each item's end is where a frame may go first, and where a pass is broken off.
#[test]
fn a_pass_is_broken_off_when_nobody_wants_it() {
    let (clock, way, mut rhythm) = (ManualClock::new(Wall::default()), Way::new(), Rhythm::new(true));
    let asked = AtomicU64::new(0);
    let go_on = || asked.fetch_add(1, Ordering::Relaxed) < 2;
    let items = rhythm.pass(&way, &clock, &go_on, |pace| {
        assert_eq!(pace.item_macs, MACS_FIRST);
        (1..10).find(|_| !(pace.between)())
    });
    assert_eq!(items, Some(3));
    assert!(rhythm.macs() > MACS_FIRST, "items without duration leave room for larger ones");
    assert_eq!(Rhythm::new(false).macs(), usize::MAX);
}

/// A frame that comes in the middle of an item waits for its end, and the pause is not taken for a long item.
#[test]
fn a_frame_goes_between_two_items() {
    let (clock, way, mut rhythm) = (ManualClock::new(Wall::default()), Way::new(), Rhythm::new(true));
    let due = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !due.load(Ordering::Acquire) {
                std::thread::yield_now();
            }
            let claim = way.claim();
            claim.is_ready(&clock);
            while !way.is_waited_for() {
                std::thread::yield_now();
            }
            clock.advance(Duration::from_millis(40));
            drop(claim);
        });
        rhythm.pass(&way, &clock, &|| true, |pace| {
            clock.advance(Duration::from_micros(300));
            due.store(true, Ordering::Release);
            while !way.is_frame_waiting() {
                std::thread::yield_now();
            }
            clock.advance(Duration::from_micros(700));
            assert!((pace.between)());
            clock.advance(Duration::from_millis(1));
            assert!((pace.between)());
        });
    });
    assert_eq!(way.waits.take().longest(), Some(Duration::from_micros(700)));
    assert!(rhythm.macs() > MACS_FIRST, "no item took long");
}
