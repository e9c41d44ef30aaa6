use std::time::Duration;

use super::*;

// Expected texts by GNU date: `date -u -d @N +%FT%TZ`.
#[test]
fn known_moments_are_written_as_date_writes_them() {
    for (seconds, text) in [
        (0, "1970-01-01T00:00:00.042Z"),
        (951_782_400, "2000-02-29T00:00:00.042Z"),
        (951_868_799, "2000-02-29T23:59:59.042Z"),
        (951_868_800, "2000-03-01T00:00:00.042Z"),
        (1_709_164_800, "2024-02-29T00:00:00.042Z"),
        (1_795_570_691, "2026-11-25T01:38:11.042Z"),
        (4_107_542_400, "2100-03-01T00:00:00.042Z"),
    ] {
        let wall = Wall::from_epoch(Duration::from_millis(seconds * 1000 + 42));
        assert_eq!(rfc3339(wall), text);
    }
}

#[test]
fn every_day_of_four_centuries_follows_the_one_before() {
    let days_in = |year: u64, month: u64| match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let (mut year, mut month, mut day) = (1970, 1, 1);
    for days in 0..146_097 {
        assert_eq!(civil_from_days(days), (year, month, day));
        day += 1;
        if day > days_in(year, month) {
            (month, day) = (month + 1, 1);
        }
        if month > 12 {
            (year, month) = (year + 1, 1);
        }
    }
}
