use std::fs;

use clawdbot_flow::frame::{FramePool, PixelFormat};
use clawdbot_flow::limits::FRAME_BYTES_MAX;
use image::{DynamicImage, ImageBuffer, ImageFormat, Luma, Rgb, RgbImage};

use super::Folder;
use crate::sources::camera::replay::{Clip, Item};

fn encoded(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn plain(width: u32, height: u32) -> RgbImage {
    RgbImage::from_pixel(width, height, Rgb([9, 99, 199]))
}

/// The items of a folder with these files, by name: what comes, in short.
fn items(files: &[(&str, Vec<u8>)]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    let pool = FramePool::new(1, FRAME_BYTES_MAX);
    let mut clip = Folder::open(folder.path()).unwrap();
    let mut items = Vec::new();
    loop {
        items.push(match clip.next(&pool).unwrap() {
            Item::Picture(picture) => {
                if picture.format == PixelFormat::Rgb8 {
                    assert_eq!(picture.data.len(), (picture.stride * picture.height) as usize);
                }
                format!("{:?} {}x{}", picture.format, picture.width, picture.height)
            }
            Item::Bad { name, reason } => format!("bad {name}: {reason}"),
            Item::NoBuffer => panic!("the buffer was given back"),
            Item::End => return items,
        });
    }
}

#[test]
fn pictures_come_by_name_and_jpegs_as_they_are() {
    let items = items(&[
        ("c.bmp", encoded(plain(4, 2), ImageFormat::Bmp)),
        ("a.jpg", encoded(plain(16, 8), ImageFormat::Jpeg)),
        ("b.png", encoded(plain(3, 5), ImageFormat::Png)),
        (".hidden", b"x".to_vec()),
    ]);
    assert_eq!(items, ["Jpeg 16x8", "Rgb8 3x5", "Rgb8 4x2"]);
}

/// The bad input of the issue.
#[test]
fn what_can_not_be_shown_is_told_and_the_rest_comes() {
    let jpeg = encoded(plain(64, 64), ImageFormat::Jpeg);
    let grey16: ImageBuffer<Luma<u16>, Vec<u16>> = ImageBuffer::from_pixel(4, 4, Luma([40_000]));
    let items = items(&[
        ("1-none.txt", b"no picture".to_vec()),
        ("2-empty.jpg", Vec::new()),
        ("3-dot.png", encoded(plain(1, 1), ImageFormat::Png)),
        ("4-long.png", encoded(plain(20_000, 1), ImageFormat::Png)),
        ("5-long.jpg", encoded(plain(20_000, 1), ImageFormat::Jpeg)),
        ("6-cmyk.jpg", include_bytes!("../../../picture/tests/cmyk_red.jpg").to_vec()),
        ("7-grey16.png", encoded(DynamicImage::ImageLuma16(grey16), ImageFormat::Png)),
        ("8-cut.jpg", jpeg[..jpeg.len() / 2].to_vec()),
        ("9-good.jpg", jpeg.clone()),
    ]);
    assert!(items[0].starts_with("bad 1-none.txt") && items[0].contains("no JPEG, PNG or BMP"), "{}", items[0]);
    assert!(items[1].starts_with("bad 2-empty.jpg") && items[1].contains("empty"), "{}", items[1]);
    assert_eq!(items[2], "Rgb8 1x1");
    for (item, name) in [(&items[3], "4-long.png"), (&items[4], "5-long.jpg")] {
        assert!(
            item.starts_with(&format!("bad {name}")) && item.contains("20000x1") && item.contains("16384"),
            "{item}"
        );
    }
    assert_eq!((items[5].as_str(), items[6].as_str()), ("Jpeg 8x8", "Rgb8 4x4"));
    assert!(items[7].starts_with("bad 8-cut.jpg") && items[7].contains("breaks off"), "{}", items[7]);
    assert_eq!(items[8], "Jpeg 64x64");
}

#[test]
fn a_picture_with_more_pixels_than_a_frame_holds_is_made_smaller() {
    let items = items(&[
        ("photo.jpg", encoded(plain(2600, 1600), ImageFormat::Jpeg)),
        ("photo.png", encoded(plain(2600, 1600), ImageFormat::Png)),
    ]);
    assert_eq!(items, ["Rgb8 1300x800", "Rgb8 1300x800"]);
}

#[test]
fn new_files_are_seen_at_the_next_pass_and_vanished_ones_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let pool = FramePool::new(1, FRAME_BYTES_MAX);
    fs::write(folder.path().join("a.jpg"), encoded(plain(8, 8), ImageFormat::Jpeg)).unwrap();
    let mut clip = Folder::open(folder.path()).unwrap();
    fs::rename(folder.path().join("a.jpg"), folder.path().join("b.jpg")).unwrap();
    assert!(matches!(clip.next(&pool).unwrap(), Item::Bad { reason, .. } if reason.contains("can't be read")));
    assert!(matches!(clip.next(&pool).unwrap(), Item::End));
    clip.rewind().unwrap();
    assert!(matches!(clip.next(&pool).unwrap(), Item::Picture(_)));
}

#[test]
fn a_pool_without_a_free_buffer_loses_the_picture_but_not_the_place() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.png"), encoded(plain(8, 8), ImageFormat::Png)).unwrap();
    let pool = FramePool::new(0, FRAME_BYTES_MAX);
    let mut clip = Folder::open(folder.path()).unwrap();
    assert!(matches!(clip.next(&pool).unwrap(), Item::NoBuffer));
    assert!(matches!(clip.next(&pool).unwrap(), Item::End));
}
