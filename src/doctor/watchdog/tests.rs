use super::*;
use crate::doctor::Verdict;
use crate::doctor::tests::tree::Tree;

fn board(files: &[(&str, &str)]) -> Finding {
    let tree = Tree::new();
    for (file, text) in files {
        tree.put(file, text);
    }
    judge(&gather(&tree.machine()))
}

#[test]
fn a_watchdog_is_judged_by_who_keeps_it() {
    let identity = ("sys/class/watchdog/watchdog0/identity", "Broadcom BCM2835 Watchdog timer");
    let timeout = ("sys/class/watchdog/watchdog0/timeout", "15");
    let state = |state| ("sys/class/watchdog/watchdog0/state", state);
    assert_eq!(
        board(&[identity, timeout, state("active")]).seen,
        "Broadcom BCM2835 Watchdog timer, 15 s, kept by the system"
    );
    assert_eq!(board(&[identity, state("inactive")]).verdict, Verdict::Note);
    assert_eq!(board(&[identity]).verdict, Verdict::Unknown);
    assert_eq!(board(&[("dev/watchdog", "")]).verdict, Verdict::Unknown);
    let fired = ("sys/class/watchdog/watchdog0/bootstatus", "32");
    assert_eq!(board(&[identity, state("active"), fired]).verdict, Verdict::Warning);
}

#[test]
fn none_is_worth_a_note() {
    assert_eq!(board(&[]).verdict, Verdict::Note);
    let pi = board(&[("proc/device-tree/model", "Raspberry Pi 4 Model B")]);
    assert!(pi.next.unwrap().contains("dtparam=watchdog=on"));
}
