use super::{BrokerReading, judge};
use crate::doctor::Verdict;
use crate::mqtt::probe::Reach;

fn reading(reach: Reach) -> BrokerReading {
    let address = "broker.lan:8883".to_owned();
    BrokerReading { address, is_built_in: false, has_login: true, has_tls: true, reach: Some(reach) }
}

#[test]
fn every_way_to_be_turned_away_is_a_problem_with_something_to_do() {
    for (reach, seen, next) in [
        (Reach::Files("cannot read certificates from /ca.pem".to_owned()), "/ca.pem", "cure the file"),
        (Reach::Unresolved("unknown".to_owned()), "no address", "mqtt.host"),
        (Reach::Refused, "nothing listens", "start the broker"),
        (Reach::Unreached("no route".to_owned()), "no route", "firewall"),
        (Reach::OtherName("not valid for name".to_owned()), "another name", "mqtt.host"),
        (Reach::UnknownAuthority, "tls_ca_file", "authority"),
        (Reach::OutOfTime("expired".to_owned()), "expired", "`clock`"),
        (Reach::NoTls, "does not speak TLS", "mqtt.port"),
        (Reach::Handshake("alert".to_owned()), "alert", "certificate"),
        (Reach::WantsTls, "wants TLS", "tls_ca_file"),
        (Reach::Silent, "does not answer", "restart"),
        (Reach::Closed, "closed", "log"),
        (Reach::Stranger, "no MQTT broker", "mqtt.port"),
        (Reach::WrongLogin, "turns our login away", "mqtt.username"),
        (Reach::TurnedAway("it is not available now"), "not available", "log"),
    ] {
        let finding = judge(&Some(reading(reach)));
        assert_eq!(finding.verdict, Verdict::Problem);
        assert!(finding.seen.contains(seen) && finding.next.unwrap().contains(next), "{}", finding.seen);
    }
}

#[test]
fn a_login_that_was_not_tried_is_unknown() {
    assert_eq!(judge(&Some(reading(Reach::Open { certificate: None }))).verdict, Verdict::Unknown);
    let closed = BrokerReading { reach: None, ..reading(Reach::Silent) };
    assert_eq!(judge(&Some(closed)).verdict, Verdict::Unknown);
    assert_eq!(judge(&None).verdict, Verdict::Unknown);
}

#[test]
fn a_welcome_says_how() {
    let accepted = Reach::Accepted { certificate: None };
    assert_eq!(judge(&Some(reading(accepted.clone()))).seen, "broker.lan:8883 takes us with its login over TLS");
    let plain = BrokerReading { has_login: false, has_tls: false, ..reading(accepted) };
    let finding = judge(&Some(plain));
    assert_eq!(
        (finding.verdict, finding.seen.as_str()),
        (Verdict::Ok, "broker.lan:8883 takes us without a login, without TLS")
    );
}

#[test]
fn the_built_in_broker_is_there_only_while_the_daemon_runs() {
    let own = |reach| judge(&Some(BrokerReading { is_built_in: true, has_tls: false, ..reading(reach) }));
    assert_eq!(own(Reach::Refused).verdict, Verdict::Note);
    assert_eq!(own(Reach::Accepted { certificate: None }).verdict, Verdict::Ok);
    assert_eq!(own(Reach::Stranger).verdict, Verdict::Problem);
}
