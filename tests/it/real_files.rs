//! Every real file that a user may bring, as he brings it: `clawdbot convert FILE`, then `classify` or `detect`, against the
//! reference that is stored beside the file, or against what LiteRT 2.3.0 gave for pictures that lie at hand (recorded here).
//!
//! What a layer gives is measured in `crates/convert/src/lower/tests/one_step.rs`; here are whole networks.

mod classifiers;
mod detectors;
mod refusals;

use std::path::PathBuf;
use std::process::{Command, Output};

use image::RgbImage;
use serde_json::Value;
use tempfile::TempDir;

use crate::accuracy::data;

/// The real files, and a folder for bundles.
struct Desk {
    data: PathBuf,
    folder: TempDir,
}

impl Desk {
    /// `None` where the files are missing and may be.
    fn new() -> Option<Self> {
        Some(Self { data: data()?, folder: tempfile::tempdir().unwrap() })
    }

    /// The path of a real file.
    fn file(&self, path: &str) -> String {
        self.data.join(path).to_str().unwrap().to_owned()
    }

    /// The path of something of our own.
    fn own(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// A file of our own with lines of text.
    fn lines(&self, name: &str, lines: &[impl AsRef<str>]) -> String {
        let path = self.own(name);
        let text: String = lines.iter().map(|line| format!("{}\n", line.as_ref())).collect();
        std::fs::write(&path, text).unwrap();
        path
    }

    fn run(words: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_clawdbot")).args(words).env_remove("CLAWDBOT_ISA").output().unwrap()
    }

    /// Standard output of a command that succeeds.
    #[track_caller]
    fn answer(words: &[&str]) -> String {
        let output = Self::run(words);
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// A real picture at a network's size, as OpenCV's `INTER_LINEAR` makes it, with which the references were made. Our own resizing is
    /// nearer to the exact numbers and so up to a grey level off; some networks answer that by several hundredths.
    fn at_size(&self, path: &str, size: [u32; 2]) -> String {
        let resized = self.own(&format!("{} at {size:?}.png", path.replace('/', " ")));
        opencv_resized(&image::open(self.file(path)).unwrap().into_rgb8(), size).save(&resized).unwrap();
        resized
    }

    /// The bundle of a real file; `name` tells bundles apart.
    #[track_caller]
    fn convert(&self, name: &str, path: &str, further: &[&str]) -> String {
        let bundle = self.own(&format!("{name}.claw.safetensors"));
        Self::answer(&[&["convert", &self.file(path), "-o", &bundle], further].concat());
        bundle
    }

    /// What `classify --json` or `detect --json` says of each picture.
    #[track_caller]
    fn look(command: &str, bundle: &str, pictures: &[String], further: &[&str]) -> Vec<Value> {
        let words = [command, "--json", "--threads", "2", "--model", bundle];
        let pictures: Vec<&str> = pictures.iter().map(String::as_str).collect();
        let answer = Self::answer(&[&words[..], further, &pictures].concat());
        answer.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// Half-pixel centres, weights of 11 bits, two shifts.
fn opencv_resized(picture: &RgbImage, [width, height]: [u32; 2]) -> RgbImage {
    // Two neighbours and their weights.
    let place = |at: u32, from: u32, to: u32| {
        let place = ((f64::from(at) + 0.5) * (f64::from(from) / f64::from(to)) - 0.5).max(0.0);
        let first = (place as u32).min(from - 1);
        let share = if first == from - 1 { 0.0 } else { (place - f64::from(first)) as f32 };
        let weights = [1.0 - share, share].map(|share| (share * 2048.0).round_ties_even() as i32);
        ([first, (first + 1).min(from - 1)], weights)
    };
    RgbImage::from_fn(width, height, |x, y| {
        let ((lines, down), (places, along)) = (place(y, picture.height(), height), place(x, picture.width(), width));
        image::Rgb(std::array::from_fn(|color| {
            let at = |line: u32, place: u32| i32::from(picture.get_pixel(place, line)[color]);
            let line = |line| at(line, places[0]) * along[0] + at(line, places[1]) * along[1];
            let part = |side: usize| (down[side] * (line(lines[side]) >> 4)) >> 16;
            u8::try_from((part(0) + part(1) + 2) >> 2).unwrap()
        }))
    })
}

/// A number of a JSON document.
fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}
