//! A broker on this machine and a subscriber of it: mosquitto's own.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;

use super::wait_for;
use crate::process;

/// The broker and everything that was published; both programs end with it.
pub(super) struct Broker {
    /// Where it listens, on 127.0.0.1.
    pub(super) port: u16,
    programs: Vec<Child>,
    heard: Arc<Mutex<Vec<Message>>>,
}

/// A message as the subscriber saw it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Message {
    pub(super) topic: String,
    pub(super) data: Value,
}

impl Drop for Broker {
    fn drop(&mut self) {
        for program in &mut self.programs {
            // One that has ended by itself is no harm.
            drop((program.kill(), program.wait()));
        }
    }
}

impl Broker {
    /// Starts both, and listens to everything below `prefix`.
    ///
    /// # Errors
    /// When a program cannot be started.
    pub(super) fn start(prefix: &str) -> Result<Self, String> {
        let port = free_port()?;
        let number = port.to_string();
        let mut broker = Self { port, programs: Vec::new(), heard: Arc::default() };
        // Debian keeps mosquitto where ordinary users have no path to. Without a configuration it listens on loopback only.
        let program = if process::is_installed("mosquitto") { "mosquitto" } else { "/usr/sbin/mosquitto" };
        let mut command = process::command(program, &["-p", &number]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        broker.programs.push(command.spawn().map_err(|error| format!("cannot start mosquitto: {error}"))?);
        wait_for(Duration::from_secs(10), "the broker", || std::net::TcpStream::connect(("127.0.0.1", port)).ok())?;
        let topics = format!("{prefix}/#");
        let mut command = process::command("mosquitto_sub", &["-h", "127.0.0.1", "-p", &number, "-v", "-t", &topics]);
        let subscriber = command.stdout(Stdio::piped()).spawn();
        let mut subscriber = subscriber.map_err(|error| format!("cannot start mosquitto_sub: {error}"))?;
        let output = subscriber.stdout.take().ok_or("mosquitto_sub has no output")?;
        broker.programs.push(subscriber);
        let heard = Arc::clone(&broker.heard);
        // Ends with the subscriber's output.
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if let Some(message) = Message::parse(&line) {
                    heard.lock().unwrap_or_else(PoisonError::into_inner).push(message);
                }
            }
        });
        Ok(broker)
    }

    /// Waits for a message that `is_it` accepts, among those that came and come.
    ///
    /// # Errors
    /// After `patience`, with the topics that were heard instead.
    pub(super) fn wait(
        &self,
        patience: Duration,
        what: &str,
        is_it: impl Fn(&Message) -> bool,
    ) -> Result<Message, String> {
        let heard = || self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone();
        wait_for(patience, what, || heard().into_iter().find(|message| is_it(message))).map_err(|error| {
            let topics: std::collections::BTreeSet<String> = heard().into_iter().map(|message| message.topic).collect();
            format!("{error}; heard: {topics:?}")
        })
    }
}

impl Message {
    /// A line of `mosquitto_sub -v`: the topic, a space, and our envelope or, as the status is, plain text.
    fn parse(line: &str) -> Option<Self> {
        let (topic, payload) = line.split_once(' ')?;
        let data = match serde_json::from_str::<Value>(payload) {
            Ok(mut message) => message.get_mut("data")?.take(),
            Err(_) => Value::from(payload),
        };
        Some(Self { topic: topic.to_owned(), data })
    }
}

fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    listener.map(|address| address.port()).map_err(|error| format!("this machine has no free port: {error}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_is_a_topic_and_an_envelope_or_plain_text() {
        let message = |topic: &str, data| Some(Message { topic: topic.to_owned(), data });
        let line = r#"clawdbot/v1/box/camera/clip/event {"v":1,"type":"camera_event","data":{"change":"new"}}"#;
        assert_eq!(Message::parse(line), message("clawdbot/v1/box/camera/clip/event", json!({ "change": "new" })));
        assert_eq!(Message::parse("clawdbot/v1/box/status online"), message("clawdbot/v1/box/status", json!("online")));
        assert_eq!(Message::parse("no-space"), None);
    }
}
