//! Carries out what the session decides, over rumqttc.
//!
//! Each connect gets an event loop of its own: rumqttc replays packets and stale packet ids from one connection to the
//! next, and the session does that job better.

use std::future::Future;
use std::net::Ipv6Addr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use clawdbot_flow::clock::Clock;
use clawdbot_flow::limits::{MQTT_PACKET_BYTES_MAX, MQTT_PACKET_TAKEN_BYTES_MAX};
use rumqttc::{
    AsyncClient, ConnectReturnCode, ConnectionError, Event, EventLoop, Incoming, LastWill, MqttOptions, NetworkOptions,
    Outgoing, QoS, StateError, SubscribeReasonCode, TlsConfiguration, Transport,
};

use super::message::Message;
use super::options::Options;
use super::payload::OFFLINE;
use super::publisher::Inbox;
use super::session::{Action, IN_FLIGHT_MAX, Input, SAMPLES_MAX, Session};
use super::tls;
use super::topics::Topics;

/// TCP, TLS and CONNACK together may take so long.
const CONNECT_SECONDS_MAX: u64 = 5;
/// Packet ids go round after so many, which must leave room for acknowledgements out of order.
const PACKET_IDS: u16 = 256;
/// rumqttc's own queue: all that the session may have handed over and not yet seen written, a SUBSCRIBE, a DISCONNECT and
/// `offline` beside. It is never full; were it, the connection would be dropped.
const REQUESTS_MAX: usize = IN_FLIGHT_MAX + SAMPLES_MAX + 3;
/// The DISCONNECT of a clean stop may take so long to be written.
const PART_WITHIN: Duration = Duration::from_millis(500);

/// Somebody who is told of each command that arrives: its verb, its payload. Called on a tokio worker, so it must be quick
/// and never wait.
pub(crate) type Listener = Box<dyn Fn(&str, &[u8]) + Send + Sync>;

/// Publishes what comes through `inbox`, and tells `listener` of commands, until `shutdown` is ready, then empties the queues, says `offline` and parts,
/// within 5 s. Losing the broker is never an error: it is tried again with growing waits, visible in
/// [`super::Link::state`]. `seed` drives the jitter of those waits. Returns how many QoS 1 messages stayed unsent.
pub(crate) async fn run(
    options: Options,
    inbox: Inbox,
    listener: Listener,
    clock: Arc<dyn Clock>,
    seed: u64,
    shutdown: impl Future<Output = ()>,
) -> u64 {
    let topics = Topics::new(&options.prefix, &options.node);
    let status_topic = topics.status();
    let session = Session::new(options.client_id(), status_topic.clone(), seed);
    let (host, port) = options.address();
    let mut driver = Driver {
        options,
        topics,
        listener,
        status_topic,
        address: format!("{host}:{port}"),
        session,
        inbox,
        inbox_open: true,
        clock,
        shutdown: pin!(shutdown),
        stopping: false,
    };
    while driver.until_connect_is_due().await == Turn::Next {
        if driver.connection().await != Turn::Next {
            break;
        }
    }
    driver.session.link().queued
}

/// How a stretch of the driver's work ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// On with the next: connect, or wait for it.
    Next,
    /// The end, with a DISCONNECT first.
    Part,
    /// The end.
    End,
}

struct Driver<'a, S> {
    options: Options,
    topics: Topics,
    listener: Listener,
    status_topic: String,
    address: String,
    session: Session,
    inbox: Inbox,
    inbox_open: bool,
    clock: Arc<dyn Clock>,
    shutdown: Pin<&'a mut S>,
    stopping: bool,
}

