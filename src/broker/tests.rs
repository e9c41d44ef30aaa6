use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::process::Command;

use super::*;

fn options(port: u16) -> Options {
    Options { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, port)), login: None }
}

#[test]
fn a_taken_port_makes_room_for_the_next_one() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let running = start(&options(port)).unwrap();
    assert!((port + 1..port + PORTS_TRIED).contains(&running.address.port()), "{}", running.address);
    assert!(running.is_alive());
}

#[test]
fn port_zero_is_any_free_port() {
    let running = start(&options(0)).unwrap();
    assert_ne!(running.address.port(), 0);
}

#[test]
fn an_open_broker_never_listens_to_the_network() {
    let listen = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let error = start(&Options { listen, login: None }).unwrap_err();
    assert!(error.to_string().contains("set a user and a password"), "{error}");
}

#[test]
fn an_address_of_another_machine_is_named() {
    let listen = SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), 1883));
    let error = start(&Options { listen, login: Some(("a".to_owned(), "b".to_owned())) }).unwrap_err();
    assert!(error.to_string().contains("192.0.2.1:1883"), "{error}");
}

/// The child that the test below starts, so that only the broker's memory counts.
#[test]
#[ignore = "run by heavy_traffic_past_an_idle_subscriber_costs_little_memory"]
fn takes_heavy_traffic() {
    let resident = |when: &str| {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap().to_owned();
        let kibibytes: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        #[expect(clippy::print_stdout, reason = "the parent reads it")]
        {
            println!("\n{when} {}", kibibytes / 1024);
        }
    };
    let address = start(&options(0)).unwrap().address;
    resident("idle_mib");
    let mut idle = connect(address, "idle");
    // SUBSCRIBE, packet id 1, filter "load/#", QoS 0; then it never reads again.
    idle.write_all(b"\x82\x0b\x00\x01\x00\x06load/#\x00").unwrap();
    let mut acknowledged = [0; 5];
    idle.read_exact(&mut acknowledged).unwrap();
    let mut publisher = connect(address, "publisher");
    let payload = vec![b'x'; 100_000];
    for number in 0..4_000_u32 {
        // PUBLISH, QoS 0, topic "load/N", remaining length 100 008 as a three-byte varint.
        publisher.write_all(b"\x30\xa8\x8d\x06\x00\x06load/").unwrap();
        publisher.write_all(&[b'0' + u8::try_from(number % 4).unwrap()]).unwrap();
        publisher.write_all(&payload).unwrap();
        if number % 40 == 39 {
            // A PINGRESP says that all before it is through: what waits for the router must not count, it depends on
            // the machine's load.
            publisher.write_all(b"\xc0\x00").unwrap();
            let mut pong = [0; 2];
            publisher.read_exact(&mut pong).unwrap();
        }
    }
    resident("loaded_mib");
}

/// An MQTT 3.1.1 connection by hand.
fn connect(address: SocketAddr, id: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = |bytes: usize| u8::try_from(bytes).unwrap();
    let mut packet = vec![0x10, length(12 + id.len())];
    packet.extend_from_slice(b"\x00\x04MQTT\x04\x02\x00\x3c\x00");
    packet.push(length(id.len()));
    packet.extend_from_slice(id.as_bytes());
    stream.write_all(&packet).unwrap();
    let mut accepted = [0; 4];
    stream.read_exact(&mut accepted).unwrap();
    assert_eq!(accepted, [0x20, 0x02, 0x00, 0x00]);
    stream
}

#[test]
fn heavy_traffic_past_an_idle_subscriber_costs_little_memory() {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "broker::tests::takes_heavy_traffic", "--ignored", "--nocapture"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&child.stdout).into_owned();
    assert!(child.status.success(), "{text}\n{}", String::from_utf8_lossy(&child.stderr));
    let mebibytes = |name: &str| -> u64 {
        let line =
            text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("no {name} in {text}"));
        line.trim().parse().unwrap()
    };
    // Two logs of 512 KiB, and the messages (200 at most, which cannot be set) that rumqttd holds for a client that
    // should receive them: 40 MiB measured at 100 kB a message. With its default segments the same load leaves 619 MiB.
    let (idle, loaded) = (mebibytes("idle_mib"), mebibytes("loaded_mib"));
    assert!(loaded.saturating_sub(idle) <= 64, "{idle} MiB idle, {loaded} MiB after 400 MB of traffic");
}

#[test]
fn a_broker_with_a_login_takes_nobody_else() {
    let login = Some(("bob".to_owned(), "secret".to_owned()));
    let broker = start(&Options { login, ..options(0) }).unwrap();
    let accepted = |user: &str, password: &str| {
        let text = |text: &str| [&[0, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
        let flags: &[u8] = if user.is_empty() { b"\x02" } else { b"\xc2" };
        let mut body = [b"\x00\x04MQTT\x04", flags, b"\x00\x3c", &text("x")].concat();
        if !user.is_empty() {
            body.extend([text(user), text(password)].concat());
        }
        let mut stream = TcpStream::connect(broker.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.write_all(&[&[0x10, u8::try_from(body.len()).unwrap()], body.as_slice()].concat()).unwrap();
        let mut answer = [0; 4];
        // A refused client gets a CONNACK with a reason, or nothing before the connection ends.
        stream.read_exact(&mut answer).is_ok() && answer == [0x20, 0x02, 0x00, 0x00]
    };
    assert!(accepted("bob", "secret"));
    assert!(!accepted("bob", "wrong"));
    assert!(!accepted("", ""));
}
