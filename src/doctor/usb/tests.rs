use super::{Plugged, bytes_a_second, judge, place};
use crate::doctor::Verdict;
use crate::doctor::tests::tree::Tree;

fn plugged(camera: &str, bus: u32, speed: u32, bytes: u64) -> Plugged {
    let demand = Some(("yuyv 640x480 at 15 frames/s".to_owned(), bytes));
    Plugged { camera: camera.to_owned(), bus, port: format!("{bus}-1.3"), speed, demand }
}

fn verdicts(plugged: Vec<Plugged>) -> Vec<Verdict> {
    judge(&Some(plugged)).into_iter().map(|finding| finding.verdict).collect()
}

#[test]
fn one_camera_has_room_up_to_its_share() {
    assert_eq!(verdicts(vec![plugged("front", 1, 480, 9_216_000)]), [Verdict::Ok]);
    assert_eq!(verdicts(vec![plugged("front", 1, 480, 62_000_000)]), [Verdict::Warning]);
    assert_eq!(verdicts(vec![plugged("front", 2, 5000, 62_000_000)]), [Verdict::Ok]);
}

#[test]
fn two_cameras_on_one_bus_share_it() {
    let two = |bytes, other_bus| vec![plugged("a", 1, 480, bytes), plugged("b", other_bus, 480, bytes)];
    assert_eq!(verdicts(two(9_000_000, 1)), [Verdict::Note]);
    assert_eq!(verdicts(two(24_500_000, 1)), [Verdict::Problem]);
    assert_eq!(verdicts(two(24_500_000, 3)), [Verdict::Ok; 2]);
    let finding = judge(&Some(two(24_500_000, 1))).remove(0);
    assert!(finding.seen.ends_with("together 49.0 MB/s, more than the 48.0 MB/s of a USB 2 bus"), "{}", finding.seen);
    assert_eq!(finding.subject.as_deref(), Some("bus 1"));
}

#[test]
fn usb_1_is_slow() {
    assert_eq!(verdicts(vec![plugged("front", 1, 12, 500_000)]), [Verdict::Warning]);
}

#[test]
fn no_camera_needs_no_room_and_no_configuration_tells_nothing() {
    assert_eq!(verdicts(Vec::new()), [Verdict::Ok]);
    assert_eq!(judge(&None)[0].verdict, Verdict::Unknown);
    assert_eq!(bytes_a_second(614_400, 7.5), 4_608_000);
}

#[test]
fn the_bus_is_found_above_the_node() {
    let tree = Tree::new();
    let usb = "sys/devices/platform/scb/fd500000.pcie/usb1/1-1/1-1.3";
    tree.put(&format!("{usb}/speed"), "480");
    tree.put(&format!("{usb}/busnum"), "1");
    tree.folder(&format!("{usb}/1-1.3:1.0"));
    tree.link(
        "sys/class/video4linux/video0/device",
        "../../../devices/platform/scb/fd500000.pcie/usb1/1-1/1-1.3/1-1.3:1.0",
    );
    tree.folder("sys/devices/platform/bcm2835-codec");
    tree.link("sys/class/video4linux/video10/device", "../../../devices/platform/bcm2835-codec");
    let machine = tree.machine();
    assert_eq!(place(&machine, "video0"), Some((1, "1-1.3".to_owned(), 480)));
    assert_eq!(place(&machine, "video10"), None);
    assert_eq!(place(&machine, "video11"), None);
}
