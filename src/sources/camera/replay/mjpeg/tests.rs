use std::io::Cursor;

use clawdbot_flow::frame::FramePool;
use clawdbot_flow::limits::FRAME_BYTES_MAX;
use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, Rgb, RgbImage};

use super::{Mjpeg, Walk, is_whole_jpeg, walk};
use crate::sources::camera::replay::{Clip, Item};

/// A JPEG of noise whose seed, and so whose bytes, differ.
fn jpeg(seed: u32) -> Vec<u8> {
    let noise = |x: u32, y: u32| {
        let mixed = (x * 7919 + y * 104_729 + seed * 1_299_709).wrapping_mul(2_654_435_761);
        Rgb(mixed.to_le_bytes()[1..4].try_into().unwrap())
    };
    let image = RgbImage::from_fn(48, 32, noise);
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 80).encode(image.as_raw(), 48, 32, ExtendedColorType::Rgb8).unwrap();
    bytes
}

/// The JPEG with another one inside an APP1 segment, as EXIF thumbnails are.
fn with_thumbnail(jpeg: &[u8], thumbnail: &[u8]) -> Vec<u8> {
    let length = u16::try_from(thumbnail.len() + 2).unwrap().to_be_bytes();
    [&jpeg[..2], &[0xff, 0xe1], &length, thumbnail, &jpeg[2..]].concat()
}

/// All items of a stream: the bytes of a frame, or why it is bad.
fn items(stream: &[u8]) -> Vec<Result<Vec<u8>, String>> {
    let pool = FramePool::new(1, FRAME_BYTES_MAX);
    let mut clip = Mjpeg::open(Cursor::new(stream.to_vec()), "clip.mjpeg");
    let mut items = Vec::new();
    loop {
        match clip.next(&pool).unwrap() {
            Item::Picture(picture) => {
                assert_eq!((picture.width, picture.height), (48, 32));
                items.push(Ok(picture.data.to_vec()));
            }
            Item::Bad { reason, .. } => items.push(Err(reason)),
            Item::NoBuffer => panic!("the buffer was given back"),
            Item::End => return items,
        }
    }
}

#[test]
fn frames_come_as_they_are() {
    let (a, b) = (jpeg(1), jpeg(2));
    assert_eq!(items(&[a.clone(), b.clone()].concat()), [Ok(a), Ok(b)]);
}

#[test]
fn bytes_between_frames_are_skipped() {
    let (a, b) = (jpeg(1), jpeg(2));
    let stream =
        [b"--boundary\r\nContent-Type: image/jpeg\r\n\r\n".as_slice(), &a, b"\r\n--boundary\r\n\r\n\xff", &b, b"\r\n"]
            .concat();
    assert_eq!(items(&stream), [Ok(a), Ok(b)]);
}

#[test]
fn a_thumbnail_does_not_split_a_frame() {
    let (a, b) = (with_thumbnail(&jpeg(1), &jpeg(9)), jpeg(2));
    assert_eq!(items(&[a.clone(), b.clone()].concat()), [Ok(a), Ok(b)]);
}

/// Cut at every place: the frame after the cut is never lost, and the cut one is told.
#[test]
fn a_frame_cut_in_the_middle_costs_that_frame_only() {
    let (a, b, c) = (jpeg(1), jpeg(2), jpeg(3));
    let application_segment_end = 2 + 2 + 16;
    for length in 3..b.len() - 1 {
        let items = items(&[a.as_slice(), &b[..length], &c].concat());
        assert_eq!(items.first(), Some(&Ok(a.clone())), "cut at {length}");
        let last = items.last().unwrap().as_ref().unwrap();
        if length < application_segment_end && items.len() == 2 {
            // The first bytes of the next frame are swallowed as if they were a thumbnail; its picture is all there.
            assert!(last.ends_with(&c), "cut at {length}");
        } else {
            assert_eq!(last, &c, "cut at {length}");
            assert!(items.len() == 3 && items[1].is_err(), "cut at {length}: {} items", items.len());
        }
    }
}

#[test]
fn a_stream_that_ends_in_a_frame() {
    let (a, b) = (jpeg(1), jpeg(2));
    let items = items(&[&a, &b[..b.len() / 2]].concat());
    assert!(items[0].is_ok() && items[1].as_ref().unwrap_err().contains("end of the file") && items.len() == 2);
}

#[test]
fn what_is_no_stream_has_no_frames() {
    assert!(items(b"").is_empty() && items(b"hello").is_empty() && items(&[0xff; 1000]).is_empty());
}

#[test]
fn a_frame_too_large_for_a_buffer_is_told() {
    let pool = FramePool::new(1, 100);
    let mut clip = Mjpeg::open(Cursor::new(jpeg(1)), "clip.mjpeg");
    assert!(matches!(clip.next(&pool).unwrap(), Item::Bad { reason, .. } if reason.contains("100")));
}

#[test]
fn a_rewound_stream_begins_anew() {
    let (a, b) = (jpeg(1), jpeg(2));
    let pool = FramePool::new(1, FRAME_BYTES_MAX);
    let mut clip = Mjpeg::open(Cursor::new([a.clone(), b].concat()), "clip.mjpeg");
    for _ in 0..3 {
        let Item::Picture(picture) = clip.next(&pool).unwrap() else { panic!() };
        assert_eq!(picture.data[..], a[..]);
        drop(picture);
        clip.rewind().unwrap();
    }
}

#[test]
fn only_a_whole_jpeg_is_whole() {
    let bytes = jpeg(1);
    assert!(is_whole_jpeg(&bytes) && is_whole_jpeg(&with_thumbnail(&bytes, &jpeg(2))));
    assert!(!is_whole_jpeg(&bytes[..bytes.len() - 2]) && !is_whole_jpeg(b"\xff\xd8\xff"));
}

#[test]
fn a_walk_asks_for_more_and_never_panics() {
    let bytes = jpeg(1);
    for length in 0..bytes.len() {
        assert!(matches!(walk(&bytes[..length], false), Walk::NeedsMore { .. }), "{length}");
        assert!(!matches!(walk(&bytes[..length], true), Walk::Frame { .. }), "{length}");
        for bit in 0..8 {
            let mut broken = bytes.clone();
            broken[length] ^= 1 << bit;
            assert!(!matches!(walk(&broken, true), Walk::NeedsMore { .. }));
        }
    }
}
