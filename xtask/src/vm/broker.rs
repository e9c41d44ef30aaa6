//! A mosquitto on this machine that only who knows the password may use. In the guest it is 10.0.2.2.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::guest::{free_port, until};
use crate::image::card::sbin;
use crate::process;

/// This machine's loopback, as qemu's network shows it to the guest.
pub(super) const ADDRESS: &str = "10.0.2.2";
const USER: &str = "porch";

pub(super) struct Broker {
    child: Child,
    pub(super) port: u16,
    password: String,
    log: PathBuf,
}

impl Broker {
    pub(super) fn start(folder: &Path, password: &str) -> Result<Self, String> {
        let port = free_port()?;
        let passwords = folder.join("passwords");
        let mut command = process::command("mosquitto_passwd", &["-b", "-c"]);
        process::run(command.arg(&passwords).args([USER, password]))?;
        let configuration = folder.join("mosquitto.conf");
        let text = format!(
            "listener {port} 127.0.0.1\nallow_anonymous false\npassword_file {}\npersistence false\nuser root\n",
            passwords.display()
        );
        fs::write(&configuration, text)
            .map_err(|error| format!("cannot write {}: {error}", configuration.display()))?;
        let log = folder.join("mosquitto.log");
        let output = fs::File::create(&log).map_err(|error| format!("cannot create {}: {error}", log.display()))?;
        let errors = output.try_clone().map_err(|error| format!("{}: {error}", log.display()))?;
        let mut command = sbin("mosquitto", &["-c"]);
        let child = command.arg(&configuration).stdin(Stdio::null()).stdout(output).stderr(errors).spawn();
        let mut child = child.map_err(|error| format!("cannot start mosquitto: {error}"))?;
        until("mosquitto did not listen", || {
            if let Ok(Some(status)) = child.try_wait() {
                return Err(format!("mosquitto ended ({status}); see {}", log.display()));
            }
            Ok(std::net::TcpStream::connect(("127.0.0.1", port)).ok())
        })?;
        Ok(Self { child, port, password: password.to_owned(), log })
    }

    /// The user's name.
    pub(super) const fn user(&self) -> &'static str {
        USER
    }

    /// Waits for a message on a topic and gives it. A retained one counts only when it is asked for.
    pub(super) fn next(&self, topic: &str, is_retained_wanted: bool) -> Result<Value, String> {
        let mut command = self.subscriber(topic);
        if !is_retained_wanted {
            command.arg("-R");
        }
        let output = command.output().map_err(|error| format!("cannot start mosquitto_sub: {error}"))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let line = text.lines().next().ok_or_else(|| format!("nothing came on {topic}; see {}", self.log.display()))?;
        serde_json::from_str(line).map_err(|error| format!("on {topic} came no JSON ({error}): {line}"))
    }

    fn subscriber(&self, topic: &str) -> Command {
        let port = self.port.to_string();
        let mut command = process::command("mosquitto_sub", &["-h", "127.0.0.1", "-p", &port, "-u", USER, "-P"]);
        command.args([&self.password, "-t", topic, "-q", "1", "-C", "1", "-W"]);
        command.arg(super::guest::LIMIT.as_secs().to_string());
        command
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
