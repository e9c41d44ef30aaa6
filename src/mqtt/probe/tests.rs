use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use clawdbot_flow::clock::SystemClock;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection};
use tempfile::TempDir;

use super::*;
use crate::mqtt::options::{Broker, Credentials, KEEP_ALIVE_DEFAULT, Password, Tls};

/// CONNACK: accepted.
const YES: [u8; 4] = [0x20, 2, 0, 0];

fn options(host: &str, port: u16) -> Options {
    Options {
        node: "porch".to_owned(),
        prefix: "clawdbot/v1".to_owned(),
        broker: Broker::External { host: host.to_owned(), port },
        credentials: None,
        tls: None,
        keep_alive: KEEP_ALIVE_DEFAULT,
        install_id: "doctor1".to_owned(),
    }
}

fn with_login(port: u16, password: &str) -> Options {
    let password = Password::new(password.to_owned());
    Options { credentials: Some(Credentials { user: "bob".to_owned(), password }), ..options("127.0.0.1", port) }
}

fn with_tls(host: &str, port: u16, ca_file: &Path) -> Options {
    Options { tls: Some(Tls { ca_file: ca_file.to_owned(), client: None }), ..options(host, port) }
}

fn knock(options: &Options) -> Reach {
    probe(options, Knock::Login, Duration::from_secs(10), &SystemClock::new())
}

/// Answers each connection's first bytes with `answer`, and hangs up.
fn scripted(answer: &'static [u8]) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut heard = [0; 512];
            drop(stream.read(&mut heard).and_then(|_| stream.write_all(answer)));
        }
    });
    port
}

#[test]
fn a_port_where_nobody_listens_refuses() {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    assert_eq!(knock(&options("127.0.0.1", port)), Reach::Refused);
}

#[test]
fn a_name_without_an_address_is_told_apart() {
    assert!(matches!(knock(&options("no-such-name.invalid", 1883)), Reach::Unresolved(_)));
}

#[test]
fn a_broker_takes_the_right_login_only() {
    let login = Some(("bob".to_owned(), "secret".to_owned()));
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let port = crate::broker::start(&crate::broker::Options { listen, login }).unwrap().address.port();
    assert_eq!(knock(&with_login(port, "secret")), Reach::Accepted { certificate: None });
    // rumqttd hangs up on strangers; other brokers say why.
    assert!(matches!(knock(&with_login(port, "wrong")), Reach::WrongLogin | Reach::Closed));
    let open = probe(&with_login(port, ""), Knock::Connection, Duration::from_secs(10), &SystemClock::new());
    assert_eq!(open, Reach::Open { certificate: None });
}

#[test]
fn each_answer_has_its_meaning() {
    for (answer, reach) in [
        (&[0x20, 2, 0, 4][..], Reach::WrongLogin),
        (&[0x20, 2, 0, 5], Reach::WrongLogin),
        (&[0x20, 2, 0, 1], Reach::TurnedAway("it does not speak MQTT 3.1.1")),
        (&[0x20, 2, 0, 2], Reach::TurnedAway("it does not allow our client id")),
        (&[0x20, 2, 0, 3], Reach::TurnedAway("it is not available now")),
        (b"HTTP/1.1 400 Bad Request\r\n", Reach::Stranger),
        (&[0x15, 3, 1, 0, 2, 2, 70], Reach::WantsTls),
        (b"", Reach::Closed),
        (&YES, Reach::Accepted { certificate: None }),
    ] {
        assert_eq!(knock(&options("127.0.0.1", scripted(answer))), reach, "{answer:?}");
    }
}

#[test]
fn silence_has_an_end() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let options = options("127.0.0.1", listener.local_addr().unwrap().port());
    assert_eq!(probe(&options, Knock::Login, Duration::from_millis(200), &SystemClock::new()), Reach::Silent);
}

/// An authority, another one, and a certificate for `localhost` by the first; `until` is the year in which it ends.
fn certificates(until: i32) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text).unwrap();
    let authority = |name: &str| {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        (params.self_signed(&key).unwrap().pem(), Issuer::new(params, key))
    };
    let (certificate, issuer) = authority("one");
    write("ca.pem", certificate);
    write("other-ca.pem", authority("another").0);
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_before = date_time_ymd(2000, 1, 1);
    params.not_after = date_time_ymd(until, 1, 1);
    let key = KeyPair::generate().unwrap();
    write("server.pem", params.signed_by(&key, &issuer).unwrap().pem());
    write("server.key", key.serialize_pem());
    folder
}

/// A broker behind TLS that takes everybody; with `asks`, everybody who shows a certificate.
fn tls_broker(folder: &Path, asks: bool) -> u16 {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions().unwrap();
    let builder = if asks {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(folder.join("ca.pem")).unwrap()).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        builder.with_client_cert_verifier(verifier)
    } else {
        builder.with_no_client_auth()
    };
    let certificate = CertificateDer::from_pem_file(folder.join("server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(folder.join("server.key")).unwrap();
    let config = Arc::new(builder.with_single_cert(vec![certificate], key).unwrap());
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), stream);
            let mut heard = [0; 512];
            if stream.read(&mut heard).is_ok_and(|bytes| bytes > 0) {
                drop(stream.write_all(&YES).and_then(|()| stream.flush()).and_then(|()| stream.read(&mut heard)));
            }
        }
    });
    port
}

#[test]
fn tls_is_held_against_name_authority_and_time() {
    let folder = certificates(2090);
    let at = |name: &str| folder.path().join(name);
    let port = tls_broker(folder.path(), false);
    let Reach::Accepted { certificate: Some(shown) } = knock(&with_tls("localhost", port, &at("ca.pem"))) else {
        panic!("the broker takes us");
    };
    assert_eq!(shown, CertificateDer::from_pem_file(at("server.pem")).unwrap().to_vec());
    let Reach::OtherName(reason) = knock(&with_tls("127.0.0.1", port, &at("ca.pem"))) else {
        panic!("the certificate is for localhost");
    };
    assert!(reason.contains("localhost"), "{reason}");
    assert_eq!(knock(&with_tls("localhost", port, &at("other-ca.pem"))), Reach::UnknownAuthority);
    assert!(matches!(knock(&with_tls("localhost", port, &at("none.pem"))), Reach::Files(_)));
    assert_eq!(knock(&options("localhost", port)), Reach::WantsTls);
    let expired = certificates(2001);
    let port = tls_broker(expired.path(), false);
    assert!(matches!(knock(&with_tls("localhost", port, &expired.path().join("ca.pem"))), Reach::OutOfTime(_)));
}

#[test]
fn a_broker_that_wants_to_see_a_certificate_or_speaks_no_tls() {
    let folder = certificates(2090);
    let ca_file = folder.path().join("ca.pem");
    let port = tls_broker(folder.path(), true);
    // Its alert may be overtaken by the end of the connection.
    let reach = knock(&with_tls("localhost", port, &ca_file));
    assert!(matches!(reach, Reach::Handshake(_) | Reach::Closed), "{reach:?}");
    for answer in [&b"HTTP/1.1 400 Bad Request\r\n"[..], b""] {
        assert_eq!(knock(&with_tls("localhost", scripted(answer), &ca_file)), Reach::NoTls, "{answer:?}");
    }
}
