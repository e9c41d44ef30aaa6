//! `clawdbot detect`, `clawdbot eval detect` and `eval regions`, from the outside: good pictures, bad ones, and what a model is worth.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use image::{DynamicImage, ImageBuffer, Luma, Rgb, RgbImage};
use serde_json::Value;
use tempfile::TempDir;

use crate::detector;

/// A folder with the small detector and whatever a test puts there.
struct Desk {
    folder: TempDir,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        detector::write(&folder.path().join("model"));
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a picture.
    fn picture(&self, name: &str, picture: impl Into<DynamicImage>) {
        picture.into().save(self.path(name)).unwrap();
    }

    fn file(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    /// Runs `clawdbot` with words of which those with a leading `@` are files here.
    fn run(&self, words: &[&str]) -> Output {
        let words =
            words.iter().map(|word| word.strip_prefix('@').map_or_else(|| PathBuf::from(word), |name| self.path(name)));
        Command::new(env!("CARGO_BIN_EXE_clawdbot")).args(words).env_remove("CLAWDBOT_ISA").output().unwrap()
    }

    /// Runs `detect --json` on `images`; gives the exit code and each line's object.
    fn detect(&self, images: &[&str]) -> (i32, Vec<Value>) {
        let output = self.run(&[&["detect", "--json", "--model", "@model"], images].concat());
        (output.status.code().unwrap(), lines(&output))
    }
}

fn lines(output: &Output) -> Vec<Value> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn grey(width: u32, height: u32, level: u8) -> RgbImage {
    ImageBuffer::from_pixel(width, height, Rgb([level; 3]))
}

/// Checks that `answer` is one detection of `label` in the middle half of the picture.
#[track_caller]
fn assert_found(answer: &Value, label: &str, [width, height]: [f64; 2]) {
    let [detection] = &answer["detections"].as_array().unwrap()[..] else { panic!("{answer}") };
    assert_eq!(detection["label"], label, "{answer}");
    assert!(detection["score"].as_f64().unwrap() > 0.95, "{answer}");
    let sides: Vec<f64> = serde_json::from_value(detection["box"].clone()).unwrap();
    let expected = [width / 4.0, height / 4.0, width / 2.0, height / 2.0];
    assert!(sides.iter().zip(expected).all(|(side, expected)| (side - expected).abs() < 0.011), "{answer}");
}

#[test]
fn finds_what_the_model_knows() {
    let desk = Desk::new();
    desk.picture("bright.png", grey(64, 48, 255));
    desk.picture("dark.bmp", grey(20, 40, 0));
    desk.picture("bright.jpg", grey(33, 17, 250));
    let (code, answers) = desk.detect(&["@bright.png", "@dark.bmp", "@bright.jpg"]);
    assert_eq!((code, answers.len()), (0, 3));
    assert_found(&answers[0], "bright", [64.0, 48.0]);
    assert_found(&answers[1], "dark", [20.0, 40.0]);
    assert_found(&answers[2], "bright", [33.0, 17.0]);
    assert_eq!((&answers[1]["width"], &answers[1]["height"]), (&20.into(), &40.into()));
    assert!(answers[0]["milliseconds"].as_f64().unwrap() > 0.0);
}

#[test]
fn every_instruction_set_finds_the_same() {
    let desk = Desk::new();
    desk.picture("picture.png", RgbImage::from_fn(50, 30, |x, y| Rgb([(x * 5) as u8, (y * 8) as u8, 200])));
    let found = |isa: Option<&str>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_clawdbot"));
        command
            .args(["detect", "--json", "--threshold", "0", "--model"])
            .args([desk.path("model"), desk.path("picture.png")]);
        match isa {
            Some(isa) => command.env("CLAWDBOT_ISA", isa),
            None => command.env_remove("CLAWDBOT_ISA"),
        };
        let output = command.output().unwrap();
        (output.status.code(), lines(&output).first().map(|line| line["detections"].clone()))
    };
    let best = found(None);
    assert!(best.1.as_ref().is_some_and(|list| list.as_array().unwrap().len() == 2), "{best:?}");
    assert_eq!(found(Some("scalar")), best);
    assert_eq!(found(Some("abacus")).0, Some(2), "an unknown one is a matter of usage");
}