impl<S: Future<Output = ()>> Driver<'_, S> {
    /// Without a connection: takes messages until it is time to connect, or to end.
    async fn until_connect_is_due(&mut self) -> Turn {
        loop {
            let actions = self.next_actions().await;
            if actions.contains(&Action::Connect) {
                return Turn::Next;
            }
            if actions.contains(&Action::End) {
                return Turn::End;
            }
        }
    }

    /// One connection from CONNECT to its end.
    async fn connection(&mut self) -> Turn {
        let options = match connect_options(&self.options, &self.status_topic).await {
            Ok(options) => options,
            Err(reason) => return turn_of(&self.tell(Input::Lost(reason))).unwrap_or(Turn::Next),
        };
        let (client, mut event_loop) = AsyncClient::new(options, REQUESTS_MAX);
        let mut network = NetworkOptions::new();
        network.set_connection_timeout(CONNECT_SECONDS_MAX);
        network.set_tcp_nodelay(true);
        event_loop.set_network_options(network);
        let turn = self.conversation(&client, &mut event_loop).await;
        if turn == Turn::Part && client.try_disconnect().is_ok() {
            disconnect_is_written(&mut event_loop).await;
        }
        turn
    }

    /// Feeds the session with what the broker and the publishers say, until the connection is over.
    async fn conversation(&mut self, client: &AsyncClient, event_loop: &mut EventLoop) -> Turn {
        loop {
            // A poll must not be cancelled half way through a connect or a packet: it lives on while others speak.
            let mut poll = pin!(event_loop.poll());
            let polled = loop {
                tokio::select! {
                    polled = &mut poll => break polled,
                    actions = self.next_actions() => {
                        if let Some(turn) = self.carry_out(client, actions) {
                            return turn;
                        }
                    }
                }
            };
            if let Ok(Event::Incoming(packet)) = &polled {
                self.hear(packet);
            }
            let Some(input) = input_of(polled, &self.address) else { continue };
            let lost = matches!(input, Input::Lost(_));
            // A broker may have forgotten us, so we subscribe at each connect.
            if input == Input::Connected
                && let Err(error) = client.try_subscribe(self.topics.commands(), QoS::AtLeastOnce)
            {
                tracing::warn!("commands will not arrive: {error}; this is a bug, report it");
            }
            let actions = self.tell(input);
            if let Some(turn) = self.carry_out(client, actions) {
                return turn;
            }
            if lost {
                return Turn::Next;
            }
        }
    }

    /// Takes a command. A retained one is history that the broker repeats to whoever comes, so it is ignored.
    fn hear(&self, packet: &Incoming) {
        match packet {
            Incoming::Publish(publish) => match self.topics.verb(&publish.topic) {
                Some(verb) if !publish.retain => (self.listener)(verb, &publish.payload),
                Some(verb) => tracing::warn!("a retained command \"{verb}\" was ignored; publish it without `retain`"),
                None => {}
            },
            Incoming::SubAck(answer) if answer.return_codes.contains(&SubscribeReasonCode::Failure) => tracing::warn!(
                broker = self.address,
                "the broker refuses our subscription to {}, so no command will arrive; allow it in the broker's access list",
                self.topics.commands()
            ),
            _ => {}
        }
    }

    /// Does what the session says; `Some` when the connection is over.
    fn carry_out(&mut self, client: &AsyncClient, actions: Vec<Action>) -> Option<Turn> {
        let turn = turn_of(&actions);
        for action in actions {
            let Action::Send(message) = action else { continue };
            if let Err(reason) = send(client, message) {
                return Some(turn_of(&self.tell(Input::Lost(reason))).unwrap_or(Turn::Next));
            }
        }
        turn
    }

    /// What the session says to the next thing that happens on our side: a message, its own deadline, the shutdown.
    async fn next_actions(&mut self) -> Vec<Action> {
        let now = self.clock.monotonic();
        let deadline = self.session.deadline();
        let alarm = tokio::time::sleep(deadline.map_or(Duration::MAX, |deadline| deadline.since(now)));
        tokio::select! {
            biased;
            () = &mut self.shutdown, if !self.stopping => self.stop(),
            () = alarm, if deadline.is_some() => self.tell(Input::Wake),
            message = self.inbox.messages.recv(), if self.inbox_open => match message {
                Some(message) => self.tell(Input::Publish(message)),
                None => {
                    self.inbox_open = false;
                    Vec::new()
                }
            },
        }
    }

    /// Takes what was published before the stop, and nothing after it.
    fn stop(&mut self) -> Vec<Action> {
        self.stopping = true;
        self.inbox.messages.close();
        let mut actions = Vec::new();
        while let Ok(message) = self.inbox.messages.try_recv() {
            actions.extend(self.tell(Input::Publish(message)));
        }
        actions.extend(self.tell(Input::Stop));
        actions
    }

    fn tell(&mut self, input: Input) -> Vec<Action> {
        let now = self.clock.monotonic();
        let change = match &input {
            Input::Connected | Input::Lost(_) => true,
            Input::Wake => self.session.link().connected_since.is_some(),
            _ => false,
        };
        let actions = self.session.on(input, now);
        let link = self.session.link();
        if change {
            match (&link.last_error, link.next_retry) {
                (Some(reason), Some(retry)) => {
                    let seconds = retry.since(now).as_secs_f64();
                    tracing::warn!(
                        broker = self.address,
                        attempt = link.attempts,
                        "{reason}; next try in {seconds:.1} s"
                    );
                }
                (None, None) => {
                    tracing::info!(broker = self.address, queued = link.queued, "connected to the MQTT broker")
                }
                _ => {}
            }
        }
        self.inbox.link.set(link);
        actions
    }
}

fn turn_of(actions: &[Action]) -> Option<Turn> {
    actions.iter().find_map(|action| match action {
        Action::Drop => Some(Turn::Next),
        Action::Part => Some(Turn::Part),
        Action::End => Some(Turn::End),
        Action::Connect | Action::Send(_) => None,
    })
}

