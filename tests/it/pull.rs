//! `clawdbot pull` as its users meet it: the real program, a server on the loopback, files on a disk.

mod server;

use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use ring::digest::{SHA256, digest};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use serde_json::Value;

use crate::daemon::PATIENCE;
use server::{Answer, Server, stall};

/// The bundled detector, a bundle of 5.6 MB.
const BUNDLE: &[u8] = include_bytes!("../../assets/ssd-mobilenet-v2-oid.claw.safetensors");

fn sum(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Some bytes that compress badly and are nowhere alike.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    std::iter::repeat_with(&mut next).take(length).collect()
}

/// A catalogue of one model, and a folder for models.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("models")).unwrap();
        Self { folder }
    }

    fn models(&self) -> PathBuf {
        self.folder.path().join("models")
    }

    fn file(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.models().join(name)).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.models()).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort_unstable();
        names
    }

    /// Writes a catalogue whose model `yard` has the bytes `wanted`.
    fn catalogue(&self, becomes: &str, url: &str, wanted: &[u8]) {
        let text = format!(
            "[[model]]\nname = \"yard\"\nabout = \"a yard's\"\nlicence = \"MIT\"\nlicence_url = \"https://a/l\"\n\
             becomes = \"{becomes}\"\n[[model.file]]\nurl = \"{url}\"\nbytes = {}\nsha256 = \"{}\"\n",
            wanted.len(),
            sum(wanted)
        );
        std::fs::write(self.folder.path().join("catalogue.toml"), text).unwrap();
    }

    fn command(&self, further: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_clawdbot"));
        command.arg("pull").args(further).arg("--to").arg(self.models());
        for proxy in ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
            command.env_remove(proxy);
        }
        command.stdin(Stdio::null());
        command
    }

    /// `pull yard` by the catalogue.
    fn pull(&self, further: &[&str]) -> Output {
        let catalogue = self.folder.path().join("catalogue.toml");
        self.command(&["yard"]).args(further).arg("--catalogue").arg(catalogue).output().unwrap()
    }
}

fn success(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What is said on standard error by a command that must fail with `code`.
fn failure(output: &Output, code: i32) -> String {
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn a_bundle_comes_is_updated_and_goes_back() {
    let place = Place::new();
    let update = renamed(BUNDLE, "ssd-mobilenet-v2-oid", "ssd-mobilenet-v3-oid");
    let second = update.clone();
    let server = Server::start(move |_, request| {
        Answer::whole(if request.path == "/v1.claw.safetensors" { BUNDLE } else { &second })
    });
    place.catalogue("bundle", &server.url("v1.claw.safetensors"), BUNDLE);
    let told = success(&place.pull(&[]));
    let path = place.models().join("yard.claw.safetensors");
    let path = path.to_str().unwrap();
    assert!(told.contains(&format!("section [detector]: model = \"{path}\"")), "{told}");
    assert!(told.trim_end().ends_with("systemctl restart clawdbot"), "{told}");
    assert!(inspected(path).contains("ssd-mobilenet-v2-oid (detector)"));
    assert!(success(&place.pull(&[])).contains("here already"));
    assert_eq!(server.requests().len(), 1);

    // A daemon that maps the first one still sees it: its inode only changes its name.
    let first = std::fs::metadata(path).unwrap().ino();
    place.catalogue("bundle", &server.url("v2.claw.safetensors"), &update);
    let report: Value = serde_json::from_str(&success(&place.pull(&["--json"]))).unwrap();
    assert_eq!((&report["changed"], &report["kind"]), (&Value::Bool(true), &Value::from("detector")));
    assert!(inspected(path).contains("ssd-mobilenet-v3-oid"));
    assert_eq!(std::fs::metadata(report["previous"].as_str().unwrap()).unwrap().ino(), first);

    for name in ["v2", "v3"] {
        let told = success(&place.command(&["yard", "--rollback"]).output().unwrap());
        assert!(told.contains("the one before is in place again"), "{told}");
        assert!(inspected(path).contains(&format!("ssd-mobilenet-{name}-oid")));
    }
    let error = failure(&place.command(&["field", "--rollback"]).output().unwrap(), 1);
    assert!(error.contains("no earlier field"), "{error}");
    assert_eq!(place.names(), [".pull.lock", "yard.claw.safetensors", "yard.claw.safetensors.previous"]);
}

fn inspected(path: &str) -> String {
    success(&Command::new(env!("CARGO_BIN_EXE_clawdbot")).args(["inspect", path]).output().unwrap())
}

/// `bundle` with another name of the same length in its header, and its header's checksum corrected.
fn renamed(bundle: &[u8], from: &str, to: &str) -> Vec<u8> {
    let mut bytes = bundle.to_vec();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header = std::str::from_utf8(&bytes[8..8 + length]).unwrap();
    let quoted = |name: &str| format!("\\\"name\\\":\\\"{name}\\\"");
    assert_eq!((from.len(), header.matches(&quoted(from)).count()), (to.len(), 1));
    let mut header = header.replace(&quoted(from), &quoted(to)).into_bytes();
    let marker = b"\"clawdbot.header_crc32\":\"";
    let at = header.windows(marker.len()).position(|window| window == marker).unwrap() + marker.len();
    header[at..at + 8].copy_from_slice(b"00000000");
    let crc = crc32(&header);
    header[at..at + 8].copy_from_slice(format!("{crc:08x}").as_bytes());
    bytes[8..8 + length].copy_from_slice(&header);
    bytes
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc)))
}

