use super::{Choice, Offer, Size, choices};
use crate::sources::camera::{CameraFormat, Device, V4l2Options};

fn wanted(width: u32, height: u32, format: Option<CameraFormat>) -> V4l2Options {
    V4l2Options { device: Device::Auto, format, width, height }
}

fn offer(format: CameraFormat, sizes: &[(u32, u32)]) -> Offer {
    Offer { format, sizes: sizes.iter().map(|&(width, height)| Size::discrete(width, height)).collect() }
}

fn webcam() -> Vec<Offer> {
    let sizes = [(640, 480), (320, 240), (1280, 720), (1920, 1080)];
    vec![offer(CameraFormat::Yuyv, &sizes), offer(CameraFormat::Mjpg, &sizes)]
}

const fn choice(format: CameraFormat, width: u32, height: u32) -> Choice {
    Choice { format, width, height }
}

#[test]
fn small_pictures_come_uncompressed_and_large_ones_as_jpeg() {
    assert_eq!(choices(&webcam(), &wanted(640, 480, None))[0], choice(CameraFormat::Yuyv, 640, 480));
    assert_eq!(choices(&webcam(), &wanted(1280, 720, None))[0], choice(CameraFormat::Mjpg, 1280, 720));
}

#[test]
fn the_only_wanted_format_is_used_or_nothing() {
    assert_eq!(choices(&webcam(), &wanted(640, 480, Some(CameraFormat::Mjpg)))[0].format, CameraFormat::Mjpg);
    assert!(choices(&webcam(), &wanted(640, 480, Some(CameraFormat::Nv12))).is_empty());
    assert!(choices(&[], &wanted(640, 480, None)).is_empty());
}

#[test]
fn the_nearest_size_is_taken_rather_larger_than_smaller() {
    assert_eq!(choices(&webcam(), &wanted(600, 400, None))[0], choice(CameraFormat::Yuyv, 640, 480));
    assert_eq!(choices(&webcam(), &wanted(4096, 1000, None))[0], choice(CameraFormat::Mjpg, 1920, 1080));
    assert_eq!(choices(&webcam(), &wanted(16, 16, None))[0], choice(CameraFormat::Yuyv, 320, 240));
}

#[test]
fn the_right_size_outranks_the_preferred_format() {
    let offers = [offer(CameraFormat::Yuyv, &[(320, 240)]), offer(CameraFormat::Mjpg, &[(640, 480)])];
    assert_eq!(choices(&offers, &wanted(640, 480, None))[0], choice(CameraFormat::Mjpg, 640, 480));
}

#[test]
fn ranges_of_sizes_are_met_in_their_steps() {
    let range = Size { width: (48, 1920, 2), height: (32, 1080, 2) };
    let offers = [Offer { format: CameraFormat::Nv12, sizes: vec![range] }];
    assert_eq!(choices(&offers, &wanted(641, 481, None))[0], choice(CameraFormat::Nv12, 640, 480));
    assert_eq!(choices(&offers, &wanted(16, 16, None))[0], choice(CameraFormat::Nv12, 48, 32));
    // A driver that says nonsense is no reason to divide by zero.
    let nonsense = Size { width: (0, 0, 0), height: (9, 3, 0) };
    assert!(choices(&[Offer { format: CameraFormat::Nv12, sizes: vec![nonsense] }], &wanted(64, 64, None)).is_empty());
}

#[test]
fn a_camera_that_does_not_say_its_sizes_is_asked_for_the_wanted_one() {
    let offers = [Offer { format: CameraFormat::Yuyv, sizes: Vec::new() }];
    assert_eq!(choices(&offers, &wanted(640, 480, None))[0], choice(CameraFormat::Yuyv, 640, 480));
}

#[test]
fn what_does_not_fit_a_frame_is_not_asked_for() {
    let offers = [offer(CameraFormat::Yuyv, &[(3840, 2160), (1920, 1080)]), offer(CameraFormat::Mjpg, &[(3840, 2160)])];
    assert_eq!(choices(&offers, &wanted(3840, 1080, None)), [choice(CameraFormat::Yuyv, 1920, 1080)]);
}

/// For a full USB bus: the same size compressed first, then smaller and smaller, always less than before.
#[test]
fn fallbacks_take_less_of_the_bus() {
    let choices = choices(&webcam(), &wanted(640, 480, None));
    assert_eq!(choices[..2], [choice(CameraFormat::Yuyv, 640, 480), choice(CameraFormat::Mjpg, 640, 480)]);
    assert!(choices.contains(&choice(CameraFormat::Mjpg, 320, 240)) && choices.len() <= 7);
    assert!(choices[1..].iter().all(|choice| choice.bus_bytes() < choices[0].bus_bytes()));
    assert!(choices[2..].windows(2).all(|pair| pair[0].bus_bytes() >= pair[1].bus_bytes()), "{choices:?}");
}

#[test]
fn four_letters_name_a_format() {
    assert_eq!(CameraFormat::of(*b"JPEG"), Some(CameraFormat::Mjpg));
    assert_eq!(CameraFormat::of(*b"YU12"), Some(CameraFormat::Yu12));
    assert_eq!(CameraFormat::of(*b"BA81"), None);
}
