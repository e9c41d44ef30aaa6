//! The embedded default broker (rumqttd), for a machine that has none. It keeps nothing on disk: after a restart every
//! retained message is published again by whoever owns it.
//!
//! It is the one part of the daemon, beside `app`, that starts threads: rumqttd's own (router, server).

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use clawdbot_flow::limits::MQTT_PACKET_TAKEN_BYTES_MAX;
use rumqttd::{Broker, Config, ConnectionSettings, RouterConfig, ServerSettings};

/// How many ports are tried, from the one asked for upwards.
const PORTS_TRIED: u16 = 20;
/// Each subscription filter keeps its last messages for its subscribers in a log of so many segments ...
const SEGMENTS_MAX: usize = 2;
/// ... of so many bytes. rumqttd's default, 10 x 100 MiB a filter, is more memory than a small board has. A subscriber
/// that falls further behind than these loses the oldest messages.
const SEGMENT_BYTES_MAX: usize = 256 * 1024;
/// Clients at one time: us, Home Assistant, a few people who look.
const CLIENTS_MAX: usize = 64;
/// Messages to one client that may wait for its acknowledgement.
const IN_FLIGHT_MAX: usize = 100;
/// Messages that the router gives to one client before it turns to the next.
const OUTGOING_MAX: u64 = 200;
/// How long a client may take from TCP to CONNECT.
const CONNECT_MS_MAX: u16 = 5_000;
/// How long the server may take to answer its first connection.
const START_WITHIN: Duration = Duration::from_secs(2);
/// How often we look whether it does.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Where the broker listens and for whom.
#[derive(Clone)]
pub(crate) struct Options {
    /// The address to listen on; if its port is taken, the next free one. Anything but loopback needs a `login`.
    pub(crate) listen: SocketAddr,
    /// User name and password that clients must give; `None` lets anybody in who reaches the address.
    pub(crate) login: Option<(String, String)>,
}

/// Why there is no broker.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BrokerError {
    /// Anybody in the network could connect.
    #[error(
        "the embedded broker would let everybody in who reaches {0}: set a user and a password, or listen on 127.0.0.1"
    )]
    Open(SocketAddr),
    /// No port is free.
    #[error(
        "the embedded broker finds no free port from {0} on ({PORTS_TRIED} tried): stop what listens there, or name \
         another port"
    )]
    NoPort(SocketAddr),
    /// The address cannot be used at all.
    #[error("the embedded broker cannot listen on {address}: {source}; check that this machine has that address")]
    Address {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// rumqttd does not come up.
    #[error("the embedded broker did not come up on {0} within 2 s; its log says why")]
    Silent(SocketAddr),
    /// The thread cannot be started.
    #[error("the embedded broker's thread cannot be started: {0}; the system is out of threads or memory")]
    Thread(io::Error),
}

/// A broker that listens. It ends with the process: rumqttd cannot be stopped.
#[derive(Debug)]
pub(crate) struct Running {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    thread: JoinHandle<()>,
}

impl Running {
    /// Whether its server still runs.
    pub(crate) fn is_alive(&self) -> bool {
        !self.thread.is_finished()
    }
}

/// Starts the broker and waits until it answers, 2 s at most a port.
///
/// # Errors
/// [`BrokerError`] says why there is none.
pub(crate) fn start(options: &Options) -> Result<Running, BrokerError> {
    if options.login.is_none() && !options.listen.ip().is_loopback() {
        return Err(BrokerError::Open(options.listen));
    }
    let first = options.listen.port();
    for port in first..=first.saturating_add(PORTS_TRIED - 1) {
        let wanted = SocketAddr::new(options.listen.ip(), port);
        // rumqttd only logs a failure to bind, so ask before it does. Somebody may take the port in between: then its
        // thread ends, and the next port has its turn.
        let address = match TcpListener::bind(wanted).and_then(|listener| listener.local_addr()) {
            Ok(address) => address,
            Err(error) if matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied) => {
                continue;
            }
            Err(source) => return Err(BrokerError::Address { address: wanted, source }),
        };
        if let Some(running) = serve(address, options.login.clone())? {
            tracing::info!(%address, open = options.login.is_none(), "the embedded MQTT broker listens");
            return Ok(running);
        }
    }
    Err(BrokerError::NoPort(options.listen))
}

/// Runs rumqttd on `address`; `None` when it lost the port to somebody else.
fn serve(address: SocketAddr, login: Option<(String, String)>) -> Result<Option<Running>, BrokerError> {
    let mut broker = Broker::new(config(address, login));
    let thread = thread::Builder::new()
        .name("broker".to_owned())
        .spawn(move || {
            if let Err(error) = broker.start() {
                tracing::error!(%error, "the embedded broker ended; restart the daemon");
            }
        })
        .map_err(BrokerError::Thread)?;
    let running = Running { address, thread };
    for _ in 0..START_WITHIN.as_millis() / LOOK_EVERY.as_millis() {
        thread::sleep(LOOK_EVERY);
        if !running.is_alive() {
            return Ok(None);
        }
        if TcpStream::connect_timeout(&address, START_WITHIN).is_ok() {
            return Ok(Some(running));
        }
    }
    Err(BrokerError::Silent(address))
}

fn config(address: SocketAddr, login: Option<(String, String)>) -> Config {
    let connections = ConnectionSettings {
        connection_timeout_ms: CONNECT_MS_MAX,
        max_payload_size: MQTT_PACKET_TAKEN_BYTES_MAX,
        max_inflight_count: IN_FLIGHT_MAX,
        auth: login.map(|(user, password)| HashMap::from([(user, password)])),
        external_auth: None,
        dynamic_filters: false,
    };
    let server = ServerSettings {
        name: "mqtt".to_owned(),
        listen: address,
        tls: None,
        next_connection_delay_ms: 1,
        connections,
    };
    let router = RouterConfig {
        max_connections: CLIENTS_MAX,
        max_outgoing_packet_count: OUTGOING_MAX,
        max_segment_size: SEGMENT_BYTES_MAX,
        max_segment_count: SEGMENTS_MAX,
        // rumqttd throws a publisher out whose topic matches no filter that anybody has ever subscribed to.
        initialized_filters: Some(vec!["#".to_owned()]),
        ..RouterConfig::default()
    };
    Config { router, v4: Some(HashMap::from([("mqtt".to_owned(), server)])), ..Config::default() }
}

#[cfg(test)]
mod tests;