#[test]
fn a_connection_that_breaks_is_gone_on_with() {
    let (place, body) = (Place::new(), noise(300_000));
    let whole = body.clone();
    let server = Server::start(move |before, request| {
        let answer = Answer::ranged(request, &whole, "\"v1\"");
        if before == 0 { answer.cut_after(100_000) } else { answer }
    });
    place.catalogue("network", &server.url("yard.onnx"), &body);
    let output = place.pull(&[]);
    assert!(success(&output).contains("clawdbot convert"));
    assert_eq!(place.file("yard.onnx"), body);
    let requests = server.requests();
    assert_eq!((requests.len(), requests[0].range, requests[0].if_range.clone()), (2, None, None));
    assert_eq!((requests[1].range, requests[1].if_range.as_deref()), (Some(100_000), Some("\"v1\"")));
    // What leaves the board: nothing that tells who we are.
    let version = concat!("clawdbot/", env!("CARGO_PKG_VERSION"));
    assert!(requests.iter().all(|request| request.user_agent == version), "{requests:?}");
    let names = requests.iter().flat_map(|request| &request.headers).map(|line| line.split(':').next().unwrap());
    let known = ["host", "user-agent", "accept", "range", "if-range"];
    assert_eq!(names.filter(|name| !known.contains(name)).collect::<Vec<_>>(), [""; 0]);
    assert!(said(&output).contains(&format!("yard.onnx: asking 127.0.0.1:{}", server.port)), "{output:?}");
}

#[test]
fn a_shorter_file_is_told_before_a_byte_of_it_is_kept() {
    let (place, body) = (Place::new(), noise(300_000));
    let server = Server::start(move |_, _| Answer::whole(&noise(299_999)));
    place.catalogue("network", &server.url("yard.onnx"), &body);
    let error = failure(&place.pull(&[]), 1);
    assert!(error.contains("there are 299999 bytes of it, but must be 300000"), "{error}");
    assert_eq!(std::fs::metadata(place.models().join(".yard.part/files/yard.onnx")).unwrap().len(), 0);
}

