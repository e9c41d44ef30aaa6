use std::path::PathBuf;

use super::{CameraReading, Node, Source, judge};
use crate::doctor::permission::Permission;
use crate::doctor::processes::Holder;
use crate::doctor::{Finding, Verdict};

fn node() -> Node {
    Node {
        path: PathBuf::from("/dev/video0"),
        names: vec![PathBuf::from("/dev/v4l/by-id/usb-maker-index0")],
        card: "C920".to_owned(),
        driver: "uvcvideo".to_owned(),
        formats: vec!["yuyv", "mjpg"],
        unusable: None,
        error: None,
        permission: Some(Permission { mode: 0o660, group: "video".to_owned() }),
        holder: Holder::Nobody,
        wish: Some(("yuyv 640x480".to_owned(), 614_400)),
    }
}

fn judged(node: Option<Node>, wanted: &str, is_optional: bool) -> Finding {
    let (node, passed) = (node.map(Box::new), vec!["/dev/video10 is a codec".to_owned()]);
    judge_one(Source::Device { wanted: wanted.to_owned(), is_optional, node, passed })
}

fn judge_one(source: Source) -> Finding {
    let camera = CameraReading { id: "front".to_owned(), source, frames_per_second: 10.0 };
    judge(&Some(vec![camera])).remove(0)
}

#[test]
fn a_camera_in_order_is_described() {
    let finding = judged(Some(node()), "auto", false);
    assert_eq!((finding.verdict, finding.subject.as_deref()), (Verdict::Ok, Some("front")));
    assert_eq!(
        finding.seen,
        "C920 at /dev/v4l/by-id/usb-maker-index0 (uvcvideo): yuyv, mjpg; yuyv 640x480 will be asked for"
    );
}

#[test]
fn who_holds_a_camera_is_named() {
    let held = |holder| judged(Some(Node { holder, ..node() }), "auto", false);
    assert_eq!(held(Holder::Daemon).verdict, Verdict::Ok);
    assert_eq!(held(Holder::Hidden).verdict, Verdict::Note);
    let finding = held(Holder::Other("motion".to_owned(), 900));
    assert!(finding.verdict == Verdict::Warning && finding.seen.contains("motion (process 900)"));
}

#[test]
fn a_node_that_the_service_may_not_open_is_a_problem_even_if_root_may() {
    let permission = Some(Permission { mode: 0o600, group: "root".to_owned() });
    let finding = judged(Some(Node { permission, ..node() }), "auto", false);
    assert_eq!(finding.verdict, Verdict::Problem);
    assert!(finding.seen.contains("mode 600") && finding.next.unwrap().contains("udev"));
}

#[test]
fn what_this_user_may_not_open_is_unknown() {
    let forbidden = Node { unusable: Some("may not".to_owned()), error: Some(libc::EACCES), ..node() };
    assert_eq!(judged(Some(forbidden), "auto", false).verdict, Verdict::Unknown);
}

#[test]
fn a_busy_camera_is_fine_in_the_daemon_s_hands_only() {
    let busy = |holder| {
        let node = Node { unusable: Some("busy".to_owned()), error: Some(libc::EBUSY), holder, ..node() };
        judged(Some(node), "auto", false).verdict
    };
    assert_eq!(busy(Holder::Daemon), Verdict::Ok);
    assert_eq!(busy(Holder::Nobody), Verdict::Problem);
}

#[test]
fn a_number_is_no_name() {
    let finding = judged(Some(node()), "/dev/video0", false);
    assert_eq!(finding.verdict, Verdict::Note);
    assert_eq!(finding.next.as_deref(), Some("write `device = \"/dev/v4l/by-id/usb-maker-index0\"`"));
}

#[test]
fn no_camera_is_a_problem_unless_nobody_asked_for_one() {
    assert_eq!(judged(None, "auto", true).verdict, Verdict::Note);
    assert_eq!(judged(None, "auto", false).verdict, Verdict::Problem);
    let named = judged(None, "/dev/v4l/by-id/gone", false);
    assert!(named.verdict == Verdict::Problem && named.seen.contains("/dev/v4l/by-id/gone"));
}

#[test]
fn replays_and_none_at_all() {
    let replay = |is_there| judge_one(Source::Replay { path: Some(PathBuf::from("/x.mjpeg")), is_there }).verdict;
    assert_eq!((replay(true), replay(false)), (Verdict::Ok, Verdict::Problem));
    assert_eq!(judge_one(Source::NotBuilt).verdict, Verdict::Unknown);
    assert_eq!(judge(&Some(Vec::new()))[0].verdict, Verdict::Ok);
    assert_eq!(judge(&None)[0].verdict, Verdict::Unknown);
}
