use std::net::Ipv4Addr;

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