#[test]
fn a_part_of_another_version_is_not_mixed_with_this_one() {
    for ranges in [false, true] {
        let (place, old, new) = (Place::new(), noise(300_000), noise(300_001)[1..].to_vec());
        let (first, second) = (old.clone(), new.clone());
        let server = Server::start(move |before, request| match (before, ranges) {
            (0, _) => Answer::ranged(request, &first, "\"v0\"").cut_after(100_000),
            (_, true) => Answer::ranged(request, &second, "\"v1\""),
            (_, false) => Answer::whole(&second),
        });
        place.catalogue("network", &server.url("yard.onnx"), &new);
        success(&place.pull(&[]));
        assert_eq!(place.file("yard.onnx"), new);
        assert_eq!(server.requests()[1].if_range.as_deref(), Some("\"v0\""));
    }
}

#[test]
fn a_stop_leaves_a_part_for_the_next_time() {
    let (place, body) = (Place::new(), noise(2_000_000));
    let (port, sent) = stall(body.clone(), 1_000_000);
    place.catalogue("network", &format!("http://127.0.0.1:{port}/yard.onnx"), &body);
    let catalogue = place.folder.path().join("catalogue.toml");
    let mut command = place.command(&["yard", "--catalogue", catalogue.to_str().unwrap()]);
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    let begin = Instant::now();
    let part = place.models().join(".yard.part/files/yard.onnx");
    while std::fs::metadata(&part).map_or(0, |part| part.len()) == 0 {
        assert!(begin.elapsed() < PATIENCE, "nothing comes");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(failure(&place.pull(&[]), 1).contains("another `clawdbot pull` is at work"));
    let id = i32::try_from(child.id()).unwrap();
    // Not SIGINT, though people will rather press Ctrl-C: a job in a shell's background inherits that it is ignored.
    rustix::process::kill_process(rustix::process::Pid::from_raw(id).unwrap(), rustix::process::Signal::TERM).unwrap();
    assert!(!child.wait().unwrap().success());
    assert_eq!(place.names(), [".pull.lock", ".yard.part"]);
    let output = place.pull(&[]);
    success(&output);
    assert_eq!(place.file("yard.onnx"), body);
    assert!(said(&output).contains("bytes are here; asking"), "{output:?}");
    assert!(*sent.lock().unwrap() < body.len(), "all of it came again");
    assert_eq!(place.names(), [".pull.lock", "yard.onnx"]);
}

#[test]
fn wrong_bytes_are_thrown_away_and_both_sums_told() {
    let (place, body) = (Place::new(), noise(50_000));
    let mut other = body.clone();
    other[49_999] ^= 1;
    let given = other.clone();
    let server = Server::start(move |_, _| Answer::whole(&given));
    place.catalogue("network", &server.url("yard.onnx"), &body);
    let error = failure(&place.pull(&[]), 1);
    assert!(error.contains(&sum(&body)) && error.contains(&sum(&other)), "{error}");
    assert!(!place.models().join(".yard.part/files/yard.onnx").exists());
    assert!(!place.models().join("yard.onnx").exists());
}

#[test]
fn no_more_is_read_than_the_catalogue_says() {
    let (place, body) = (Place::new(), noise(50_000));
    let longer = [body.clone(), vec![0; 50_000]].concat();
    // Without a length, so that it shows only in the bytes.
    let server = Server::start(move |_, _| Answer { headers: Vec::new(), ..Answer::whole(&longer) });
    place.catalogue("network", &server.url("yard.onnx"), &body);
    let error = failure(&place.pull(&[]), 1);
    assert!(error.contains("but must be 50000"), "{error}");
    assert!(!place.models().join(".yard.part/files/yard.onnx").exists());
}

#[test]
fn redirects_are_followed_and_told_and_a_missing_file_is_said_once() {
    let (place, body) = (Place::new(), noise(5_000));
    let given = body.clone();
    let far = Server::start(move |_, _| Answer::whole(&given));
    let target = far.url("elsewhere").replace("127.0.0.1", "localhost");
    let near = Server::start(move |_, request| match request.path.as_str() {
        "/yard.onnx" => Answer { headers: vec![format!("Location: {target}")], ..Answer::status("302 Found") },
        _ => Answer::status("404 Not Found"),
    });
    place.catalogue("network", &near.url("yard.onnx"), &body);
    let output = place.pull(&[]);
    success(&output);
    assert!(said(&output).contains("sent on to localhost"), "{output:?}");
    let moved = Place::new();
    moved.catalogue("network", &near.url("gone.onnx"), &body);
    let error = failure(&moved.pull(&[]), 1);
    assert!(error.contains("answers 404") && error.contains("--from URL"), "{error}");
    assert_eq!(near.requests().len(), 2);
    let from = far.url("mirror.onnx");
    success(&moved.pull(&["--from", &from]));
    assert_eq!(moved.file("yard.onnx"), body);
}

#[test]
fn a_server_that_is_busy_is_asked_again() {
    let (place, body) = (Place::new(), noise(5_000));
    let given = body.clone();
    let server = Server::start(move |before, _| match before {
        0 => Answer { headers: vec!["Retry-After: 0".to_owned()], ..Answer::status("503 Service Unavailable") },
        _ => Answer::whole(&given),
    });
    place.catalogue("network", &server.url("yard.onnx"), &body);
    let output = place.pull(&[]);
    success(&output);
    assert!(said(&output).contains("the server answers 503; again in 0 s"), "{output:?}");
}

#[test]
fn a_stick_is_enough_and_no_socket_is_opened() {
    let (place, body) = (Place::new(), noise(5_000));
    let server = Server::start(|_, _| Answer::status("500 Never"));
    place.catalogue("network", &server.url("yard.onnx"), &body);
    let stick = place.folder.path().join("stick.bin");
    std::fs::write(&stick, &body).unwrap();
    let trace = place.folder.path().join("trace");
    let (program, catalogue) = (env!("CARGO_BIN_EXE_clawdbot"), place.folder.path().join("catalogue.toml"));
    let mut traced = Command::new("strace");
    traced.args(["-f", "-e", "trace=socket,connect", "-o"]).arg(&trace).args([program, "pull", "yard", "--from"]);
    traced.arg(&stick).arg("--to").arg(place.models()).arg("--catalogue").arg(catalogue);
    // Where there is no strace, that the server was not asked must do.
    match traced.output() {
        Ok(output) => {
            success(&output);
            let calls = std::fs::read_to_string(&trace).unwrap();
            assert!(!calls.contains("socket(") && calls.contains("exited with 0"), "{calls}");
        }
        Err(_) => assert!(success(&place.pull(&["--from", stick.to_str().unwrap()])).contains("in place")),
    }
    assert_eq!(place.file("yard.onnx"), body);
    assert!(server.requests().is_empty());
    std::fs::write(&stick, noise(4_999)).unwrap();
    std::fs::remove_file(place.models().join("yard.onnx")).unwrap();
    let error = failure(&place.pull(&["--from", stick.to_str().unwrap()]), 1);
    assert!(error.contains("4999 bytes of it, but must be 5000"), "{error}");
}

/// A server for `localhost`, and the file of the authority behind it, which is called `name`.
fn authority(folder: &Path, name: &str) -> (Arc<ServerConfig>, PathBuf) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate().unwrap();
    let path = folder.join("authority.pem");
    std::fs::write(&path, params.self_signed(&key).unwrap().pem()).unwrap();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    (Arc::new(config), path)
}

