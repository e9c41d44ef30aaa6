use clawdbot_flow::detection::{BoundingBox, Detection};

use super::canvas::Rectangle;
use super::text::Typeface;
use super::{annotate, chips, palette};

fn detection(label: u16, left: f32, top: f32, right: f32, bottom: f32) -> Detection {
    Detection { label, score: 0.5, bounding_box: BoundingBox { left, top, right, bottom } }
}

fn labels() -> Vec<String> {
    ["Person", "Cat", "Coffee cup"].map(str::to_owned).to_vec()
}

#[test]
fn draws_an_outline_and_a_chip_and_leaves_the_rest() {
    let (width, height) = (400, 300);
    let mut rgb = vec![90; width * height * 3];
    annotate(width, height, &mut rgb, &[detection(0, 0.25, 0.25, 0.75, 0.75)], &labels()).unwrap();
    let pixel = |x: usize, y: usize| <[u8; 3]>::try_from(&rgb[(y * width + x) * 3..][..3]).unwrap();
    assert_eq!(pixel(100, 150), palette::color(0), "the left edge of the box");
    assert_eq!(pixel(5, 290), [90; 3], "far from the box");
    assert_ne!(pixel(200, 150), [90; 3], "the box has a tint");
    let chip = (0..height)
        .flat_map(|y| (0..width).map(move |x| (x, y)))
        .filter(|&(x, y)| y < 70 && pixel(x, y) == palette::color(0));
    assert!(chip.count() > 300, "the chip above the box");
}

#[test]
fn any_picture_and_any_box_can_be_drawn() {
    let rubbish = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -3.0, 0.0, 0.5, 1.0, 9.0];
    let mut detections = Vec::new();
    for (index, &left) in rubbish.iter().enumerate() {
        for &right in &rubbish {
            detections.push(detection(u16::try_from(index).unwrap() * 9000, left, right, right, left));
            detections.push(Detection { score: left, ..detection(1, left, left, right, right) });
        }
    }
    for (width, height) in [(0, 0), (1, 1), (1, 400), (400, 1), (16, 16), (90, 40)] {
        let mut rgb = vec![0; width * height * 3];
        annotate(width, height, &mut rgb, &detections, &labels()).unwrap();
    }
    let error = annotate(4, 4, &mut [0; 47], &[], &[]).unwrap_err();
    assert_eq!(error.to_string(), "a picture of 4 x 4 RGB pixels takes 48 bytes, but 47 came");
}

#[test]
fn labels_stay_inside_the_picture_and_off_each_other() {
    let typeface = Typeface::new(20.0);
    let bounds = Rectangle { left: 0.0, top: 0.0, right: 640.0, bottom: 480.0 };
    let caption = ["Computer monitor".to_owned(), "58%".to_owned()];
    let mut placed: Vec<Rectangle> = Vec::new();
    for step in 0_u8..12 {
        // A heap of boxes that begin at nearly the same corner, the upper left one of the picture.
        let corner = f32::from(step) * 3.0 - 4.0;
        let object = Rectangle { left: corner, top: corner, right: corner + 500.0, bottom: corner + 300.0 };
        let chip = chips::place(&typeface, &caption, object, bounds, 3.0, &placed).unwrap().rectangle;
        assert!(chip.left >= 0.0 && chip.top >= 0.0 && chip.right <= 640.0 && chip.bottom <= 480.0, "{chip:?}");
        assert!(placed.iter().all(|other| other.shared(&chip) == 0.0), "{chip:?} covers another");
        placed.push(chip);
    }
}

#[test]
fn a_label_of_any_length_is_shortened_to_the_picture() {
    let typeface = Typeface::new(20.0);
    assert_eq!(typeface.shortened("Person", 200.0), "Person");
    let short = typeface.shortened(&"Ein sehr langes Wort ".repeat(1000), 200.0);
    assert!(short.starts_with("Ein sehr") && short.ends_with('…'), "{short}");
    assert!(typeface.width(&short) <= 200.0);
    assert_eq!(typeface.shortened("Person", 3.0), "");
    // Letters that the font does not have, and none at all, are drawn too.
    let mut rgb = vec![0; 200 * 200 * 3];
    let labels = ["猫 🐈 \u{7}\n".to_owned(), String::new()];
    annotate(200, 200, &mut rgb, &[detection(0, 0.1, 0.1, 0.9, 0.9), detection(1, 0.0, 0.0, 1.0, 1.0)], &labels)
        .unwrap();
}

#[test]
fn text_can_be_read_on_every_colour() {
    for label in 0..40 {
        let ground = palette::color(label);
        let text = palette::text_on(ground);
        let far = ground.iter().zip(text).map(|(&a, b)| u32::from(a.abs_diff(b))).sum::<u32>();
        assert!(far > 250, "{ground:?} {text:?}");
    }
}
