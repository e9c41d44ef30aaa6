//! The daemon as its users meet it: the real program, a real broker, a subscriber beside it.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rumqttc::{Client, Event, MqttOptions, Packet, QoS};
use serde_json::Value;

use crate::schema::assert_valid;

/// Longer than anything here takes, even beside other load; only a failure waits for it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A running daemon; killed when the test ends.
pub(crate) struct Daemon {
    child: Child,
    pub(crate) port: u16,
    #[expect(dead_code, reason = "keeps the folder until the daemon has gone")]
    folder: tempfile::TempDir,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Starts the daemon with its own broker on a free port, as the node `test`, with `cameras` as the rest of its file.
pub(crate) fn start(cameras: &str, environment: &[(&str, &Path)]) -> Daemon {
    let port = free_port();
    start_with(port, &format!("listen = \"127.0.0.1:{port}\""), cameras, environment)
}

/// As [`start`], with `mqtt` as the file's section on the broker, which is or will be at `port`.
fn start_with(port: u16, mqtt: &str, cameras: &str, environment: &[(&str, &Path)]) -> Daemon {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clawdbot.toml");
    let mut file = std::fs::File::create(&path).unwrap();
    write!(file, "[node]\nname = \"test\"\n[mqtt]\n{mqtt}\n{cameras}").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_clawdbot"));
    command.args(["run", "--config"]).arg(&path).stdin(Stdio::null()).env("STATE_DIRECTORY", folder.path());
    for (name, value) in environment {
        command.env(name, value);
    }
    Daemon { child: command.spawn().unwrap(), port, folder }
}

/// Messages as a subscriber sees them, each one held against its schema.
fn subscribe(port: u16, mut enough: impl FnMut(&str, &[u8]) -> bool) {
    let mut options = MqttOptions::new(format!("subscriber-{port}"), "127.0.0.1", port);
    options.set_max_packet_size(256 * 1024, 256 * 1024);
    let (client, mut connection) = Client::new(options, 10);
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        match connection.recv_timeout(Duration::from_secs(1)) {
            Ok(Ok(Event::Incoming(Packet::ConnAck(_)))) => {
                client.try_subscribe("clawdbot/v1/test/#", QoS::AtLeastOnce).unwrap();
            }
            Ok(Ok(Event::Incoming(Packet::Publish(message)))) => {
                assert_valid(&message.topic, &message.payload);
                if enough(&message.topic, &message.payload) {
                    return;
                }
            }
            Ok(Err(_)) => std::thread::sleep(Duration::from_millis(100)),
            Ok(Ok(_)) | Err(_) => {}
        }
    }
    panic!("what was waited for did not come within {PATIENCE:?}");
}

pub(crate) fn terminate(daemon: &mut Daemon) -> Duration {
    terminate_while(daemon, || {})
}

