use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use clawdbot_flow::rooted::Root;

use super::{Error, Settings, Wifi, apply};

/// A system with a user whose numbers are ours, so that the test needs no rights.
fn system(folder: &Path) -> Root {
    let own = fs::metadata(folder).unwrap();
    for made in ["etc", "home/pi"] {
        fs::create_dir_all(folder.join(made)).unwrap();
    }
    let passwd = format!("root:x:0:0:root:/root:/bin/sh\npi:x:{}:{}:,,,:/home/pi:/bin/bash\n", own.uid(), own.gid());
    fs::write(folder.join("etc/passwd"), passwd).unwrap();
    fs::write(folder.join("etc/hosts"), "127.0.0.1\tlocalhost\n127.0.1.1\tclawdbot\n").unwrap();
    Root::new(folder)
}

fn settings() -> Settings {
    Settings {
        hostname: Some("porch".to_owned()),
        time_zone: Some("Europe/Berlin".to_owned()),
        wifi: Some(Wifi {
            country: "DE".to_owned(),
            name: "home".to_owned(),
            password: Some("hunter2hunter2".to_owned()),
        }),
        ssh_keys: vec!["ssh-ed25519 AAAA me".to_owned()],
        daemon: Some("[[camera]]\nid = 'front'\n".to_owned()),
    }
}

#[test]
fn everything_lies_where_the_system_looks_and_twice_is_once() {
    let folder = tempfile::tempdir().unwrap();
    let root = system(folder.path());
    for _ in 0..2 {
        let done = apply(&settings(), &root, "pi").unwrap();
        assert_eq!(done.len(), 5, "{done:?}");
        assert!(!done.join(" ").contains("hunter2"), "{done:?}");
    }
    let read = |path: &str| fs::read_to_string(root.join(path)).unwrap();
    let mode = |path: &str| fs::metadata(root.join(path)).unwrap().permissions().mode() & 0o7777;
    assert_eq!(read("/etc/hostname"), "porch\n");
    assert_eq!(read("/etc/hosts"), "127.0.0.1\tlocalhost\n127.0.1.1\tporch\n");
    assert_eq!(read("/etc/timezone"), "Europe/Berlin\n");
    assert_eq!(fs::read_link(root.join("/etc/localtime")).unwrap(), Path::new("/usr/share/zoneinfo/Europe/Berlin"));
    assert_eq!(read("/home/pi/.ssh/authorized_keys"), "ssh-ed25519 AAAA me\n");
    assert_eq!((mode("/home/pi/.ssh"), mode("/home/pi/.ssh/authorized_keys")), (0o700, 0o600));
    assert_eq!(mode("/etc/wpa_supplicant/wpa_supplicant-wlan0.conf"), 0o600);
    assert_eq!(read("/etc/clawdbot/clawdbot.toml"), "[[camera]]\nid = 'front'\n");
    assert_eq!(mode("/etc/clawdbot/clawdbot.toml"), 0o640);
}

#[test]
fn what_was_not_set_stays() {
    let folder = tempfile::tempdir().unwrap();
    let root = system(folder.path());
    assert!(apply(&Settings::default(), &root, "pi").unwrap().is_empty());
    assert!(!root.join("/etc/hostname").exists() && !root.join("/etc/clawdbot").exists());
}

#[test]
fn keys_of_nobody_are_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let root = system(folder.path());
    let error = apply(&settings(), &root, "somebody").unwrap_err();
    assert!(matches!(&error, Error::NoUser(name) if name == "somebody"), "{error}");
}

#[test]
fn a_file_in_a_folder_s_place_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let root = system(folder.path());
    fs::write(root.join("/etc/wpa_supplicant"), "").unwrap();
    let error = apply(&settings(), &root, "pi").unwrap_err();
    assert!(error.to_string().contains("wpa_supplicant-wlan0.conf"), "{error}");
}
