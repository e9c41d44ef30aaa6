//! From when until when a certificate holds: the one thing that we want of X.509.

use std::time::Duration;

use clawdbot_flow::clock::Wall;

/// Tags of DER that a certificate's beginning is made of.
const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::doctor) struct Validity {
    pub(in crate::doctor) from: Wall,
    pub(in crate::doctor) until: Wall,
}

/// Of a certificate in DER (RFC 5280, 4.1): version, serial number, signature's algorithm, issuer, validity ... `None` when it
/// is none.
pub(in crate::doctor) fn validity(certificate: &[u8]) -> Option<Validity> {
    let (whole, _) = element(certificate, SEQUENCE)?;
    let (mut rest, _) = element(whole, SEQUENCE)?;
    if rest.first() == Some(&VERSION) {
        rest = element(rest, VERSION)?.1;
    }
    rest = element(rest, INTEGER)?.1;
    rest = element(rest, SEQUENCE)?.1;
    rest = element(rest, SEQUENCE)?.1;
    let (times, _) = element(rest, SEQUENCE)?;
    let (from, rest) = time(times)?;
    let (until, _) = time(rest)?;
    Some(Validity { from, until })
}

/// The content of the element at the start of `input`, which must have this tag, and what follows it.
fn element(input: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = input.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        // Certificates are shorter than 2^24.
        0x81..=0x83 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    (found == tag).then(|| rest.split_at_checked(length)).flatten()
}

/// `261125013811Z`, or with four digits of year.
fn time(input: &[u8]) -> Option<(Wall, &[u8])> {
    let (digits, rest, years) = match input.first()? {
        &UTC_TIME => element(input, UTC_TIME).map(|(digits, rest)| (digits, rest, 2))?,
        _ => element(input, GENERALIZED_TIME).map(|(digits, rest)| (digits, rest, 4))?,
    };
    let digits = std::str::from_utf8(digits).ok()?.strip_suffix('Z')?;
    let (year, rest_of_it) = digits.split_at_checked(years)?;
    let year: u64 = year.parse().ok()?;
    // Two digits are of 1950 to 2049 (RFC 5280, 4.1.2.5.1).
    let year = match (years, year) {
        (2, 50..) => 1900 + year,
        (2, _) => 2000 + year,
        _ => year,
    };
    let part = |at: usize| rest_of_it.get(2 * at..2 * at + 2)?.parse::<u64>().ok();
    let (month, day) =
        (part(0).filter(|month| (1..=12).contains(month))?, part(1).filter(|day| (1..=31).contains(day))?);
    let seconds = part(2)? * 3600 + part(3)? * 60 + part(4)?;
    let since_epoch = Duration::from_secs(days(year, month, day).saturating_mul(86_400).saturating_add(seconds));
    Some((Wall::from_epoch(since_epoch), rest))
}

/// Days from 1970-01-01 to a day of the Gregorian calendar; 0 for earlier ones. The year begins in March, so that the leap
/// day is its last.
const fn days(year: u64, month: u64, day: u64) -> u64 {
    const DAYS_FROM_0000_03_01_TO_1970_01_01: u64 = 719_468;
    let year = if month <= 2 { year.saturating_sub(1) } else { year };
    let month = (month + 9) % 12;
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    let days = 365 * year + year / 4 - year / 100 + year / 400 + day_of_year;
    days.saturating_sub(DAYS_FROM_0000_03_01_TO_1970_01_01)
}

#[cfg(test)]
mod tests;