/// As [`terminate`]; `meanwhile` runs once the signal is out.
pub(crate) fn terminate_while(daemon: &mut Daemon, meanwhile: impl FnOnce()) -> Duration {
    let asked = Instant::now();
    let id = rustix::process::Pid::from_child(&daemon.child);
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    meanwhile();
    while asked.elapsed() < PATIENCE {
        if let Some(status) = daemon.child.try_wait().unwrap() {
            assert!(status.success(), "the daemon ended with {status}");
            return asked.elapsed();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("the daemon did not end");
}

pub(crate) const CLIP: &str = concat!(
    "[[camera]]\nid = \"clip\"\nsource = \"replay\"\nframes_per_second = 10\npath = \"",
    env!("CARGO_MANIFEST_DIR"),
    "/assets/clip.mjpeg\"\n"
);

#[test]
fn a_replayed_camera_becomes_events_and_the_end_is_orderly() {
    let notify = tempfile::tempdir().unwrap();
    let socket = UnixDatagram::bind(notify.path().join("socket")).unwrap();
    socket.set_nonblocking(true).unwrap();
    let mut daemon = start(CLIP, &[("NOTIFY_SOCKET", &notify.path().join("socket"))]);
    let mut changes: BTreeMap<String, Vec<(String, u64)>> = BTreeMap::new();
    let mut topics = std::collections::BTreeSet::new();
    subscribe(daemon.port, |topic, payload| {
        topics.insert(topic.trim_start_matches("clawdbot/v1/test/").to_owned());
        if topic.ends_with("/event") {
            let message: Value = serde_json::from_slice(payload).unwrap();
            let text = |name: &str| message["data"][name].as_str().unwrap().to_owned();
            let object = message["data"]["object"].as_u64().unwrap();
            changes.entry(text("label")).or_default().push((text("change"), object));
        }
        let came_and_went = |label: &str| {
            changes.get(label).is_some_and(|changes| {
                let ended = |object| changes.iter().any(|(change, other)| change == "end" && other == object);
                changes.iter().any(|(change, object)| change == "new" && ended(object))
            })
        };
        ["Person", "Cat", "Coffee cup"].into_iter().all(came_and_went) && topics.contains("stats")
    });
    for topic in ["status", "info", "health", "camera/clip/status", "camera/clip/state"] {
        assert!(topics.contains(topic), "{topic} is not among {topics:?}");
    }
    let took = terminate(&mut daemon);
    assert!(took < Duration::from_secs(5), "SIGTERM took {took:?}");
    let mut heard = String::new();
    let mut buffer = [0; 512];
    while let Ok(bytes) = socket.recv(&mut buffer) {
        heard.push_str(&String::from_utf8_lossy(&buffer[..bytes]));
    }
    assert!(heard.contains("READY=1") && heard.contains("STOPPING=1"), "systemd heard {heard:?}");
}

#[test]
fn a_camera_that_does_not_exist_is_offline_with_a_reason_and_is_tried_again() {
    let camera = "[[camera]]\nid = \"gone\"\nsource = \"replay\"\npath = \"/no/such/clip.mjpeg\"\n";
    let mut daemon = start(camera, &[]);
    let (mut offline, mut health) = (false, false);
    subscribe(daemon.port, |topic, payload| {
        let message: Value = serde_json::from_slice(payload).unwrap_or_default();
        let data = &message["data"];
        if topic.ends_with("camera/gone/status") && data["state"] == "offline" {
            offline = data["reason"].as_str().is_some_and(|reason| reason.contains("/no/such/clip.mjpeg"));
        }
        if topic.ends_with("/health") {
            let camera = &data["cameras"]["gone"];
            health = camera["online"] == false && camera["reason"].as_str().is_some_and(|reason| !reason.is_empty());
        }
        offline && health
    });
    assert!(terminate(&mut daemon) < Duration::from_secs(5));
}

#[test]
fn a_bad_configuration_ends_with_code_78_and_names_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clawdbot.toml");
    for (text, key) in [
        ("[node]\nnmae = \"x\"\n", "node.nmae"),
        ("[detector]\nthreads = \"two\"\n", "detector.threads"),
        ("[detector]\nlabels = [\"Unicorn\"]\n", "detector.labels"),
    ] {
        std::fs::write(&path, text).unwrap();
        let output =
            Command::new(env!("CARGO_BIN_EXE_clawdbot")).args(["run", "--config"]).arg(&path).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(78), "{errors}");
        assert!(errors.contains(key), "{errors:?} does not name {key}");
    }
}

#[test]
fn a_model_that_is_no_bundle_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("broken.claw.safetensors");
    std::fs::write(&model, b"nothing of the kind").unwrap();
    let path = folder.path().join("clawdbot.toml");
    std::fs::write(&path, format!("[detector]\nmodel = \"{}\"\n", model.display())).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_clawdbot")).args(["run", "--config"]).arg(&path).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("broken.claw.safetensors"), "{errors}");
}

/// A broker of somebody else's; killed when the test ends.
pub(crate) struct Mosquitto(Child);

impl Drop for Mosquitto {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Mosquitto with `arguments`; `None`, said loudly, where it is not installed and may be missing.
pub(crate) fn mosquitto(arguments: &[&str]) -> Option<Mosquitto> {
    let program = ["mosquitto", "/usr/sbin/mosquitto"].into_iter().find_map(|program| {
        Command::new(program).args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).spawn().ok()
    });
    if program.is_none() {
        assert!(std::env::var_os("CLAWDBOT_REQUIRE_DATA").is_none(), "mosquitto is not installed");
        // Written past the test runner's capture, which shows nothing of a test that passes.
        std::io::stderr().write_all(b"SKIPPED: mosquitto is not installed\n").unwrap();
    }
    program.map(Mosquitto)
}

#[test]
fn a_broker_that_comes_late_is_found_and_health_tells_of_the_attempts() {
    let port = free_port();
    let mqtt = format!("host = \"127.0.0.1\"\nport = {port}");
    let mut daemon = start_with(port, &mqtt, CLIP, &[]);
    std::thread::sleep(Duration::from_secs(3));
    let Some(_broker) = mosquitto(&["-p", &port.to_string()]) else { return };
    let (mut health, mut event) = (false, false);
    subscribe(port, |topic, payload| {
        let message: Value = serde_json::from_slice(payload).unwrap_or_default();
        let link = &message["data"]["mqtt"];
        health |= topic.ends_with("/health")
            && link["connected"] == true
            && link["attempts"].as_u64().is_some_and(|attempts| attempts >= 2);
        event |= topic.ends_with("/event");
        health && event
    });
    assert!(terminate(&mut daemon) < Duration::from_secs(5));
}

#[test]
fn without_a_broker_the_end_is_orderly_too() {
    let port = free_port();
    let mut daemon = start_with(port, &format!("host = \"127.0.0.1\"\nport = {port}"), CLIP, &[]);
    std::thread::sleep(Duration::from_secs(2));
    let took = terminate(&mut daemon);
    assert!(took < Duration::from_secs(5), "SIGTERM took {took:?}");
}
