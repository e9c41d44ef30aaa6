use clawdbot_flow::clock::{ManualClock, Wall};

use super::*;

/// A board that multiplies so much in a microsecond, and is held up in every `hitch`th item.
fn settled(macs_a_microsecond: u64, hitch: u64) -> usize {
    let (clock, mut rhythm, mut items) = (ManualClock::new(Wall::default()), Rhythm::new(), 0);
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
