//! What the MQTT room needs to know; `config` makes it.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The first levels of every topic, unless the configuration says otherwise.
pub(crate) const PREFIX_DEFAULT: &str = "clawdbot/v1";
/// How often the broker hears from us at least, unless the configuration says otherwise.
pub(crate) const KEEP_ALIVE_DEFAULT: Duration = Duration::from_secs(30);

/// Who we are, which broker we talk to, and how.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// This node's id, one topic level: `[a-z0-9_-]+`.
    pub(crate) node: String,
    /// The first levels of every topic, without a slash at either end; [`PREFIX_DEFAULT`].
    pub(crate) prefix: String,
    /// The broker.
    pub(crate) broker: Broker,
    /// User name and password, if the broker wants them.
    pub(crate) credentials: Option<Credentials>,
    /// TLS, if the broker wants it.
    pub(crate) tls: Option<Tls>,
    /// The longest silence between us and the broker: whole seconds, 5 s to 65 535 s.
    pub(crate) keep_alive: Duration,
    /// Tells two installations with the same node id apart: `[a-z0-9]+`, made once at the first start.
    pub(crate) install_id: String,
}

impl Options {
    /// The MQTT client id: node id and install id, so that no two daemons throw each other out.
    pub(crate) fn client_id(&self) -> String {
        format!("{}-{}", self.node, self.install_id)
    }

    /// The broker's host and port.
    pub(crate) fn address(&self) -> (String, u16) {
        match &self.broker {
            Broker::Embedded { listen } => (listen.ip().to_string(), listen.port()),
            Broker::External { host, port } => (host.clone(), *port),
        }
    }
}

/// Which broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Broker {
    /// Our own, on this address: the one where it really listens, see `broker::start`.
    Embedded {
        /// Where it listens.
        listen: SocketAddr,
    },
    /// Somebody else's.
    External {
        /// Host name or address; an IPv6 address without brackets.
        host: String,
        /// TCP port; 1883 by custom, 8883 with TLS.
        port: u16,
    },
}

/// A user name and its password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Credentials {
    /// The user name.
    pub(crate) user: String,
    /// The password.
    pub(crate) password: Password,
}

/// A password, which no log and no report ever shows.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Password(String);

impl Password {
    /// Wraps `password`.
    pub(crate) const fn new(password: String) -> Self {
        Self(password)
    }

    /// The password itself, for the CONNECT packet.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

/// Which certificates make a TLS connection. The files are read again at each connect, because broker certificates are
/// short-lived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tls {
    /// PEM file with the certificate authorities that we trust.
    pub(crate) ca_file: PathBuf,
    /// Our own certificate and key, if the broker wants to see them (mutual TLS).
    pub(crate) client: Option<ClientIdentity>,
}

/// A client certificate and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClientIdentity {
    /// PEM file with our certificate, then its chain.
    pub(crate) certificate_file: PathBuf,
    /// PEM file with the certificate's private key.
    pub(crate) key_file: PathBuf,
}

#[cfg(test)]
mod tests;
