use std::time::Duration;

use clawdbot_flow::clock::Monotonic;

use super::Schedule;
use crate::sources::sensor::{Kind, Options};

fn schedule(dead_band: f64) -> Schedule {
    Schedule::new(&Options {
        id: "soc".to_owned(),
        kind: Kind::Hwmon { chip: "chip".to_owned(), channel: "temp1".to_owned() },
        unit: "°C".to_owned(),
        interval: Duration::from_secs(10),
        interval_max: Duration::from_secs(60),
        dead_band,
    })
}

fn at(seconds: u64) -> Monotonic {
    Monotonic::from_origin(Duration::from_secs(seconds))
}

/// Looks each 10 s at these values; which are published.
fn published(dead_band: f64, values: &[Option<f64>]) -> Vec<bool> {
    let mut schedule = schedule(dead_band);
    (0..).map(|index| at(index * 10)).zip(values).map(|(now, value)| schedule.saw(now, *value)).collect()
}

#[test]
fn it_is_due_at_once_and_then_by_its_interval() {
    let mut schedule = schedule(0.0);
    assert!(schedule.is_due(at(3)) && schedule.time_left(at(3)).is_zero());
    schedule.saw(at(3), Some(1.0));
    assert!(!schedule.is_due(at(12)) && schedule.is_due(at(13)));
    assert_eq!(schedule.time_left(at(5)), Duration::from_secs(8));
    // A little late: the rhythm stays. Very late: it begins anew, without a burst.
    schedule.saw(at(15), Some(1.0));
    assert_eq!(schedule.time_left(at(15)), Duration::from_secs(8));
    schedule.saw(at(500), Some(1.0));
    assert_eq!(schedule.time_left(at(500)), Duration::from_secs(10));
}

#[test]
fn a_value_within_its_dead_band_is_no_news() {
    let values = [20.0, 20.4, 20.5, 20.6, 20.2, 20.0].map(Some);
    assert_eq!(published(0.5, &values), [true, false, false, true, false, true]);
}

#[test]
fn without_a_dead_band_every_change_is_news() {
    assert_eq!(published(0.0, &[1.0, 1.0, 1.5, 1.5].map(Some)), [true, false, true, false]);
}

#[test]
fn a_value_that_does_not_move_is_told_after_the_longest_interval() {
    let values = [7.0; 14].map(Some);
    let told: Vec<usize> =
        published(1.0, &values).iter().enumerate().filter(|(_, told)| **told).map(|(i, _)| i).collect();
    assert_eq!(told, [0, 6, 12]);
}

#[test]
fn the_first_value_after_an_absence_is_news() {
    assert_eq!(published(5.0, &[Some(1.0), None, Some(1.0), Some(1.0)]), [true, false, true, false]);
}