fn send(client: &AsyncClient, message: Message) -> Result<(), String> {
    let qos = if message.kind.acknowledged() { QoS::AtLeastOnce } else { QoS::AtMostOnce };
    client
        .try_publish(message.topic, qos, message.kind.retained(), message.payload)
        .map_err(|error| format!("a message could not be handed to the MQTT client: {error}; this is a bug, report it"))
}

/// Polls until the DISCONNECT is on the wire, or its time is up.
async fn disconnect_is_written(event_loop: &mut EventLoop) {
    let written = async {
        while let Ok(event) = event_loop.poll().await {
            if event == Event::Outgoing(Outgoing::Disconnect) {
                return;
            }
        }
    };
    if tokio::time::timeout(PART_WITHIN, written).await.is_err() {
        tracing::debug!("the broker did not take our DISCONNECT; it will publish the last will");
    }
}

/// Everything that the CONNECT needs; reads the certificate files.
async fn connect_options(options: &Options, status_topic: &str) -> Result<MqttOptions, String> {
    let (host, port) = options.address();
    let is_ipv6 = host.parse::<Ipv6Addr>().is_ok();
    let host = if is_ipv6 && options.tls.is_none() { format!("[{host}]") } else { host };
    let mut connect = MqttOptions::new(options.client_id(), host, port);
    connect
        .set_keep_alive(options.keep_alive.max(Duration::from_secs(1)))
        .set_clean_session(true)
        .set_inflight(PACKET_IDS)
        .set_max_packet_size(MQTT_PACKET_TAKEN_BYTES_MAX, MQTT_PACKET_BYTES_MAX)
        .set_last_will(LastWill::new(status_topic, OFFLINE, QoS::AtLeastOnce, true));
    if let Some(credentials) = &options.credentials {
        connect.set_credentials(&credentials.user, credentials.password.reveal());
    }
    if let Some(tls) = options.tls.clone() {
        let config = tokio::task::spawn_blocking(move || tls::client_config(&tls))
            .await
            .map_err(|error| format!("reading the TLS certificates failed: {error}; this is a bug, report it"))?
            .map_err(|error| error.to_string())?;
        connect.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(config)));
    }
    Ok(connect)
}

/// What an event means to the session; `None` for what it need not know.
fn input_of(polled: Result<Event, ConnectionError>, address: &str) -> Option<Input> {
    match polled {
        Ok(Event::Incoming(Incoming::ConnAck(_))) => Some(Input::Connected),
        Ok(Event::Incoming(Incoming::PubAck(acknowledged))) => Some(Input::Acknowledged(acknowledged.pkid)),
        Ok(Event::Outgoing(Outgoing::Publish(packet_id))) => Some(Input::Taken(packet_id)),
        Ok(Event::Outgoing(Outgoing::AwaitAck(_))) => {
            let ids = PACKET_IDS;
            Some(Input::Lost(format!(
                "the MQTT broker at {address} left one of the last {ids} messages unacknowledged"
            )))
        }
        Ok(_) => None,
        Err(error) => Some(Input::Lost(sentence(&error, address))),
    }
}

/// `error` for people: what, why, what next.
fn sentence(error: &ConnectionError, address: &str) -> String {
    match error {
        ConnectionError::Io(error) => {
            format!(
                "cannot reach the MQTT broker at {address}: {error}; check that it runs and that the address is right"
            )
        }
        ConnectionError::NetworkTimeout | ConnectionError::FlushTimeout => format!(
            "the MQTT broker at {address} did not answer within {CONNECT_SECONDS_MAX} s; check the address, the port \
             and any firewall between"
        ),
        ConnectionError::Tls(error) => format!(
            "the TLS handshake with the MQTT broker at {address} failed: {error}; check the CA file, the host name in the \
             broker's certificate and, for mutual TLS, our own certificate"
        ),
        ConnectionError::ConnectionRefused(
            ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized,
        ) => {
            format!("the MQTT broker at {address} refused us: not authorised; check user name and password")
        }
        ConnectionError::ConnectionRefused(code) => {
            format!("the MQTT broker at {address} refused us ({code:?}); look at its log")
        }
        ConnectionError::MqttState(StateError::ConnectionAborted) => {
            format!("the MQTT broker at {address} closed the connection; look at its log")
        }
        ConnectionError::MqttState(StateError::AwaitPingResp) => {
            format!("the MQTT broker at {address} no longer answers pings; check that it and the network are alive")
        }
        error => format!("the connection to the MQTT broker at {address} broke: {error}; look at the broker's log"),
    }
}

#[cfg(test)]
#[cfg(feature = "broker")]
mod tests;
