use std::time::Duration;

use clawdbot_flow::clock::Monotonic;

use super::{Agreed, Numbering, Pace};
use crate::sources::camera::CameraFormat;
use crate::sources::camera::v4l2::negotiation::Choice;

fn agreed(format: CameraFormat, width: u32, height: u32, stride: u32) -> Agreed {
    Agreed { choice: Choice { format, width, height }, stride }
}

#[test]
fn raw_frames_have_the_length_that_their_stride_says() {
    for (format, stride, bytes) in [
        (CameraFormat::Yuyv, 1408, 1408 * 481),
        (CameraFormat::Nv12, 704, 704 * (481 + 241)),
        (CameraFormat::Yu12, 704, 704 * 481 + 2 * 352 * 241),
    ] {
        let agreed = agreed(format, 640, 481, stride);
        assert_eq!(agreed.frame_bytes(), Some(bytes));
        let buffer = vec![7; bytes + 100];
        assert_eq!(agreed.frame(&buffer).unwrap().len(), bytes, "what is behind the frame is cut off");
        assert!(agreed.frame(&buffer[..bytes - 1]).is_err());
        assert!(agreed.frame(&[]).is_err());
    }
    assert_eq!(
        agreed(CameraFormat::Yuyv, u32::MAX, u32::MAX, u32::MAX).frame_bytes().is_some(),
        cfg!(target_pointer_width = "64")
    );
}

#[test]
fn a_jpeg_begins_and_ends_as_one() {
    let agreed = agreed(CameraFormat::Mjpg, 640, 480, 0);
    let whole = b"\xff\xd8\xff\xe0stuff\xff\xd9";
    assert_eq!(agreed.frame(whole).unwrap(), whole);
    assert_eq!(agreed.frame(b"\xff\xd8\xff\xe0stuff\xff\xd9\0\0\0\0").unwrap(), whole, "padding behind the end");
    for broken in [b"".as_slice(), b"\xff\xd8\xff\xe0stuff", b"\0\xff\xd8\xff\xd9", b"\xff\xd8"] {
        assert!(agreed.frame(broken).is_err(), "{broken:?}");
    }
}

#[test]
fn gaps_in_the_drivers_numbers_are_dropped_frames() {
    let mut numbering = Numbering::default();
    assert_eq!([5, 6, 9].map(|number| numbering.number(number)), [(0, 0), (1, 0), (4, 2)]);
    // The stream begins anew: no gap, and our numbers go on.
    numbering.restart();
    assert_eq!(numbering.number(0), (5, 0));
    // A driver that counts around, one that stands still, one that jumps back.
    assert_eq!(
        [u32::MAX, 0, 0, 7, 3].map(|number| numbering.number(number)).map(|(_, dropped)| dropped)[2..],
        [0, 6, 0]
    );
    let mut numbering = Numbering::default();
    assert_eq!([u32::MAX - 1, u32::MAX, 0, 2].map(|number| numbering.number(number)), [(0, 0), (1, 0), (2, 0), (4, 1)]);
}

fn due(frames_per_second: f64, times_ms: impl Iterator<Item = u64>) -> usize {
    let mut pace = Pace::new(frames_per_second);
    times_ms.filter(|at| pace.is_due(Monotonic::from_origin(Duration::from_millis(*at)))).count()
}

#[test]
fn a_faster_camera_is_thinned_out() {
    assert_eq!(due(10.0, (0..3000).step_by(33)), 30);
    assert_eq!(due(5.0, (0..3000).step_by(100)), 15);
}

#[test]
fn a_slower_or_jittering_camera_loses_nothing() {
    assert_eq!(due(10.0, (0..3000).step_by(150)), 20);
    assert_eq!(due(10.0, (0..30).map(|index| index * 100 + 20 * (index % 2))), 30);
    assert_eq!(due(10.0, [0, 60_000, 60_100, 60_200].into_iter()), 4);
}
