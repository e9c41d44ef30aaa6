//! Against real brokers: the embedded one, Mosquitto where it is installed, and small listeners that misbehave.

mod brokers;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Mutex;
use std::time::Duration;

use clawdbot_flow::clock::SystemClock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use self::brokers::{Mosquitto, Subscriber, embedded};
use super::super::link::LinkState;
use super::super::message::Kind;
use super::super::{Broker, ClientIdentity, Credentials, Password, Publisher, Tls, channel};
use super::*;

const STATUS: &str = "clawdbot/v1/porch/status";
const EVENTS: &str = "clawdbot/v1/porch/camera/front/event";

/// A client under test and the ways to end it.
struct Client {
    publisher: Publisher,
    stop: oneshot::Sender<()>,
    task: JoinHandle<u64>,
    /// Verb and payload of each command that arrived.
    commands: Arc<Mutex<Vec<(String, String)>>>,
}

impl Client {
    fn start(address: SocketAddr) -> Self {
        Self::with(address, None, None)
    }

    fn with(address: SocketAddr, credentials: Option<Credentials>, tls: Option<Tls>) -> Self {
        // Certificates are made for a name.
        let host = if tls.is_some() { "localhost".to_owned() } else { address.ip().to_string() };
        let options = Options {
            node: "porch".to_owned(),
            prefix: "clawdbot/v1".to_owned(),
            broker: Broker::External { host, port: address.port() },
            credentials,
            tls,
            keep_alive: Duration::from_secs(30),
            install_id: "3f9a1c".to_owned(),
        };
        let (publisher, inbox) = channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async {
            // Without its sender, nobody will ever stop it.
            if stopped.await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        let commands = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&commands);
        let listener: super::Listener = Box::new(move |verb, payload| {
            heard.lock().unwrap().push((verb.to_owned(), String::from_utf8_lossy(payload).into_owned()));
        });
        let task = tokio::spawn(run(options, inbox, listener, Arc::new(SystemClock::new()), 7, shutdown));
        Self { publisher, stop, task, commands }
    }

    fn publish(&self, kind: Kind, topic: &str, payload: impl Into<Vec<u8>>) {
        self.publisher.publish(Message { topic: topic.to_owned(), payload: payload.into(), kind }).unwrap();
    }

    fn link(&self) -> LinkState {
        self.publisher.link().state()
    }

    async fn connected(&self) {
        eventually("the client is connected", || self.link().connected_since.is_some()).await;
    }

    async fn stop(self) -> u64 {
        self.stop.send(()).unwrap();
        tokio::time::timeout(Duration::from_secs(6), self.task).await.expect("a stop takes less than 5 s").unwrap()
    }
}

/// Waits until `condition` holds; far longer than it ever takes on a machine that is not ill.
async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    for _ in 0..3_000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not within 30 s: {what}");
}

#[tokio::test]
async fn a_broker_absent_at_the_start_is_tried_again_visibly_and_gets_everything_later() {
    // A port that is free now; the broker takes it later.
    let address = free_address();
    let client = Client::start(address);
    client.publish(Kind::Event, EVENTS, "early");
    eventually("two attempts", || client.link().attempts >= 2).await;
    let link = client.link();
    let reason = link.last_error.expect("the reason is kept");
    assert!(reason.contains(&address.to_string()) && reason.contains("check that it runs"), "{reason}");
    assert_eq!((link.connected_since, link.queued), (None, 2), "`online` and the event wait");

    let broker = crate::broker::start(&crate::broker::Options { listen: address, login: None }).unwrap();
    assert_eq!(broker.address, address);
    let subscriber = Subscriber::start(address, "#").await;
    client.connected().await;
    eventually("the retained status", || subscriber.payloads(STATUS).contains(&"online".to_owned())).await;
    eventually("all acknowledged", || client.link().queued == 0).await;
    assert_eq!(client.link().last_error, None);
}

#[tokio::test]
async fn a_broker_that_closes_after_connect_is_tried_again_visibly() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let client = Client::start(listener.local_addr().unwrap());
    for _ in 0..2 {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut connect = [0; 512];
        assert!(stream.read(&mut connect).await.unwrap() > 0);
    }
    eventually("two attempts", || client.link().attempts == 2 && client.link().next_retry.is_some()).await;
    let reason = client.link().last_error.unwrap();
    assert!(reason.contains("closed the connection"), "{reason}");
    assert_eq!(client.stop().await, 1, "`online` was never delivered");
}

