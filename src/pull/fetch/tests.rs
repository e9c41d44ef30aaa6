//! When nobody answers, or only a little. What comes over a real connection is tested in `tests/it/pull.rs`.

use std::net::TcpListener;

use super::*;
use crate::pull::catalogue::Becomes;
use crate::pull::place::Folder;
use crate::pull::tests::{entry, file};

#[test]
fn it_gives_up_and_keeps_what_is_here() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = Folder::open(temporary.path()).unwrap();
    let file = file("a.onnx", b"0123456789");
    let staging = folder.staging(&entry(Becomes::Network, vec![file.clone()])).unwrap();
    fs::write(staging.path(&file), b"0123").unwrap();
    staging.set_mark(&file, "\"v1\"").unwrap();
    // A port that was free a moment ago: nobody listens there.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}/a.onnx");
    let mut told = Vec::new();
    let tell = &mut |what: Told<'_>| told.push(format!("{what:?}"));
    let error = fetch(&Agent::new(), &file, &url, &staging, &[0, 0], tell).unwrap_err();
    assert!(matches!(error, Error::GaveUp { tries: 3, done: 4, .. }), "{error}");
    assert!(error.to_string().contains("4 bytes are kept: the same command goes on"), "{error}");
    assert_eq!(fs::read(staging.path(&file)).unwrap(), b"0123");
    assert_eq!(told.iter().filter(|line| line.starts_with("Again")).count(), 2, "{told:?}");
}

#[test]
fn a_part_of_what_another_catalogue_meant_is_forgotten() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = Folder::open(temporary.path()).unwrap();
    let (old, new) = (file("a.onnx", b"old"), file("a.onnx", b"newer"));
    let staging = folder.staging(&entry(Becomes::Network, vec![old.clone()])).unwrap();
    fs::write(staging.path(&old), b"ol").unwrap();
    staging.set_mark(&old, "").unwrap();
    assert_eq!((staging.mark(&old), staging.mark(&new)), (Some(String::new()), None));
    assert_eq!(Part::open(&old, &staging, &mut |_| ()).unwrap().done, 2);
    assert_eq!(Part::open(&new, &staging, &mut |_| ()).unwrap().done, 0);
}

#[test]
fn a_part_that_is_whole_is_not_asked_for() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = Folder::open(temporary.path()).unwrap();
    let file = file("a.onnx", b"0123");
    let staging = folder.staging(&entry(Becomes::Network, vec![file.clone()])).unwrap();
    fs::write(staging.path(&file), b"0123").unwrap();
    staging.set_mark(&file, "").unwrap();
    fetch(&Agent::new(), &file, "http://127.0.0.1:9/a.onnx", &staging, &[], &mut |_| ()).unwrap();
}
