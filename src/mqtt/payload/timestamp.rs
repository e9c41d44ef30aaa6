//! Wall time as text.

use clawdbot_flow::clock::Wall;

const SECONDS_A_DAY: u64 = 86_400;

/// `wall` as RFC 3339 in UTC with milliseconds: `2026-11-25T01:38:11.042Z`.
pub(crate) fn rfc3339(wall: Wall) -> String {
    let seconds = wall.since_epoch().as_secs();
    let (year, month, day) = civil_from_days(seconds / SECONDS_A_DAY);
    let second_of_day = seconds % SECONDS_A_DAY;
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
        second_of_day / 3600,
        second_of_day / 60 % 60,
        second_of_day % 60,
        wall.since_epoch().subsec_millis()
    )
}

/// Year, month (1 to 12) and day (1 to 31) of the proleptic Gregorian calendar, `days` days after 1970-01-01. Counts in
/// 400-year eras of years that begin in March, so that the leap day is a year's last (Howard Hinnant, "chrono-Compatible
/// Low-Level Date Algorithms", `civil_from_days`).
const fn civil_from_days(days: u64) -> (u64, u64, u64) {
    const DAYS_AN_ERA: u64 = 146_097;
    const DAYS_FROM_0000_03_01_TO_1970_01_01: u64 = 719_468;
    let shifted = days + DAYS_FROM_0000_03_01_TO_1970_01_01;
    let era = shifted / DAYS_AN_ERA;
    let day_of_era = shifted % DAYS_AN_ERA;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

#[cfg(test)]
mod tests;