#[tokio::test]
async fn an_id_used_twice_is_detected_over_a_real_connection() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let client = Client::start(listener.local_addr().unwrap());
    let conflict = || client.link().last_error.filter(|reason| reason.contains("another client uses"));
    // Three rounds do it, unless the machine stalls for longer than a short life may last.
    for _ in 0..8 {
        if conflict().is_some() {
            break;
        }
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut connect = [0; 512];
        assert!(stream.read(&mut connect).await.unwrap() > 0);
        const CONNACK: [u8; 4] = [0x20, 0x02, 0x00, 0x00];
        stream.write_all(&CONNACK).await.unwrap();
        client.connected().await;
        drop(stream);
        eventually("the loss is noticed", || client.link().connected_since.is_none()).await;
    }
    let reason = conflict().expect("the conflict is detected");
    assert!(reason.contains("the MQTT client id porch-3f9a1c"), "{reason}");
}

#[tokio::test]
async fn the_largest_packet_goes_through_and_a_larger_one_never_starts() {
    let address = embedded();
    let subscriber = Subscriber::start(address, "#").await;
    let client = Client::start(address);
    client.connected().await;
    let empty = Message { topic: EVENTS.to_owned(), payload: Vec::new(), kind: Kind::Event };
    let largest = MQTT_PACKET_BYTES_MAX - empty.packet_bytes();
    client.publish(Kind::Event, EVENTS, vec![b'x'; largest]);
    let oversized = Message { payload: vec![b'x'; largest + 1], ..empty };
    assert!(client.publisher.publish(oversized).is_err());
    client.publish(Kind::Event, EVENTS, "after");
    eventually("both arrive", || subscriber.payloads(EVENTS).len() == 2).await;
    let lengths: Vec<usize> = subscriber.payloads(EVENTS).iter().map(String::len).collect();
    assert_eq!(lengths, [largest, 5]);
    assert_eq!((client.link().attempts, client.link().dropped), (1, 1), "the connection lives on");
}

#[tokio::test]
async fn a_death_is_told_by_the_last_will() {
    let address = embedded();
    let subscriber = Subscriber::start(address, STATUS).await;
    let client = Client::start(address);
    eventually("online", || subscriber.payloads(STATUS) == ["online"]).await;
    client.task.abort();
    eventually("offline", || subscriber.payloads(STATUS) == ["online", "offline"]).await;
    let late = Subscriber::start(address, STATUS).await;
    eventually("the will is retained", || late.payloads(STATUS) == ["offline"]).await;
}

#[tokio::test]
async fn a_clean_stop_delivers_all_then_says_offline() {
    let address = embedded();
    let subscriber = Subscriber::start(address, "#").await;
    let client = Client::start(address);
    client.connected().await;
    let expected: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    for number in &expected {
        client.publish(Kind::Event, EVENTS, number.as_str());
    }
    assert_eq!(client.stop().await, 0);
    eventually("offline", || subscriber.payloads(STATUS) == ["online", "offline"]).await;
    assert_eq!(subscriber.payloads(EVENTS), expected);
}

#[tokio::test]
async fn samples_go_out_while_connected() {
    let address = embedded();
    let subscriber = Subscriber::start(address, "#").await;
    let client = Client::start(address);
    client.connected().await;
    client.publish(Kind::Sample, "clawdbot/v1/porch/stats", "{}");
    eventually("the sample", || subscriber.payloads("clawdbot/v1/porch/stats") == ["{}"]).await;
}

#[tokio::test]
async fn a_wrong_password_is_named_and_not_shown() {
    let login = Some(("porch".to_owned(), "right".to_owned()));
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let broker = crate::broker::start(&crate::broker::Options { listen, login }).unwrap();
    let credentials =
        |password: &str| Some(Credentials { user: "porch".to_owned(), password: Password::new(password.to_owned()) });
    let client = Client::with(broker.address, credentials("wrong-1234"), None);
    eventually("a refusal", || client.link().last_error.is_some()).await;
    let reason = client.link().last_error.unwrap();
    assert!(!reason.contains("wrong-1234"), "{reason}");
    let client = Client::with(broker.address, credentials("right"), None);
    client.connected().await;
}

