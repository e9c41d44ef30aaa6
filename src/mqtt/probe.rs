//! One knock at the broker's door, for `clawdbot doctor`: how far it comes, and what turns it away.
//!
//! It goes the way of the daemon, with the same files, but step by step, so that each step's failure can be told apart;
//! without a last will, and under a client id of its own, so that it disturbs no daemon that runs.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use clawdbot_flow::clock::{Clock, Monotonic};
use clawdbot_flow::limits::MQTT_PACKET_TAKEN_BYTES_MAX;
use rumqttc::ConnectReturnCode;
use rumqttc::mqttbytes::v4::{Connect, Packet};
use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConnection, StreamOwned};

use super::options::Options;
use super::tls;

/// Bytes of a CONNACK.
const ANSWER_BYTES: usize = 4;
/// The first byte of a TLS alert, which a TLS server sends to whoever speaks plainly.
const TLS_ALERT: u8 = 0x15;
/// DISCONNECT, whole.
const DISCONNECT: [u8; 2] = [0xe0, 0];

/// How far to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Knock {
    /// Up to the broker's answer.
    Login,
    /// Up to the open connection: the password is not known here.
    Connection,
}

/// How far it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Our own certificate files are no good; the text says which and why.
    Files(String),
    /// The host's name has no address.
    Unresolved(String),
    /// Something at that address says no: nothing listens there.
    Refused,
    /// No TCP connection for another reason.
    Unreached(String),
    /// The broker's certificate names another host; the text says which.
    OtherName(String),
    /// The broker's certificate is signed by somebody whom our authorities do not know.
    UnknownAuthority,
    /// The broker's certificate is past its time, or before it, by our clock; the text says.
    OutOfTime(String),
    /// The broker does not speak TLS there.
    NoTls,
    /// TLS fails otherwise; the text says how.
    Handshake(String),
    /// The broker wants TLS and we spoke plainly.
    WantsTls,
    /// It is open and says nothing.
    Silent,
    /// It was closed before an answer came.
    Closed,
    /// What answers is no MQTT broker.
    Stranger,
    /// It turns our login away.
    WrongLogin,
    /// It turns us away for another reason.
    TurnedAway(&'static str),
    /// The connection is open; no login was tried.
    Open {
        /// The broker's certificate (DER), if it showed one.
        certificate: Option<Vec<u8>>,
    },
    /// It took our login.
    Accepted {
        /// As above.
        certificate: Option<Vec<u8>>,
    },
}

/// Knocks once and goes away again, within `patience`; looking the name up may take what the system allows for it.
pub(crate) fn probe(options: &Options, knock: Knock, patience: Duration, clock: &dyn Clock) -> Reach {
    match conversation(options, knock, patience, clock) {
        Ok(reach) | Err(reach) => reach,
    }
}

/// A connection that gives up at its deadline.
struct Patient<'a> {
    stream: TcpStream,
    clock: &'a dyn Clock,
    deadline: Monotonic,
}

impl Patient<'_> {
    fn left(&self) -> io::Result<Duration> {
        let left = self.deadline.since(self.clock.monotonic());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
    }
}

/// A socket's own deadline shows as "would block".
fn timed_out(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::WouldBlock { io::ErrorKind::TimedOut.into() } else { error }
}

impl Read for Patient<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(self.left()?))?;
        self.stream.read(buffer).map_err(timed_out)
    }
}

impl Write for Patient<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(self.left()?))?;
        self.stream.write(buffer).map_err(timed_out)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

fn conversation(options: &Options, knock: Knock, patience: Duration, clock: &dyn Clock) -> Result<Reach, Reach> {
    let (host, port) = options.address();
    let config = options.tls.as_ref().map(tls::client_config).transpose();
    let config = config.map_err(|error| Reach::Files(error.to_string()))?;
    let stream = connect(&host, port, patience, clock)?;
    let Some(config) = config else {
        let mut stream = stream;
        return match knock {
            Knock::Connection => Ok(Reach::Open { certificate: None }),
            Knock::Login => log_in(options, &mut stream).map(|()| Reach::Accepted { certificate: None }),
        };
    };
    let name =
        ServerName::try_from(host.clone()).map_err(|_| Reach::Handshake(format!("`{host}` is no name for TLS")))?;
    let connection = ClientConnection::new(config, name).map_err(|error| Reach::Handshake(error.to_string()))?;
    let mut stream = StreamOwned::new(connection, stream);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock).map_err(|error| handshake(&error))?;
    }
    let certificate = stream.conn.peer_certificates().and_then(<[_]>::first).map(|leaf| leaf.to_vec());
    match knock {
        Knock::Connection => Ok(Reach::Open { certificate }),
        Knock::Login => log_in(options, &mut stream).map(|()| Reach::Accepted { certificate }),
    }
}

