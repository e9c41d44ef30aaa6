//! `[mqtt]`: built-in or other broker, credentials, TLS.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Check;
use crate::config::env::CREDENTIALS_DIRECTORY;
use crate::config::raw;
use crate::config::{Mqtt, Secrets};
use crate::mqtt::{Broker, ClientIdentity, Credentials, Password, Tls};

/// The longest password that we read.
const PASSWORD_BYTES_MAX: u64 = 64 * 1024;

impl Check<'_> {
    pub(super) fn mqtt(&mut self) -> Mqtt {
        let raw = std::mem::take(&mut self.document.raw.mqtt);
        let tls = self.tls(&raw);
        let broker = self.broker(&raw, tls.is_some());
        let credentials = self.credentials(&raw);
        Mqtt {
            prefix: self.prefix(raw.prefix),
            broker,
            credentials,
            tls,
            keep_alive: raw.keep_alive_s.map_or(crate::mqtt::KEEP_ALIVE_DEFAULT, Duration::from_secs),
        }
    }

    fn broker(&mut self, raw: &raw::mqtt::Mqtt, is_tls: bool) -> Broker {
        if let Some(host) = &raw.host {
            if host.contains(|c: char| c.is_whitespace() || matches!(c, '/' | '@' | '[' | ']')) {
                self.problem(
                    "mqtt.host",
                    format!("\"{host}\" is no host; give a name or an address alone, the port in mqtt.port"),
                );
            }
            if raw.listen.is_some() {
                self.problem(
                    "mqtt.listen",
                    "this is for the built-in broker, and mqtt.host names another; take one of them out",
                );
            }
            let port = raw.port.unwrap_or(if is_tls { 8883 } else { 1883 });
            return Broker::External { host: host.clone(), port };
        }
        let strangers = [
            ("port", raw.port.is_some()),
            ("tls_ca_file", raw.tls_ca_file.is_some()),
            ("tls_certificate_file", raw.tls_certificate_file.is_some()),
            ("tls_key_file", raw.tls_key_file.is_some()),
        ];
        for (name, _) in strangers.iter().filter(|(_, is_given)| *is_given) {
            self.problem(&format!("mqtt.{name}"), "this is for a broker elsewhere, and mqtt.host is not set; set it");
        }
        let listen = raw.listen.as_deref().map_or(Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, 1883))), str::parse);
        let listen = listen.unwrap_or_else(|_| {
            self.problem("mqtt.listen", "this is no address with a port; give one such as \"127.0.0.1:1883\"");
            SocketAddr::from((Ipv4Addr::LOCALHOST, 1883))
        });
        if !listen.ip().is_loopback() && raw.username.is_none() {
            self.problem(
                "mqtt.listen",
                format!(
                    "{listen} can be reached from outside; set mqtt.username and a password, or listen on 127.0.0.1"
                ),
            );
        }
        Broker::Embedded { listen }
    }

    fn prefix(&mut self, prefix: Option<String>) -> String {
        let prefix = prefix.unwrap_or_else(|| crate::mqtt::PREFIX_DEFAULT.to_owned());
        let is_level =
            |level: &str| !level.is_empty() && !level.contains(['+', '#', '$', '\0', ' ']) && level.is_ascii();
        if prefix.len() > 128 || !prefix.split('/').all(is_level) {
            self.problem(
                "mqtt.prefix",
                format!("\"{prefix}\" is no beginning of a topic; give levels without spaces, `+`, `#`, `$`, such as \"clawdbot/v1\""),
            );
        }
        prefix
    }

    fn tls(&mut self, raw: &raw::mqtt::Mqtt) -> Option<Tls> {
        let client = match (&raw.tls_certificate_file, &raw.tls_key_file) {
            (Some(certificate), Some(key)) => Some(ClientIdentity {
                certificate_file: self.readable("mqtt.tls_certificate_file", certificate),
                key_file: self.readable("mqtt.tls_key_file", key),
            }),
            (Some(_), None) => {
                self.missing("mqtt.tls_key_file", "mqtt.tls_certificate_file needs its key");
                None
            }
            (None, Some(_)) => {
                self.missing("mqtt.tls_certificate_file", "mqtt.tls_key_file needs its certificate");
                None
            }
            (None, None) => None,
        };
        let Some(ca_file) = &raw.tls_ca_file else {
            if client.is_some() {
                self.missing("mqtt.tls_ca_file", "name the certificate authorities to trust, TLS needs them");
            }
            return None;
        };
        Some(Tls { ca_file: self.readable("mqtt.tls_ca_file", ca_file), client })
    }

    /// The path of a file; a note when it can't be read now, since certificates are read again at each connect.
    fn readable(&mut self, key: &str, path: &str) -> PathBuf {
        let path = self.path(path);
        if let Err(error) = File::open(&path) {
            self.notes.push(format!(
                "{key}: {} can't be read now ({error}); it is tried again at each connect",
                path.display()
            ));
        }
        path
    }

    fn credentials(&mut self, raw: &raw::mqtt::Mqtt) -> Option<Credentials> {
        let ways = [
            ("password", raw.password.is_some()),
            ("password_file", raw.password_file.is_some()),
            ("password_credential", raw.password_credential.is_some()),
        ];
        let given: Vec<&str> = ways.iter().filter(|(_, is_given)| *is_given).map(|(name, _)| *name).collect();
        if let [_, second, ..] = given.as_slice() {
            self.problem(&format!("mqtt.{second}"), format!("there is mqtt.{} too; keep one of them", given[0]));
        }
        let Some(user) = raw.username.clone() else {
            if let Some(first) = given.first() {
                self.problem(&format!("mqtt.{first}"), "there is no mqtt.username; set it");
            }
            return None;
        };
        let password = if let Some(password) = &raw.password {
            Some(password.clone())
        } else if let Some(path) = &raw.password_file {
            let path = self.path(path);
            self.secret("mqtt.password_file", &path)
        } else if let Some(name) = &raw.password_credential {
            self.credential(name)
        } else {
            self.problem(
                "mqtt.username",
                "there is no password for it; set mqtt.password_file, or one of the other two",
            );
            None
        };
        Some(Credentials { user, password: Password::new(password.unwrap_or_default()) })
    }

    fn credential(&mut self, name: &str) -> Option<String> {
        let key = "mqtt.password_credential";
        if name.contains('/') || name.starts_with('.') {
            self.problem(key, format!("\"{name}\" is a path; give the name in the unit's LoadCredential="));
            return None;
        }
        match self.environment.get(CREDENTIALS_DIRECTORY) {
            Some(folder) => self.secret(key, &Path::new(folder).join(name)),
            None => {
                self.unread(
                    key,
                    format!("there are no credentials here; add LoadCredential={name}:FILE to the systemd unit"),
                );
                None
            }
        }
    }

    fn secret(&mut self, key: &str, path: &Path) -> Option<String> {
        match first_line(path) {
            Ok(line) if line.is_empty() => {
                self.problem(key, format!("the first line of {} is empty; write the password there", path.display()));
                None
            }
            Ok(line) => Some(line),
            Err(error) => {
                self.unread(
                    key,
                    format!("{} can't be read ({error}); check the path and who may read it", path.display()),
                );
                None
            }
        }
    }

    /// A secret that could not be read: the daemon can't start without it, `check-config` can.
    fn unread(&mut self, key: &str, message: String) {
        match self.secrets {
            Secrets::Read => self.problem(key, message),
            Secrets::Probe => self.notes.push(format!("{key}: {message}")),
        }
    }
}

fn first_line(path: &Path) -> std::io::Result<String> {
    let mut line = String::new();
    BufReader::new(File::open(path)?.take(PASSWORD_BYTES_MAX)).read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