#[test]
fn a_certificate_must_be_one_that_the_system_trusts() {
    let (place, body) = (Place::new(), noise(5_000));
    let (config, trusted) = authority(place.folder.path(), "ours");
    let (_, other) = authority(&place.models(), "another");
    let given = body.clone();
    let server = Server::start_with(Some(config), move |_, request| match request.path.as_str() {
        "/yard.onnx" => Answer::whole(&given),
        // Back to where nobody vouches for the server.
        _ => Answer { headers: vec!["Location: http://localhost:9/x".to_owned()], ..Answer::status("302 Found") },
    });
    let url = format!("https://localhost:{}/", server.port);
    place.catalogue("network", &format!("{url}yard.onnx"), &body);
    let catalogue = place.folder.path().join("catalogue.toml");
    let pull = |authority: &Path, further: &[&str]| {
        let mut command = place.command(&["yard", "--catalogue", catalogue.to_str().unwrap()]);
        command.args(further).env("SSL_CERT_FILE", authority).env_remove("SSL_CERT_DIR").output().unwrap()
    };
    let error = failure(&pull(&other, &[]), 1);
    assert!(error.contains("UnknownIssuer") && error.contains("check the address"), "{error}");
    assert!(failure(&pull(&trusted, &["--from", &format!("{url}back")]), 1).contains("https"));
    success(&pull(&trusted, &[]));
    assert_eq!(place.file("yard.onnx"), body);
}