fn connect<'a>(host: &str, port: u16, patience: Duration, clock: &'a dyn Clock) -> Result<Patient<'a>, Reach> {
    let addresses = (host, port).to_socket_addrs().map_err(|error| Reach::Unresolved(error.to_string()))?;
    let deadline = clock.monotonic().plus(patience);
    let mut last = Reach::Unresolved("it has no address".to_owned());
    for address in addresses {
        let left = deadline.since(clock.monotonic());
        if left.is_zero() {
            break;
        }
        match TcpStream::connect_timeout(&address, left) {
            Ok(stream) => {
                return Ok(Patient { stream, clock, deadline });
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => last = Reach::Refused,
            Err(error) => last = Reach::Unreached(error.to_string()),
        }
    }
    Err(last)
}

/// CONNECT, the answer to it, DISCONNECT.
fn log_in(options: &Options, stream: &mut (impl Read + Write)) -> Result<(), Reach> {
    let mut connect = Connect::new(options.client_id());
    if let Some(credentials) = &options.credentials {
        connect.set_login(&credentials.user, credentials.password.reveal());
    }
    let mut packet = Default::default();
    connect.write(&mut packet).map_err(|error| Reach::Handshake(error.to_string()))?;
    let mut answer = [0; ANSWER_BYTES];
    stream
        .write_all(&packet)
        .and_then(|()| stream.flush())
        .and_then(|()| stream.read_exact(&mut answer))
        .map_err(|error| unanswered(&error, options.tls.is_some(), answer[0]))?;
    if answer[0] == TLS_ALERT {
        return Err(Reach::WantsTls);
    }
    match Packet::read(&mut answer.as_slice().into(), MQTT_PACKET_TAKEN_BYTES_MAX) {
        Ok(Packet::ConnAck(answer)) => accepted(answer.code)?,
        Ok(_) | Err(_) => return Err(Reach::Stranger),
    }
    // Whether it hears that we go does not matter: there is no will to be published.
    drop(stream.write_all(&DISCONNECT).and_then(|()| stream.flush()));
    Ok(())
}

fn accepted(code: ConnectReturnCode) -> Result<(), Reach> {
    match code {
        ConnectReturnCode::Success => Ok(()),
        ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized => Err(Reach::WrongLogin),
        ConnectReturnCode::RefusedProtocolVersion => Err(Reach::TurnedAway("it does not speak MQTT 3.1.1")),
        ConnectReturnCode::BadClientId => Err(Reach::TurnedAway("it does not allow our client id")),
        ConnectReturnCode::ServiceUnavailable => Err(Reach::TurnedAway("it is not available now")),
    }
}

/// Why no answer came; `first` is its first byte, if that much came.
fn unanswered(error: &io::Error, is_tls: bool, first: u8) -> Reach {
    match error.kind() {
        io::ErrorKind::TimedOut => Reach::Silent,
        // With TLS 1.3 a broker that does not like our certificate says so only now.
        _ if is_tls && tls_error(error).is_some() => handshake(error),
        _ if !is_tls && first == TLS_ALERT => Reach::WantsTls,
        _ => Reach::Closed,
    }
}

fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

fn handshake(error: &io::Error) -> Reach {
    use CertificateError::{
        Expired, ExpiredContext, NotValidForName, NotValidForNameContext, NotValidYet, NotValidYetContext,
        UnknownIssuer,
    };
    let Some(reason) = tls_error(error) else {
        return match error.kind() {
            io::ErrorKind::TimedOut => Reach::Silent,
            _ => Reach::NoTls,
        };
    };
    match reason {
        rustls::Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. }) => {
            Reach::OtherName(reason.to_string())
        }
        rustls::Error::InvalidCertificate(UnknownIssuer) => Reach::UnknownAuthority,
        rustls::Error::InvalidCertificate(
            Expired | ExpiredContext { .. } | NotValidYet | NotValidYetContext { .. },
        ) => Reach::OutOfTime(reason.to_string()),
        rustls::Error::InvalidMessage(_) => Reach::NoTls,
        _ => Reach::Handshake(reason.to_string()),
    }
}

#[cfg(test)]
#[cfg(feature = "broker")]
mod tests;
