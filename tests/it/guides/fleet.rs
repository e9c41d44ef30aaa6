//! `docs/guide/fleet-mtls.md` with a real openssl and a real Mosquitto.

use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{Guide, run, succeed};
use crate::daemon::{Mosquitto, PATIENCE, free_port, mosquitto};

/// A daemon that is killed when the test ends.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Whether the programs are there; said loudly where they are not and need not be.
fn has_programs() -> bool {
    let missing = ["openssl", "mosquitto_sub"].into_iter().find(|program| {
        let found = Command::new(program).arg("--help").stdin(Stdio::null()).output();
        found.is_err()
    });
    let Some(program) = missing else { return true };
    assert!(std::env::var_os("CLAWDBOT_REQUIRE_DATA").is_none(), "{program} is not installed");
    // Written past the test runner's capture, which shows nothing of a test that passes.
    std::io::stderr().write_all(format!("SKIPPED: {program} is not installed\n").as_bytes()).unwrap();
    false
}

/// Starts the broker of the guide and waits until it listens.
fn broker(folder: &Path, port: u16) -> Option<Mosquitto> {
    let started = mosquitto(&["-c", folder.join("mosquitto/fleet.conf").to_str().unwrap()])?;
    let begin = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(begin.elapsed() < PATIENCE, "mosquitto does not come up");
        std::thread::sleep(Duration::from_millis(10));
    }
    Some(started)
}

/// Runs a Mosquitto client as the owner of a certificate and says how it ended.
fn client(fleet: &Path, port: u16, program: &str, who: &str, rest: &str) -> Option<i32> {
    let login = format!("-h localhost -p {port} --cafile ca.pem --cert {who}.pem --key {who}.key");
    run(&format!("{program} {login} {rest}"), fleet).status.code()
}

/// What `mosquitto_sub -W` ends with when nothing came.
const NOTHING_CAME: Option<i32> = Some(27);

#[test]
fn a_fleet_with_certificates() {
    if !has_programs() {
        return;
    }
    let work = tempfile::tempdir().unwrap();
    let folder = work.path();
    let (port, fleet) = (free_port(), folder.join("fleet"));
    let (etc, mosquitto_etc) = (folder.join("clawdbot"), folder.join("mosquitto"));
    std::fs::create_dir_all(mosquitto_etc.join("certs")).unwrap();
    std::fs::create_dir(&etc).unwrap();
    let mut guide = Guide::read(
        "docs/guide/fleet-mtls.md",
        &[
            ("broker.lan", "localhost"),
            ("8883", &port.to_string()),
            ("/etc/mosquitto", mosquitto_etc.to_str().unwrap()),
            ("/etc/clawdbot", etc.to_str().unwrap()),
            // No such group, and no such service, where tests run.
            (" -g clawdbot", ""),
            ("systemctl restart clawdbot\n", ""),
            ("systemctl restart mosquitto\n", ""),
        ],
    );

    succeed(&guide.next("sh"), folder);
    for _ in ["the authority's configuration", "the broker's certificate"] {
        succeed(&guide.next("sh"), &fleet);
    }
    for name in ["ca.pem", "revoked.pem", "broker.pem", "broker.key"] {
        std::fs::copy(fleet.join(name), mosquitto_etc.join("certs").join(name)).unwrap();
    }
    // Root's Mosquitto would become the user `mosquitto`, who may not read in here.
    std::fs::write(mosquitto_etc.join("fleet.conf"), guide.next("conf") + "user root\n").unwrap();
    std::fs::write(mosquitto_etc.join("fleet.acl"), guide.next("acl")).unwrap();
    for _ in ["the boards' certificates", "into their place"] {
        succeed(&guide.next("sh"), &fleet);
    }
    std::fs::write(etc.join("clawdbot.toml"), guide.next("toml")).unwrap();
    succeed(&guide.next("sh"), &fleet);

    let Some(first) = broker(folder, port) else { return };
    let mut command = Command::new(env!("CARGO_BIN_EXE_clawdbot"));
    command.args(["run", "--config"]).arg(etc.join("clawdbot.toml")).stdin(Stdio::null()).env("STATE_DIRECTORY", &etc);
    let _daemon = Daemon(command.spawn().unwrap());
    let listen = guide.next("sh");
    assert_eq!(succeed(&listen, &fleet), "clawdbot/v1/porch/status online\n");
    no_board_speaks_for_another(&fleet, port);
    // Mosquitto keeps nothing here, so what comes after its restart was said after it.
    succeed(&guide.next("sh"), &fleet);
    succeed(&guide.next("sh"), &fleet);
    succeed(
        "openssl ca -config ca.conf -revoke porch.pem && openssl ca -config ca.conf -gencrl -out revoked.pem",
        &fleet,
    );
    succeed("install -m 644 revoked.pem ../mosquitto/certs/revoked.pem", &fleet);
    guide.finish();
    drop(first);
    let _second = broker(folder, port);
    // The daemon's first certificate is not taken any more: it is back by the one that replaced it on disk.
    assert_eq!(succeed(&listen, &fleet), "clawdbot/v1/porch/status online\n");
    for refused in ["porch", "garden"] {
        let ended = client(&fleet, port, "mosquitto_sub", refused, "-t x -W 2");
        assert!(ended.is_some() && ended != Some(0) && ended != NOTHING_CAME, "{refused} was let in: {ended:?}");
    }
}

fn no_board_speaks_for_another(fleet: &Path, port: u16) {
    let publish = |topic: &str| client(fleet, port, "mosquitto_pub", "garden", &format!("-q 1 -r -m x -t {topic}"));
    let heard = |topic: &str| client(fleet, port, "mosquitto_sub", "home-assistant", &format!("-C 1 -W 2 -t {topic}"));
    // MQTT 3.1.1 has no word for a refusal: what is not allowed is acknowledged, and goes nowhere.
    publish("clawdbot/v1/porch/forged");
    assert_eq!(heard("clawdbot/v1/porch/forged"), NOTHING_CAME);
    publish("clawdbot/v1/garden/own");
    assert_eq!(heard("clawdbot/v1/garden/own"), Some(0));
    let without = format!("mosquitto_sub -h localhost -p {port} --cafile ca.pem -t x -W 2");
    let ended = run(&without, fleet).status.code();
    assert!(ended.is_some() && ended != Some(0) && ended != NOTHING_CAME, "no certificate was asked for: {ended:?}");
}
