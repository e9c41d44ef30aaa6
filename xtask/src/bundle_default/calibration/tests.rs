//! The calibration pictures are what the page says, and every one can be read.

use super::*;
use crate::process::repository_root;

#[test]
fn the_committed_clip_has_its_frames() {
    let clip = std::fs::read(repository_root().join("assets/clip.mjpeg")).expect("assets/clip.mjpeg is committed");
    let frames: Vec<_> = frames(&clip).collect();
    assert_eq!(frames.len(), 100);
    for frame in [frames[0], frames[99]] {
        let picture = image::load_from_memory(frame).expect("a frame is a whole JPEG file");
        assert_eq!((picture.width(), picture.height()), (640, 360));
    }
}

#[test]
fn a_picture_gives_crops_shades_and_mirror_images() {
    let picture = RgbImage::from_fn(10, 10, |x, _| image::Rgb([if x < 5 { 0 } else { 200 }; 3]));
    let variants = variants(&picture);
    assert_eq!(variants.len(), 6 * 3 * 2);
    assert_eq!(variants[1], picture);
    assert_eq!(variants[0].get_pixel(0, 0).0, [200; 3]);
    assert_eq!(variants[5].get_pixel(0, 0).0, [48; 3]);
    assert_eq!(variants[7].dimensions(), (6, 6));
}