#[test]
fn an_address_wants_a_sum_and_a_licence_an_agreement() {
    let (place, body) = (Place::new(), noise(5_000));
    let given = body.clone();
    let server = Server::start(move |_, _| Answer::whole(&given));
    let url = server.url("talk.gguf");
    let pull = |further: &[&str]| place.command(&[&[url.as_str()], further].concat()).output().unwrap();
    assert!(failure(&pull(&[]), 2).contains("add --sha256"));
    let sum = sum(&body);
    let error = failure(&pull(&["--sha256", &sum]), 2);
    assert!(error.contains("under the licence unknown") && error.contains("--accept-licence unknown"), "{error}");
    assert!(server.requests().is_empty());
    let told = success(&pull(&["--sha256", &sum, "--accept-licence", "unknown"]));
    assert!(told.contains("clawdbot convert") && told.contains("section [llm]"), "{told}");
    assert_eq!(place.file("talk.gguf"), body);
}

#[test]
fn the_catalogue_is_listed_with_what_is_here() {
    let place = Place::new();
    let listed = success(&place.command(&[]).output().unwrap());
    for word in ["yolox-nano", "smollm2-135m", "Apache-2.0", "clawdbot pull NAME"] {
        assert!(listed.contains(word), "{listed}");
    }
    place.catalogue("network", "http://127.0.0.1:9/yard.onnx", b"12345");
    let catalogue = place.folder.path().join("catalogue.toml");
    let here = |expected: bool| {
        let command = &mut place.command(&["--json", "--catalogue", catalogue.to_str().unwrap()]);
        let report: Value = serde_json::from_str(&success(&command.output().unwrap())).unwrap();
        let model = &report["models"][0];
        assert_eq!((&model["here"], &model["bytes"]), (&expected.into(), &5.into()));
    };
    here(false);
    std::fs::write(place.models().join("yard.onnx"), b"12345").unwrap();
    here(true);
}

#[test]
fn what_root_pulls_belongs_to_the_folder_s_owner() {
    let (place, body) = (Place::new(), noise(5_000));
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let (user, group) = (54_321, 54_322);
    chown(place.folder.path(), Some(user), Some(group)).unwrap();
    chown(place.models(), Some(user), Some(group)).unwrap();
    let stick = tempfile::tempdir().unwrap();
    let file = stick.path().join("yard.onnx");
    std::fs::write(&file, &body).unwrap();
    // Only root reads the stick.
    std::fs::set_permissions(stick.path(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    place.catalogue("network", "http://127.0.0.1:9/yard.onnx", &body);
    success(&place.pull(&["--from", file.to_str().unwrap()]));
    let metadata = std::fs::metadata(place.models().join("yard.onnx")).unwrap();
    assert_eq!((metadata.uid(), metadata.gid()), (user, group));
    // A link that the owner laid leads root nowhere that the owner may not go.
    std::fs::remove_file(place.models().join("yard.onnx")).unwrap();
    std::os::unix::fs::symlink(stick.path(), place.models().join(".yard.part")).unwrap();
    let error = failure(&place.pull(&["--from", file.to_str().unwrap()]), 1);
    assert!(error.contains("belongs to somebody else"), "{error}");
}