#[test]
fn odd_pictures_get_right_answers() {
    let desk = Desk::new();
    desk.picture("one.png", grey(1, 1, 255));
    desk.picture("line.png", grey(16_384, 1, 0));
    desk.picture("deep.png", ImageBuffer::<Rgb<u16>, _>::from_pixel(12, 8, Rgb([65_535_u16; 3])));
    desk.picture("grey.png", ImageBuffer::<Luma<u16>, _>::from_pixel(12, 8, Luma([0_u16])));
    let (code, answers) = desk.detect(&["@one.png", "@line.png", "@deep.png", "@grey.png"]);
    assert_eq!((code, answers.len()), (0, 4));
    assert_found(&answers[0], "bright", [1.0, 1.0]);
    assert_found(&answers[1], "dark", [16_384.0, 1.0]);
    assert_found(&answers[2], "bright", [12.0, 8.0]);
    assert_found(&answers[3], "dark", [12.0, 8.0]);
    // A CMYK JPEG from a printer's desk is red all over.
    let cmyk = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sources/picture/tests/cmyk_red.jpg");
    let (code, answers) = desk.detect(&["--threshold", "0", cmyk.to_str().unwrap()]);
    assert_eq!((code, answers[0]["width"].as_u64()), (0, Some(8)));
    let dark = &answers[0]["detections"][0];
    assert_eq!(dark["label"], "dark", "red is one bright colour of three: {answers:?}");
}

#[test]
fn one_bad_picture_does_not_spoil_the_good_ones() {
    let desk = Desk::new();
    desk.picture("good.png", grey(9, 9, 255));
    desk.picture("long.png", grey(20_000, 1, 255));
    desk.file("text.jpg", b"this is no picture");
    desk.file("empty.png", b"");
    let whole = std::fs::read(desk.path("good.png")).unwrap();
    desk.file("cut.png", &whole[..whole.len() / 2]);
    let bad = ["@text.jpg", "@empty.png", "@cut.png", "@long.png", "@missing.png", "@"];
    for bad in bad {
        let output = desk.run(&["detect", "--json", "--model", "@model", "@good.png", bad, "@good.png"]);
        let message = String::from_utf8(output.stderr.clone()).unwrap();
        assert_eq!(output.status.code(), Some(1), "{bad}: {message}");
        assert!(message.contains(&desk.path(&bad[1..]).display().to_string()), "{bad}: {message}");
        assert!(message.contains("1 of 3 pictures failed") && !message.contains("panicked"), "{bad}: {message}");
        let answers = lines(&output);
        assert_found(&answers[0], "bright", [9.0, 9.0]);
        assert!(answers[1]["error"].is_string() && answers[1]["detections"].is_null(), "{bad}: {answers:?}");
        assert_found(&answers[2], "bright", [9.0, 9.0]);
    }
}

#[test]
fn the_bundled_detector_sees_what_the_free_pictures_show() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/pictures");
    for (name, label) in [("astronaut", "Person"), ("camera", "Person"), ("chelsea", "Cat"), ("coffee", "Coffee cup")] {
        let output = Command::new(env!("CARGO_BIN_EXE_clawdbot"))
            .args(["detect", "--json"])
            .arg(folder.join(name).with_extension("png"))
            .output()
            .unwrap();
        let answers = lines(&output);
        assert_eq!(answers[0]["detections"][0]["label"], label, "{name}: {output:?}");
    }
}

#[test]
fn nonsense_on_the_command_line_is_a_matter_of_usage() {
    let desk = Desk::new();
    desk.picture("good.png", grey(9, 9, 255));
    for words in [
        &["--threshold", "1.5"][..],
        &["--threshold", "NaN"],
        &["--threads", "0"],
        &["--threads", "1000"],
        &["--repeat", "0"],
        &["--colour", "red"],
    ] {
        let output = desk.run(&[&["detect", "--model", "@model", "@good.png"], words].concat());
        assert_eq!(output.status.code(), Some(2), "{words:?}");
    }
    assert_eq!(desk.run(&["detect", "--model", "@model"]).status.code(), Some(2), "no picture");
    let output = desk.run(&["detect", "--model", "@good.png", "@good.png"]);
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && message.contains("good.png"), "no model: {message}");
}

#[test]
fn annotated_pictures_are_written_and_do_not_overwrite_each_other() {
    let desk = Desk::new();
    std::fs::create_dir(desk.path("other")).unwrap();
    desk.picture("bright.png", grey(320, 240, 255));
    desk.picture("other/bright.png", grey(320, 240, 0));
    desk.picture("one.png", grey(1, 1, 255));
    let words =
        ["detect", "--model", "@model", "--annotate", "@seen/here", "@bright.png", "@other/bright.png", "@one.png"];
    let output = desk.run(&words);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("bright.png (320 x 240, ") && text.contains("bright  100%  160 x 120 at (80, 60)"), "{text}");
    let drawn = |name: &str| image::open(desk.path("seen/here").join(name)).unwrap().into_rgb8();
    let (first, second) = (drawn("bright.detected.png"), drawn("bright-2.detected.png"));
    assert_eq!((first.dimensions(), drawn("one.detected.png").dimensions()), ((320, 240), (1, 1)));
    assert_eq!((first.get_pixel(5, 200).0, second.get_pixel(5, 200).0), ([255; 3], [0; 3]), "outside the box");
    assert_ne!(first.get_pixel(80, 120).0, [255; 3], "on the box's edge");

    desk.file("a file", b"");
    let output = desk.run(&["detect", "--model", "@model", "--annotate", "@a file", "@bright.png"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("a file"));
}

