use std::fs;
use std::io::Error;
use std::os::unix::fs::symlink;
use std::path::Path;

use clawdbot_flow::rooted::Root;
use v4l::v4l_sys;

use super::{explain, find, judge};
use crate::sources::camera::CameraFormat;
use crate::sources::camera::v4l2::kernel::Capability;

const CAPTURE: u32 = v4l_sys::V4L2_CAP_VIDEO_CAPTURE;
const STREAMING: u32 = v4l_sys::V4L2_CAP_STREAMING;

fn judged(driver: &str, device_caps: u32, formats: &[CameraFormat]) -> Result<(), String> {
    let capability = Capability { driver: driver.to_owned(), device_caps, ..Capability::default() };
    judge(&capability, formats)
}

#[test]
fn a_usb_camera_is_a_camera() {
    assert_eq!(judged("uvcvideo", CAPTURE | STREAMING, &[CameraFormat::Yuyv]), Ok(()));
    assert_eq!(judged("vivid", CAPTURE | STREAMING | v4l_sys::V4L2_CAP_READWRITE, &[CameraFormat::Nv12]), Ok(()));
}

/// The nodes of a Raspberry Pi 4 and 5, and what else comes as /dev/videoN.
#[test]
fn what_is_no_camera_is_passed_over_with_a_reason() {
    let mjpg = [CameraFormat::Mjpg];
    for (driver, caps, formats, part) in [
        ("unicam", CAPTURE | STREAMING, mjpg.as_slice(), "CSI"),
        ("rp1-cfe", CAPTURE | STREAMING, &mjpg, "CSI"),
        ("bcm2835-codec", CAPTURE | STREAMING, &mjpg, "codec"),
        ("bcm2835-isp", CAPTURE | STREAMING, &mjpg, "image processor"),
        ("pispbe", CAPTURE | STREAMING, &mjpg, "image processor"),
        ("rpi-hevc-dec", CAPTURE | STREAMING, &mjpg, "decoder"),
        ("rpivid", CAPTURE | STREAMING, &mjpg, "decoder"),
        ("other", CAPTURE | STREAMING | v4l_sys::V4L2_CAP_VIDEO_M2M, &mjpg, "memory to memory"),
        ("other", v4l_sys::V4L2_CAP_VIDEO_M2M_MPLANE | STREAMING, &mjpg, "memory to memory"),
        ("rkcif", v4l_sys::V4L2_CAP_VIDEO_CAPTURE_MPLANE | STREAMING, &mjpg, "several planes"),
        ("uvcvideo", v4l_sys::V4L2_CAP_META_CAPTURE | STREAMING, &[], "metadata"),
        ("vivid", v4l_sys::V4L2_CAP_VIDEO_OUTPUT | STREAMING, &[], "captures no video"),
        ("old", CAPTURE, &mjpg, "can't stream"),
        ("uvcvideo", CAPTURE | STREAMING, &[], "none of MJPG"),
    ] {
        let reason = judged(driver, caps, formats).unwrap_err();
        assert!(reason.contains(part), "{driver}: {reason}");
    }
}

#[test]
fn errors_say_what_to_do() {
    for (code, part) in [
        (libc::ENOSPC, "USB bandwidth"),
        (libc::EACCES, "group `video`"),
        (libc::EBUSY, "another program"),
        (libc::ENODEV, "plug the camera in"),
        (libc::EIO, "cable"),
        (libc::ENOTTY, "no video device"),
        (libc::EINVAL, "opened anew"),
    ] {
        let text = explain(Path::new("/dev/video7"), &Error::from_raw_os_error(code));
        assert!(text.contains("/dev/video7") && text.contains(part), "{text}");
    }
}

#[test]
fn nodes_come_with_their_lasting_names_first_then_by_number() {
    let board = tempfile::tempdir().unwrap();
    let dev = board.path().join("dev");
    for folder in ["v4l/by-id", "v4l/by-path"] {
        fs::create_dir_all(dev.join(folder)).unwrap();
    }
    for node in ["video10", "video2", "video0", "video1", "videodev", "null"] {
        fs::write(dev.join(node), "").unwrap();
    }
    symlink("../../video2", dev.join("v4l/by-id/usb-maker_cam-video-index0")).unwrap();
    symlink("../../video2", dev.join("v4l/by-path/platform-usb-1.2-video-index0")).unwrap();
    symlink("../../video1", dev.join("v4l/by-path/platform-usb-1.3-video-index0")).unwrap();
    symlink("../../video9", dev.join("v4l/by-id/gone")).unwrap();
    let found = find(&Root::new(board.path()));
    let nodes: Vec<String> =
        found.iter().map(|found| found.path.file_name().unwrap().to_string_lossy().into_owned()).collect();
    assert_eq!(nodes, ["video2", "video1", "video0", "video10"]);
    assert_eq!(found[0].names.len(), 2);
    assert!(found[0].best_name().ends_with("v4l/by-id/usb-maker_cam-video-index0"));
    // They are files and no devices: passed over, with a reason.
    assert!(
        found.iter().all(|found| found.unusable.as_deref().is_some_and(|reason| reason.contains("no video device")))
    );
}
