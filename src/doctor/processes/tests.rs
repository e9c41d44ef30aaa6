use std::path::Path;

use super::{Holder, Processes};
use crate::doctor::tests::tree::Tree;

fn board() -> Tree {
    let tree = Tree::new();
    tree.put("proc/1/comm", "systemd");
    tree.put("proc/1/fd/.keep", "");
    tree.put("proc/812/comm", "clawdbot");
    tree.put("proc/812/status", "Name:\tclawdbot\nRssAnon:\t   20480 kB\nRssFile:\t 1 kB");
    tree.link("proc/812/fd/9", "/dev/video0");
    tree.put("proc/900/comm", "motion");
    tree.link("proc/900/fd/4", "/dev/video2");
    tree.link("proc/900/fd/5", "socket:[1]");
    tree.put("proc/meminfo", "");
    tree
}

#[test]
fn the_holder_of_a_camera_is_named() {
    let tree = board();
    let processes = Processes::gather(&tree.machine());
    assert_eq!(processes.holder(Path::new("/dev/video0")), Holder::Daemon);
    assert_eq!(processes.holder(Path::new("/dev/video2")), Holder::Other("motion".to_owned(), 900));
    assert_eq!(processes.holder(Path::new("/dev/video4")), Holder::Nobody);
    assert_eq!(processes.daemon_bytes(), Some(20 << 20));
}

#[test]
fn what_this_user_may_not_see_is_no_proof() {
    let tree = board();
    tree.put("proc/950/comm", "root's own");
    let processes = Processes::gather(&tree.machine());
    assert_eq!(processes.holder(Path::new("/dev/video4")), Holder::Hidden);
    assert_eq!(Processes::default().daemon_bytes(), None);
}

#[test]
fn this_process_is_not_the_daemon() {
    let tree = board();
    let mut machine = tree.machine();
    machine.answers.process = Some(812);
    assert_eq!(Processes::gather(&machine).daemon_bytes(), None);
}