/// The case that loses every message with rumqttc's own queue: the broker stalls, messages pile up, it dies and comes
/// back without a memory of us.
#[tokio::test]
async fn a_broker_that_stalls_dies_and_comes_back_gets_every_event_in_order() {
    let Some(mut broker) = Mosquitto::start("") else { return };
    let subscriber = Subscriber::persistent(broker.address, "#").await;
    broker.save().await;
    let client = Client::start(broker.address);
    client.connected().await;
    client.publish(Kind::State, "clawdbot/v1/porch/health", "fine");
    eventually("both states are there", || client.link().acknowledged == 2).await;
    let expected: Vec<String> = (0..200).map(|number| number.to_string()).collect();
    broker.freeze();
    for number in &expected[..100] {
        client.publish(Kind::Event, EVENTS, number.as_str());
    }
    eventually("some are on the wire", || client.link().published >= 2 + 16).await;
    broker.kill();
    eventually("the loss is noticed", || client.link().connected_since.is_none()).await;
    for number in &expected[100..] {
        client.publish(Kind::Event, EVENTS, number.as_str());
    }
    broker.restart();
    client.connected().await;
    eventually("every event", || distinct(subscriber.payloads(EVENTS)).len() == 200).await;
    assert_eq!(distinct(subscriber.payloads(EVENTS)), expected);
    eventually("states are back", || {
        let late = subscriber.payloads("clawdbot/v1/porch/health");
        late.len() >= 2 && late.iter().all(|payload| payload == "fine")
    })
    .await;
    assert_eq!(client.stop().await, 0);
}

/// A retained command is history: whoever connects later must not obey it.
#[tokio::test]
async fn commands_arrive_and_retained_ones_are_ignored() {
    let mosquitto = Mosquitto::start("");
    for address in mosquitto.iter().map(|broker| broker.address).chain([embedded()]) {
        let first = Client::start(address);
        first.connected().await;
        let heard = |client: &Client| client.commands.lock().unwrap().clone();
        first.publish(Kind::State, "clawdbot/v1/porch/cmd/old", "1");
        eventually("a command", || !heard(&first).is_empty()).await;
        first.stop().await;
        let second = Client::start(address);
        second.connected().await;
        second.publish(Kind::Event, "clawdbot/v1/porch/cmd/ask/further", "2");
        second.publish(Kind::Event, "clawdbot/v1/other/cmd/ask", "3");
        second.publish(Kind::Event, "clawdbot/v1/porch/cmd/ask", "4");
        eventually("the new command", || !heard(&second).is_empty()).await;
        assert_eq!(heard(&second), [("ask".to_owned(), "4".to_owned())]);
        second.stop().await;
    }
}

#[tokio::test]
async fn tls_works_both_ways_and_a_wrong_authority_is_named() {
    let files = brokers::certificates();
    let path = |name: &str| files.path().join(name);
    let config = format!(
        "cafile {}\ncertfile {}\nkeyfile {}\nrequire_certificate true\nuse_identity_as_username true",
        path("ca.pem").display(),
        path("server.pem").display(),
        path("server.key").display()
    );
    let Some(broker) = Mosquitto::start(&config) else { return };
    let client = ClientIdentity { certificate_file: path("client.pem"), key_file: path("client.key") };
    let good = Tls { ca_file: path("ca.pem"), client: Some(client.clone()) };
    Client::with(broker.address, None, Some(good)).connected().await;

    let refused = |tls: Tls| async {
        let client = Client::with(broker.address, None, Some(tls));
        eventually("a refusal", || client.link().last_error.is_some()).await;
        client.link().last_error.unwrap()
    };
    let reason = refused(Tls { ca_file: path("other-ca.pem"), client: Some(client.clone()) }).await;
    assert!(reason.contains("TLS handshake") && reason.contains("CA file"), "{reason}");
    let reason = refused(Tls { ca_file: path("missing.pem"), client: None }).await;
    assert!(reason.contains("missing.pem"), "{reason}");
    let reason = refused(Tls { ca_file: path("client.key"), client: None }).await;
    assert!(reason.contains("holds no certificate"), "{reason}");
    let mixed = ClientIdentity { key_file: path("server.key"), ..client };
    let reason = refused(Tls { ca_file: path("ca.pem"), client: Some(mixed) }).await;
    assert!(reason.contains("belong together"), "{reason}");
}

fn free_address() -> SocketAddr {
    std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

/// The first arrival of each, in order: QoS 1 may deliver twice.
fn distinct(payloads: Vec<String>) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    payloads.into_iter().filter(|payload| seen.insert(payload.clone())).collect()
}
