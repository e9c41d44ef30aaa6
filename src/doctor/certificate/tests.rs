use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clawdbot_flow::clock::Wall;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};

use super::{Content, TlsFile, TlsFiles, certificates, judge, private_key};
use crate::doctor::{Finding, Verdict};

/// 2026-11-29.
const NOW: Wall = Wall::from_epoch(Duration::from_secs(1_795_910_400));

fn judged(content: Content) -> Finding {
    let file = TlsFile { key: "mqtt.tls_ca_file", path: PathBuf::from("/etc/clawdbot/ca.pem"), content };
    judge(&Some((TlsFiles::Some(vec![file]), NOW))).remove(0)
}

/// A file with a certificate for each span of years, and its key.
fn write(folder: &Path, spans: &[(i32, i32)]) -> (PathBuf, PathBuf) {
    let (certificate, key) = (folder.join("one.pem"), folder.join("one.key"));
    let pair = KeyPair::generate().unwrap();
    let one = |(from, until): &(i32, i32)| {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.not_before = date_time_ymd(*from, 12, 1);
        params.not_after = date_time_ymd(*until, 12, 10);
        params.self_signed(&pair).unwrap().pem()
    };
    std::fs::write(&certificate, spans.iter().map(one).collect::<String>()).unwrap();
    std::fs::write(&key, pair.serialize_pem()).unwrap();
    (certificate, key)
}

#[test]
fn times_are_held_against_the_clock() {
    let folder = tempfile::tempdir().unwrap();
    for (spans, verdict, part) in [
        (&[(2025, 2030)][..], Verdict::Ok, "holds until 2030-12-10"),
        (&[(2025, 2026)], Verdict::Warning, "holds until 2026-12-10"),
        (&[(2020, 2025)], Verdict::Problem, "held until 2025-12-10"),
        (&[(2027, 2030)], Verdict::Problem, "holds from 2027-12-01 on, and by the clock it is 2026-11-29"),
        (&[(2020, 2025), (2025, 2030)], Verdict::Ok, "holds until 2030-12-10"),
    ] {
        let (certificate, _) = write(folder.path(), spans);
        let finding = judged(certificates(&certificate));
        assert_eq!(finding.verdict, verdict, "{}", finding.seen);
        assert!(finding.seen.contains(part), "{}", finding.seen);
    }
}

#[test]
fn files_that_are_none_say_why() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "nothing").unwrap();
    let finding = judged(certificates(&empty));
    assert!(finding.verdict == Verdict::Problem && finding.seen.contains("no certificate"), "{}", finding.seen);
    assert_eq!(judged(certificates(Path::new("/no/such/ca.pem"))).verdict, Verdict::Problem);
    assert_eq!(judged(private_key(&empty)).verdict, Verdict::Problem);
    assert_eq!(judged(Content::Closed).verdict, Verdict::Unknown);
    assert_eq!(judged(Content::Certificates(vec![None])).verdict, Verdict::Unknown);
}

#[test]
fn a_key_that_everybody_may_read_is_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let (_, key) = write(folder.path(), &[(2025, 2030)]);
    for (mode, verdict) in [(0o640, Verdict::Ok), (0o644, Verdict::Warning)] {
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(judged(private_key(&key)).verdict, verdict);
    }
}

#[test]
fn without_tls_only_a_password_on_the_network_is_worth_a_word() {
    let without = |exposes_password| judge(&Some((TlsFiles::None { exposes_password }, NOW)))[0].verdict;
    assert_eq!((without(false), without(true)), (Verdict::Ok, Verdict::Note));
    assert_eq!(judge(&None)[0].verdict, Verdict::Unknown);
}
