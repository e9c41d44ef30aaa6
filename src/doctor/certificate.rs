//! Our own certificate files: readable, in their time, closed to others.

pub(super) mod validity;

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clawdbot_flow::clock::Wall;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, pem};

use self::validity::{Validity, validity};
use super::configuration::Configuration;
use super::finding::{Check, Finding};
use super::machine::Machine;
use crate::mqtt::{Broker, Tls};

/// A certificate that ends sooner is worth a warning.
const SOON: Duration = Duration::from_secs(14 * 86_400);
/// Bits of a mode that open a file to everybody.
const OTHERS: u32 = 0o007;

/// What TLS hangs on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TlsFiles {
    /// There is no TLS.
    None {
        /// Whether a password goes over a network all the same.
        exposes_password: bool,
    },
    /// These files.
    Some(Vec<TlsFile>),
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TlsFile {
    /// The key in the configuration that names it.
    pub(super) key: &'static str,
    pub(super) path: PathBuf,
    pub(super) content: Content,
}

/// What is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// This user may not read it.
    Closed,
    /// It can't be read, or makes no sense.
    Bad(String),
    /// Certificates; `None` for one whose times make no sense.
    Certificates(Vec<Option<Validity>>),
    /// A private key, with the mode of its file.
    Key { mode: u32 },
}

/// The files, and the time to hold them against; `None`: the configuration does not say.
pub(super) fn gather(machine: &Machine<'_>, configuration: &Configuration) -> Option<(TlsFiles, Wall)> {
    let options = configuration.config()?.mqtt_options(String::new());
    let now = machine.clock.wall();
    let Some(tls) = &options.tls else {
        let is_near = match &options.broker {
            Broker::Embedded { listen } => listen.ip().is_loopback(),
            Broker::External { host, .. } => ["localhost", "127.0.0.1", "::1"].contains(&host.as_str()),
        };
        return Some((TlsFiles::None { exposes_password: options.credentials.is_some() && !is_near }, now));
    };
    let file = |key, path: &Path, content: fn(&Path) -> Content| TlsFile {
        key,
        path: path.to_owned(),
        content: content(path),
    };
    let mut files = vec![file("mqtt.tls_ca_file", &tls.ca_file, certificates)];
    if let Some(client) = &tls.client {
        files.push(file("mqtt.tls_certificate_file", &client.certificate_file, certificates));
        files.push(file("mqtt.tls_key_file", &client.key_file, private_key));
    }
    Some((TlsFiles::Some(files), now))
}

/// Whether one of the files is not for this user's eyes.
pub(super) fn is_closed(tls: &Tls) -> bool {
    let client = tls.client.iter().flat_map(|client| [&client.certificate_file, &client.key_file]);
    let is_closed =
        |path: &PathBuf| fs::File::open(path).is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied);
    client.chain([&tls.ca_file]).any(is_closed)
}

fn certificates(path: &Path) -> Content {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Err(pem::Error::Io(error)) if error.kind() == io::ErrorKind::PermissionDenied => Content::Closed,
        Err(error) => Content::Bad(error.to_string()),
        Ok(certificates) if certificates.is_empty() => Content::Bad("it holds no certificate".to_owned()),
        Ok(certificates) => Content::Certificates(certificates.iter().map(|one| validity(one)).collect()),
    }
}

fn private_key(path: &Path) -> Content {
    match (rustls::pki_types::PrivateKeyDer::from_pem_file(path), fs::metadata(path)) {
        (Err(pem::Error::Io(error)), _) if error.kind() == io::ErrorKind::PermissionDenied => Content::Closed,
        (Err(error), _) => Content::Bad(error.to_string()),
        (Ok(_), Err(error)) => Content::Bad(error.to_string()),
        (Ok(_), Ok(metadata)) => Content::Key { mode: metadata.mode() & 0o777 },
    }
}

pub(super) fn judge(reading: &Option<(TlsFiles, Wall)>) -> Vec<Finding> {
    let check = Check::Certificate;
    match reading {
        None => vec![Configuration::missing(check)],
        Some((TlsFiles::None { exposes_password: false }, _)) => vec![Finding::ok(check, "no TLS is configured")],
        Some((TlsFiles::None { exposes_password: true }, _)) => vec![Finding::note(
            check,
            "no TLS is configured: user name and password cross the network in the clear",
            "set `mqtt.tls_ca_file`, if the broker speaks TLS",
        )],
        Some((TlsFiles::Some(files), now)) => files.iter().map(|file| judge_file(file, *now).about(file.key)).collect(),
    }
}

fn judge_file(file: &TlsFile, now: Wall) -> Finding {
    let check = Check::Certificate;
    let path = file.path.display();
    match &file.content {
        Content::Closed => {
            Finding::unknown(check, format!("{path} may not be read by this user"), "run `sudo clawdbot doctor`")
        }
        Content::Bad(reason) => Finding::problem(
            check,
            format!("{path} can't be used: {reason}"),
            "put an unencrypted PEM file there that the group `clawdbot` may read (`sudo chgrp clawdbot`, `sudo chmod 640`)",
        ),
        Content::Key { mode } if mode & OTHERS != 0 => Finding::warning(
            check,
            format!("{path} is a private key that everybody may read (mode {mode:03o})"),
            format!("`sudo chgrp clawdbot {path} && sudo chmod 640 {path}`"),
        ),
        Content::Key { .. } => Finding::ok(check, format!("{path} holds a private key")),
        Content::Certificates(all) => judge_times(&path.to_string(), all, now),
    }
}

fn judge_times(path: &str, all: &[Option<Validity>], now: Wall) -> Finding {
    let check = Check::Certificate;
    let known: Option<Vec<Validity>> = all.iter().copied().collect();
    let Some(known) = known else {
        return Finding::unknown(
            check,
            format!("{path} holds a certificate whose time can't be read"),
            format!("ask `openssl x509 -noout -dates -in {path}`"),
        );
    };
    // One of several authorities may end while another goes on; what none of them covers is the problem.
    let holds = |one: &&Validity| one.from <= now && now < one.until;
    if let Some(last) = known.iter().filter(holds).map(|one| one.until).max() {
        let seen = format!("{path} holds until {}", super::day(last));
        let left = last.since_epoch().saturating_sub(now.since_epoch());
        return if left < SOON {
            Finding::warning(check, seen, "renew it before; the daemon reads it anew at each connect")
        } else {
            Finding::ok(check, seen)
        };
    }
    match known.iter().map(|one| one.from).filter(|from| *from > now).min() {
        Some(from) => Finding::problem(
            check,
            format!("{path} holds from {} on, and by the clock it is {}", super::day(from), super::day(now)),
            "see `clock` above: if the time is wrong, cure that first; else wait or take another certificate",
        ),
        None => Finding::problem(
            check,
            format!(
                "{path} held until {}",
                known.iter().map(|one| one.until).max().map(super::day).unwrap_or_default()
            ),
            "renew it, if the clock is right (see `clock` above)",
        ),
    }
}

#[cfg(test)]
mod tests;
