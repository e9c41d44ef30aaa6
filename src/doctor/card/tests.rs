use super::{Card, Classes, Disk, Untested, classes, gather, judge};
use crate::doctor::Verdict;
use crate::doctor::mounts::Mounts;
use crate::doctor::tests::tree::Tree;

/// A status register with these three bytes at their places.
fn register(speed: u8, grade: u8, application: u8) -> String {
    let mut bytes = [0_u8; 64];
    (bytes[8], bytes[14], bytes[21]) = (speed, grade << 4, application);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn card(speed: Result<u64, Untested>) -> Card {
    let classes = Some(Classes { speed: 10, grade: 1, application: 1 });
    let name = Some("SC32G".to_owned());
    Card { disk: "mmcblk0".to_owned(), name, classes, life_used: None, reserve: None, speed }
}

#[track_caller]
fn check(card: Card, verdict: Verdict, seen: &str) {
    let findings = judge(&[Disk::Card(card)]);
    assert_eq!((findings[0].verdict, findings[0].seen.as_str()), (verdict, seen));
    assert_eq!(findings[0].subject.as_deref(), Some("mmcblk0"));
}

#[test]
fn the_register_s_bytes_are_read() {
    assert_eq!(classes(&register(4, 1, 1)), Some(Classes { speed: 10, grade: 1, application: 1 }));
    assert_eq!(classes(&register(2, 0, 0)), Some(Classes { speed: 4, grade: 0, application: 0 }));
    assert_eq!(classes("00"), None);
    assert_eq!(classes(&register(9, 0, 0)), None);
    assert_eq!(classes(&"ä".repeat(64)), None);
}

#[test]
fn speed_decides_where_it_was_tested() {
    check(card(Ok(45_000_000)), Verdict::Ok, "SC32G; class 10, U1, A1; reads 45 MB/s");
    check(card(Ok(5_000_000)), Verdict::Warning, "SC32G; class 10, U1, A1; reads 5 MB/s");
    let untested = "SC32G; class 10, U1, A1; its speed was not tested";
    check(card(Err(Untested::Forbidden)), Verdict::Unknown, untested);
    check(card(Err(Untested::NoBoard)), Verdict::Unknown, untested);
    check(card(Err(Untested::Failed)), Verdict::Problem, "SC32G; class 10, U1, A1; a test of its speed failed");
}

#[test]
fn a_slow_class_is_worth_a_note() {
    let slow = Classes { speed: 4, grade: 0, application: 0 };
    let slow = Card { classes: Some(slow), ..card(Err(Untested::Forbidden)) };
    check(slow, Verdict::Note, "SC32G; class 4; its speed was not tested");
}

#[test]
fn wear_is_a_finding_of_its_own_and_unknown_where_it_is_not_told() {
    for (life_used, reserve, verdict, seen) in [
        (Some(3), Some(1), Verdict::Ok, "up to 30 % of its life is used"),
        (Some(10), None, Verdict::Warning, "up to 100 % of its life is used"),
        (Some(11), None, Verdict::Problem, "it has outlived its life"),
        (Some(2), Some(2), Verdict::Warning, "most of its reserve is gone"),
        (None, Some(3), Verdict::Problem, "its reserve is gone"),
        (None, Some(1), Verdict::Ok, "its reserve is there"),
        (None, None, Verdict::Unknown, "it does not tell how worn it is"),
    ] {
        let findings = judge(&[Disk::Card(Card { life_used, reserve, ..card(Ok(90_000_000)) })]);
        assert_eq!((findings[1].verdict, findings[1].seen.as_str()), (verdict, seen));
        assert_eq!(findings[1].subject.as_deref(), Some("mmcblk0 wear"));
    }
}

#[test]
fn the_disk_of_the_root_is_found_and_read() {
    let tree = Tree::new();
    tree.put("proc/self/mountinfo", "22 1 179:2 / / rw - ext4 /dev/root rw");
    tree.link("sys/dev/block/179:2", "../../devices/platform/soc/mmc_host/mmc0/block/mmcblk0/mmcblk0p2");
    tree.put("sys/block/mmcblk0/device/name", "DG4016");
    tree.put("sys/block/mmcblk0/device/life_time", "0x01 0x0a");
    tree.put("sys/block/mmcblk0/device/pre_eol_info", "0x02");
    tree.put("sys/block/mmcblk0/device/ssr", &register(4, 3, 2));
    let machine = tree.machine();
    let disks = gather(&machine, &Mounts::gather(&machine));
    let [Disk::Card(card)] = disks.as_slice() else { panic!("{disks:?}") };
    assert_eq!((card.disk.as_str(), card.life_used, card.reserve), ("mmcblk0", Some(10), Some(2)));
    assert_eq!(card.classes, Some(Classes { speed: 10, grade: 3, application: 2 }));
}

#[test]
fn other_disks_are_named_and_none_is_unknown() {
    let tree = Tree::new();
    tree.put("proc/self/mountinfo", "22 1 259:2 / / rw - ext4 /dev/nvme0n1p2 rw");
    let machine = tree.machine();
    let disks = gather(&machine, &Mounts::gather(&machine));
    assert_eq!(disks, [Disk::Other("nvme0n1".to_owned())]);
    assert_eq!(judge(&disks)[0].verdict, Verdict::Ok);
    assert_eq!(judge(&gather(&machine, &Mounts::default()))[0].verdict, Verdict::Unknown);
}
