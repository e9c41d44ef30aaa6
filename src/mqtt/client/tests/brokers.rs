//! Brokers and a subscriber for the client's tests.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clawdbot_flow::limits::MQTT_PACKET_BYTES_MAX;
use rumqttc::{AsyncClient, Event, Incoming, MqttOptions, QoS};
use tempfile::TempDir;
use tokio::task::JoinHandle;

/// An embedded broker on a free port; it lives as long as the test process.
pub(super) fn embedded() -> SocketAddr {
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    crate::broker::start(&crate::broker::Options { listen, login: None }).unwrap().address
}

/// A Mosquitto of our own that can stall, die and come back on the same port.
pub(super) struct Mosquitto {
    pub(super) address: SocketAddr,
    directory: TempDir,
    process: Child,
}

impl Mosquitto {
    /// Starts it with `config` added; `None`, said aloud, where it is not installed and not required.
    pub(super) fn start(config: &str) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let address = super::free_address();
        let here = directory.path().display();
        let text = format!(
            "listener {} 127.0.0.1\nallow_anonymous true\nuser root\npersistence true\npersistence_location {here}/\n\
             max_queued_messages 0\n{config}\n",
            address.port()
        );
        std::fs::write(directory.path().join("mosquitto.conf"), text).unwrap();
        match spawn(&directory) {
            Ok(process) => {
                let broker = Self { address, directory, process };
                broker.answers();
                Some(broker)
            }
            Err(error) => {
                let required = std::env::var_os("CLAWDBOT_REQUIRE_DATA").is_some_and(|value| value == "1");
                assert!(!required, "mosquitto is required (CLAWDBOT_REQUIRE_DATA=1) but cannot be started: {error}");
                // Written past the test runner's capture, which shows nothing of a test that passes.
                let notice = format!("SKIPPED: mosquitto cannot be started ({error}); apt-get install mosquitto\n");
                std::io::Write::write_all(&mut std::io::stderr(), notice.as_bytes()).unwrap();
                None
            }
        }
    }

    fn answers(&self) {
        for _ in 0..3_000 {
            if TcpStream::connect(self.address).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("mosquitto does not answer on {}", self.address);
    }

    /// Has it write its subscriptions to disk, so that they survive a `kill`.
    pub(super) async fn save(&self) {
        self.signal("USR1");
        super::eventually("the database", || self.directory.path().join("mosquitto.db").exists()).await;
    }

    /// It goes on existing but does nothing.
    pub(super) fn freeze(&self) {
        self.signal("STOP");
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args(["-s", signal, &self.process.id().to_string()]).status().unwrap();
        assert!(sent.success(), "kill -s {signal}: {sent}");
    }

    pub(super) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    pub(super) fn restart(&mut self) {
        self.process = spawn(&self.directory).unwrap();
        self.answers();
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        // It may be dead already.
        let _dead = self.process.kill().and_then(|()| self.process.wait());
    }
}

fn spawn(directory: &TempDir) -> std::io::Result<Child> {
    let spawn = |program: &str| {
        Command::new(program)
            .arg("-c")
            .arg(directory.path().join("mosquitto.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
    };
    // Debian keeps it out of an ordinary user's PATH.
    spawn("mosquitto").or_else(|_| spawn("/usr/sbin/mosquitto"))
}

/// Collects what a broker delivers; connects again whenever it must.
pub(super) struct Subscriber {
    seen: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Seen {
    subscribed: bool,
    messages: Vec<(String, String)>,
}

impl Subscriber {
    /// Subscribes to `filter`, and waits until it is.
    pub(super) async fn start(address: SocketAddr, filter: &str) -> Self {
        Self::new(address, filter, true).await
    }

    /// Subscribes in a way that the broker keeps messages for us while we are away.
    pub(super) async fn persistent(address: SocketAddr, filter: &str) -> Self {
        Self::new(address, filter, false).await
    }

    async fn new(address: SocketAddr, filter: &str, clean_session: bool) -> Self {
        static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let id = format!("subscriber-{}", COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        let mut options = MqttOptions::new(id, address.ip().to_string(), address.port());
        options.set_clean_session(clean_session).set_max_packet_size(2 * MQTT_PACKET_BYTES_MAX, 1024);
        let (client, mut event_loop) = AsyncClient::new(options, 16);
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (filter, collected) = (filter.to_owned(), Arc::clone(&seen));
        let task = tokio::spawn(async move {
            loop {
                match event_loop.poll().await {
                    Ok(Event::Incoming(Incoming::ConnAck(_))) => {
                        client.try_subscribe(&filter, QoS::AtLeastOnce).unwrap();
                    }
                    Ok(Event::Incoming(Incoming::SubAck(_))) => collected.lock().unwrap().subscribed = true,
                    Ok(Event::Incoming(Incoming::Publish(publish))) => {
                        let payload = String::from_utf8_lossy(&publish.payload).into_owned();
                        collected.lock().unwrap().messages.push((publish.topic, payload));
                    }
                    Ok(_) => {}
                    Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            }
        });
        super::eventually("the subscription", || seen.lock().unwrap().subscribed).await;
        Self { seen, task }
    }

    /// What came on `topic`, in order.
    pub(super) fn payloads(&self, topic: &str) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        seen.messages.iter().filter(|(of, _)| of == topic).map(|(_, payload)| payload.clone()).collect()
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A certificate authority, a server certificate for `localhost`, a client certificate, and an authority that signed
/// none of them.
pub(super) fn certificates() -> TempDir {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| std::fs::write(directory.path().join(name), text).unwrap();
    let authority = |name: &str| {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        (params.self_signed(&key).unwrap().pem(), Issuer::new(params, key))
    };
    let (certificate, issuer) = authority("clawdbot test authority");
    write("ca.pem", certificate);
    write("other-ca.pem", authority("another authority").0);
    for name in ["server", "client"] {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        write(&format!("{name}.pem"), params.signed_by(&key, &issuer).unwrap().pem());
        write(&format!("{name}.key"), key.serialize_pem());
    }
    directory
}
