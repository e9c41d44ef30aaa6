use super::*;
use crate::doctor::day;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};

fn made(from: (i32, u8, u8), until: (i32, u8, u8)) -> Vec<u8> {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_before = date_time_ymd(from.0, from.1, from.2);
    params.not_after = date_time_ymd(until.0, until.1, until.2);
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
}

#[test]
fn both_ends_are_read_in_both_forms() {
    for (from, until, expected) in [
        ((2026, 11, 25), (2027, 2, 28), ("2026-11-25", "2027-02-28")),
        ((2024, 2, 29), (2051, 1, 1), ("2024-02-29", "2051-01-01")),
        ((1999, 12, 31), (2100, 3, 1), ("1999-12-31", "2100-03-01")),
    ] {
        let Validity { from, until } = validity(&made(from, until)).unwrap();
        assert_eq!((day(from).as_str(), day(until).as_str()), expected);
    }
}

#[test]
fn what_is_no_certificate_gives_nothing() {
    let whole = made((2026, 1, 1), (2027, 1, 1));
    for bytes in [&b""[..], b"\x30", b"\x30\x84\xff\xff\xff\xff", &whole[..60], &[0x30; 64]] {
        assert_eq!(validity(bytes), None);
    }
}

#[test]
fn days_begin_at_the_epoch() {
    assert_eq!(days(1970, 1, 1), 0);
    assert_eq!(days(2000, 3, 1), 11_017);
    assert_eq!(days(1, 1, 1), 0);
}
