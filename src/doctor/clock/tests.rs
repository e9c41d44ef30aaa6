use std::time::Duration;

use clawdbot_flow::clock::Wall;

use super::{Battery, ClockReading, WRITTEN, gather, judge};
use crate::doctor::Verdict;
use crate::doctor::tests::tree::Tree;

fn reading(synchronised: Option<bool>) -> ClockReading {
    ClockReading {
        now: Wall::from_epoch(Duration::from_secs(WRITTEN + 86_400)),
        built: Wall::from_epoch(Duration::from_secs(WRITTEN)),
        synchronised,
        timesyncd: false,
        batteries: Vec::new(),
    }
}

fn battery(date: &str, was_used: bool) -> Vec<Battery> {
    vec![Battery { name: "rtc0".to_owned(), date: Some(date.to_owned()), was_used }]
}

#[test]
fn a_time_server_is_the_best_proof() {
    assert_eq!(judge(&reading(Some(true))).verdict, Verdict::Ok);
    assert_eq!(judge(&reading(Some(false))).verdict, Verdict::Warning);
    assert_eq!(judge(&reading(None)).verdict, Verdict::Unknown);
    assert_eq!(judge(&ClockReading { timesyncd: true, ..reading(None) }).verdict, Verdict::Ok);
}

#[test]
fn an_rtc_counts_when_it_kept_the_date_and_was_used() {
    let with = |batteries| judge(&ClockReading { batteries, ..reading(Some(false)) }).verdict;
    assert_eq!(with(battery("2026-11-25", true)), Verdict::Note);
    assert_eq!(with(battery("2026-11-25", false)), Verdict::Warning);
    assert_eq!(with(battery("1970-01-01", true)), Verdict::Warning);
}

#[test]
fn a_time_before_the_program_s_own_is_wrong_even_if_synchronised() {
    let old = ClockReading { now: Wall::from_epoch(Duration::from_secs(1_600_000_000)), ..reading(Some(true)) };
    let finding = judge(&old);
    assert_eq!(finding.verdict, Verdict::Problem);
    assert_eq!(finding.seen, "it is 2020-09-13 by the clock, but this program is from 2026-11-29");
}

#[test]
fn rtcs_are_read_from_the_board() {
    let tree = Tree::new();
    tree.put("sys/class/rtc/rtc0/date", "2026-11-25");
    tree.put("sys/class/rtc/rtc0/hctosys", "1");
    tree.put("run/systemd/timesync/synchronized", "");
    let found = gather(&tree.machine());
    assert_eq!(found.batteries, battery("2026-11-25", true));
    assert!(found.timesyncd && found.synchronised.is_none());
    assert!(found.built.since_epoch().as_secs() >= WRITTEN);
}