#[test]
fn a_detector_is_worth_what_it_finds() {
    let desk = Desk::new();
    desk.picture("1.png", grey(40, 40, 255));
    desk.picture("2.png", grey(40, 40, 0));
    // The first picture's object is where the detector says, the second's is elsewhere.
    let annotations = r#"{
        "images": [{"id": 1, "file_name": "1.png"}, {"id": 2, "file_name": "2.png"}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "bbox": [10, 10, 20, 20], "area": 400, "iscrowd": 0},
            {"id": 2, "image_id": 2, "category_id": 2, "bbox": [0, 0, 5, 5], "area": 25, "iscrowd": 0}
        ],
        "categories": [{"id": 1, "name": "Bright"}, {"id": 2, "name": "night"}]
    }"#;
    desk.file("truth.json", annotations.as_bytes());
    desk.file("map.json", br#"{"dark": "night"}"#);
    let wrong = |words: &[&str], expected: &str| {
        let output = desk.run(words);
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && message.contains(expected), "{words:?}: {message}");
    };
    let words = ["eval", "detect", "--model", "@model", "--annotations", "@truth.json", "--images", "@"];
    let by_name = lines(&desk.run(&[&words[..], &["--json"]].concat()));
    let precision = |answers: &[Value]| answers[0]["mean"]["average_precision"].as_f64().unwrap();
    // Not 1 to the last digit: pycocotools adds an epsilon to what it divides by, and so do we.
    assert!((precision(&by_name) - 1.0).abs() < 1e-12, "{by_name:?}");
    assert_eq!(by_name[0]["labels_left_out"][0], "dark");
    let mapped = lines(&desk.run(&[&words[..], &["--json", "--label-map", "@map.json"]].concat()));
    assert!((precision(&mapped) - 0.5).abs() < 1e-12, "{mapped:?}");
    let against = lines(&desk.run(&[&words[..], &["--json", "--against", "@model"]].concat()));
    let figures = ["difference", "low", "high", "better"].map(|name| against[0]["against"][name].as_f64());
    assert_eq!(figures, [Some(0.0); 4], "nothing differs from itself");
    assert!(by_name[0]["against"].is_null());
    wrong(&[&words[..], &["--against", "@missing"]].concat(), "missing");
    let text = String::from_utf8(desk.run(&words).stdout).unwrap();
    assert!(
        text.contains("brightness on 2 pictures")
            && text.contains("mean                   1        1.000   1.000   1.000"),
        "{text}"
    );

    desk.file("bad.json", b"{");
    let with =
        |annotations, images| ["eval", "detect", "--model", "@model", "--annotations", annotations, "--images", images];
    wrong(&with("@bad.json", "@"), "bad.json");
    wrong(&with("@missing.json", "@"), "missing.json");
    wrong(&with("@truth.json", "@nowhere"), "1.png");
    wrong(&[&words[..], &["--label-map", "@bad.json"]].concat(), "bad.json");
}

#[test]
fn regions_are_compared_with_the_whole_run_for_run() {
    let desk = Desk::new();
    desk.picture("1.png", grey(640, 480, 255));
    let annotations = r#"{
        "images": [{"id": 1, "file_name": "1.png"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [160, 120, 320, 240], "area": 76800, "iscrowd": 0}],
        "categories": [{"id": 1, "name": "bright"}]
    }"#;
    desk.file("truth.json", annotations.as_bytes());
    let words =
        ["eval", "regions", "--model", "@model", "--annotations", "@truth.json", "--images", "@", "--frames", "2"];
    let answer = lines(&desk.run(&[&words[..], &["--json"]].concat())).remove(0);
    let rows = answer["rows"].as_array().unwrap();
    assert!(rows.len() >= 20, "{answer}");
    for row in rows {
        let (runs, whole) = (row["figures"]["runs_per_frame"].as_f64().unwrap(), row["arm"] == "whole");
        let allowed = if row["arm"] == "whole + 1" { 2.0 } else { 1.0 };
        assert!(runs <= allowed && (!whole || runs == 1.0), "{row}");
        // All arms see the same.
        let first = rows.iter().find(|first| first["scene"] == row["scene"]).unwrap();
        assert_eq!(first["figures"]["objects"], row["figures"]["objects"], "{row}");
    }
    // One still fills a frame of its size: the detector finds the half of it that is annotated, in each of two frames.
    let row = rows.iter().find(|row| row["scene"] == "yard 640x480" && row["arm"] == "whole").unwrap();
    let figures = &row["figures"];
    assert_eq!(figures["objects"]["all"], 24, "{row}");
    assert_eq!(
        (&figures["fresh"]["recall"]["all"], &figures["fresh"]["precision"]),
        (&1.0.into(), &1.0.into()),
        "{row}"
    );
    assert_eq!(desk.run(&[&words[..], &["--clip", "@1.png"]].concat()).status.code(), Some(2), "a clip wants a judge");
}
