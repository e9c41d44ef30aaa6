use std::io::Cursor;

use clawdbot_flow::frame::{FramePool, PixelFormat};
use clawdbot_flow::limits::FRAME_BYTES_MAX;

use super::{Y4m, limited_chroma, limited_luma};
use crate::sources::camera::replay::{Clip, Item, Picture};

fn pool() -> FramePool {
    FramePool::new(2, FRAME_BYTES_MAX)
}

fn opened(bytes: &[u8]) -> Result<Y4m<Cursor<Vec<u8>>>, String> {
    Y4m::open(Cursor::new(bytes.to_vec()), "clip.y4m")
}

/// A file of one frame.
fn file(header: &str, frame: &[u8]) -> Vec<u8> {
    [format!("YUV4MPEG2 {header}\nFRAME\n").as_bytes(), frame].concat()
}

fn first(header: &str, frame: &[u8]) -> Picture {
    match opened(&file(header, frame)).unwrap().next(&pool()).unwrap() {
        Item::Picture(picture) => picture,
        Item::Bad { reason, .. } => panic!("{reason}"),
        Item::NoBuffer | Item::End => panic!(),
    }
}

#[test]
fn a_420_frame_comes_as_i420() {
    let frame: Vec<u8> = (0..4 * 2 + 2 + 2).collect();
    for chroma in ["", " C420", " C420jpeg", " C420mpeg2", " C420paldv"] {
        let picture = first(&format!("W4 H2 F10:1 Ip A1:1{chroma} XYSCSS=420"), &frame);
        assert_eq!((picture.width, picture.height, picture.stride, picture.format), (4, 2, 4, PixelFormat::I420));
        assert_eq!(picture.data[..], frame[..]);
    }
}

#[test]
fn an_odd_edge_is_left_out() {
    // 3x3 luma, 2x2 chroma each.
    let picture = first("W3 H3", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 21, 22, 23, 24, 31, 32, 33, 34]);
    assert_eq!((picture.width, picture.height), (2, 2));
    assert_eq!(picture.data[..], [1, 2, 4, 5, 21, 31]);
}

#[test]
fn mono_gets_grey_chroma() {
    let picture = first("W2 H2 Cmono", &[10, 20, 30, 40]);
    assert_eq!(picture.format, PixelFormat::I420);
    assert_eq!(picture.data[..], [10, 20, 30, 40, 128, 128]);
}

#[test]
fn a_422_frame_becomes_yuyv() {
    let picture = first("W2 H2 C422", &[1, 2, 3, 4, 11, 12, 21, 22]);
    assert_eq!((picture.format, picture.stride), (PixelFormat::Yuyv, 4));
    assert_eq!(picture.data[..], [1, 11, 2, 21, 3, 12, 4, 22]);
}

#[test]
fn full_range_is_scaled_to_limited() {
    assert_eq!([0, 255].map(|value| limited_luma(value, true)), [16, 235]);
    assert_eq!([0, 128, 255].map(|value| limited_chroma(value, true)), [16, 128, 239]);
    let picture = first("W2 H2 Cmono XCOLORRANGE=FULL", &[0, 255, 0, 255]);
    assert_eq!(picture.data[..4], [16, 235, 16, 235]);
}

#[test]
fn hostile_headers_are_refused_with_a_reason() {
    for (header, part) in [
        ("H2", "no W"),
        ("W2", "no H"),
        ("W0 H2", "`0`"),
        ("W99999999999 H2", "16384"),
        ("W-1 H2", "`-1`"),
        ("W16384 H16384", "scale it down"),
        ("W1 H1", "too small"),
        ("W2 H2 C444", "420, 422 or mono"),
        ("W2 H2 C420p10", "420, 422 or mono"),
    ] {
        let error = opened(&file(header, &[0; 100])).err().unwrap_or_else(|| panic!("{header} was taken"));
        assert!(error.contains("clip.y4m") && error.contains(part), "{header}: {error}");
    }
    assert!(opened(b"YUV4MPEG2 W2 H2").err().unwrap().contains("no end"));
    assert!(opened(&[b'Y'; 5000]).err().unwrap().contains("no end"));
    assert!(opened("YUV4MPEG2 Ü W2 H2\nFRAME\n".as_bytes()).is_ok() || opened("YUV4MPEG2 Ü\n".as_bytes()).is_err());
}

#[test]
fn a_file_that_breaks_off_says_so_and_then_ends() {
    let mut bytes = file("W2 H2 Cmono", &[1, 2, 3, 4]);
    bytes.extend_from_slice(b"FRAME\n\x01\x02");
    let mut clip = opened(&bytes).unwrap();
    assert!(matches!(clip.next(&pool()).unwrap(), Item::Picture(_)));
    assert!(matches!(clip.next(&pool()).unwrap(), Item::Bad { reason, .. } if reason.contains("2 of its 4 bytes")));
    assert!(matches!(clip.next(&pool()).unwrap(), Item::End));
    clip.rewind().unwrap();
    assert!(matches!(clip.next(&pool()).unwrap(), Item::Picture(_)));
}

#[test]
fn a_line_that_is_no_frame_ends_the_pass() {
    let mut bytes = file("W2 H2 Cmono", &[1, 2, 3, 4]);
    bytes.extend_from_slice(b"FRUME\n\x01\x02\x03\x04");
    let mut clip = opened(&bytes).unwrap();
    assert!(matches!(clip.next(&pool()).unwrap(), Item::Picture(_)));
    assert!(matches!(clip.next(&pool()).unwrap(), Item::Bad { reason, .. } if reason.contains("FRAME")));
    assert!(matches!(clip.next(&pool()).unwrap(), Item::End));
}
