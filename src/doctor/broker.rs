//! Whether the broker lets us in.

use super::certificate::{
    self,
    validity::{Validity, validity},
};
use super::configuration::Configuration;
use super::finding::{Check, Finding};
use super::machine::Machine;
use crate::mqtt::Broker;
use crate::mqtt::probe::{Knock, Reach};

/// What came of a knock at its door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BrokerReading {
    pub(super) address: String,
    /// Whether it is the one that the daemon brings along.
    pub(super) is_built_in: bool,
    pub(super) has_login: bool,
    pub(super) has_tls: bool,
    /// `None`: a certificate file of ours is not for this user's eyes, so there was no knock.
    pub(super) reach: Option<Reach>,
}

/// `None`: the configuration does not say which broker.
pub(super) fn gather(machine: &Machine<'_>, configuration: &Configuration) -> Option<BrokerReading> {
    let Configuration::Good { config, secrets, .. } = configuration else { return None };
    // An id of our own: with the daemon's, the broker would throw it out.
    let options = config.mqtt_options(format!("doctor{}", machine.answers.process.unwrap_or_default()));
    let (host, port) = options.address();
    let knock = if *secrets { Knock::Login } else { Knock::Connection };
    let can_read = options.tls.as_ref().is_none_or(|tls| !certificate::is_closed(tls));
    Some(BrokerReading {
        address: format!("{host}:{port}"),
        is_built_in: matches!(options.broker, Broker::Embedded { .. }),
        has_login: options.credentials.is_some(),
        has_tls: options.tls.is_some(),
        reach: can_read.then(|| (machine.answers.broker)(&options, knock, machine.clock)),
    })
}

pub(super) fn judge(reading: &Option<BrokerReading>) -> Finding {
    let check = Check::Broker;
    let Some(reading) = reading else { return Configuration::missing(check) };
    let address = &reading.address;
    let Some(reach) = &reading.reach else {
        return Finding::unknown(
            check,
            format!("{address} was not tried: our certificate files may not be read by this user"),
            "run `sudo clawdbot doctor`",
        );
    };
    match reach {
        Reach::Accepted { certificate } => Finding::ok(check, welcome(reading, certificate.as_deref())),
        Reach::Open { .. } => Finding::unknown(
            check,
            format!("{address} is open, but the password can't be read here, so no login was tried"),
            "run `sudo clawdbot doctor`; a systemd credential only the service can read: `journalctl -u clawdbot` tells of its login",
        ),
        Reach::Refused if reading.is_built_in => Finding::note(
            check,
            format!("the built-in broker would listen on {address}; it is there only while the daemon runs"),
            "start the daemon: `sudo systemctl start clawdbot`, or `clawdbot run`",
        ),
        other => {
            let (seen, next) = failure(address, reading, other);
            Finding::problem(check, seen, next)
        }
    }
}

fn welcome(reading: &BrokerReading, certificate: Option<&[u8]>) -> String {
    let address = &reading.address;
    let login = if reading.has_login { "with its login" } else { "without a login" };
    if reading.is_built_in {
        return format!("a broker on {address} takes us {login}: the built-in one, or one that has its port");
    }
    let until = certificate.and_then(validity).map(|Validity { until, .. }| super::day(until));
    match (reading.has_tls, until) {
        (true, Some(until)) => format!("{address} takes us {login} over TLS; its certificate is valid until {until}"),
        (true, None) => format!("{address} takes us {login} over TLS"),
        (false, _) => format!("{address} takes us {login}, without TLS"),
    }
}

/// What was seen and what to do when it does not let us in.
fn failure(address: &str, reading: &BrokerReading, reach: &Reach) -> (String, String) {
    let pair = |seen: String, next: &str| (seen, next.to_owned());
    match reach {
        Reach::Files(reason) => {
            pair(format!("no connection was tried: {reason}"), "cure the file that it names; see `certificate` below")
        }
        Reach::Unresolved(reason) => pair(
            format!("the name in {address} has no address: {reason}"),
            "correct `mqtt.host`, or write the broker's address there; names in .local need mDNS (`libnss-mdns`)",
        ),
        Reach::Refused => pair(
            format!("nothing listens on {address}"),
            "start the broker, let it listen to the network, or correct `mqtt.port`",
        ),
        Reach::Unreached(reason) => pair(
            format!("{address} can't be reached: {reason}"),
            "check the address, that the broker's machine is on, and any firewall between",
        ),
        Reach::Silent => pair(
            format!("{address} is open but does not answer"),
            "restart the broker; if something else has that port, correct `mqtt.port`",
        ),
        Reach::Closed => pair(
            format!("{address} closed the connection instead of answering"),
            if reading.has_login {
                "look into its log: login, access list, or a limit of clients"
            } else {
                "look into its log; it may want a user name and password"
            },
        ),
        Reach::Stranger => {
            pair(format!("what answers on {address} is no MQTT broker"), "correct `mqtt.host` and `mqtt.port`")
        }
        Reach::WrongLogin => pair(
            format!("{address} turns our login away"),
            if reading.has_login {
                "correct `mqtt.username` and its password, or add the user to the broker"
            } else {
                "set `mqtt.username` and `mqtt.password_file`: it lets nobody in without"
            },
        ),
        Reach::TurnedAway(reason) => {
            pair(format!("{address} turns us away: {reason}"), "look into the broker's log and settings")
        }
        Reach::OtherName(_)
        | Reach::UnknownAuthority
        | Reach::OutOfTime(_)
        | Reach::NoTls
        | Reach::Handshake(_)
        | Reach::WantsTls
        | Reach::Open { .. }
        | Reach::Accepted { .. } => tls_failure(address, reach),
    }
}

/// The same for what goes wrong with TLS.
fn tls_failure(address: &str, reach: &Reach) -> (String, String) {
    let pair = |seen: String, next: &str| (seen, next.to_owned());
    match reach {
        Reach::OtherName(reason) => pair(
            format!("the certificate of {address} is for another name: {reason}"),
            "write the name that it holds into `mqtt.host`, or give the broker a certificate for this one",
        ),
        Reach::UnknownAuthority => pair(
            format!("the certificate of {address} comes from nobody in `mqtt.tls_ca_file`"),
            "put the certificate of the authority that signed the broker's into that file",
        ),
        Reach::OutOfTime(reason) => pair(
            format!("the certificate of {address} does not hold now: {reason}"),
            "see `clock` above first; if the time is right, the broker needs a new certificate",
        ),
        Reach::NoTls => pair(
            format!("{address} does not speak TLS"),
            "correct `mqtt.port` (8883 by custom), or take `mqtt.tls_ca_file` out if the broker has no TLS",
        ),
        Reach::Handshake(reason) => pair(
            format!("TLS with {address} fails: {reason}"),
            "check our own certificate if the broker asks for one (see `certificate` below), and the broker's log",
        ),
        Reach::WantsTls => pair(
            format!("{address} wants TLS"),
            "set `mqtt.tls_ca_file`, or take the broker's port without TLS (1883 by custom)",
        ),
        other => pair(format!("{address}: {other:?}"), "this is a bug, report it"),
    }
}

#[cfg(test)]
mod tests;
